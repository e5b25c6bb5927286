#pragma once

#include <cstddef>
#include <vector>
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>

#include "sfumato/core/tensor.hpp"

namespace sfumato::io {

namespace detail {
inline std::vector<std::size_t> xtensor_shape(const Shape& shape) {
  return std::vector<std::size_t>(shape.begin(), shape.end());
}
}  // namespace detail

/// A tensor on the CPU as an xtensor expression, without a copy: what is written through it is
/// written to the tensor, which must outlive it.
///
///     auto view = io::as_xtensor(tensor);
///     view += 1.0F;
template <Element T, HostAccessible Device>
auto as_xtensor(Tensor<T, Device>& tensor) {
  return xt::adapt(tensor.data(), static_cast<std::size_t>(tensor.numel()), xt::no_ownership(),
                   detail::xtensor_shape(tensor.shape()));
}
template <Element T, HostAccessible Device>
auto as_xtensor(const Tensor<T, Device>& tensor) {
  return xt::adapt(tensor.data(), static_cast<std::size_t>(tensor.numel()), xt::no_ownership(),
                   detail::xtensor_shape(tensor.shape()));
}

/// A tensor with the values of an xtensor expression. A copy: a tensor's memory belongs to the
/// device's pool, and xtensor's to xtensor.
template <Element T, class Device = Cpu, class Expression>
Tensor<T, Device> from_xtensor(const xt::xexpression<Expression>& expression) {
  const xt::xarray<T, xt::layout_type::row_major> values = expression.derived_cast();
  Shape shape;
  for (const auto extent : values.shape()) shape.push_back(static_cast<std::int64_t>(extent));
  const std::vector<T> flat(values.begin(), values.end());
  return Tensor<T, Device>::from(flat, shape);
}

}  // namespace sfumato::io
