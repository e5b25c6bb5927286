#pragma once

#include <algorithm>
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

/// Where a Random is, and a state of it.
struct RandomEntry {
  std::weak_ptr<Random*> place;
  Random::State state;
};

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
    const std::weak_ptr<Random*> place = random.place();
    const bool known = std::any_of(entries_.begin(), entries_.end(), [&](const RandomEntry& entry) {
      return !entry.place.owner_before(place) && !place.owner_before(entry.place);
    });
    if (!known) entries_.push_back({place, random.state()});
  }

  const std::vector<RandomEntry>& entries() const { return entries_; }

 private:
  RandomObserver* outer_;
  std::vector<RandomEntry> entries_;
};

/// While it lives, every noted Random that still exists is where it was when it was noted; then it
/// is put back to where it had got since.
class RandomReplay {
 public:
  explicit RandomReplay(const std::vector<RandomEntry>& entries) {
    now_.reserve(entries.size());
    for (const auto& [place, before] : entries) {
      const auto random = place.lock();
      if (random == nullptr) continue;
      now_.push_back({place, (*random)->state()});
      set(**random, before);
    }
  }
  RandomReplay(const RandomReplay&) = delete;
  RandomReplay& operator=(const RandomReplay&) = delete;
  ~RandomReplay() {
    for (const auto& [place, now] : now_) {
      if (const auto random = place.lock()) set(**random, now);
    }
  }

 private:
  /// Writes only where something changes: a constant, which may have been copied from, never does.
  static void set(Random& random, const Random::State& state) {
    if (random.state() != state) random.set_state(state);
  }

  UnobservedRandom unobserved_;
  std::vector<RandomEntry> now_;
};

}  // namespace sfumato::detail
