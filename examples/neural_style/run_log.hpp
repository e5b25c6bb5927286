#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>

#include <nlohmann/json.hpp>

namespace neural_style {

/// A file that gets a line of JSON for everything that happens, at once, behind what it holds.
class RunLog {
 public:
  RunLog() = default;
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  ~RunLog() {
    if (file_ != -1) close(file_);
  }

  void open(const std::string& path) {
    constexpr mode_t kByUmask = 0666;
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, kByUmask);
    if (file_ == -1) error_ = errno;
  }

  void write(const nlohmann::ordered_json& event) {
    if (file_ == -1 || error_ != 0) return;
    // Bytes of names that are not UTF-8 become question marks.
    const std::string line =
        event.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    for (std::size_t at = 0; at < line.size();) {
      const ssize_t written = ::write(file_, line.data() + at, line.size() - at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        error_ = errno;
        take_back(static_cast<off_t>(at));
        return;
      }
      at += static_cast<std::size_t>(written);
    }
  }

  /// Why not all could be written; nothing where it was.
  std::error_code failure() const { return {error_, std::generic_category()}; }

 private:
  /// Of a line that the disk has no place for nothing stays: what is appended later would be part
  /// of it. Unless somebody else has written behind it meanwhile.
  void take_back(off_t bytes) const {
    const off_t end = lseek(file_, 0, SEEK_CUR);
    struct stat status {};
    if (bytes == 0 || fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) return;
    if (status.st_size != end) return;
    const int ignored = ftruncate(file_, end - bytes);
    static_cast<void>(ignored);
  }

  int file_ = -1;
  int error_ = 0;
};

}  // namespace neural_style
