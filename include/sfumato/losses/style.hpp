#pragma once

#include <cstdint>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/losses/mean_squared_error.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/sum.hpp"

/// The losses of Gatys, Ecker and Bethge, "Image style transfer using convolutional neural
/// networks" (2016), normalised as in the book "Dive into Deep Learning".
namespace sfumato::losses {

namespace detail {
/// X Xᵀ / divisor for matrices X in a batch. The two halves of its gradient, (dG + dGᵀ) X, are one
/// product here, where matmul would make two.
template <class T, class Device>
Variable<T, Device> gram_product(const Variable<T, Device>& x, T divisor) {
  const auto product = no_grad([&] { return ops::matmul(x, x, {.transpose_b = true}) / divisor; });
  return record("gram_matrix", product.value(), {x}, [x, divisor](const Backward<T, Device>& at) {
    const auto both = at.gradient() + ops::transpose(at.gradient(), -1, -2);
    return ops::matmul(both / divisor, x);
  });
}
}  // namespace detail

/// Which features occur together: X Xᵀ / (c h w), where X is features (n, c, h, w) as c × h w.
/// Shape (n, c, c). Computed in float where the features have 16 bits.
template <Real T, class Device>
Variable<T, Device> gram_matrix(const Variable<T, Device>& features) {
  if (features.rank() != 4 || features.elements() == 0) {
    throw ShapeError(message("gram_matrix: features ", features.shape(),
                             " must have four dimensions (n, c, h, w), none of them empty"));
  }
  const std::int64_t n = features.shape()[0];
  const std::int64_t c = features.shape()[1];
  const std::int64_t positions = features.shape()[2] * features.shape()[3];
  return ops::detail::in_float<T, Device>(
      "gram_matrix", {ops::reshape(features, {n, c, positions})}, [c, positions](const auto& in) {
        return detail::gram_product(in[0], static_cast<Compute<T>>(c * positions));
      });
}

/// mean((features - target)²).
template <Real T, class Device>
Variable<T, Device> content_loss(const Variable<T, Device>& features,
                                 const Variable<T, Device>& target) {
  return mean_squared_error(features, target);
}

/// mean((gram_matrix(features) - target)²), where target is the Gram matrix of the style's
/// features.
template <Real T, class Device>
Variable<T, Device> style_loss(const Variable<T, Device>& features,
                               const Variable<T, Device>& target_gram) {
  return mean_squared_error(gram_matrix(features), target_gram);
}

}  // namespace sfumato::losses
