#pragma once

#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/io/file_reader.hpp"

namespace sfumato::io {

/// A zip archive whose entries are stored, as PyTorch and NumPy write them, or deflated; entries
/// are read in part. libzip does the work. Checksums are checked: an entry that is read for the
/// first time is read whole.
///
/// Several threads may read from one at once. What a deflated entry may expand to is limited, so
/// that a small file can't fill the memory: 256 MiB, or a hundred times its compressed size if that
/// is more.
class ZipReader {
 public:
  /// Throws IoError when the file is not a readable zip archive, or has a name twice: some programs
  /// mean the first then, others the last.
  explicit ZipReader(const std::filesystem::path& path) : file_(path) {
    int error = 0;
    archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &error));
    if (archive_ == nullptr) fail("damaged: the zip archive can't be opened");
    std::vector<std::string> all = names();
    std::sort(all.begin(), all.end());
    const auto twice = std::adjacent_find(all.begin(), all.end());
    if (twice != all.end()) {
      fail(message("the name '", excerpt(*twice), "' stands twice in the archive"));
    }
  }

  const std::string& name() const { return file_.name(); }

  /// The names of all entries.
  std::vector<std::string> names() const {
    const std::lock_guard alone(*mutex_);
    std::vector<std::string> all;
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive_.get(), 0); ++i) {
      const char* entry = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
      if (entry != nullptr) all.emplace_back(entry);
    }
    return all;
  }

  /// An entry's size in bytes when expanded; nothing when there is no such entry. Throws IoError
  /// for what is encrypted or compressed in another way, and for an impossible size.
  std::optional<std::uint64_t> size(const std::string& entry) const {
    const std::lock_guard alone(*mutex_);
    const std::optional<zip_stat_t> status = status_of(entry);
    return status ? std::optional<std::uint64_t>(status->size) : std::nullopt;
  }

  /// `count` bytes of an entry from `offset` on. Throws IoError when it has fewer or is damaged.
  std::vector<std::uint8_t> read(const std::string& entry, std::uint64_t offset,
                                 std::uint64_t count) const {
    const std::lock_guard alone(*mutex_);
    const std::optional<zip_stat_t> status = status_of(entry);
    if (!status) fail(message("there is no entry ", excerpt(entry)));
    if (offset > status->size || count > status->size - offset) {
      bad(entry, message("has ", status->size, " bytes, but ", count, " at offset ", offset,
                         " are needed"));
    }
    // libzip 1.7.3 must not be asked to seek where there is nothing to read: it crashes.
    if (count == 0) return {};
    const bool whole = offset == 0 && count == status->size;
    if (whole) return read_whole(entry, *status);
    if (status->comp_method == ZIP_CM_STORE && checked_.contains(entry)) {
      return read_part(entry, offset, count);
    }
    // An expanded entry can't be entered in the middle: the last one is kept for the next part.
    if (expanded_name_ != entry) {
      expanded_ = read_whole(entry, *status);
      expanded_name_ = entry;
    }
    const auto begin = expanded_.begin() + static_cast<std::ptrdiff_t>(offset);
    std::vector<std::uint8_t> part(begin, begin + static_cast<std::ptrdiff_t>(count));
    if (status->comp_method == ZIP_CM_STORE) {
      expanded_name_.clear();
      expanded_ = {};
    }
    return part;
  }

 private:
  struct CloseEntry {
    void operator()(zip_file_t* opened) const { zip_fclose(opened); }
  };
  using OpenEntry = std::unique_ptr<zip_file_t, CloseEntry>;

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(name(), ": ", what));
  }
  [[noreturn]] void bad(const std::string& entry, const std::string& what) const {
    fail(message("entry ", excerpt(entry), " ", what));
  }
  [[noreturn]] void bad_checksum(const std::string& entry) const {
    bad(entry,
        "is damaged: its checksum is wrong, or it was saved with checksums turned off, as "
        "torch.serialization.set_crc32_options(False) does; save it again with them");
  }

  std::optional<zip_stat_t> status_of(const std::string& entry) const {
    zip_stat_t status;
    zip_stat_init(&status);
    if (zip_stat(archive_.get(), entry.c_str(), 0, &status) != 0) return std::nullopt;
    if ((status.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 &&
        status.encryption_method != ZIP_EM_NONE) {
      bad(entry, "is encrypted; save the file without a password");
    }
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC;
    if ((status.valid & kNeeded) != kNeeded) bad(entry, "is damaged: its size is not known");
    if (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE) {
      bad(entry, message("is compressed by method ", status.comp_method,
                         "; only stored and deflated ones are read"));
    }
    if (status.comp_size > file_.size()) {
      bad(entry, message("claims ", status.comp_size, " bytes but the file has ", file_.size()));
    }
    constexpr std::uint64_t kMostExpanded = std::uint64_t{256} << 20;
    constexpr std::uint64_t kMostExpansion = 100;
    const bool deflated = status.comp_method == ZIP_CM_DEFLATE;
    if (deflated && status.size > std::max(kMostExpanded, kMostExpansion * status.comp_size)) {
      bad(entry, message("claims to expand from ", status.comp_size, " bytes to ", status.size,
                         ", which is more than is allowed; save it without compression"));
    }
    const bool impossible =
        deflated ? status.comp_size == 0 && status.size > 0 : status.comp_size != status.size;
    if (impossible) {
      bad(entry, message("is damaged: its size is ", status.size, " bytes and, stored, ",
                         status.comp_size));
    }
    if (status.size == 0 && status.crc != 0) bad_checksum(entry);
    return status;
  }

  OpenEntry open(const std::string& entry) const {
    OpenEntry opened(zip_fopen(archive_.get(), entry.c_str(), 0));
    if (opened == nullptr) bad(entry, "is damaged: it can't be opened");
    return opened;
  }

  /// Reads piece by piece, so that memory is taken for what is there and not for what is claimed.
  std::vector<std::uint8_t> read_whole(const std::string& entry, const zip_stat_t& status) const {
    constexpr std::uint64_t kPiece = std::uint64_t{16} << 20;
    const OpenEntry opened = open(entry);
    std::vector<std::uint8_t> bytes;
    while (bytes.size() < status.size) {
      const std::size_t begin = bytes.size();
      const auto piece = static_cast<std::size_t>(std::min(kPiece, status.size - begin));
      bytes.resize(begin + piece);
      const zip_int64_t got = zip_fread(opened.get(), bytes.data() + begin, piece);
      if (got <= 0) bad(entry, "is damaged: it ends too early or can't be expanded");
      bytes.resize(begin + static_cast<std::size_t>(got));
    }
    // libzip compares the checksum when it finds the end.
    std::uint8_t surplus = 0;
    const zip_int64_t got = zip_fread(opened.get(), &surplus, 1);
    if (got > 0) bad(entry, "is damaged: it is longer than it claims");
    if (got < 0) bad_checksum(entry);
    checked_.insert(entry);
    return bytes;
  }

  std::vector<std::uint8_t> read_part(const std::string& entry, std::uint64_t offset,
                                      std::uint64_t count) const {
    const OpenEntry opened = open(entry);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
    if (zip_fseek(opened.get(), static_cast<zip_int64_t>(offset), SEEK_SET) != 0 ||
        zip_fread(opened.get(), bytes.data(), count) != static_cast<zip_int64_t>(count)) {
      bad(entry, "is damaged");
    }
    return bytes;
  }

  FileReader file_;
  // An archive that is only read changes, too: libzip's place in it, and what follows.
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive_{nullptr, zip_discard};
  mutable std::set<std::string> checked_;  ///< entries whose checksums were right
  mutable std::string expanded_name_;      ///< of the entry in `expanded_`
  mutable std::vector<std::uint8_t> expanded_;
};

}  // namespace sfumato::io
