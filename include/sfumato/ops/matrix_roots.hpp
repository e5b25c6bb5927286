#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/comparison.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/linalg.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/norm.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

/// Square roots of symmetric matrices (…, n, n), by products only.
namespace sfumato::ops {

namespace detail {

template <class T, class Device>
struct Roots {
  Variable<T, Device> root;
  Variable<T, Device> inverse;  ///< of the root
};

/// The product of symmetric matrices (…, n, n) that commute, which is symmetric. Of what is not
/// recorded half is computed.
template <class T, class Device>
Variable<T, Device> commuting_product(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  if (grad_enabled()) return matmul(a, b);
  const std::int64_t n = a.size(-1);
  auto out = Tensor<T, Device>::empty(a.shape());
  if (out.numel() == 0) return Variable<T, Device>(std::move(out));
  Device::gemm({.batch = batch_of(a.shape()).numel(),
                .m = n,
                .n = n,
                .k = n,
                .batch_stride_a = n * n,
                .batch_stride_b = n * n,
                .symmetric = true},
               a.value().data(), b.value().data(), out.data());
  return Variable<T, Device>(std::move(out));
}

/// How an iteration for roots goes from step to step.
enum class RootSteps {
  kPlain,
  kScaled,  ///< what all plain ones leave of an eigenvalue sets the scale: half as many, or fewer
};

/// The factors by which the steps of an iteration multiply the roots beforehand. After `iterations`
/// plain ones the root of an eigenvalue has grown by 1.5^iterations, where that was not too much:
/// scaled ones, with which the least root grows as much as it can, go on until all roots from
/// 1.5^-iterations to 1 are 1. Chen and Chow, "A stable scaling of Newton-Schulz for improving the
/// sign function computation of a Hermitian matrix" (2014).
template <class T>
std::vector<double> root_scales(int iterations, RootSteps steps) {
  if (steps == RootSteps::kPlain) return std::vector(static_cast<std::size_t>(iterations), 1.0);
  std::vector<double> scales;
  constexpr double kLeast =
      std::numeric_limits<T>::epsilon();  // rounding leaves none of smaller ones
  double least = std::max(std::pow(1.5, -iterations), kLeast);
  do {
    const double scale = std::sqrt(3.0 / (1.0 + least + least * least));
    scales.push_back(scale);
    least *= 0.5 * scale * (3.0 - scale * scale * least * least);
  } while (1.0 - least > kLeast);
  return scales;
}

/// The coupled iteration of Newton and Schulz (Higham, "Functions of Matrices", 2008, 6.3), for
/// symmetric matrices whose eigenvalues are at most 1.
template <class T, class Device>
Roots<T, Device> newton_schulz(const Variable<T, Device>& x, int iterations,
                               RootSteps steps = RootSteps::kPlain) {
  const Variable<T, Device> identity(Tensor<T, Device>::eye(x.size(-1)));
  auto y = x;
  Variable<T, Device> z;  // the identity, at first
  for (const double scale : root_scales<T>(iterations, steps)) {
    const auto square = static_cast<T>(scale * scale);
    const auto t =
        affine(sub(z.defined() ? commuting_product(z, y) : y, ops::scale(identity, T{3} / square)),
               T(-0.5) * square * static_cast<T>(scale), T{0});
    y = commuting_product(y, t);
    z = z.defined() ? commuting_product(t, z) : t;
  }
  return {y, z};
}

/// The same for any positive semi-definite matrices.
template <class T, class Device>
Roots<T, Device> roots_of(const Variable<T, Device>& x, int iterations,
                          RootSteps steps = RootSteps::kPlain) {
  // The squares of very small numbers are 0, and those of large ones infinite.
  const auto total = sum(abs(x), {-2, -1}, true).detach();
  const auto unit = masked_fill(total, total == T{0}, T{1});
  const auto scaled = div(x, unit);
  const auto length = norm(scaled, 2.0, {-2, -1}, true);
  const auto size = masked_fill(length, length == T{0}, T{1});
  const auto roots = newton_schulz(div(scaled, size), iterations, steps);
  const auto factor = sqrt(mul(size, unit));
  return {mul(roots.root, factor), div(roots.inverse, factor)};
}

/// The inverse of a root, what Lyapunov's equation root · X + X · root = 2 I has as its solution,
/// by as many iterations again.
template <class T, class Device>
Variable<T, Device> inverse_of(const Variable<T, Device>& root, int iterations) {
  const auto length = norm(root, 2.0, {-2, -1}, true);
  const auto size = masked_fill(length, length == T{0}, T{1});
  const auto unit = div(root, size);
  return div(newton_schulz(matmul(unit, unit), iterations).inverse, size);
}

inline void check_roots(const char* op, const Shape& shape, int iterations) {
  check_square(op, shape);
  if (iterations < 1) throw ValueError(message(op, ": ", iterations, " iterations; at least 1"));
}

/// Throws ValueError where the square of a root is not what it is the root of.
template <class T, class Device>
void check_squares(const Variable<T, Device>& x, const Variable<T, Device>& root, int iterations) {
  constexpr double kMost = 1e5 * std::numeric_limits<T>::epsilon();  // more than rounding does
  const NoGrad off;
  const auto largest = [](const Variable<T, Device>& a) {
    return max(abs(a), {-2, -1}).value().to_vector();
  };
  if (x.numel() == 0) return;
  const std::vector<T> errors = largest(sub(matmul(root, root), x));
  const std::vector<T> sizes = largest(x);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto size = static_cast<double>(sizes[i]);
    if (!std::isfinite(size) || static_cast<double>(errors[i]) <= kMost * size) continue;
    throw ValueError(message(
        "sqrtm: after ", iterations, " iterations the square of a root differs from its matrix of ",
        x.shape(), " by ", static_cast<double>(errors[i]) / size,
        " of its largest element; where that is symmetric and positive semi-definite, more "
        "iterations find it, or a little added to its diagonal"));
  }
}

/// The public sqrtm(), or the same unchecked.
template <Real T, class Device>
Variable<T, Device> sqrtm(const Variable<T, Device>& x, int iterations, bool is_checked) {
  check_roots("sqrtm", x.shape(), iterations);
  return in_float<T, Device>("sqrtm", {x}, [=](const auto& in) {
    const auto root = roots_of(in[0], iterations).root;
    if (is_checked) check_squares(in[0], root, iterations);
    return root;
  });
}

}  // namespace detail

/// The square root of symmetric positive semi-definite matrices (…, n, n), by the iteration of
/// Newton and Schulz, products only: its gradient is finite where eigenvalues coincide. An
/// eigenvalue that is 2.25^-i of the matrix' length takes i iterations more than the largest: in
/// float 20 are enough for all that rounding leaves. Computed in float where x has 16 bits. Throws
/// ShapeError unless matrices are square, and ValueError for fewer than one iteration, or where the
/// square of a root is not x.
template <Real T, class Device>
Variable<T, Device> sqrtm(const Variable<T, Device>& x, int iterations = 20) {
  return detail::sqrtm(x, iterations, true);
}

/// Where the gradient of sqrtm_trace() comes from.
enum class RootGradient {
  kInverse,   ///< from the inverse root that the iteration leaves: no products more
  kLyapunov,  ///< from Lyapunov's equation of sqrtm()'s root: as other programs, where it is
              ///< inexact
};

/// The sums of the diagonals of sqrtm(x), of shape (…). Their gradients are halves of the inverse
/// roots, for a tenth of the work that the gradient of sqrtm takes in all: with kInverse the
/// iteration is scaled, so that a dozen steps find what `iterations` of sqrtm do. Throws as sqrtm.
template <Real T, class Device>
Variable<T, Device> sqrtm_trace(const Variable<T, Device>& x, int iterations = 20,
                                RootGradient gradient = RootGradient::kInverse) {
  detail::check_roots("sqrtm_trace", x.shape(), iterations);
  return detail::in_float<T, Device>("sqrtm_trace", {x}, [=](const auto& in) {
    using Number = Compute<T>;
    const Variable<Number, Device> y = in[0];
    const auto steps =
        gradient == RootGradient::kInverse ? detail::RootSteps::kScaled : detail::RootSteps::kPlain;
    const auto [root, inverse] = no_grad([&] { return detail::roots_of(y, iterations, steps); });
    const Variable<Number, Device> identity(Tensor<Number, Device>::eye(y.size(-1)));
    const auto trace = sum(mul(root, identity), {-2, -1});
    return record("sqrtm_trace", trace.value(), {y},
                  [=, root = root, inverse = inverse](const Backward<Number, Device>& ctx) {
                    // Whose own gradient is asked for is computed so that there is one.
                    const auto now = grad_enabled() ? detail::roots_of(y, iterations, steps)
                                                    : detail::Roots<Number, Device>{root, inverse};
                    const auto factor = gradient == RootGradient::kInverse
                                            ? now.inverse
                                            : detail::inverse_of(now.root, iterations);
                    const auto halved = scale(ctx.gradient(), static_cast<Number>(0.5));
                    return mul(unsqueeze(unsqueeze(halved, -1), -1), factor);
                  });
  });
}

}  // namespace sfumato::ops
