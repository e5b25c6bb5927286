#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numbers>
#include <utility>

#include "sfumato/core/error.hpp"
#include "sfumato/core/mersenne_twister.hpp"

namespace sfumato {

class Random;

namespace detail {

/// Is told of every Random before this thread uses it; see RandomJournal.
class RandomObserver {
 public:
  virtual void before_use(const Random& random) = 0;

 protected:
  ~RandomObserver() = default;
};

inline RandomObserver*& random_observer() {
  thread_local RandomObserver* observer = nullptr;
  return observer;
}

/// Where a Random is, for those who want to find it again: follows it as it is moved, ends with it,
/// and does not go along with copies.
class RandomHandle {
 public:
  RandomHandle() = default;
  RandomHandle(const RandomHandle& /*other*/) {}
  RandomHandle(RandomHandle&& other) noexcept : handle_(std::move(other.handle_)) {}
  RandomHandle& operator=(const RandomHandle&) = delete;
  ~RandomHandle() = default;

  std::weak_ptr<Random*> of(Random* random) {
    if (handle_ == nullptr) handle_ = std::make_shared<Random*>(random);
    return handle_;
  }
  void move_to(Random* random) {
    if (handle_ != nullptr) *handle_ = random;
  }

 private:
  std::shared_ptr<Random*> handle_;
};

}  // namespace detail

/// A seeded source of random numbers: the same seed gives the same numbers on every device,
/// compiler and standard library (the generator is the standard's, the distributions are ours).
/// A copy goes on from where the original is. For one thread at a time.
///
///     Random random(42);
///     auto x = Tensor<float>::randn({2, 3}, random);
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  Random(const Random& other)
      : engine_(other.observed().engine_), spare_(other.spare_), has_spare_(other.has_spare_) {}
  Random(Random&& other) noexcept
      : engine_(other.engine_),
        spare_(other.spare_),
        has_spare_(other.has_spare_),
        handle_(std::move(other.handle_)) {
    handle_.move_to(this);
  }
  Random& operator=(const Random& other) {
    if (this != &other) set_state(other.state());
    return *this;
  }
  ~Random() = default;

  /// Uniform in [0, 1), 53 random bits.
  double uniform() {
    observed();
    return static_cast<double>(engine_() >> 11) * 0x1p-53;
  }

  /// Standard normal, by the transform of Box and Muller (1958).
  double normal() {
    observed();
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

  /// Uniform among 0 … bound - 1. Throws ValueError for a bound below 1.
  std::int64_t below(std::int64_t bound) {
    if (bound < 1) throw ValueError(message("Random: below(", bound, "): there is no such number"));
    return static_cast<std::int64_t>(uniform() * static_cast<double>(bound));
  }

  /// How far it is, as numbers that can be stored anywhere: the 312 words of the generator, the
  /// position among them, whether normal() has a value to spare (0 or 1), and that value's bits.
  using State = std::array<std::uint64_t, detail::MersenneTwister::kWords + 3>;

  /// A Random that is given this state goes on with the same numbers, whatever its seed was.
  State state() const {
    observed();
    State state{};
    std::copy(engine_.words.begin(), engine_.words.end(), state.begin());
    state[kPosition] = engine_.position;
    state[kHasSpare] = has_spare_ ? 1 : 0;
    state[kSpare] = has_spare_ ? std::bit_cast<std::uint64_t>(spare_) : 0;
    return state;
  }

  /// Goes on from where state() was called. Throws ValueError for numbers that state() can't have
  /// returned.
  void set_state(const State& state) {
    const auto words_end = state.begin() + kPosition;
    const double spare = std::bit_cast<double>(state[kSpare]);
    if (std::count(state.begin(), words_end, 0U) == kPosition || state[kPosition] > kPosition ||
        state[kHasSpare] > 1 || !std::isfinite(spare)) {
      throw ValueError("Random: set_state was given numbers that no state() has returned");
    }
    observed();
    std::copy(state.begin(), words_end, engine_.words.begin());
    engine_.position = static_cast<std::size_t>(state[kPosition]);
    has_spare_ = state[kHasSpare] == 1;
    spare_ = spare;
  }

  /// For a RandomJournal.
  std::weak_ptr<Random*> handle() const { return handle_.of(const_cast<Random*>(this)); }

 private:
  static constexpr int kPosition = detail::MersenneTwister::kWords;
  static constexpr int kHasSpare = kPosition + 1;
  static constexpr int kSpare = kPosition + 2;

  /// Itself, after whoever wants to know has been told.
  const Random& observed() const {
    if (detail::RandomObserver* const observer = detail::random_observer()) {
      observer->before_use(*this);
    }
    return *this;
  }

  detail::MersenneTwister engine_;
  double spare_ = 0.0;
  bool has_spare_ = false;
  mutable detail::RandomHandle handle_;
};

/// Where numbers come from that are asked for without a Random: one for each thread, which begins
/// with the seed 0, so that a program gives the same numbers each time.
inline Random& default_random() {
  thread_local Random random(0);
  return random;
}

/// Begins this thread's default_random() anew.
inline void manual_seed(std::uint64_t seed) {
  default_random() = Random(seed);
}

}  // namespace sfumato
