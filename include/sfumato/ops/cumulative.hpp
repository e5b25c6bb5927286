#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/sum.hpp"

/// Products and running sums, as a tree of multiplications and additions: gradients of every order
/// are right at zeros, where quotients would not be.
namespace sfumato::ops {

namespace detail {

/// Π x along one axis, which keeps the extent 1: halves are multiplied until one is left.
template <class T, class Device>
Variable<T, Device> prod_along(Variable<T, Device> x, int axis) {
  while (x.size(axis) > 1) {
    const std::int64_t half = x.size(axis) / 2;
    const auto rest = slice(x, axis, {.start = 2 * half});
    x = mul(slice(x, axis, {.stop = half}), slice(x, axis, {.start = half, .stop = 2 * half}));
    if (rest.numel() > 0) x = cat({x, rest}, axis);
  }
  return x;
}

}  // namespace detail

/// Π x over `axes` (all when empty); they disappear, or stay with extent one when `keepdim`. 1 of
/// nothing. Computed in float where x has 16 bits.
template <class T, class Device>
Variable<T, Device> prod(const Variable<T, Device>& x, const Axes& axes = {},
                         bool keepdim = false) {
  const detail::ReducedAxes reduced("prod", x.shape(), axes);
  if (reduced.reduced.numel() == 0) {
    const auto ones = Tensor<T, Device>::ones(keepdim ? reduced.with_ones : reduced.kept);
    return add(Variable<T, Device>(ones), sum(x, axes, keepdim));  // for the graph's sake
  }
  if (reduced.reduced.numel() == 1) {
    return reshape(scale(x, T{1}), keepdim ? reduced.with_ones : reduced.kept);
  }
  const auto multiply = [reduced](const auto& in) {
    auto product = in[0];
    for (int axis = 0; axis < product.rank(); ++axis) {
      if (reduced.is_reduced[static_cast<std::size_t>(axis)])
        product = detail::prod_along(product, axis);
    }
    return product;
  };
  const auto product = detail::in_float<T, Device>("prod", {x}, multiply);
  return keepdim ? product : reshape(product, reduced.kept);
}

/// y[i] = x[0] + … + x[i] along one axis: sums over 1, 2, 4 … neighbours, so that rounding errors
/// grow with the logarithm of the extent. Computed in float where x has 16 bits.
template <class T, class Device>
Variable<T, Device> cumsum(const Variable<T, Device>& x, int axis) {
  const int along = x.shape().normalize_axis(axis);
  if (x.size(along) < 2) return scale(x, T{1});
  return detail::in_float<T, Device>("cumsum", {x}, [along](const auto& in) {
    auto sums = in[0];
    for (std::int64_t shift = 1; shift < sums.size(along); shift *= 2) {
      const auto first = slice(sums, along, {.stop = shift});
      sums = cat(
          {first, add(slice(sums, along, {.start = shift}), slice(sums, along, {.stop = -shift}))},
          along);
    }
    return sums;
  });
}

}  // namespace sfumato::ops
