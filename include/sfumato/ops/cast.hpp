#pragma once

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"

/// Where a graph crosses from one element type or device to another.
namespace sfumato::ops {

/// The values converted to another element type, rounded to the nearest where it has fewer bits.
/// The gradient is converted back. To or from integers there is none.
///
///     auto loss = losses::style_loss(ops::cast<float>(features), target);   // of 16-bit features
template <Element U, class T, class Device>
Variable<U, Device> cast(const Variable<T, Device>& x) {
  return record("cast", x.value().template cast<U>(), x,
                [](const auto& ctx) { return cast<T>(ctx.gradient()); });
}

/// The values in the memory of another device. The gradient comes back the same way.
///
///     auto y = second_half(ops::to<Cuda>(first_half(x)));
template <class Other, class T, class Device>
Variable<T, Other> to(const Variable<T, Device>& x) {
  return record("to", x.value().template to<Other>(), x,
                [](const auto& ctx) { return to<Device>(ctx.gradient()); });
}

}  // namespace sfumato::ops
