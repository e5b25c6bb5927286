#pragma once

#include <cstdint>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/losses/style.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/linalg.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

/// The Wasserstein-2 distance of the normal distributions that have the means and covariances of
/// two sets of features: |μ - ν|² + tr(C + D - 2 (√D C √D)^½). Olkin and Pukelsheim, "The distance
/// between two random vectors with given dispersion matrices" (1982).
namespace sfumato::losses {

namespace detail {

/// The mean (c,) and covariance (c, c) of features (1, c, h, w) over their positions, in T.
template <class T, class Device>
struct Gaussian {
  Variable<T, Device> mean;
  Variable<T, Device> covariance;

  template <Real Features>
  explicit Gaussian(const Variable<Features, Device>& features) {
    // Of few positions the covariance is singular, and roots of it have infinite slopes.
    constexpr double kRegularization = 1e-4;
    if (features.rank() != 4 || features.size(0) != 1 || features.numel() == 0) {
      throw ShapeError(message("wasserstein_loss: features ", features.shape(),
                               " must be those of one image (1, c, h, w)"));
    }
    const std::int64_t c = features.size(1);
    const auto x = ops::reshape(features, {c, -1});
    mean = ops::mean(ops::cast<T>(x), 1);
    // E x xᵀ - μ μᵀ: features are large, and their deviations from the mean would be so again.
    const auto column = ops::unsqueeze(mean, 1);
    covariance = gram_product<T>(x, static_cast<T>(x.size(1))) -
                 ops::matmul(column, column, {.transpose_b = true}) +
                 Variable<T, Device>(Tensor<T, Device>::eye(c) * kRegularization);
  }

  /// The diagonal of the covariance: what the identity chooses.
  Variable<T, Device> variances() const {
    return ops::sum(covariance * Variable<T, Device>(Tensor<T, Device>::eye(mean.numel())), 1);
  }
};

}  // namespace detail

/// What wasserstein_loss compares features with: of features (1, c, h, w), their mean, their
/// variances and the square root of their covariance, side by side in (c, 2 + c): ops::sqrtm, but
/// as near as so many iterations come, as the root in wasserstein_loss is.
template <class U = void, Real T, class Device>
auto wasserstein_target(const Variable<T, Device>& features, int iterations = 20) {
  using Result = std::conditional_t<std::is_void_v<U>, T, U>;
  const detail::Gaussian<Result, Device> own(features);
  return ops::cat({ops::unsqueeze(own.mean, 1), ops::unsqueeze(own.variances(), 1),
                   ops::detail::sqrtm(own.covariance, iterations, false)},
                  1);
}

/// The squared distance of features (1, c, h, w) from those that `target` was made of, over c; in
/// the target's element type. Covariances have 1e-4 added to their diagonals. Throws ShapeError for
/// what does not fit.
template <Real T, Real U, class Device>
Variable<U, Device> wasserstein_loss(const Variable<T, Device>& features,
                                     const Variable<U, Device>& target, int iterations = 20,
                                     ops::RootGradient gradient = ops::RootGradient::kInverse) {
  const detail::Gaussian<U, Device> own(features);
  const std::int64_t c = own.mean.numel();
  if (target.shape() != Shape{c, 2 + c}) {
    throw ShapeError(message("wasserstein_loss: target ", target.shape(), " does not fit features ",
                             features.shape(), "; make it by wasserstein_target"));
  }
  const auto mean = ops::select(target, 1, 0);
  const auto variances = ops::select(target, 1, 1);
  const auto root = ops::slice(target, 1, {.start = 2});
  const auto product = ops::matmul(ops::matmul(root, own.covariance), root);
  const auto spread = ops::sum(own.variances() + variances) -
                      ops::sqrtm_trace(product, iterations, gradient) * U{2};
  return (ops::sum(ops::square(own.mean - mean)) + spread) / static_cast<U>(c);
}

}  // namespace sfumato::losses
