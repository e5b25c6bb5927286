#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/resample.hpp"
#include "sfumato/ops/sum.hpp"

/// Elements chosen by tensors of indices, which count from the end where they are negative. What is
/// chosen is x times a sparse matrix of ones, so that gradients are sums in a fixed order.
namespace sfumato::ops {

namespace detail {

/// An index that counts from 0. Throws ShapeError out of range.
inline std::int64_t checked_index(const char* op, std::int64_t index, const Shape& shape,
                                  int axis) {
  const std::int64_t extent = shape[axis];
  if (index < -extent || index >= extent) {
    throw ShapeError(
        message(op, ": index ", index, " is out of range at axis ", axis, " of ", shape));
  }
  return index < 0 ? index + extent : index;
}

/// The matrix that chooses elements of a line: row i is 1 in column chosen[i].
inline SparseMatrix choice(std::int64_t columns, const std::vector<std::int64_t>& chosen) {
  SparseMatrix matrix{.columns = columns};
  for (const std::int64_t column : chosen) {
    matrix.add(column, 1.0);
    matrix.end_row();
  }
  return matrix;
}

/// Where the elements that `index` means stand in a row-major tensor of `shape`: each index takes
/// the place of its own position along the axis. Throws ShapeError for what does not fit.
template <class Device>
std::vector<std::int64_t> places(const char* op, const Shape& shape, int axis,
                                 const Tensor<std::int64_t, Device>& index) {
  bool fits = index.rank() == shape.rank();
  for (int i = 0; fits && i < shape.rank(); ++i) fits = i == axis || index.size(i) <= shape[i];
  if (!fits) {
    throw ShapeError(message(op, ": indices ", index.shape(), " do not fit ", shape, " along axis ",
                             axis, "; other extents may not be larger"));
  }
  const Strides strides = row_major_strides(shape);
  const Strides own = row_major_strides(index.shape());
  std::vector<std::int64_t> result = index.to_vector();
  for (std::int64_t i = 0; i < index.numel(); ++i) {
    std::int64_t place = 0;
    for (int a = 0; a < shape.rank(); ++a) {
      const auto at = static_cast<std::size_t>(a);
      const std::int64_t position =
          a == axis ? checked_index(op, result[static_cast<std::size_t>(i)], shape, axis)
                    : i / own[at] % index.size(a);
      place += position * strides[at];
    }
    result[static_cast<std::size_t>(i)] = place;
  }
  return result;
}

}  // namespace detail

/// The slices of x along an axis that `indices` (rank 1) names, in its order; one may come twice.
/// Throws ShapeError for an index out of range.
template <Real T, class Device>
Variable<T, Device> index_select(const Variable<T, Device>& x, int axis,
                                 const Tensor<std::int64_t, Device>& indices) {
  if (indices.rank() != 1) {
    throw ShapeError(message("index_select: indices ", indices.shape(), " must have one axis"));
  }
  const int normalized = x.shape().normalize_axis(axis);
  std::vector<std::int64_t> chosen = indices.to_vector();
  for (auto& i : chosen) i = detail::checked_index("index_select", i, x.shape(), normalized);
  return detail::multiply_lines("index_select", x, normalized,
                                detail::choice(x.size(normalized), chosen));
}

/// y[i, j, …] = x[index[i, j, …], j, …] along axis 0, and likewise along others: of the shape of
/// `index`, which has the rank of x. Throws ShapeError for what does not fit.
template <Real T, class Device>
Variable<T, Device> gather(const Variable<T, Device>& x, int axis,
                           const Tensor<std::int64_t, Device>& index) {
  const int normalized = x.shape().normalize_axis(axis);
  const auto places = detail::places("gather", x.shape(), normalized, index);
  const auto line = reshape(x, Shape{x.numel()});
  return reshape(detail::multiply_lines("gather", line, 0, detail::choice(x.numel(), places)),
                 index.shape());
}

/// x with source[i, j, …] added at [index[i, j, …], j, …] along axis 0, and likewise along others:
/// the adjoint of gather. What lies beyond the extents of `index` in the source is left out.
/// Throws ShapeError for what does not fit.
template <Real T, class Device>
Variable<T, Device> scatter_add(const Variable<T, Device>& x, int axis,
                                const Tensor<std::int64_t, Device>& index,
                                const Variable<T, Device>& source) {
  const int normalized = x.shape().normalize_axis(axis);
  const auto places = detail::places("scatter_add", x.shape(), normalized, index);
  if (source.rank() != x.rank()) {
    throw ShapeError(message("scatter_add: source ", source.shape(), " and indices ", index.shape(),
                             " must have the same rank"));
  }
  Variable<T, Device> added = source;
  for (int i = 0; i < x.rank(); ++i) {
    if (source.size(i) < index.size(i)) {
      throw ShapeError(message("scatter_add: source ", source.shape(),
                               " has fewer elements than the indices ", index.shape()));
    }
    if (source.size(i) > index.size(i)) added = slice(added, i, {.stop = index.size(i)});
  }
  const auto spread = detail::choice(x.numel(), places).transposed();
  const auto line = reshape(added, Shape{added.numel()});
  return add(x, reshape(detail::multiply_lines("scatter_add", line, 0, spread), x.shape()));
}

/// 1 at each label's position along a last axis of `classes`, else 0.
/// Throws ValueError for a label that is not one of 0 … classes - 1.
template <Element T = float, class Device>
Tensor<T, Device> one_hot(const Tensor<std::int64_t, Device>& labels, std::int64_t classes) {
  Shape shape = labels.shape();
  shape.push_back(classes);
  Tensor<T, Device>::empty(shape);  // throws where std::vector would
  std::vector<T> values(static_cast<std::size_t>(shape.numel()));
  auto row = values.begin();
  for (const std::int64_t label : labels.to_vector()) {
    if (label < 0 || label >= classes) {
      throw ValueError(message("one_hot: label ", label, " is not one of ", classes, " classes"));
    }
    row[label] = T{1};
    row += classes;
  }
  return Tensor<T, Device>::from(values, shape);
}

}  // namespace sfumato::ops
