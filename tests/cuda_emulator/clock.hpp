#pragma once

// Vector clocks: what has certainly happened before what, when work runs on several streams.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulator {

/// A moment on one timeline (a stream, or a branch of a graph).
struct Moment {
  std::size_t timeline = 0;
  std::uint64_t time = 0;  ///< 0: never
};

/// For each timeline, the last moment that is known to be over.
class Clock {
 public:
  void advance(std::size_t timeline) { ++at(timeline); }
  Moment now(std::size_t timeline) { return {timeline, at(timeline)}; }
  bool knows(const Moment& moment) const {
    return moment.time == 0 ||
           (moment.timeline < times_.size() && times_[moment.timeline] >= moment.time);
  }
  void join(const Clock& other) {
    if (times_.size() < other.times_.size()) times_.resize(other.times_.size());
    for (std::size_t i = 0; i < other.times_.size(); ++i) {
      times_[i] = std::max(times_[i], other.times_[i]);
    }
  }

 private:
  std::uint64_t& at(std::size_t timeline) {
    if (times_.size() <= timeline) times_.resize(timeline + 1);
    return times_[timeline];
  }

  std::vector<std::uint64_t> times_;
};

/// Where work runs in order: its number and what it knows.
struct Timeline {
  std::size_t number = 0;
  Clock clock;
};

}  // namespace emulator
