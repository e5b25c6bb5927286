#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/argmax.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/indexing.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/norm.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/ops/sum.hpp"

/// Losses of sets of features, vectors (n, c) in no order: which of one set is like which of
/// another.
namespace sfumato::losses {

/// The vectors of features (1, c, h, w) as a set (h w, c). Throws ShapeError for others.
template <class T, class Device>
Variable<T, Device> feature_vectors(const Variable<T, Device>& features) {
  if (features.rank() != 4 || features.size(0) != 1 || features.numel() == 0) {
    throw ShapeError(message("feature_vectors: ", features.shape(),
                             " must be features of one image (1, c, h, w)"));
  }
  return ops::transpose(ops::reshape(features, {features.size(1), -1}));
}

namespace detail {

/// Vectors (n, c), each divided by its length; a vector of zeros stays.
template <class T, class Device>
Variable<T, Device> unit_vectors(const Variable<T, Device>& x) {
  const auto length = ops::norm(x, 2.0, 1, true);
  return x / ops::masked_fill(length, length == T{0}, T{1});
}

/// Throws ShapeError unless a (n, c) and b (m, c) are sets of vectors of one size, neither empty.
template <class T, class Device>
void check_vectors(const char* op, const Variable<T, Device>& a, const Variable<T, Device>& b) {
  if (a.rank() != 2 || b.rank() != 2 || a.size(1) != b.size(1) || a.numel() == 0 ||
      b.numel() == 0) {
    throw ShapeError(
        message(op, ": ", a.shape(), " and ", b.shape(), " must be vectors (n, c) and (m, c)"));
  }
}

/// How many vectors nearest_neighbors() compares with all of so many choices at once.
inline std::int64_t vectors_at_once(std::int64_t choices) {
  constexpr std::int64_t kPairs = 1 << 20;  // stay in a processor's cache …
  // … but all choices are read for each so many, where that does not take too much memory.
  constexpr std::int64_t kRows = 256;
  constexpr std::int64_t kMostPairs = 1 << 24;
  return std::max<std::int64_t>({1, kPairs / choices, std::min(kRows, kMostPairs / choices)});
}

}  // namespace detail

/// 1 - cos of the angle between each of a (n, c) and each of b (m, c): (n, m). A vector of zeros is
/// at a distance of 1 from all. Throws ShapeError for what does not fit.
template <Real T, class Device>
Variable<T, Device> cosine_distances(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  detail::check_vectors("cosine_distances", a, b);
  return T{1} -
         ops::matmul(detail::unit_vectors(a), detail::unit_vectors(b), {.transpose_b = true});
}

/// The relaxed earth mover's distance of two sets (n, c) and (m, c), by the cosines of their
/// angles: the larger of the mean distance from each of a to the nearest of b, and from each of b
/// to the nearest of a. Kolkin, Salavon and Shakhnarovich, "Style transfer by relaxed optimal
/// transport and self-similarity" (2019).
template <Real T, class Device>
Variable<T, Device> relaxed_earth_movers_distance(const Variable<T, Device>& a,
                                                  const Variable<T, Device>& b) {
  const auto distances = cosine_distances(a, b);
  return ops::maximum(ops::mean(ops::min(distances, 1)), ops::mean(ops::min(distances, 0)));
}

/// How differently two sets (n, c) and (n, k), whose vectors belong together one by one, are like
/// themselves: the mean over i of Σ_j |A_ij / Σ_k A_kj - B_ij / Σ_k B_kj|, where A and B are the
/// cosine distances within each set. The content loss of the same paper.
template <Real T, class Device>
Variable<T, Device> self_similarity_loss(const Variable<T, Device>& a,
                                         const Variable<T, Device>& b) {
  const auto shares = [](const Variable<T, Device>& x) {
    const auto distances = cosine_distances(x, x);
    const auto total = ops::sum(distances, 0, true);
    return distances / ops::masked_fill(total, total == T{0}, T{1});
  };
  if (a.rank() != 2 || b.rank() != 2 || a.size(0) != b.size(0)) {
    throw ShapeError(message("self_similarity_loss: ", a.shape(), " and ", b.shape(),
                             " must be sets of as many vectors"));
  }
  return ops::mean(ops::sum(ops::abs(shares(a) - shares(b)), 1));
}

/// The index of the vector of `choices` (m, c) at the least cosine distance from each of x (n, c):
/// (n,); of equal ones the first. Cosines of some of x, and all choices, are in memory at once.
/// Throws ShapeError for what does not fit.
template <Real T, class Device>
Tensor<std::int64_t, Device> nearest_neighbors(const Variable<T, Device>& x,
                                               const Variable<T, Device>& choices) {
  detail::check_vectors("nearest_neighbors", x, choices);
  const NoGrad off;
  const auto own = detail::unit_vectors(x);
  const auto others = detail::unit_vectors(choices);
  const std::int64_t rows = detail::vectors_at_once(choices.size(0));
  std::vector<std::int64_t> nearest;
  for (std::int64_t begin = 0; begin < x.size(0); begin += rows) {
    const auto some =
        ops::slice(own, 0, {.start = begin, .stop = std::min(begin + rows, x.size(0))});
    const auto found = ops::argmax(ops::matmul(some, others, {.transpose_b = true}), 1).to_vector();
    nearest.insert(nearest.end(), found.begin(), found.end());
  }
  return Tensor<std::int64_t, Device>::from(nearest, {x.size(0)});
}

/// The mean cosine distance of each of x (n, c) from the vector of `choices` (m, c) that is nearest
/// to it, both with the mean of their set taken away. Which is nearest has no gradient. Kolkin et
/// al., "Neural neighbor style transfer" (2022).
template <Real T, class Device>
Variable<T, Device> nearest_neighbor_loss(const Variable<T, Device>& x,
                                          const Variable<T, Device>& choices) {
  const auto centred = [](const Variable<T, Device>& v) { return v - ops::mean(v, 0, true); };
  const auto own = centred(x);
  const auto others = centred(choices);
  const auto chosen = ops::index_select(others, 0, nearest_neighbors(own, others));
  return ops::mean(T{1} - ops::sum(detail::unit_vectors(own) * detail::unit_vectors(chosen), 1));
}

}  // namespace sfumato::losses
