#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "job.hpp"
#include "neural_style/jobs.hpp"
#include "neural_style/onlooker.hpp"
#include "neural_style/page.hpp"
#include "neural_style/signals.hpp"
#include "neural_style/studio.hpp"
#include "pictures.hpp"
#include "queue.hpp"
#include "sfumato/core/error.hpp"

namespace studio {

/// The run that a job asks for, with what is of all jobs. Throws ValueError for settings that no
/// page may make, or that do not go together.
inline neural_style::Arguments arguments_of(const Job& job, const neural_style::Arguments& all,
                                            const Pictures& pictures, const Results& results) {
  constexpr std::array<std::string_view, 7> kAllowed{
      "preset", "method", "strength", "size", "iterations", "style-scale", "original-colors"};
  nlohmann::json line = job.settings.is_object() ? job.settings : nlohmann::json::object();
  for (const auto& [name, value] : line.items()) {
    if (std::find(kAllowed.begin(), kAllowed.end(), name) == kAllowed.end()) {
      throw sfumato::ValueError("the studio has no setting '" + sfumato::excerpt(name) + "'");
    }
  }
  line["content"] = pictures.file(job.content).string();
  line["style"] = pictures.file(job.style).string();
  line["output"] = results.file(job.id, "result.png").string();
  line["checkpoint"] = results.file(job.id, "run.ckpt").string();
  line["quiet"] = true;
  std::error_code ignored;
  if (std::filesystem::is_regular_file(line["checkpoint"].get<std::string>(), ignored)) {
    line["resume"] = line["checkpoint"];
  }
  neural_style::Settings of_all = all.given;
  std::erase_if(of_all, [](const neural_style::Setting& setting) {
    return neural_style::find_option(setting.option)->group == neural_style::kStudio ||
           setting.option == "--quiet";
  });
  return neural_style::detail::job_of(to_text(line), 0, of_all).arguments;
}

/// Shows the queue how a picture comes about.
class Audience : public neural_style::Onlooker {
 public:
  explicit Audience(Queue& queue) : queue_(queue) {}

  int see(const neural_style::Standing& standing, const Pixels& pixels) override {
    done_ = standing.done;
    Bytes preview;
    if (const Clock::time_point now = Clock::now(); now >= next_) {
      constexpr std::int64_t kLongest = 1024;
      constexpr int kQuality = 85;
      constexpr int kShare = 20;  // of the time, one part goes into this
      preview = std::make_shared<std::vector<std::uint8_t>>(
          neural_style::page_picture(pixels(), kLongest, kQuality, "").jpeg);
      const Clock::duration wait = (Clock::now() - now) * kShare;
      next_ = Clock::now() + std::max<Clock::duration>(wait, std::chrono::milliseconds(400));
    }
    return queue_.see(standing, preview);
  }

  void hear(const std::string& trouble) override { trouble_ = trouble; }

  double done() const { return done_; }
  const std::string& trouble() const { return trouble_; }

 private:
  using Clock = std::chrono::steady_clock;

  Queue& queue_;
  Clock::time_point next_{};
  double done_ = 0.0;
  std::string trouble_;
};

/// Paints a job and notes what became of it.
inline void paint_job(Job job, const neural_style::Arguments& all, const Pictures& pictures,
                      Queue& queue, const neural_style::Paint& paint) {
  const auto start = std::chrono::steady_clock::now();
  const Results& results = queue.results();
  Audience audience(queue);
  neural_style::interrupted = 0;
  int status = 1;
  std::string trouble;
  try {
    status = paint(arguments_of(job, all, pictures, results), audience);
    trouble = audience.trouble();
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  job.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const bool stopped = status > neural_style::kBySignal;
  job.state = status == 0 ? "done" : stopped ? "stopped" : "failed";
  job.trouble = status == 0 || stopped ? "" : trouble;
  job.done = status == 0 ? 1.0 : std::max(job.done, audience.done());
  try {
    results.show(job);
    ++job.version;
  } catch (const std::exception& error) {
    // There is none, or the disk is full.
    if (status == 0) job.trouble = error.what();
  }
  std::error_code ignored;
  if (status == 0) std::filesystem::remove(results.file(job.id, "run.ckpt"), ignored);
  queue.ended(job);
}

}  // namespace studio
