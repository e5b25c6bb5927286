#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/random.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/indexing.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/norm.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::losses {

namespace detail {

/// Which row of x (n, k) comes first, second … in each column, from the smallest number on; NaN is
/// above all.
template <class T, class Device>
Tensor<std::int64_t, Device> ascending_rows(const Tensor<T, Device>& x) {
  const std::int64_t n = x.size(0);
  const std::int64_t k = x.size(1);
  const std::vector<T> values = x.to_vector();
  std::vector<std::int64_t> ranks(values.size());
  std::vector<std::int64_t> rows(static_cast<std::size_t>(n));
  for (std::int64_t column = 0; column < k; ++column) {
    const auto at = [&](std::int64_t row) {
      return values[static_cast<std::size_t>(row * k + column)];
    };
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
    std::stable_sort(rows.begin(), rows.end(), [&](std::int64_t a, std::int64_t b) {
      return at(a) < at(b) || (at(b) != at(b) && at(a) == at(a));
    });
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ranks[i * static_cast<std::size_t>(k) + static_cast<std::size_t>(column)] = rows[i];
    }
  }
  return Tensor<std::int64_t, Device>::from(ranks, x.shape());
}

}  // namespace detail

/// Unit vectors that point anywhere: `count` columns (c, count).
template <class T, class Device = Cpu>
Variable<T, Device> random_directions(std::int64_t c, std::int64_t count, Random& random) {
  const Variable<T, Device> any(Tensor<T, Device>::randn({c, count}, random));
  return any / ops::norm(any, 2.0, 0, true);
}

/// The mean squared distance of two sets (n, c) and (m, c) along `directions` (c, k), of each of
/// which the numbers of both are sorted: 1/k Σ_d 1/n Σ_i (sort(a d)_i - sort(b d)_i)². Where there
/// are not as many of b, those at the same part of its order stand for the others. In which order
/// they come has no gradient. Throws ShapeError for what does not fit. Heitz, Vanhoey, Chambon and
/// Belcour, "A sliced Wasserstein loss for neural texture synthesis" (2021).
///
///     const auto directions = losses::random_directions<float>(64, 64, random);
///     losses::sliced_wasserstein_loss(losses::feature_vectors(x), target, directions);
template <Real T, class Device>
Variable<T, Device> sliced_wasserstein_loss(const Variable<T, Device>& a,
                                            const Variable<T, Device>& b,
                                            const Variable<T, Device>& directions) {
  if (a.rank() != 2 || b.rank() != 2 || directions.rank() != 2 || a.numel() == 0 ||
      b.numel() == 0 || directions.numel() == 0 || a.size(1) != directions.size(0) ||
      b.size(1) != directions.size(0)) {
    throw ShapeError(message("sliced_wasserstein_loss: ", a.shape(), " and ", b.shape(),
                             " along directions ", directions.shape(),
                             " must be sets (n, c) and (m, c) and columns (c, k)"));
  }
  const auto sorted = [&](const Variable<T, Device>& set) {
    const auto along = ops::matmul(set, directions);
    return ops::gather(along, 0, detail::ascending_rows(along.value()));
  };
  auto target = sorted(b);
  const std::int64_t n = a.size(0);
  const std::int64_t m = b.size(0);
  if (n != m) {
    std::vector<std::int64_t> same_part;
    for (std::int64_t i = 0; i < n; ++i) same_part.push_back((2 * i + 1) * m / (2 * n));
    target = ops::index_select(target, 0, Tensor<std::int64_t, Device>::from(same_part, {n}));
  }
  return ops::mean(ops::square(sorted(a) - target));
}

}  // namespace sfumato::losses
