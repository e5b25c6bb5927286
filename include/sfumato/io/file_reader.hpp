#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "sfumato/core/error.hpp"

namespace sfumato::io {

namespace detail {
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;
}  // namespace detail

/// A file to read at any offset. It knows its size, so that readers can check what a header claims
/// before they believe it.
class FileReader {
 public:
  /// Throws IoError when there is no such file or it can't be read.
  explicit FileReader(const std::filesystem::path& path) : path_(path), name_(path.string()) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) throw IoError(message(name_, ": no such file"));
    if (!std::filesystem::is_regular_file(path, error)) {
      throw IoError(message(name_, ": not a regular file"));
    }
    size_ = std::filesystem::file_size(path, error);
    file_.reset(std::fopen(path.c_str(), "rb"));
    if (error || file_ == nullptr) {
      throw IoError(message(name_, ": can't be opened for reading; check its permissions"));
    }
  }

  std::uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  const std::string& name() const { return name_; }

  /// Reads exactly `bytes` bytes, several threads at once if they like. Throws IoError when the
  /// file ends before.
  void read_at(std::uint64_t offset, void* target, std::size_t bytes) const {
    if (offset > size_ || bytes > size_ - offset) {
      throw IoError(message(name_, ": truncated: needs ", bytes, " bytes at offset ", offset,
                            " but the file has ", size_));
    }
    for (std::size_t done = 0; done < bytes;) {  // the system may give less at a time
      const auto got = pread(fileno(file_.get()), static_cast<char*>(target) + done, bytes - done,
                             static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        throw IoError(message(name_, ": reading ", bytes, " bytes at offset ", offset, " failed"));
      }
      done += static_cast<std::size_t>(got);
    }
  }

  /// The whole file. Throws IoError when it is larger than `most` bytes.
  std::vector<std::uint8_t> read_all(std::uint64_t most) const {
    if (size_ > most) {
      throw IoError(message(name_, ": has ", size_, " bytes; at most ", most, " are expected"));
    }
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size_));
    read_at(0, bytes.data(), bytes.size());
    return bytes;
  }

 private:
  std::filesystem::path path_;
  std::string name_;
  std::uint64_t size_ = 0;
  detail::FileHandle file_;
};

}  // namespace sfumato::io
