#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/geometry.hpp"
#include "sfumato/core/tensor.hpp"

namespace sfumato::ops {

namespace detail {

/// Which elements of a result are positive or NaN, as bits; all that a rectifier keeps for its
/// gradient.
template <class Device>
struct Positive {
  BitRows rows;
  Tensor<std::uint8_t, Device> bits;

  Positive() = default;
  explicit Positive(const Shape& shape)
      : rows{shape.numel() / columns(shape), columns(shape)},
        bits(Tensor<std::uint8_t, Device>::empty({rows.bytes()})) {}

  static std::int64_t columns(const Shape& shape) {
    return shape.rank() == 0 ? 1 : std::max<std::int64_t>(1, shape[-1]);
  }
};

/// x where the bits are set, else 0: what a rectifier lets pass, in either direction.
template <class T, class Device>
Variable<T, Device> gate(const Variable<T, Device>& x, const Positive<Device>& positive) {
  auto y = Tensor<T, Device>::empty(x.shape());
  Device::gate(positive.rows, x.value().data(), positive.bits.data(), y.data());
  return record("gate", std::move(y), {x}, [positive](const Backward<T, Device>& ctx) {
    return gate(ctx.gradient(), positive);
  });
}

}  // namespace detail

/// max(x, 0) element by element; the gradient at 0 is 0, and at NaN it passes. Keeps a bit for each
/// element.
template <class T, class Device>
Variable<T, Device> relu(const Variable<T, Device>& x) {
  auto y = Tensor<T, Device>::empty(x.shape());
  detail::Positive<Device> positive(x.shape());
  Device::relu(positive.rows, x.value().data(), y.data(), positive.bits.data());
  return record("relu", std::move(y), {x}, [positive](const Backward<T, Device>& ctx) {
    return detail::gate(ctx.gradient(), positive);
  });
}

}  // namespace sfumato::ops
