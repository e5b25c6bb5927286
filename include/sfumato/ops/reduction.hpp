#pragma once

#include <cstdint>
#include <utility>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/share.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

namespace detail {

/// How many elements a reduction combines into each result. Throws ValueError for none.
inline std::int64_t reduced_count(const char* op, const Shape& shape, const Axes& axes) {
  const std::int64_t count = ReducedAxes(op, shape, axes).reduced.numel();
  if (count == 0) throw ValueError(message(op, ": nothing to reduce in ", shape));
  return count;
}

/// 1 where x is the extreme, NaN being equal to NaN; else 0. In what T is computed in, to be
/// counted.
struct IsExtreme {
  template <class T>
  SFUMATO_HOST_DEVICE Compute<T> operator()(T x, T extreme) const {
    return static_cast<Compute<T>>(x == extreme || (x != x && extreme != extreme));
  }
};

template <class Reduction, class T, class Device>
Variable<T, Device> extreme_over(const char* op, const Reduction& reduction,
                                 const Variable<T, Device>& x, const Axes& axes, bool keepdim) {
  reduced_count(op, x.shape(op), axes);
  const ReducedAxes reduced(op, x.shape(), axes);
  const Tensor<T, Device> extreme =
      detail::reduce<T>(reduction, x.value(), reduced).reshape(reduced.with_ones);
  const auto gradient = [op, reduced, extreme, x = x.value()](const Backward<T, Device>& ctx) {
    const auto chosen = apply(op, IsExtreme{}, x, extreme);
    const auto count = detail::reduce<Compute<T>>(SumReduction{}, chosen, reduced);
    const auto sharers = apply(op, Multiply{}, chosen, count.reshape(reduced.with_ones));
    return share(op, reshape(ctx.gradient(), extreme.shape()), sharers);
  };
  return record(op, keepdim ? extreme : extreme.reshape(reduced.kept), {x}, gradient);
}

/// Σ x / divisor, rounded once, at the end.
template <class T, class Device>
Variable<T, Device> divided_sum(const char* op, const Variable<T, Device>& x, const Axes& axes,
                                bool keepdim, std::int64_t divisor) {
  const ReducedAxes reduced(op, x.shape(), axes);
  const auto total = detail::reduce<Wide<T>>(SumReduction{}, x.value(), reduced);
  const DivideBy<T, Wide<T>> divide{static_cast<Wide<T>>(divisor)};
  auto value = apply(op, divide, keepdim ? total.reshape(reduced.with_ones) : total);
  return record(
      op, std::move(value), {x},
      [divisor, from = x.shape(), with_ones = reduced.with_ones](const Backward<T, Device>& ctx) {
        const auto part = div(ctx.gradient(), static_cast<Compute<T>>(divisor));
        return broadcast_to(reshape(part, with_ones), from);
      });
}

}  // namespace detail

/// The mean over `axes` (all when empty): their sum in double, divided by their number and rounded
/// once; of integers, divided as C++ divides them. Throws ValueError when there is nothing to
/// average.
template <class T, class Device>
Variable<T, Device> mean(const Variable<T, Device>& x, const Axes& axes = {},
                         bool keepdim = false) {
  return detail::divided_sum("mean", x, axes, keepdim,
                             detail::reduced_count("mean", x.shape(), axes));
}

/// The largest element over `axes` (all when empty), or NaN if there is one; equal ones share the
/// gradient, NaNs too. Throws ValueError when there is none.
template <class T, class Device>
Variable<T, Device> max(const Variable<T, Device>& x, const Axes& axes = {}, bool keepdim = false) {
  return detail::extreme_over("max", MaxReduction{}, x, axes, keepdim);
}

/// The smallest element over `axes` (all when empty); otherwise as max.
template <class T, class Device>
Variable<T, Device> min(const Variable<T, Device>& x, const Axes& axes = {}, bool keepdim = false) {
  return detail::extreme_over("min", MinReduction{}, x, axes, keepdim);
}

/// Σ (x - mean)² / (count - correction) over `axes` (all when empty): correction 1 estimates the
/// variance from a sample, as PyTorch does by default; 0 is that of the values themselves, as NumPy
/// does. Computed in float where x has 16 bits. Throws ValueError when nothing is left to divide
/// by.
template <Real T, class Device>
Variable<T, Device> var(const Variable<T, Device>& x, const Axes& axes = {}, bool keepdim = false,
                        std::int64_t correction = 1) {
  const std::int64_t count = detail::reduced_count("var", x.shape(), axes);
  if (count <= correction) {
    throw ValueError(message("var: ", count, " values over the axes of ", x.shape(),
                             " leave none after a correction of ", correction));
  }
  return detail::in_float<T, Device>(
      "var", {x}, [axes, keepdim, divisor = count - correction](const auto& in) {
        const auto deviation = square(sub(in[0], mean(in[0], axes, true)));
        return detail::divided_sum("var", deviation, axes, keepdim, divisor);
      });
}

}  // namespace sfumato::ops
