#pragma once

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/reduction.hpp"

namespace sfumato::losses {

namespace detail {
/// mean(x²). Its gradient, 2 x / count, is one product here, where mean and square would make
/// four passes of it.
template <class T, class Device>
Variable<T, Device> mean_square(const Variable<T, Device>& x) {
  const auto mean = no_grad([&] { return ops::mean(ops::square(x)); });
  return record("mean_square", mean.value(), {x}, [x](const Backward<T, Device>& at) {
    return x * (at.gradient() * (T{2} / static_cast<T>(x.elements())));
  });
}
}  // namespace detail

/// mean((prediction - target)²) over all elements; a scalar. Throws ShapeError unless the shapes
/// are equal: broadcasting here is nearly always a mistake.
template <class T, class Device>
Variable<T, Device> mean_squared_error(const Variable<T, Device>& prediction,
                                       const Variable<T, Device>& target) {
  if (prediction.shape() != target.shape()) {
    throw ShapeError(message("mean_squared_error: prediction ", prediction.shape(), " and target ",
                             target.shape(), " must have the same shape"));
  }
  return detail::mean_square(prediction - target);
}

}  // namespace sfumato::losses
