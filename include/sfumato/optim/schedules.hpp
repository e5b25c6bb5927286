#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "sfumato/core/error.hpp"

namespace sfumato::optim {

namespace detail {
inline void check_schedule(bool is_right, const char* name, std::int64_t step) {
  if (!is_right || step < 0) {
    throw ValueError(message(name, ": at step ", step,
                             " there is no learning rate; steps count from 0, and every is at "
                             "least 1"));
  }
}
}  // namespace detail

// Learning rates as functions of the step, counted from 0. They throw ValueError for steps and
// lengths that are negative, and for an `every` of 0:
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

/// Half a cosine from initial down to final at `total` steps. Loshchilov and Hutter, "SGDR" (2016),
/// without restarts.
struct CosineDecay {
  double initial = 1e-2;
  std::int64_t total = 1000;
  double final = 0.0;
  double operator()(std::int64_t step) const {
    detail::check_schedule(total >= 0, "CosineDecay", step);
    const double length = static_cast<double>(std::max<std::int64_t>(total, 1));
    const double progress = std::min(1.0, static_cast<double>(step) / length);
    return final + (initial - final) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  }
};

/// In so many steps up to another schedule's first learning rate, then as that one:
///
///     const optim::Warmup schedule(100, optim::CosineDecay{.initial = 0.01, .total = 900});
template <class Schedule>
class Warmup {
 public:
  Warmup(std::int64_t steps, const Schedule& then) : steps_(steps), then_(then) {}
  double operator()(std::int64_t step) const {
    detail::check_schedule(steps_ >= 0, "Warmup", step);
    if (step >= steps_) return then_(step - steps_);
    return then_(0) * static_cast<double>(step + 1) / static_cast<double>(steps_);
  }

 private:
  std::int64_t steps_;
  Schedule then_;
};

/// A learning rate that falls where the loss does not any more: called with the loss of each epoch,
/// it is multiplied by `factor` when more than `patience` of them in a row were no better than the
/// best one by a share of `threshold`. PyTorch's ReduceLROnPlateau; of an accuracy, give -accuracy.
/// Throws ValueError unless the factor is between 0 and 1.
///
///     optim::ReduceOnPlateau plateau{.learning_rate = 0.1};
///     for (…) adam.set_learning_rate(plateau(validate(model)));
struct ReduceOnPlateau {
  double learning_rate = 1e-2;  ///< at first, and then what it is
  double factor = 0.1;
  std::int64_t patience = 10;
  double threshold = 1e-4;
  double least = 0.0;  ///< what it does not fall below

  // What it remembers, to be saved with the rest.
  double best = std::numeric_limits<double>::infinity();
  std::int64_t waited = 0;  ///< epochs without a better loss

  double operator()(double loss) {
    if (!(factor > 0.0 && factor < 1.0)) {
      throw ValueError(message("ReduceOnPlateau: factor ", factor, " must be between 0 and 1"));
    }
    const bool is_better =
        std::isinf(best) ? loss < best : loss < best - threshold * std::abs(best);
    if (is_better) best = loss;
    waited = is_better ? 0 : waited + 1;
    if (waited <= patience) return learning_rate;
    waited = 0;
    return learning_rate = std::max(learning_rate * factor, std::min(learning_rate, least));
  }
};

}  // namespace sfumato::optim
