#pragma once

#include <cstdint>
#include <type_traits>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/eigen.hpp"

namespace sfumato::io {

namespace detail {
template <class T>
using EigenMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using EigenVector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

/// Throws ShapeError unless a tensor of this shape can be looked at as one of that rank.
inline void check_eigen_rank(const Shape& shape, int rank) {
  if (shape.rank() == rank) return;
  throw ShapeError(message("as_eigen: ", shape, " has ", shape.rank(), " dimensions, and not ",
                           rank, "; reshape() it"));
}
}  // namespace detail

/// A tensor (rows, columns) on the CPU as an Eigen matrix, without a copy: what is written through
/// it is written to the tensor, which must outlive it. Throws ShapeError for another rank.
///
///     io::as_eigen(tensor) *= 2.0F;
template <Element T, HostAccessible Device>
requires std::is_arithmetic_v<T> Eigen::Map<detail::EigenMatrix<T>> as_eigen(
    Tensor<T, Device>& tensor) {
  detail::check_eigen_rank(tensor.shape(), 2);
  return {tensor.data(), tensor.size(0), tensor.size(1)};
}
template <Element T, HostAccessible Device>
requires std::is_arithmetic_v<T> Eigen::Map<const detail::EigenMatrix<T>> as_eigen(
    const Tensor<T, Device>& tensor) {
  detail::check_eigen_rank(tensor.shape(), 2);
  return {tensor.data(), tensor.size(0), tensor.size(1)};
}

/// The same of a tensor (n,) as a column vector.
template <Element T, HostAccessible Device>
requires std::is_arithmetic_v<T> Eigen::Map<detail::EigenVector<T>> as_eigen_vector(
    Tensor<T, Device>& tensor) {
  detail::check_eigen_rank(tensor.shape(), 1);
  return {tensor.data(), tensor.size(0)};
}
template <Element T, HostAccessible Device>
requires std::is_arithmetic_v<T> Eigen::Map<const detail::EigenVector<T>> as_eigen_vector(
    const Tensor<T, Device>& tensor) {
  detail::check_eigen_rank(tensor.shape(), 1);
  return {tensor.data(), tensor.size(0)};
}

/// A tensor with the values of an Eigen expression, (rows, columns); a copy.
template <class Derived>
Tensor<typename Derived::Scalar> from_eigen(const Eigen::DenseBase<Derived>& values) {
  auto tensor = Tensor<typename Derived::Scalar>::empty({values.rows(), values.cols()});
  as_eigen(tensor) = values;
  return tensor;
}

}  // namespace sfumato::io
