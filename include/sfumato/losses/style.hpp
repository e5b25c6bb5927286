#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/losses/mse_loss.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/matmul.hpp"

/// The losses of Gatys, Ecker and Bethge, "Image style transfer using convolutional neural
/// networks" (2016), normalised as in the book "Dive into Deep Learning".
namespace sfumato::losses {

namespace detail {
/// X Xᵀ / divisor for matrices X in a batch, in U. The two halves of its gradient, (dG + dGᵀ) X,
/// are one product here, where matmul would make two; and X is kept as it is, not converted.
template <class U, class T, class Device>
Variable<U, Device> gram_product(const Variable<T, Device>& x, U divisor) {
  const auto product = no_grad([&] {
    const auto wide = ops::cast<U>(x);
    return ops::matmul(wide, wide, {.transpose_b = true}) / divisor;
  });
  return record("gram_matrix", product.value(), x, [x, divisor](const Backward<U, Device>& ctx) {
    const auto both = ctx.gradient() + ops::transpose(ctx.gradient(), -1, -2);
    return ops::cast<T>(ops::matmul(both / divisor, ops::cast<U>(x)));
  });
}
}  // namespace detail

/// Which features occur together: X Xᵀ / (c h w), where X is features (n, c, h, w) as c × h w.
/// Shape (n, c, c). Computed in float where the features have 16 bits; U is the element type of the
/// result, by default the features'.
template <class U = void, Real T, class Device>
auto gram_matrix(const Variable<T, Device>& features) {
  if (features.rank() != 4 || features.numel() == 0) {
    throw ShapeError(message("gram_matrix: features ", features.shape(),
                             " must have four dimensions (n, c, h, w), none of them empty"));
  }
  const std::int64_t n = features.shape()[0];
  const std::int64_t c = features.shape()[1];
  const std::int64_t positions = features.shape()[2] * features.shape()[3];
  using Result = std::conditional_t<std::is_void_v<U>, T, U>;
  const auto product = detail::gram_product<Compute<Result>>(
      ops::reshape(features, {n, c, positions}), static_cast<Compute<Result>>(c * positions));
  if constexpr (std::same_as<Result, Compute<Result>>) {
    return product;
  } else {
    return ops::cast<Result>(product);
  }
}

/// mean((features - target)²), in the target's element type.
template <Real T, Real U, class Device>
Variable<U, Device> content_loss(const Variable<T, Device>& features,
                                 const Variable<U, Device>& target) {
  return mse_loss(ops::cast<U>(features), target);
}

/// mean((gram_matrix(features) - target)²), where target is the Gram matrix of the style's
/// features; in the target's element type.
template <Real T, Real U, class Device>
Variable<U, Device> style_loss(const Variable<T, Device>& features,
                               const Variable<U, Device>& target_gram) {
  return mse_loss(gram_matrix<U>(features), target_gram);
}

}  // namespace sfumato::losses
