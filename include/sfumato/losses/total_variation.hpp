#pragma once

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/difference.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/reduction.hpp"

namespace sfumato::losses {

/// How much neighbouring pixels of images (n, c, h, w) differ:
/// (mean |x[i + 1, j] - x[i, j]| + mean |x[i, j + 1] - x[i, j]|) / 2, a scalar.
/// Computed in float where the image has 16 bits. Throws ShapeError for images smaller than 2 × 2.
template <Real T, class Device>
Variable<T, Device> total_variation_loss(const Variable<T, Device>& image) {
  if (image.rank() != 4 || image.shape()[2] < 2 || image.shape()[3] < 2) {
    throw ShapeError(message("total_variation_loss: ", image.shape(),
                             " must be images (n, c, h, w) of at least 2 × 2 pixels"));
  }
  return ops::detail::in_float<T, Device>("total_variation_loss", {image}, [](const auto& in) {
    const auto variation = [&](int axis) { return ops::mean(ops::abs(ops::diff(in[0], axis))); };
    return (variation(2) + variation(3)) / Compute<T>{2};
  });
}

}  // namespace sfumato::losses
