#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "sfumato/core/error.hpp"

namespace sfumato::optim {

namespace detail {
inline void check_schedule(bool is_right, const char* name, std::int64_t step) {
  if (!is_right || step < 0) {
    throw ValueError(message(name, ": at step ", step,
                             " there is no learning rate; steps count from 0, every is at least 1, "
                             "and warmup is from 0 to total"));
  }
}
}  // namespace detail

// Learning rates as functions of the step, counted from 0. They throw ValueError for steps and
// lengths that are negative, for an `every` of 0, and for a warmup longer than `total`:
//
//     const StepDecay schedule{.initial = 0.01, .every = 200, .factor = 0.1};
//     for (std::int64_t i = 0; i < 500; ++i) {
//       adam.set_learning_rate(schedule(i));
//       …

/// initial · factor^⌊step / every⌋.
struct StepDecay {
  double initial = 1e-2;
  std::int64_t every = 200;
  double factor = 0.1;
  double operator()(std::int64_t step) const {
    detail::check_schedule(every >= 1, "StepDecay", step);
    return initial * std::pow(factor, static_cast<double>(step / every));
  }
};

/// initial · factor^step.
struct ExponentialDecay {
  double initial = 1e-2;
  double factor = 0.999;
  double operator()(std::int64_t step) const {
    detail::check_schedule(true, "ExponentialDecay", step);
    return initial * std::pow(factor, static_cast<double>(step));
  }
};

/// Half a cosine from initial down to final at `total` steps, after `warmup` steps up to initial.
/// Loshchilov and Hutter, "SGDR" (2016), without restarts.
struct CosineDecay {
  double initial = 1e-2;
  std::int64_t total = 1000;
  double final = 0.0;
  std::int64_t warmup = 0;
  double operator()(std::int64_t step) const {
    detail::check_schedule(warmup >= 0 && warmup <= total, "CosineDecay", step);
    if (step < warmup) {
      return initial * static_cast<double>(step + 1) / static_cast<double>(warmup);
    }
    const double length = static_cast<double>(std::max<std::int64_t>(total - warmup, 1));
    const double progress = std::min(1.0, static_cast<double>(step - warmup) / length);
    return final + (initial - final) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  }
};

}  // namespace sfumato::optim
