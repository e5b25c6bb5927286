#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "job.hpp"
#include "neural_style/display.hpp"
#include "neural_style/signals.hpp"
#include "results.hpp"
#include "sfumato/core/error.hpp"

namespace studio {

using Bytes = std::shared_ptr<const std::vector<std::uint8_t>>;

/// What is new: counts that only grow.
struct News {
  std::uint64_t jobs = 0;
  std::uint64_t progress = 0;
};

/// The jobs: one is painted, some wait, and the last that ended are kept. Safe to use from several
/// threads. What is asked of a job that there is not, or that is in no such state, is a ValueError.
class Queue {
 public:
  static constexpr std::size_t kMostWaiting = 8;
  static constexpr std::size_t kMostKept = 20;

  explicit Queue(Results results) : results_(std::move(results)) {
    for (Job& job : results_.read()) {
      if (!job.is_ended()) job.state = "stopped";  // with the program
      next_ = std::max(next_, static_cast<std::size_t>(std::stoull(job.id)) + 1);
      const std::string id = job.id;
      jobs_.emplace(id, std::move(job));
    }
  }

  const Results& results() const { return results_; }

  // ---- For those who ask ----------------------------------------------------------------------

  /// Takes a job, of which it gives the id; nothing where too many wait. Throws IoError.
  std::optional<std::string> add(Job job) {
    const std::lock_guard lock(mutex_);
    if (waiting() >= kMostWaiting) return std::nullopt;
    job.id = Results::id_of(next_);
    job.state = "waiting";
    results_.write(job);
    ++next_;
    jobs_.emplace(job.id, job);
    forget_oldest();
    tell_of_jobs();
    return job.id;
  }

  /// Has a job end where it is.
  void stop(const std::string& id) {
    const std::lock_guard lock(mutex_);
    Job& job = find(id);
    if (job.is_ended()) throw sfumato::ValueError("it has ended already");
    if (job.state == "painting") {
      stops_ = true;
      return;
    }
    job.state = "stopped";
    keep(job);
  }

  /// Has a job that was stopped, or failed, go on; it waits as any other. False where too many do.
  bool go_on(const std::string& id) {
    const std::lock_guard lock(mutex_);
    Job& job = find(id);
    if (job.state != "stopped" && job.state != "failed") {
      throw sfumato::ValueError("only what was stopped goes on");
    }
    if (waiting() >= kMostWaiting) return false;
    job.state = "waiting";
    job.trouble.clear();
    keep(job);
    return true;
  }

  void remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    if (!find(id).is_ended()) throw sfumato::ValueError("stop it first");
    results_.forget(id);
    jobs_.erase(id);
    tell_of_jobs();
  }

  std::optional<Job> job(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? std::nullopt : std::optional(found->second);
  }

  /// The pictures that jobs are of.
  std::set<std::string> pictures() const {
    const std::lock_guard lock(mutex_);
    std::set<std::string> all;
    for (const auto& [id, job] : jobs_) all.insert({job.content, job.style});
    return all;
  }

  nlohmann::json list() const {
    const std::lock_guard lock(mutex_);
    nlohmann::json all = nlohmann::json::array();
    for (const auto& [id, job] : jobs_) all.push_back(to_json(job));
    return all;
  }

  /// How far the job is that is painted; null where there is none, or it has not begun.
  nlohmann::json progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
  }
  /// The picture as it is so far; null before it has begun.
  Bytes preview() const {
    const std::lock_guard lock(mutex_);
    return preview_;
  }

  /// Waits until there is something new, or for a while. Returns what counts there are then.
  News wait_for_news(const News& known, std::chrono::milliseconds patience) const {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] {
      return ends_ != 0 || news_.jobs != known.jobs || news_.progress != known.progress;
    });
    return news_;
  }

  /// The program is to end, by a signal.
  void end(int signal) {
    const std::lock_guard lock(mutex_);
    ends_ = signal;
    changed_.notify_all();
  }
  int ends() const {
    const std::lock_guard lock(mutex_);
    return ends_;
  }

  // ---- For the one who paints -----------------------------------------------------------------

  /// Waits for a job to paint; nothing where the program is to end.
  std::optional<Job> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ends_ != 0 || first_waiting() != nullptr; });
    Job* const job = first_waiting();
    if (ends_ != 0 || job == nullptr) return std::nullopt;
    job->state = "painting";
    stops_ = false;
    progress_ = nullptr;
    preview_ = nullptr;
    ++news_.progress;
    keep(*job);
    return *job;
  }

  /// Notes how far it is. Returns the signal by which to end, or 0.
  int see(const neural_style::Standing& standing, const Bytes& preview) {
    const std::lock_guard lock(mutex_);
    if (preview != nullptr) {
      preview_ = preview;
      ++previews_;
    }
    progress_ = {
        {"done", standing.done},     {"left", standing.left},           {"stage", standing.stage},
        {"stages", standing.stages}, {"iteration", standing.iteration}, {"last", standing.last},
        {"preview", previews_}};
    ++news_.progress;
    changed_.notify_all();
    return stops_ ? neural_style::kEndings.front() : ends_;
  }

  /// It has ended as it says.
  void ended(const Job& job) {
    const std::lock_guard lock(mutex_);
    progress_ = nullptr;
    ++news_.progress;
    jobs_[job.id] = job;
    keep(job);
    forget_oldest();
  }

 private:
  Job& find(const std::string& id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) throw sfumato::ValueError("there is no such job");
    return found->second;
  }

  std::size_t waiting() const {
    return static_cast<std::size_t>(
        std::count_if(jobs_.begin(), jobs_.end(),
                      [](const auto& entry) { return entry.second.state == "waiting"; }));
  }

  Job* first_waiting() {
    for (auto& [id, job] : jobs_) {
      if (job.state == "waiting") return &job;
    }
    return nullptr;
  }

  /// What can't be written now is in memory, and written the next time.
  void keep(const Job& job) {
    try {
      results_.write(job);
    } catch (const sfumato::IoError&) {
    }
    tell_of_jobs();
  }

  void forget_oldest() {
    std::vector<std::string> ended;
    for (const auto& [id, job] : jobs_) {
      if (job.is_ended()) ended.push_back(id);
    }
    for (std::size_t i = 0; i + kMostKept < ended.size(); ++i) {
      results_.forget(ended[i]);
      jobs_.erase(ended[i]);
    }
  }

  void tell_of_jobs() {
    ++news_.jobs;
    changed_.notify_all();
  }

  Results results_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::string, Job> jobs_;  // by the id, which grows
  std::size_t next_ = 1;
  nlohmann::json progress_;
  Bytes preview_;
  std::uint64_t previews_ = 0;
  News news_{1, 1};
  bool stops_ = false;  // the job that is painted is to end
  int ends_ = 0;
};

}  // namespace studio
