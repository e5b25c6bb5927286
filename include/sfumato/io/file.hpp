#pragma once

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
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
  explicit FileReader(const std::filesystem::path& path) : name_(path.string()) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) throw IoError(message(name_, ": no such file"));
    if (!std::filesystem::is_regular_file(path, error)) {
      throw IoError(message(name_, ": not a regular file"));
    }
    size_ = std::filesystem::file_size(path, error);
    file_.reset(std::fopen(name_.c_str(), "rb"));
    if (error || file_ == nullptr) {
      throw IoError(message(name_, ": can't be opened for reading; check its permissions"));
    }
  }

  std::uint64_t size() const { return size_; }
  const std::string& name() const { return name_; }

  /// Reads exactly `bytes` bytes. Throws IoError when the file ends before.
  void read_at(std::uint64_t offset, void* target, std::size_t bytes) const {
    if (offset > size_ || bytes > size_ - offset) {
      throw IoError(message(name_, ": truncated: needs ", bytes, " bytes at offset ", offset,
                            " but the file has ", size_));
    }
    if (bytes == 0) return;
    if (fseeko(file_.get(), static_cast<off_t>(offset), SEEK_SET) != 0 ||
        std::fread(target, 1, bytes, file_.get()) != bytes) {
      throw IoError(message(name_, ": reading ", bytes, " bytes at offset ", offset, " failed"));
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
  std::string name_;
  std::uint64_t size_ = 0;
  detail::FileHandle file_;
};

/// A file that appears whole or not at all: what is written goes beside the target and takes its
/// place with commit(). Without one, nothing is left behind.
class AtomicFileWriter {
 public:
  /// Throws IoError when the folder can't be written to.
  explicit AtomicFileWriter(const std::filesystem::path& target)
      : target_(target), temporary_(target.string() + unique_suffix()) {
    file_.reset(std::fopen(temporary_.c_str(), "wb"));
    if (file_ == nullptr) {
      throw IoError(message(target_.string(),
                            ": can't be written; check that the folder exists "
                            "and may be written to"));
    }
  }
  AtomicFileWriter(const AtomicFileWriter&) = delete;
  AtomicFileWriter& operator=(const AtomicFileWriter&) = delete;
  ~AtomicFileWriter() {
    if (file_ == nullptr) return;
    file_.reset();
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
  }

  /// Throws IoError when the disk is full.
  void write(const void* data, std::size_t bytes) {
    if (bytes > 0 && std::fwrite(data, 1, bytes, file_.get()) != bytes) fail();
  }

  /// Puts the file in its place. Throws IoError when that fails.
  void commit() {
    if (std::fflush(file_.get()) != 0 || fsync(fileno(file_.get())) != 0) fail();
    std::error_code error;
    std::filesystem::rename(temporary_, target_, error);
    if (error) fail();
    file_.reset();
  }

 private:
  /// No two writers share a temporary file, not even those of one target in one program.
  static std::string unique_suffix() {
    static std::atomic<unsigned> writers{0};
    return message(".part-", getpid(), "-", writers++);
  }
  [[noreturn]] void fail() const {
    throw IoError(message(target_.string(), ": writing failed; is the disk full?"));
  }

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  detail::FileHandle file_;
};

/// Writes a whole file at once, or nothing. Throws IoError.
inline void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  AtomicFileWriter file(path);
  file.write(content.data(), content.size());
  file.commit();
}

}  // namespace sfumato::io
