#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "neural_style/page.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/pool.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/sha256.hpp"

namespace studio {

/// Throws IoError.
inline void write_bytes(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  sfumato::io::write_file_atomically(
      path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

/// A file that is being sent here; removed at the end of its life. However many come at once, they
/// take no memory.
class Incoming {
 public:
  /// Throws IoError.
  explicit Incoming(const std::filesystem::path& folder) {
    static std::atomic<std::uint64_t> count = 0;
    path_ = folder / (std::string(kPrefix) + std::to_string(++count));
    constexpr mode_t kOwn = 0600;
    file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kOwn);
    if (file_ == -1) throw sfumato::IoError(sfumato::message(path_.string(), " can't be written"));
  }
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;
  ~Incoming() {
    close(file_);
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  /// Returns false where the disk is full.
  bool add(const char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t written = write(file_, data, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      data += written;
      size -= static_cast<std::size_t>(written);
    }
    return true;
  }

  const std::filesystem::path& path() const { return path_; }

  static constexpr std::string_view kPrefix = "incoming-";

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

/// A picture that was sent here: its id is the beginning of its hash, so that the same is kept
/// once.
struct Upload {
  std::string id;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// The pictures that were sent here: `ID` is the file as it came, `ID.jpg` what is shown of it.
class Pictures {
 public:
  static constexpr std::size_t kMostUnused = 12;  ///< of no job
  static constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 25;

  /// Of a folder that is there.
  explicit Pictures(std::filesystem::path folder) : folder_(std::move(folder)) {
    for (const std::string& name : names()) {
      if (name.starts_with(Incoming::kPrefix)) remove(name);  // of a studio that was killed
    }
  }

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path file(const std::string& id) const { return folder_ / id; }
  std::filesystem::path shown(const std::string& id) const { return folder_ / (id + ".jpg"); }

  /// Whether a text is one's id.
  static bool is_id(std::string_view text) {
    return text.size() == kDigits &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  }
  bool has(const std::string& id) const {
    std::error_code ignored;
    return is_id(id) && std::filesystem::is_regular_file(file(id), ignored);
  }

  /// Keeps what has come, if it is a picture; of those that are not used, the oldest goes. Throws
  /// IoError, which says why it is none, and ResourceError.
  Upload add(const Incoming& incoming, const std::set<std::string>& used) {
    constexpr std::int64_t kLongest = 1280;
    constexpr int kQuality = 88;
    const std::lock_guard one_after_the_other(mutex_);  // as large ones take much memory
    const auto bytes = sfumato::io::FileReader(incoming.path()).read_all(kMostBytes);
    sfumato::io::Sha256 hash;
    hash.add(bytes);
    Upload upload{hash.hex().substr(0, kDigits)};
    // Memory of its own, which is given back at the end.
    const sfumato::PoolScope<sfumato::Cpu> scope(sfumato::Pool<sfumato::Cpu>::make());
    const auto pixels =
        sfumato::io::detail::decode_image("the picture", bytes, sfumato::io::Alpha::kOverWhite);
    upload.height = pixels.shape()[0];
    upload.width = pixels.shape()[1];
    const auto small = neural_style::page_picture(pixels, kLongest, kQuality, "");
    make_room(used);
    write_bytes(shown(upload.id), small.jpeg);
    write_bytes(file(upload.id), bytes);
    return upload;
  }

 private:
  static constexpr std::size_t kDigits = 32;

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    std::error_code ignored;
    for (auto entry = std::filesystem::directory_iterator(folder_, ignored);
         entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
      all.push_back(entry->path().filename().string());
    }
    return all;
  }

  void remove(const std::string& name) const {
    std::error_code ignored;
    std::filesystem::remove(folder_ / name, ignored);
  }

  void make_room(const std::set<std::string>& used) const {
    std::vector<std::pair<std::filesystem::file_time_type, std::string>> unused;
    std::error_code ignored;
    for (const std::string& name : names()) {
      if (!is_id(name) || used.contains(name)) continue;
      unused.emplace_back(std::filesystem::last_write_time(file(name), ignored), name);
    }
    std::sort(unused.begin(), unused.end());
    for (std::size_t i = 0; i + kMostUnused <= unused.size(); ++i) {
      remove(unused[i].second);
      remove(unused[i].second + ".jpg");
    }
  }

  std::filesystem::path folder_;
  std::mutex mutex_;
};

}  // namespace studio
