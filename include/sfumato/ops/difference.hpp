#pragma once

#include <cstdint>
#include <utility>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/backend.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/padding.hpp"

namespace sfumato::ops {

namespace detail {

/// x[i + 1] - x[i] along an axis, or x[i] - x[i + 1] if `reversed`; each is the other's gradient,
/// with zeros around it.
template <class T, class Device>
Variable<T, Device> difference(const Variable<T, Device>& x, int axis, bool reversed) {
  const std::int64_t count = x.shape()[axis] - 1;
  const Window behind = axis_window(x.shape(), axis, 0, count);
  const Window ahead = axis_window(x.shape(), axis, 1, count);
  const auto part = [&x](const Window& window) {
    return Strided<const T>{x.value().data() + window.offset, window.strides};
  };
  auto out = Tensor<T, Device>::empty(behind.shape);
  Device::map(Subtract{}, behind.shape, Strided<T>{out.data(), row_major_strides(behind.shape)},
              part(reversed ? behind : ahead), part(reversed ? ahead : behind));
  return record("diff", std::move(out), {x}, [axis, reversed](const Backward<T, Device>& ctx) {
    return difference(pad(ctx.gradient(), axis, 1, 1), axis, !reversed);
  });
}

}  // namespace detail

/// x[i + 1] - x[i] along an axis, which gets shorter by one.
/// Throws ShapeError for an axis without elements.
template <class T, class Device>
Variable<T, Device> diff(const Variable<T, Device>& x, int axis) {
  const int place = x.shape().normalize_axis(axis);
  if (x.shape()[place] == 0) {
    throw ShapeError(message("diff: ", x.shape(), " has no elements along axis ", axis));
  }
  return detail::difference(x, place, false);
}

}  // namespace sfumato::ops
