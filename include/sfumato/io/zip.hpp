#pragma once

#include <zip.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/io/file.hpp"

namespace sfumato::io {

/// A zip archive whose entries are stored uncompressed, as PyTorch and NumPy write them; entries
/// are read in part. libzip does the work.
class ZipReader {
 public:
  /// Throws IoError when the file is not a readable zip archive.
  explicit ZipReader(const std::filesystem::path& path) : file_(path) {
    int error = 0;
    archive_.reset(zip_open(file_.name().c_str(), ZIP_RDONLY, &error));
    if (archive_ == nullptr) {
      throw IoError(message(file_.name(), ": damaged: the zip archive can't be opened"));
    }
  }

  const std::string& name() const { return file_.name(); }

  /// The names of all entries.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive_.get(), 0); ++i) {
      const char* entry = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
      if (entry != nullptr) all.emplace_back(entry);
    }
    return all;
  }

  /// An entry's size in bytes, checked against the file's; nothing when there is no such entry.
  /// Throws IoError for a compressed entry or an impossible size.
  std::optional<std::uint64_t> size(const std::string& entry) const {
    zip_stat_t status;
    zip_stat_init(&status);
    if (zip_stat(archive_.get(), entry.c_str(), 0, &status) != 0) return std::nullopt;
    const bool stored = (status.valid & ZIP_STAT_COMP_METHOD) != 0 &&
                        status.comp_method == ZIP_CM_STORE && (status.valid & ZIP_STAT_SIZE) != 0;
    if (!stored) {
      throw IoError(
          message(name(), ": entry ", entry, " is compressed; only stored ones are read"));
    }
    if (status.size > file_.size()) {
      throw IoError(message(name(), ": entry ", entry, " claims ", status.size,
                            " bytes but the file has ", file_.size()));
    }
    return status.size;
  }

  /// `count` bytes of an entry from `offset` on. Throws IoError when it has fewer.
  std::vector<std::uint8_t> read(const std::string& entry, std::uint64_t offset,
                                 std::uint64_t count) const {
    const std::optional<std::uint64_t> available = size(entry);
    if (!available) throw IoError(message(name(), ": there is no entry ", entry));
    if (offset > *available || count > *available - offset) {
      throw IoError(message(name(), ": entry ", entry, " has ", *available, " bytes, but ", count,
                            " at offset ", offset, " are needed"));
    }
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> opened(
        zip_fopen(archive_.get(), entry.c_str(), 0), zip_fclose);
    if (opened == nullptr ||
        zip_fseek(opened.get(), static_cast<zip_int64_t>(offset), SEEK_SET) != 0 ||
        zip_fread(opened.get(), bytes.data(), count) != static_cast<zip_int64_t>(count)) {
      throw IoError(message(name(), ": entry ", entry, " is damaged"));
    }
    return bytes;
  }

 private:
  FileReader file_;
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive_{nullptr, zip_discard};
};

}  // namespace sfumato::io
