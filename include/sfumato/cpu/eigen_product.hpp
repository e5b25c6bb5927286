#pragma once

#include <cstdint>

#include "sfumato/cpu/eigen.hpp"
#include "sfumato/cpu/kernels/kernels.hpp"

namespace sfumato::cpu {

/// c (m × n) = a (m × k) · b (k × n), added to what c holds when `accumulate`.
template <class T>
void eigen_product(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a,
                   MatrixView<const T> b, MatrixView<T> c, bool accumulate) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Input = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;
  Eigen::Map<Matrix, 0, Eigen::OuterStride<>> out(c.data, m, n, Eigen::OuterStride<>(c.stride));
  const Input left(a.data, a.transposed ? k : m, a.transposed ? m : k,
                   Eigen::OuterStride<>(a.stride));
  const Input right(b.data, b.transposed ? n : k, b.transposed ? k : n,
                    Eigen::OuterStride<>(b.stride));
  const auto store = [&](const auto& product) {
    if (accumulate) {
      out.noalias() += product;
    } else {
      out.noalias() = product;
    }
  };
  if (a.transposed && b.transposed) {
    store(left.transpose() * right.transpose());
  } else if (a.transposed) {
    store(left.transpose() * right);
  } else if (b.transposed) {
    store(left * right.transpose());
  } else {
    store(left * right);
  }
}

}  // namespace sfumato::cpu
