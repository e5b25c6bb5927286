#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

namespace sfumato::optim {

/// A point on the line of a search: how far it is, the loss there, and its slope along the line.
struct LinePoint {
  double step = 0.0;
  double loss = 0.0;
  double slope = 0.0;
  bool is_finite() const { return std::isfinite(loss) && std::isfinite(slope); }
};

/// When a step is good enough: the strong Wolfe conditions.
struct WolfeOptions {
  double decrease = 1e-4;  ///< loss(t) ≤ loss(0) + decrease · t · slope(0)
  double curvature = 0.9;  ///< |slope(t)| ≤ curvature · |slope(0)|
  int most_evaluations = 25;
};

namespace detail {

/// Where the cubic through two points with their slopes is least, kept away from both ends: Nocedal
/// and Wright, "Numerical optimization" (2006), equation 3.59. The middle where there is no such
/// cubic.
inline double cubic_minimum(const LinePoint& a, const LinePoint& b) {
  const double low = std::min(a.step, b.step);
  const double width = std::abs(b.step - a.step);
  const double middle = low + 0.5 * width;
  if (!a.is_finite() || !b.is_finite()) return middle;
  const double d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.step - b.step);
  const double root = d1 * d1 - a.slope * b.slope;
  if (!(root >= 0.0)) return middle;
  const double d2 = std::copysign(std::sqrt(root), b.step - a.step);
  const double step =
      b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
  if (!std::isfinite(step)) return middle;
  constexpr double kMargin = 0.1;
  return std::clamp(step, low + kMargin * width, low + (1.0 - kMargin) * width);
}

}  // namespace detail

/// The first good step found along a line, by Nocedal and Wright's algorithms 3.5 and 3.6: steps
/// grow until they go too far, and what lies between is narrowed down. `evaluate(step)` gives the
/// LinePoint there; a loss that is not finite is too far. Where no step is good enough, the best
/// one that lowers the loss; nothing if none does.
template <class Evaluate>
std::optional<LinePoint> wolfe_search(const LinePoint& start, double first_step,
                                      const WolfeOptions& options, const Evaluate& evaluate) {
  const auto decreases = [&](const LinePoint& p) {
    return p.is_finite() && p.loss <= start.loss + options.decrease * p.step * start.slope;
  };
  const auto is_flat = [&](const LinePoint& p) {
    return std::abs(p.slope) <= options.curvature * std::abs(start.slope);
  };
  LinePoint low = start;  // lowers the loss most so far
  std::optional<LinePoint> high;
  double step = first_step;
  for (int i = 0; i < options.most_evaluations; ++i) {
    const LinePoint now = evaluate(step);
    if (!decreases(now) || (now.loss >= low.loss && low.step > 0.0)) {
      high = now;
    } else if (is_flat(now)) {
      return now;
    } else {
      // Downhill goes on towards `high`, or back to where `low` was.
      const bool towards_high = now.slope * (high ? high->step - now.step : 1.0) < 0.0;
      if (!towards_high) high = low;
      low = now;
    }
    constexpr double kGrowth = 4.0;
    step = high ? detail::cubic_minimum(low, *high) : kGrowth * now.step;
    if (high && std::abs(high->step - low.step) <= 1e-12 * std::max(high->step, low.step)) break;
  }
  if (low.step > 0.0) return low;
  return std::nullopt;
}

}  // namespace sfumato::optim
