#pragma once

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/reduction.hpp"

namespace sfumato::losses {

/// mean((prediction - target)²) over all elements; a scalar. Throws ShapeError unless the shapes
/// are equal: broadcasting here is nearly always a mistake.
template <class T, class Device>
Variable<T, Device> mean_squared_error(const Variable<T, Device>& prediction,
                                       const Variable<T, Device>& target) {
  if (prediction.shape() != target.shape()) {
    throw ShapeError(message("mean_squared_error: prediction ", prediction.shape(), " and target ",
                             target.shape(), " must have the same shape"));
  }
  return ops::mean(ops::square(prediction - target));
}

}  // namespace sfumato::losses
