#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "sfumato/io/npy.hpp"
#include "sfumato/io/zip.hpp"

namespace sfumato::io {

/// One array of a .npz archive that numpy.savez() or savez_compressed() wrote; see read_npy_bytes.
/// The entry of that very name is meant, else the one with ".npy" behind it, as in NumPy. Throws
/// IoError when there is no such array.
template <Element T>
Tensor<T> read_npz(const std::filesystem::path& path, const std::string& name) {
  const ZipReader archive(path);
  std::string entry = name;
  auto size = archive.size(entry);
  if (!size) size = archive.size(entry += ".npy");
  if (!size) throw IoError(message(archive.name(), ": there is no array '", excerpt(name), "'"));
  return read_npy_bytes<T>(archive.read(entry, 0, *size),
                           message(archive.name(), ": ", excerpt(name)));
}

}  // namespace sfumato::io
