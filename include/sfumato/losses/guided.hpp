#pragma once

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/math.hpp"

/// Guidance channels: Gatys, Ecker, Bethge, Hertzmann and Shechtman, "Controlling perceptual
/// factors in neural style transfer" (2017).
namespace sfumato::losses {

/// Features (1, c, h, w) times the roots of `weights` (1, 1, h, w), which say how much each
/// position counts and have a mean of 1; in the weights' element type. gram_matrix() of them is
/// Σ wᵢ xᵢ xᵢᵀ / (c h w), the guided Gram matrix. Throws ShapeError for what does not fit.
template <Real T, Real U, class Device>
Variable<U, Device> guided_features(const Variable<T, Device>& features,
                                    const Variable<U, Device>& weights) {
  const bool fits = features.rank() == 4 && features.size(0) == 1 && weights.rank() == 4 &&
                    weights.shape() == Shape{1, 1, features.size(2), features.size(3)};
  if (!fits) {
    throw ShapeError(message("guided_features: features ", features.shape(), " and weights ",
                             weights.shape(), " must be (1, c, h, w) and (1, 1, h, w)"));
  }
  return ops::cast<U>(features) * ops::sqrt(weights);
}

}  // namespace sfumato::losses
