#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace sfumato {

/// A seeded source of random numbers: the same seed gives the same numbers on every device,
/// compiler and standard library (the engine is the standard's, the distributions are ours).
///
///     Random random(42);
///     auto x = Tensor<float>::normal({2, 3}, random);
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in [0, 1), 53 random bits.
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

  /// Standard normal, by the transform of Box and Muller (1958).
  double normal() {
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

  /// Uniform among 0 … bound - 1; `bound` must be positive.
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(uniform() * static_cast<double>(bound));
  }

 private:
  std::mt19937_64 engine_;
  double spare_ = 0.0;
  bool has_spare_ = false;
};

}  // namespace sfumato
