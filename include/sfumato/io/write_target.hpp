#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "sfumato/core/error.hpp"

namespace sfumato::io {

namespace detail {

[[noreturn]] inline void fail_to_write(const std::filesystem::path& path, const std::string& why) {
  throw IoError(message(path.string(), ": can't be written: ", why));
}

inline std::string error_text(int error) {
  return std::generic_category().message(error);
}

/// The number of the open file that a path such as /dev/stdout means; nothing for other paths.
/// Opening such a path would begin at the start of the file that it was redirected to.
inline std::optional<int> open_descriptor(const std::filesystem::path& path) {
  const std::string text = path.string();
  if (text == "/dev/stdout") return STDOUT_FILENO;
  if (text == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view folder :
       {std::string_view("/dev/fd/"), std::string_view("/proc/self/fd/")}) {
    if (!text.starts_with(folder)) continue;
    const std::string digits = text.substr(folder.size());
    if (digits.empty() || digits.size() > 6 ||
        digits.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    return std::atoi(digits.c_str());
  }
  return std::nullopt;
}

/// Follows links, also those to what does not exist yet, as far as an open file. Throws IoError
/// when they go in a circle.
inline std::filesystem::path follow_links(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  constexpr int kMostLinks = 40;  // as Linux
  fs::path place = path;
  for (int links = 0; links <= kMostLinks; ++links) {
    std::error_code error;
    if (open_descriptor(place) || !fs::is_symlink(fs::symlink_status(place, error))) return place;
    place = place.parent_path() / fs::read_symlink(place, error);
    if (error) fail_to_write(path, error.message());
  }
  fail_to_write(path, "its links go in a circle");
}

/// Where something is to be written, and how.
struct WriteTarget {
  std::filesystem::path path;      ///< with links followed
  std::optional<int> descriptor;   ///< an open file that is written to as it is
  bool stream = false;             ///< a terminal, a pipe, /dev/null: opened and written to
  std::optional<struct stat> old;  ///< of the regular file that is replaced, if there is one
  std::filesystem::path folder() const {
    return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  }
};

/// Throws IoError, saying why, where a file's permissions or those of its folder forbid replacing
/// it. A file without any permission to write is one that its owner protects, also from root.
inline void check_permissions(const std::filesystem::path& path, const WriteTarget& target) {
  constexpr mode_t kAnyWrite = S_IWUSR | S_IWGRP | S_IWOTH;
  const auto may = [](const std::filesystem::path& which, int how) {
    return faccessat(AT_FDCWD, which.c_str(), how, AT_EACCESS) == 0;
  };
  errno = 0;
  if (target.old && ((target.old->st_mode & kAnyWrite) == 0 || !may(target.path, W_OK))) {
    fail_to_write(path,
                  errno == EROFS
                      ? "it lies on a read-only file system"
                      : "it is read-only; change its permissions (chmod u+w) or name another file");
  }
  if (target.stream) {
    if (!may(target.path, W_OK)) fail_to_write(path, error_text(errno));
    return;
  }
  const std::string folder = target.folder().string();
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    fail_to_write(path, message("there is no folder ", folder));
  }
  if (!may(folder, W_OK | X_OK)) {
    fail_to_write(
        path, message("the folder ", folder, " may not be written to (", error_text(errno), ")"));
  }
  const uid_t user = geteuid();
  if (target.old && (status.st_mode & S_ISVTX) != 0 && user != 0 && user != status.st_uid &&
      user != target.old->st_uid) {
    fail_to_write(path, message("it belongs to another user, and in ", folder,
                                " nobody may replace what is another's"));
  }
}

/// Finds out where `path` leads. Throws IoError, saying why, where nothing can be written.
inline WriteTarget find_target(const std::filesystem::path& path) {
  if (path.empty()) throw IoError("the name of a file to write is empty");
  WriteTarget target;
  target.path = follow_links(path);
  target.descriptor = open_descriptor(target.path);
  if (target.descriptor) {
    if (fcntl(*target.descriptor, F_GETFD) == -1) fail_to_write(path, error_text(errno));
    return target;
  }
  struct stat status {};
  const bool exists = stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) fail_to_write(path, error_text(errno));
  if (exists && S_ISDIR(status.st_mode)) fail_to_write(path, "it is a folder; name a file in it");
  if (exists && S_ISBLK(status.st_mode)) fail_to_write(path, "it is a disk; name a file");
  if (exists && S_ISSOCK(status.st_mode)) fail_to_write(path, "it is a socket; name a file");
  target.stream = exists && !S_ISREG(status.st_mode);
  if (target.stream) target.path = path;
  if (!target.path.has_filename()) fail_to_write(path, "there is no such folder");
  if (exists && !target.stream) target.old = status;
  check_permissions(path, target);
  return target;
}

}  // namespace detail

/// Whether writing one of two files would write over the other: the same file under two names,
/// through links and hard links too, or, where neither exists yet, the same place. Devices and
/// pipes, which keep nothing, are never the same. Throws IoError for links that go in a circle.
inline bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  struct stat first {};
  struct stat second {};
  const bool first_exists = stat(a.c_str(), &first) == 0;
  const bool second_exists = stat(b.c_str(), &second) == 0;
  if (first_exists != second_exists) return false;
  if (first_exists) {
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino &&
           (S_ISREG(first.st_mode) || S_ISDIR(first.st_mode));
  }
  const auto place_of = [](const std::filesystem::path& path) {
    const std::filesystem::path place = detail::follow_links(path);
    std::error_code error;
    const auto absolute = std::filesystem::absolute(place, error);
    return std::filesystem::weakly_canonical(absolute.parent_path(), error) / absolute.filename();
  };
  return !a.empty() && !b.empty() && place_of(a) == place_of(b);
}

}  // namespace sfumato::io
