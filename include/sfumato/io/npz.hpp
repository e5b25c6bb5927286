#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "sfumato/io/npy.hpp"
#include "sfumato/io/zip.hpp"

namespace sfumato::io {

/// One array of a .npz archive that numpy.savez() or savez_compressed() wrote; see read_npy_bytes.
/// Throws IoError when there is no such array.
template <Element T>
Tensor<T> read_npz(const std::filesystem::path& path, const std::string& name) {
  const ZipReader archive(path);
  const std::string entry = name + ".npy";
  const auto size = archive.size(entry);
  if (!size) throw IoError(message(archive.name(), ": there is no array '", excerpt(name), "'"));
  return read_npy_bytes<T>(archive.read(entry, 0, *size),
                           message(archive.name(), ": ", excerpt(name)));
}

}  // namespace sfumato::io
