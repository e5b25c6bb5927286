#pragma once

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
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/norm.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

/// Linear algebra of small matrices (…, n, n). Factorisations run on the processor, in double.
namespace sfumato::ops {

namespace detail {

/// Throws ShapeError unless x has square matrices.
inline void check_square(const char* op, const Shape& shape) {
  if (shape.rank() >= 2 && shape[-1] == shape[-2]) return;
  throw ShapeError(message(op, ": ", shape, " must be square matrices (…, n, n)"));
}

/// Rows of a matrix in double, on the processor.
class HostMatrix {
 public:
  HostMatrix(double* values, std::int64_t columns) : values_(values), columns_(columns) {}
  double& operator()(std::int64_t i, std::int64_t j) { return values_[i * columns_ + j]; }

 private:
  double* values_;
  std::int64_t columns_;
};

/// 1 below the diagonal of (n, n), 1/2 on it and 0 above.
template <class T, class Device>
Variable<T, Device> half_lower_mask(std::int64_t n) {
  std::vector<T> values(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < i; ++j) values[static_cast<std::size_t>(i * n + j)] = T{1};
    values[static_cast<std::size_t>(i * n + i)] = static_cast<T>(0.5);
  }
  return Variable<T, Device>(Tensor<T, Device>::from(values, {n, n}));
}

/// Turns (a | b) into (… | a⁻¹ b) by Gauss' elimination, the largest element of a column first.
/// Throws ValueError where a is singular.
inline void eliminate(HostMatrix a, std::int64_t n, HostMatrix b, std::int64_t columns) {
  for (std::int64_t k = 0; k < n; ++k) {
    std::int64_t pivot = k;
    for (std::int64_t i = k + 1; i < n; ++i) {
      if (std::abs(a(i, k)) > std::abs(a(pivot, k))) pivot = i;
    }
    if (a(pivot, k) == 0.0) {
      throw ValueError(message("solve: a matrix of ", n, " × ", n, " is singular at row ", k));
    }
    for (std::int64_t j = k; j < n; ++j) std::swap(a(k, j), a(pivot, j));
    for (std::int64_t j = 0; j < columns; ++j) std::swap(b(k, j), b(pivot, j));
    for (std::int64_t i = k + 1; i < n; ++i) {
      const double factor = a(i, k) / a(k, k);
      for (std::int64_t j = k; j < n; ++j) a(i, j) -= factor * a(k, j);
      for (std::int64_t j = 0; j < columns; ++j) b(i, j) -= factor * b(k, j);
    }
  }
  for (std::int64_t i = n - 1; i >= 0; --i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      for (std::int64_t k = i + 1; k < n; ++k) b(i, j) -= a(i, k) * b(k, j);
      b(i, j) /= a(i, i);
    }
  }
}

template <class T, class Device>
std::vector<double> doubles(const Variable<T, Device>& x) {
  const std::vector<T> values = x.value().to_vector();
  return std::vector<double>(values.begin(), values.end());
}

template <class T, class Device>
Tensor<T, Device> from_doubles(const std::vector<double>& values, const Shape& shape) {
  return Tensor<T, Device>::from(std::vector<T>(values.begin(), values.end()), shape);
}

}  // namespace detail

/// Σ a_i b_i of two vectors (n,). Computed in float where they have 16 bits. Throws ShapeError for
/// anything else.
template <class T, class Device>
Variable<T, Device> dot(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  if (a.rank() != 1 || a.shape() != b.shape()) {
    throw ShapeError(
        message("dot: ", a.shape(), " and ", b.shape(), " must be vectors of one length"));
  }
  return detail::in_float<T, Device>("dot", {a, b},
                                     [](const auto& in) { return sum(mul(in[0], in[1])); });
}

/// The product of a matrix (m, n) and a vector (n,). Throws ShapeError for anything else.
template <class T, class Device>
Variable<T, Device> mv(const Variable<T, Device>& a, const Variable<T, Device>& x) {
  if (a.rank() != 2 || x.rank() != 1) {
    throw ShapeError(
        message("mv: ", a.shape(), " and ", x.shape(), " must be a matrix and a vector"));
  }
  return matmul(a, x);
}

/// a_i b_j of two vectors (m,) and (n,): (m, n). Throws ShapeError for anything else.
template <class T, class Device>
Variable<T, Device> outer(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  if (a.rank() != 1 || b.rank() != 1) {
    throw ShapeError(message("outer: ", a.shape(), " and ", b.shape(), " must be vectors"));
  }
  return mul(unsqueeze(a, 1), b);
}

/// x with a x = b, for square matrices a (…, n, n) and b (…, n, k), the other axes broadcast
/// together. b' = a⁻ᵀ g and a' = -b' xᵀ are the gradients. Throws ShapeError for what does not fit
/// and ValueError for a singular matrix.
template <Real T, class Device>
Variable<T, Device> solve(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  detail::check_square("solve", a.shape());
  if (b.rank() < 2 || b.size(-2) != a.size(-1)) {
    throw ShapeError(
        message("solve: ", b.shape(), " must be columns (…, ", a.size(-1), ", k) for ", a.shape()));
  }
  const std::int64_t n = b.size(-2);
  const std::int64_t columns = b.size(-1);
  const Shape batch =
      broadcast_shapes("solve", detail::batch_of(a.shape()), detail::batch_of(b.shape()));
  const auto matrices = broadcast_to(a, detail::matrices(batch, n, n));
  const auto right = broadcast_to(b, detail::matrices(batch, n, columns));
  auto left_values = detail::doubles(matrices);
  auto values = detail::doubles(right);
  for (std::int64_t i = 0; i < batch.numel(); ++i) {
    detail::eliminate({left_values.data() + i * n * n, n}, n,
                      {values.data() + i * n * columns, columns}, columns);
  }
  const auto x = detail::from_doubles<T, Device>(values, right.shape());
  return record("solve", x, {matrices, right}, [matrices, x](const Backward<T, Device>& ctx) {
    const auto back = solve(transpose(matrices), ctx.gradient());
    Gradients<T, Device> gradients(2);
    if (ctx.needs(0)) gradients[0] = neg(matmul(back, ctx.result(x), {.transpose_b = true}));
    if (ctx.needs(1)) gradients[1] = back;
    return gradients;
  });
}

/// The lower triangular l with l lᵀ = x, for symmetric positive definite matrices x (…, n, n), of
/// which only the lower triangles are read; the gradient is symmetric, as Murray, "Differentiation
/// of the Cholesky decomposition" (2016) has it. Throws ValueError for others.
template <Real T, class Device>
Variable<T, Device> cholesky(const Variable<T, Device>& x) {
  detail::check_square("cholesky", x.shape());
  const std::int64_t n = x.size(-1);
  auto values = detail::doubles(x);
  for (std::int64_t i = 0; i < detail::batch_of(x.shape()).numel(); ++i) {
    detail::HostMatrix l(values.data() + i * n * n, n);
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t k = 0; k < j; ++k) {
        l(k, j) = 0.0;
        for (std::int64_t row = j; row < n; ++row) l(row, j) -= l(row, k) * l(j, k);
      }
      if (!(l(j, j) > 0.0)) {
        throw ValueError(
            message("cholesky: a matrix of ", x.shape(), " is not positive definite at row ", j));
      }
      const double pivot = std::sqrt(l(j, j));
      for (std::int64_t row = j; row < n; ++row) l(row, j) /= pivot;
    }
  }
  const auto l = detail::from_doubles<T, Device>(values, x.shape());
  return record("cholesky", l, {x}, [l, n](const Backward<T, Device>& ctx) {
    const auto factor = ctx.result(l);
    const auto transposed = transpose(factor);
    // Φ keeps the lower triangle and half of the diagonal.
    const auto phi = mul(matmul(transposed, ctx.gradient()), detail::half_lower_mask<T, Device>(n));
    const auto lower = solve(transposed, transpose(solve(transposed, transpose(phi))));
    return scale(add(lower, transpose(lower)), static_cast<Compute<T>>(0.5));
  });
}

namespace detail {

template <class T, class Device>
struct Roots {
  Variable<T, Device> root;
  Variable<T, Device> inverse;  ///< of the root
};

/// The coupled iteration of Newton and Schulz (Higham, "Functions of Matrices", 2008, 6.3), for
/// matrices whose eigenvalues are at most 1.
template <class T, class Device>
Roots<T, Device> newton_schulz(const Variable<T, Device>& x, int iterations) {
  const Variable<T, Device> identity(Tensor<T, Device>::eye(x.size(-1)));
  auto y = x;
  auto z = broadcast_to(identity, y.shape());
  for (int i = 0; i < iterations; ++i) {
    const auto t = affine(sub(matmul(z, y), scale(identity, 3)), T(-0.5), T{0});
    y = matmul(y, t);
    z = matmul(t, z);
  }
  return {y, z};
}

/// The same for any positive semi-definite matrices.
template <class T, class Device>
Roots<T, Device> roots_of(const Variable<T, Device>& x, int iterations) {
  // The squares of very small numbers are 0, and those of large ones infinite.
  const auto total = sum(abs(x), {-2, -1}, true).detach();
  const auto unit = masked_fill(total, total == T{0}, T{1});
  const auto scaled = div(x, unit);
  const auto length = norm(scaled, 2.0, {-2, -1}, true);
  const auto size = masked_fill(length, length == T{0}, T{1});
  const auto roots = newton_schulz(div(scaled, size), iterations);
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
  kLyapunov,  ///< from Lyapunov's equation of the root: as other programs, where roots are inexact
};

/// The sums of the diagonals of sqrtm(x), of shape (…). Their gradients are halves of the inverse
/// roots, for a third of the work that the gradient of sqrtm takes in all. Throws as sqrtm.
template <Real T, class Device>
Variable<T, Device> sqrtm_trace(const Variable<T, Device>& x, int iterations = 20,
                                RootGradient gradient = RootGradient::kInverse) {
  detail::check_roots("sqrtm_trace", x.shape(), iterations);
  return detail::in_float<T, Device>("sqrtm_trace", {x}, [=](const auto& in) {
    using Number = Compute<T>;
    const Variable<Number, Device> y = in[0];
    const auto [root, inverse] = no_grad([&] { return detail::roots_of(y, iterations); });
    const Variable<Number, Device> identity(Tensor<Number, Device>::eye(y.size(-1)));
    const auto trace = sum(mul(root, identity), {-2, -1});
    return record("sqrtm_trace", trace.value(), {y},
                  [=, root = root, inverse = inverse](const Backward<Number, Device>& ctx) {
                    // Whose own gradient is asked for is computed so that there is one.
                    const auto now = grad_enabled() ? detail::roots_of(y, iterations)
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
