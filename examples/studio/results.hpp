#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "job.hpp"
#include "neural_style/page.hpp"
#include "pictures.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/image.hpp"

namespace studio {

/// Where a studio keeps what it has where nobody names a folder. Throws IoError.
inline std::filesystem::path usual_folder() {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  const std::filesystem::path state = variable("XDG_STATE_HOME");
  if (state.is_absolute()) return state / "sfumato" / "studio";
  if (variable("HOME").empty()) {
    throw sfumato::IoError("there is no home folder to keep results in; name one by --folder");
  }
  return variable("HOME") / ".local" / "state" / "sfumato" / "studio";
}

/// A folder that one studio has.
class Folder {
 public:
  /// Makes it, for nobody else to look into, with these parts. Throws IoError where it can't be
  /// had.
  Folder(const std::filesystem::path& root, const std::vector<std::string>& parts) {
    const auto fail = [&](const std::string& why) {
      throw sfumato::IoError(sfumato::message("--folder ", root.string(), ": ", why));
    };
    std::error_code error;
    const bool is_new = std::filesystem::create_directories(root, error);
    if (is_new) {
      std::filesystem::permissions(root, std::filesystem::perms::owner_all, error);
    }
    for (const std::string& part : parts) {
      std::filesystem::create_directories(root / part, error);
      if (error) fail(error.message());
    }
    constexpr mode_t kOwn = 0600;
    lock_ = open((root / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOwn);
    if (lock_ == -1) fail("nothing can be written there");
    if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      close(lock_);
      fail("another studio has it");
    }
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { close(lock_); }

 private:
  int lock_ = -1;
};

/// What jobs leave: in `ID/` the job.json, result.png, small.jpg and run.ckpt of each.
class Results {
 public:
  /// Of a folder that is there.
  explicit Results(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path file(const std::string& id, const char* name) const {
    return folder_ / id / name;
  }

  /// Throws IoError.
  void write(const Job& job) const {
    std::error_code ignored;
    std::filesystem::create_directory(folder_ / job.id, ignored);
    sfumato::io::write_file_atomically(file(job.id, "job.json"), to_text(to_json(job)));
  }

  /// Makes a small picture of a result and notes its size. Throws IoError.
  void show(Job& job) const {
    constexpr std::int64_t kLongest = 400;
    constexpr int kQuality = 85;
    const auto pixels = sfumato::io::read_image(file(job.id, "result.png"));
    job.height = pixels.shape()[0];
    job.width = pixels.shape()[1];
    write_bytes(file(job.id, "small.jpg"),
                neural_style::page_picture(pixels, kLongest, kQuality, "").jpeg);
  }

  /// Removes what was written here of a job, and nothing else.
  void forget(const std::string& id) const {
    std::error_code ignored;
    for (const char* const name : {"job.json", "result.png", "small.jpg", "run.ckpt"}) {
      std::filesystem::remove(file(id, name), ignored);
    }
    std::filesystem::remove(folder_ / id, ignored);  // where nothing else is in it
  }

  /// The jobs that there are, oldest first; what can't be read is left alone.
  std::vector<Job> read() const {
    constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 16;
    std::vector<Job> jobs;
    std::error_code ignored;
    for (auto entry = std::filesystem::directory_iterator(folder_, ignored);
         entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
      const std::string id = entry->path().filename().string();
      if (!is_id(id)) continue;
      try {
        const auto bytes = sfumato::io::FileReader(file(id, "job.json")).read_all(kMostBytes);
        Job job = job_from(nlohmann::json::parse(bytes, nullptr, false));
        // They become paths.
        if (job.id != id || !Pictures::is_id(job.content) || !Pictures::is_id(job.style)) continue;
        jobs.push_back(std::move(job));
      } catch (const sfumato::IoError&) {
        continue;
      }
    }
    std::sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.id < b.id; });
    return jobs;
  }

  /// "000123".
  static std::string id_of(std::size_t number) {
    std::string digits = std::to_string(number);
    if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
    return digits;
  }
  static bool is_id(const std::string& text) {
    return text.size() == kDigits && text.find_first_not_of("0123456789") == std::string::npos;
  }

 private:
  static constexpr std::size_t kDigits = 6;
  std::filesystem::path folder_;
};

}  // namespace studio
