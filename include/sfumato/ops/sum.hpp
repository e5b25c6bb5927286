#pragma once

#include <array>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/backend.hpp"
#include "sfumato/ops/apply.hpp"

/// Summing and repeating are each other's gradient, and every op that broadcasts needs both.
namespace sfumato::ops {

using sfumato::Axes;

namespace detail {

/// Which axes of a shape are reduced, and the shapes that result.
struct ReducedAxes {
  ReducedAxes(const char* op, const Shape& shape, const Axes& axes) {
    for (const int axis : axes) {
      bool& chosen = is_reduced[static_cast<std::size_t>(shape.normalize_axis(axis))];
      if (chosen) throw ValueError(message(op, ": axis ", axis, " is named twice for ", shape));
      chosen = true;
    }
    const Strides strides = row_major_strides(shape);
    for (int i = 0; i < shape.rank(); ++i) {
      const auto axis = static_cast<std::size_t>(i);
      is_reduced[axis] = is_reduced[axis] || axes.empty();
      with_ones.push_back(is_reduced[axis] ? 1 : shape[i]);
      Shape& side = is_reduced[axis] ? reduced : kept;
      (is_reduced[axis] ? reduced_strides : kept_strides)[static_cast<std::size_t>(side.rank())] =
          strides[axis];
      side.push_back(shape[i]);
    }
  }
  std::array<bool, kMaxRank> is_reduced{};
  Shape kept;
  Shape reduced;
  Shape with_ones;  ///< the kept shape, with ones where axes were reduced
  Strides kept_strides{};
  Strides reduced_strides{};
};

/// The values of a reduction, in T or Wide<T>; shape `axes.kept`.
template <class Out, class Reduction, class T, class Device>
Tensor<Out, Device> reduce(const Reduction& reduction, const Tensor<T, Device>& x,
                           const ReducedAxes& axes) {
  auto out = Tensor<Out, Device>::empty(axes.kept);
  Device::reduce(reduction, axes.kept, axes.reduced, out.data(), x.data(), axes.kept_strides,
                 axes.reduced_strides);
  return out;
}

/// Σ x of all elements, not rounded to T.
template <class T, class Device>
double wide_sum(const Tensor<T, Device>& x) {
  const ReducedAxes all("sum", x.shape(), {});
  return static_cast<double>(reduce<Wide<T>>(SumReduction{}, x, all).item());
}

}  // namespace detail

template <class T, class Device>
Variable<T, Device> broadcast_to(const Variable<T, Device>& x, const Shape& shape);

/// The same elements, row by row, under another shape.
/// Throws ShapeError when the numbers of elements differ.
template <class T, class Device>
Variable<T, Device> reshape(const Variable<T, Device>& x, const Shape& shape) {
  return record(
      "reshape", x.value().reshape(shape), {x},
      [from = x.shape()](const Backward<T, Device>& ctx) { return reshape(ctx.gradient(), from); });
}
/// One extent may be -1: it is worked out from the others.
template <class T, class Device>
Variable<T, Device> reshape(const Variable<T, Device>& x,
                            std::initializer_list<std::int64_t> extents) {
  return reshape(x, x.value().reshape(extents).shape());
}

/// Σ x over `axes` (all when empty); they disappear, or stay with extent one when `keepdim`. 0 of
/// nothing; rounded once, from a sum in double. Integers are summed modulo 2^bits.
template <class T, class Device>
Variable<T, Device> sum(const Variable<T, Device>& x, const Axes& axes = {}, bool keepdim = false) {
  const detail::ReducedAxes reduced("sum", x.shape(), axes);
  Tensor<T, Device> value = detail::reduce<T>(SumReduction{}, x.value(), reduced);
  if (keepdim) value = value.reshape(reduced.with_ones);
  return record("sum", std::move(value), {x},
                [from = x.shape(), with_ones = reduced.with_ones](const Backward<T, Device>& ctx) {
                  return broadcast_to(reshape(ctx.gradient(), with_ones), from);
                });
}

/// The adjoint of broadcasting: sums x over the axes along which `shape` is repeated to x's shape.
/// Throws ShapeError when `shape` does not broadcast to that of x.
template <class T, class Device>
Variable<T, Device> sum_to(const Variable<T, Device>& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (!broadcasts_to(shape, x.shape())) {
    throw ShapeError(message("sum_to: ", shape, " does not broadcast to ", x.shape(),
                             ", so there is no sum of that shape"));
  }
  Axes axes;
  const int shift = x.rank() - shape.rank();
  for (int i = 0; i < x.rank(); ++i) {
    if (i < shift || (shape[i - shift] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  }
  return reshape(axes.empty() ? x : sum(x, axes), shape);
}

/// x repeated to `shape` by NumPy's rules. Throws ShapeError when they do not allow it.
template <class T, class Device>
Variable<T, Device> broadcast_to(const Variable<T, Device>& x, const Shape& shape) {
  if (x.shape() == shape) return reshape(x, shape);
  auto out = Tensor<T, Device>::empty(shape);
  apply_into("broadcast_to", sfumato::detail::Identity{}, out, x.value());
  return record(
      "broadcast_to", std::move(out), {x},
      [from = x.shape()](const Backward<T, Device>& ctx) { return sum_to(ctx.gradient(), from); });
}

}  // namespace sfumato::ops
