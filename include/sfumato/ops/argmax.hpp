#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/backend.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

namespace detail {

/// The index where x is the extreme, NaN being equal to NaN, else one behind all others.
struct IndexOfExtreme {
  template <class T>
  SFUMATO_HOST_DEVICE std::int64_t operator()(T x, T extreme, std::int64_t index) const {
    return x == extreme || (x != x && extreme != extreme)
               ? index
               : std::numeric_limits<std::int64_t>::max();
  }
};

template <class Reduction, class T, class Device>
Tensor<std::int64_t, Device> index_of_extreme(const char* op, const Reduction& reduction,
                                              const Variable<T, Device>& x, std::optional<int> axis,
                                              bool keepdim) {
  if (!axis) {
    const Shape line{x.numel(op)};
    const Variable<T, Device> flat(x.value(op).reshape(line));
    const auto index = index_of_extreme(op, reduction, flat, 0, false);
    return keepdim ? index.reshape(ReducedAxes(op, x.shape(), {}).with_ones) : index;
  }
  reduced_count(op, x.shape(op), {*axis});
  const ReducedAxes reduced(op, x.shape(), {*axis});
  const int along = x.shape().normalize_axis(*axis);
  Shape numbers;
  for (int i = 0; i < x.rank(); ++i) numbers.push_back(i == along ? x.size(i) : 1);
  const auto extreme = detail::reduce<T>(reduction, x.value(), reduced);
  const auto indices = apply(op, IndexOfExtreme{}, x.value(), extreme.reshape(reduced.with_ones),
                             Tensor<std::int64_t, Device>::arange(x.size(along)).reshape(numbers));
  const auto first = detail::reduce<std::int64_t>(MinReduction{}, indices, reduced);
  return keepdim ? first.reshape(reduced.with_ones) : first;
}

}  // namespace detail

/// The index of the largest element along an axis, or in the row-major order of all; the first of
/// equal ones, and of NaNs, which are above all numbers. Throws ValueError when there is none.
template <class T, class Device>
Tensor<std::int64_t, Device> argmax(const Variable<T, Device>& x,
                                    std::optional<int> axis = std::nullopt, bool keepdim = false) {
  return detail::index_of_extreme("argmax", MaxReduction{}, x, axis, keepdim);
}

/// The index of the smallest element; otherwise as argmax.
template <class T, class Device>
Tensor<std::int64_t, Device> argmin(const Variable<T, Device>& x,
                                    std::optional<int> axis = std::nullopt, bool keepdim = false) {
  return detail::index_of_extreme("argmin", MinReduction{}, x, axis, keepdim);
}

}  // namespace sfumato::ops
