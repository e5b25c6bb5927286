#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "sfumato/core/random.hpp"

/// Doing something again with the same random numbers.
namespace sfumato::detail {

/// While it lives, nobody is told of the Randoms that this thread uses.
class UnobservedRandom {
 public:
  UnobservedRandom() : observer_(std::exchange(random_observer(), nullptr)) {}
  UnobservedRandom(const UnobservedRandom&) = delete;
  UnobservedRandom& operator=(const UnobservedRandom&) = delete;
  ~UnobservedRandom() { random_observer() = observer_; }

 private:
  RandomObserver* observer_;
};

/// Where a Random is, and its states before and after something was done.
struct RandomEntry {
  std::weak_ptr<Random*> handle;
  Random::State before;
  Random::State after;
  bool is_of(const std::weak_ptr<Random*>& other) const {
    return !handle.owner_before(other) && !other.owner_before(handle);
  }
};
inline bool holds(const std::vector<RandomEntry>& entries, const std::weak_ptr<Random*>& handle) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const RandomEntry& entry) { return entry.is_of(handle); });
}

/// While it lives, notes every Random that this thread uses, with its state before the first use.
class RandomJournal final : public RandomObserver {
 public:
  RandomJournal() : outer_(std::exchange(random_observer(), this)) {}
  RandomJournal(const RandomJournal&) = delete;
  RandomJournal& operator=(const RandomJournal&) = delete;
  ~RandomJournal() { random_observer() = outer_; }

  void before_use(const Random& random) override {
    if (outer_ != nullptr) outer_->before_use(random);
    const UnobservedRandom unobserved;
    const std::weak_ptr<Random*> handle = random.handle();
    if (!holds(entries_, handle)) entries_.push_back({handle, random.state(), {}});
  }

  std::vector<RandomEntry> entries() const {
    const UnobservedRandom unobserved;
    std::vector<RandomEntry> entries = entries_;
    for (RandomEntry& entry : entries) {
      if (const auto random = entry.handle.lock()) entry.after = (*random)->state();
    }
    return entries;
  }

 private:
  RandomObserver* outer_;
  std::vector<RandomEntry> entries_;
};

/// While it lives, every noted Random that still exists is where it was when it was noted; then it
/// is put back to where it had got since.
class RandomReplay final : public RandomObserver {
 public:
  explicit RandomReplay(const std::vector<RandomEntry>& entries) : entries_(entries) {
    now_.reserve(entries.size());
    for (const RandomEntry& entry : entries) {
      const auto random = entry.handle.lock();
      now_.push_back(random == nullptr ? entry.after : (*random)->state());
      if (random != nullptr) set(**random, entry.before);
    }
    random_observer() = this;
  }
  RandomReplay(const RandomReplay&) = delete;
  RandomReplay& operator=(const RandomReplay&) = delete;
  ~RandomReplay() {
    random_observer() = nullptr;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (const auto random = entries_[i].handle.lock()) set(**random, now_[i]);
    }
  }

  void before_use(const Random& random) override {
    const UnobservedRandom unobserved;
    const std::weak_ptr<Random*> handle = random.handle();
    if (!holds(entries_, handle) && !holds(others_, handle)) others_.push_back({handle, {}, {}});
  }

  /// Whether the same numbers have been taken as those that were noted. A Random that came and went
  /// then may have another in its stead now.
  bool is_same() const {
    const UnobservedRandom unobserved;
    std::size_t gone = 0;
    for (const RandomEntry& entry : entries_) {
      const auto random = entry.handle.lock();
      if (random == nullptr) ++gone;
      if (random != nullptr && (*random)->state() != entry.after) return false;
    }
    return others_.size() == gone;
  }

 private:
  /// Writes only where something changes: a constant, which may have been copied from, never does.
  static void set(Random& random, const Random::State& state) {
    if (random.state() != state) random.set_state(state);
  }

  UnobservedRandom unobserved_;
  const std::vector<RandomEntry>& entries_;
  std::vector<Random::State> now_;
  std::vector<RandomEntry> others_;  // used now, and not noted
};

}  // namespace sfumato::detail
