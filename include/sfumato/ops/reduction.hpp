#pragma once

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

namespace detail {

/// How many elements a reduction combines into each result. Throws ValueError for none.
inline std::int64_t reduced_count(const char* op, const Shape& shape, const Axes& axes) {
  const std::int64_t count = ReducedAxes(op, shape, axes).reduced.elements();
  if (count == 0) throw ValueError(message(op, ": nothing to reduce in ", shape));
  return count;
}

struct Equal {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return static_cast<T>(a == b);
  }
};

template <class Reduction, class T, class Device>
Variable<T, Device> extreme_over(const char* op, const Reduction& reduction,
                                 const Variable<T, Device>& x, const Axes& axes, bool keepdim) {
  reduced_count(op, x.shape(), axes);
  const ReducedAxes reduced(op, x.shape(), axes);
  const Tensor<T, Device> extreme =
      detail::reduce(reduction, x.value(), reduced).reshape(reduced.with_ones);
  const auto gradient = [op, axes, extreme, x = x.value()](const Backward<T, Device>& at) {
    const auto share = no_grad([&] {
      const Variable<T, Device> chosen(apply(op, Equal{}, x, extreme));
      return div(chosen, sum(chosen, axes, true));
    });
    return mul(reshape(at.gradient(), extreme.shape()), share);
  };
  return record(op, keepdim ? extreme : extreme.reshape(reduced.kept), {x}, gradient);
}

}  // namespace detail

/// The mean over `axes` (all when empty). Throws ValueError when there is nothing to average.
template <class T, class Device>
Variable<T, Device> mean(const Variable<T, Device>& x, const Axes& axes = {},
                         bool keepdim = false) {
  const auto count = static_cast<T>(detail::reduced_count("mean", x.shape(), axes));
  return affine(sum(x, axes, keepdim), T{1} / count, T{0});
}

/// The largest element over `axes` (all when empty); equal ones share the gradient.
template <class T, class Device>
Variable<T, Device> max(const Variable<T, Device>& x, const Axes& axes = {}, bool keepdim = false) {
  return detail::extreme_over("max", MaxReduction{}, x, axes, keepdim);
}

/// The smallest element over `axes` (all when empty); equal ones share the gradient.
template <class T, class Device>
Variable<T, Device> min(const Variable<T, Device>& x, const Axes& axes = {}, bool keepdim = false) {
  return detail::extreme_over("min", MinReduction{}, x, axes, keepdim);
}

/// Σ (x - mean)² / (count - correction) over `axes` (all when empty): correction 0 for the variance
/// of the values themselves (NumPy's default), 1 for an estimate from a sample (PyTorch's).
template <class T, class Device>
Variable<T, Device> variance(const Variable<T, Device>& x, const Axes& axes = {},
                             bool keepdim = false, std::int64_t correction = 0) {
  const std::int64_t count = detail::reduced_count("variance", x.shape(), axes);
  if (count <= correction) {
    throw ValueError(message("variance: ", count, " values over the axes of ", x.shape(),
                             " leave none after a correction of ", correction));
  }
  const auto deviation = square(sub(x, mean(x, axes, true)));
  return affine(sum(deviation, axes, keepdim), T{1} / static_cast<T>(count - correction), T{0});
}

}  // namespace sfumato::ops
