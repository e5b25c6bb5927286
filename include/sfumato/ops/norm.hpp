#pragma once

#include <cmath>
#include <cstdint>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/comparison.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/power.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

/// Roots of sums: what has its minimum, 0, at a kink, where the gradient is set to 0.
namespace sfumato::ops {

namespace detail {
/// total^(1/p), whose gradient where the total is 0 is 0 instead of infinite.
template <Real T, class Device>
Variable<T, Device> root(const Variable<T, Device>& total, double p = 2.0) {
  const Mask<Device> zero = total == T{0};
  const auto positive = masked_fill(total, zero, T{1});
  return masked_fill(p == 2.0 ? sqrt(positive) : pow(positive, static_cast<T>(1.0 / p)), zero,
                     T{0});
}
}  // namespace detail

/// The standard deviation √var(x), with var's arguments; its gradient is 0 where it is 0.
template <Real T, class Device>
Variable<T, Device> std(const Variable<T, Device>& x, const Axes& axes = {}, bool keepdim = false,
                        std::int64_t correction = 1) {
  return detail::in_float<T, Device>("std", {x}, [=](const auto& in) {
    return detail::root(var(in[0], axes, keepdim, correction));
  });
}

/// (Σ |x|^p)^(1/p) over `axes` (all when empty): by default Euclid's length; for p = ∞ the largest
/// |x|, for -∞ the smallest, for 0 the number of those that are not 0. Its gradient is 0 where it
/// is 0. Computed in float where x has 16 bits. Throws ValueError where p is NaN, and for the
/// largest of nothing.
template <Real T, class Device>
Variable<T, Device> norm(const Variable<T, Device>& x, double p = 2.0, const Axes& axes = {},
                         bool keepdim = false) {
  if (p != p) throw ValueError("norm: the exponent is NaN");
  return detail::in_float<T, Device>("norm", {x}, [=](const auto& in) {
    const auto magnitude = abs(in[0]);
    if (std::isinf(p)) return p > 0 ? max(magnitude, axes, keepdim) : min(magnitude, axes, keepdim);
    if (p == 0.0) return sum(sign(magnitude), axes, keepdim);
    if (p == 1.0) return sum(magnitude, axes, keepdim);
    const auto powers = p == 2.0 ? square(magnitude) : pow(magnitude, static_cast<Compute<T>>(p));
    return detail::root(sum(powers, axes, keepdim), p);
  });
}

}  // namespace sfumato::ops
