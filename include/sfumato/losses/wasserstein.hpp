#pragma once

#include <cstdint>
#include <utility>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/losses/guided.hpp"
#include "sfumato/losses/style.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/linalg.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"
#include "sfumato/ops/tensor_arithmetic.hpp"

/// The Wasserstein-2 distance of the normal distributions that have the means and covariances of
/// two sets of features: |μ - ν|² + tr(C + D - 2 (√D C √D)^½). Olkin and Pukelsheim, "The distance
/// between two random vectors with given dispersion matrices" (1982).
namespace sfumato::losses {

namespace detail {

/// The mean (c,) and the second moments E x xᵀ (c, c) of features over their positions.
template <class T, class Device>
struct Moments {
  Variable<T, Device> mean;
  Variable<T, Device> second;
};

/// Those of features (1, c, h, w), in T; each position counts as much as `weights` (1, 1, h, w)
/// say, if they are defined.
template <class T, Real Features, class Device>
Moments<T, Device> moments_of(const Variable<Features, Device>& features,
                              const Variable<T, Device>& weights) {
  if (features.rank() != 4 || features.size(0) != 1 || features.numel() == 0) {
    throw ShapeError(message("wasserstein_loss: features ", features.shape(),
                             " must be those of one image (1, c, h, w)"));
  }
  const auto in_rows = [&](const auto& x) { return ops::reshape(x, {features.size(1), -1}); };
  const auto positions = static_cast<T>(features.size(2) * features.size(3));
  if (!weights.defined()) {
    const auto x = in_rows(features);
    return {ops::mean(ops::cast<T>(x), 1), gram_product<T>(x, positions)};
  }
  const auto guided = guided_features(features, weights);
  return {ops::mean(in_rows(ops::cast<T>(features) * weights), 1),
          gram_product<T>(in_rows(guided), positions)};
}

/// The mean (c,) and covariance (c, c) of features.
template <class T, class Device>
struct Gaussian {
  Variable<T, Device> mean;
  Variable<T, Device> covariance;

  explicit Gaussian(const Moments<T, Device>& moments) : mean(moments.mean) {
    // Of few positions the covariance is singular, and roots of it have infinite slopes.
    constexpr double kRegularization = 1e-4;
    // E x xᵀ - μ μᵀ: features are large, and their deviations from the mean would be so again.
    const auto column = ops::unsqueeze(mean, 1);
    covariance = moments.second - ops::matmul(column, column, {.transpose_b = true}) +
                 Variable<T, Device>(Tensor<T, Device>::eye(mean.numel()) * kRegularization);
  }

  /// The diagonal of the covariance: what the identity chooses.
  Variable<T, Device> variances() const {
    return ops::sum(covariance * Variable<T, Device>(Tensor<T, Device>::eye(mean.numel())), 1);
  }

  /// Mean, variances and root side by side.
  Variable<T, Device> target(int iterations) const {
    return ops::cat({ops::unsqueeze(mean, 1), ops::unsqueeze(variances(), 1),
                     ops::detail::sqrtm(covariance, iterations, false)},
                    1);
  }
};

}  // namespace detail

/// The mean and the second moments E x xᵀ of features (1, c, h, w), side by side in (c, 1 + c).
/// Those of several sets together are the mean of each one's, weighted by their sizes. Each
/// position counts as much as `weights` (1, 1, h, w) say, whose mean is 1, if they are defined. U
/// is the element type of the result.
template <class U, Real T, class Device>
Variable<U, Device> feature_moments(const Variable<T, Device>& features,
                                    const Variable<U, Device>& weights = {}) {
  const auto own = detail::moments_of<U>(features, weights);
  return ops::cat({ops::unsqueeze(own.mean, 1), own.second}, 1);
}

/// What wasserstein_loss compares features with, of features that have these feature_moments().
template <Real T, class Device>
Variable<T, Device> wasserstein_target_of_moments(const Variable<T, Device>& moments,
                                                  int iterations = 20) {
  return detail::Gaussian<T, Device>(
             {ops::select(moments, 1, 0), ops::slice(moments, 1, {.start = 1})})
      .target(iterations);
}

/// What wasserstein_loss compares features with: of features (1, c, h, w), their mean, their
/// variances and the square root of their covariance, side by side in (c, 2 + c): ops::sqrtm, but
/// as near as so many iterations come, as the root in wasserstein_loss is.
template <class U = void, Real T, class Device>
auto wasserstein_target(const Variable<T, Device>& features, int iterations = 20) {
  using Result = std::conditional_t<std::is_void_v<U>, T, U>;
  return detail::Gaussian<Result, Device>(
             detail::moments_of<Result>(features, Variable<Result, Device>()))
      .target(iterations);
}

/// wasserstein_loss() of features that have these feature_moments() (c, 1 + c).
template <Real T, class Device>
Variable<T, Device> wasserstein_loss_of_moments(
    const Variable<T, Device>& moments, const Variable<T, Device>& target, int iterations = 20,
    ops::RootGradient gradient = ops::RootGradient::kInverse) {
  const std::int64_t c = moments.size(0);
  if (moments.shape() != Shape{c, 1 + c} || target.shape() != Shape{c, 2 + c}) {
    throw ShapeError(message("wasserstein_loss: target ", target.shape(),
                             " does not fit features of ", c, " channels, with moments ",
                             moments.shape(), "; make it by wasserstein_target"));
  }
  const detail::Gaussian<T, Device> own(
      {ops::select(moments, 1, 0), ops::slice(moments, 1, {.start = 1})});
  const auto mean = ops::select(target, 1, 0);
  const auto variances = ops::select(target, 1, 1);
  const auto root = ops::slice(target, 1, {.start = 2});
  const auto product = ops::matmul(ops::matmul(root, own.covariance), root);
  const auto spread = ops::sum(own.variances() + variances) -
                      ops::sqrtm_trace(product, iterations, gradient) * T{2};
  return (ops::sum(ops::square(own.mean - mean)) + spread) / static_cast<T>(c);
}

/// The squared distance of features (1, c, h, w) from those that `target` was made of, over c; in
/// the target's element type. Covariances have 1e-4 added to their diagonals. Each position of the
/// features counts as much as `weights` (1, 1, h, w) say, whose mean is 1, if they are defined.
/// Throws ShapeError for what does not fit.
template <Real T, Real U, class Device>
Variable<U, Device> wasserstein_loss(const Variable<T, Device>& features,
                                     const Variable<U, Device>& target, int iterations = 20,
                                     ops::RootGradient gradient = ops::RootGradient::kInverse,
                                     const Variable<U, Device>& weights = {}) {
  return wasserstein_loss_of_moments(feature_moments<U>(features, weights), target, iterations,
                                     gradient);
}

}  // namespace sfumato::losses
