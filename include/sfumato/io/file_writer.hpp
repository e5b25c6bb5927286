#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sfumato/core/error.hpp"
#include "sfumato/io/file_reader.hpp"
#include "sfumato/io/write_target.hpp"

namespace sfumato::io {

/// A file that appears whole or not at all: what is written goes into a file of its own beside the
/// target, which takes the target's place with commit(), and without one is removed.
///
/// Links are followed, also to what does not exist yet. A file that is replaced keeps its mode and,
/// where the system allows it, its owner; its other hard links keep the old content. Terminals,
/// pipes and devices such as /dev/null can't be replaced and are written to as they are; disks,
/// sockets, folders and read-only files are refused.
///
/// Beyond a limit on the size of files (`ulimit -f`) the system ends the process, unless the
/// program ignores the signal SIGXFSZ; then that is an IoError, too.
class AtomicFileWriter {
 public:
  /// Throws IoError that says why when the target can't be written.
  explicit AtomicFileWriter(const std::filesystem::path& target)
      : name_(target.string()), target_(detail::find_target(target)) {
    const int descriptor = open_target();
    if (descriptor == -1) detail::fail_to_write(name_, detail::error_text(errno));
    file_.reset(fdopen(descriptor, "wb"));
    if (file_ == nullptr) {
      const int error = errno;
      close(descriptor);
      remove_temporary();
      detail::fail_to_write(name_, detail::error_text(error));
    }
  }
  AtomicFileWriter(const AtomicFileWriter&) = delete;
  AtomicFileWriter& operator=(const AtomicFileWriter&) = delete;
  ~AtomicFileWriter() { remove_temporary(); }

  /// Throws IoError when the disk is full, and from then on always: of what is not whole nothing is
  /// put in place.
  void write(const void* data, std::size_t bytes) {
    check_open();
    if (bytes > 0 && std::fwrite(data, 1, bytes, file_.get()) != bytes) fail(errno);
  }

  /// Puts the file in its place, once. Throws IoError when that fails.
  void commit() {
    check_open();
    if (std::fflush(file_.get()) != 0) fail(errno);
    if (!temporary_.empty()) sync();
    // Some file systems, such as those of a network, notice only now that there is no place.
    if (std::fclose(file_.release()) != 0) fail(errno);
    if (temporary_.empty()) return;
    if (std::rename(temporary_.c_str(), target_.path.c_str()) != 0) fail(errno);
    temporary_.clear();
  }

 private:
  int open_target() {
    if (target_.descriptor) return dup(*target_.descriptor);
    if (target_.stream) return open(target_.path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return open_temporary();
  }

  /// A new file with a name that nobody can foresee or have taken, in the target's folder, so that
  /// it can be renamed. Nobody reads of it what they could not read of the file it replaces.
  int open_temporary() {
    constexpr mode_t kByUmask = 0666;
    std::random_device random;
    for (int tries = 0; tries < 100; ++tries) {
      std::string name = ".sfumato-";
      for (int i = 0; i < 16; ++i) name += static_cast<char>('a' + random() % 26);
      const std::filesystem::path path = target_.folder() / name;
      const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                                  target_.old ? mode_t{S_IRUSR | S_IWUSR} : kByUmask);
      if (descriptor == -1 && errno == EEXIST) continue;
      if (descriptor == -1) return -1;
      temporary_ = path;
      if (target_.old) {
        const bool permissions_kept = keep_permissions(descriptor, *target_.old);
        if (!permissions_kept) {
          const int error = errno;
          close(descriptor);
          remove_temporary();
          errno = error;
          return -1;
        }
      }
      return descriptor;
    }
    return -1;
  }

  /// Gives the new file the old one's mode and owner. Who may not give files away keeps the group
  /// at least, where it is one of the own, and the mode in any case.
  static bool keep_permissions(int descriptor, const struct stat& old) {
    constexpr mode_t kPermissions = 0777;
    constexpr auto kSameUser = static_cast<uid_t>(-1);
    const bool kept = fchown(descriptor, old.st_uid, old.st_gid) == 0 ||
                      fchown(descriptor, kSameUser, old.st_gid) == 0;
    // A group that is another one gets nothing that was not everybody's.
    const mode_t group = kept ? 0 : S_IRWXG & ~((old.st_mode & S_IRWXO) << 3);
    return fchmod(descriptor, old.st_mode & kPermissions & ~group) == 0;
  }

  /// Waits until the content is on the disk: else a crash could leave the new name with nothing.
  void sync() {
    if (fsync(fileno(file_.get())) == 0) return;
    const bool unknown_here = errno == EINVAL || errno == ENOSYS || errno == ENOTSUP;
    if (!unknown_here) fail(errno);
  }

  void remove_temporary() noexcept {
    file_.reset();
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
  }

  void check_open() const {
    if (file_ == nullptr) detail::fail_to_write(name_, "it is complete, or an error ended it");
  }

  [[noreturn]] void fail(int error) {
    remove_temporary();
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    throw IoError(message(name_, ": writing failed: ", detail::error_text(error),
                          full ? "; is the disk full? Make room or name another place" : "",
                          target_.old ? "; the old file is as it was" : ""));
  }

  std::string name_;
  detail::WriteTarget target_;
  std::filesystem::path temporary_;  ///< empty where the target is written to as it is
  detail::FileHandle file_;
};

/// Writes a whole file at once, or nothing; see AtomicFileWriter. Throws IoError.
inline void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  AtomicFileWriter file(path);
  file.write(content.data(), content.size());
  file.commit();
}

/// Throws the IoError that writing to `path` would, without writing: for use before a long
/// computation. Leaves nothing behind, and touches no device or pipe.
inline void check_writable(const std::filesystem::path& path) {
  const detail::WriteTarget target = detail::find_target(path);
  if (!target.descriptor && !target.stream) const AtomicFileWriter file(path);
}

}  // namespace sfumato::io
