#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/backend.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/sum.hpp"

/// Lines of an array times a sparse matrix. What a matrix product would multiply by zero is not
/// looked at, so that infinity and NaN stay where they are.
namespace sfumato::ops::detail {

/// A sparse matrix, row by row: the elements of row i, those that are not zero, are numbers
/// starts[i] to starts[i + 1] of the columns and values.
struct SparseMatrix {
  std::int64_t columns = 0;
  std::vector<std::int64_t> starts{0};
  std::vector<std::int64_t> column_indices{};
  std::vector<double> values{};

  /// An element of the last row, the one that end_row() ends.
  void add(std::int64_t column, double value) {
    column_indices.push_back(column);
    values.push_back(value);
  }
  void end_row() { starts.push_back(static_cast<std::int64_t>(values.size())); }
  std::int64_t rows() const { return static_cast<std::int64_t>(starts.size()) - 1; }

  SparseMatrix transposed() const {
    SparseMatrix result{rows(), std::vector<std::int64_t>(static_cast<std::size_t>(columns) + 1),
                        std::vector<std::int64_t>(values.size()),
                        std::vector<double>(values.size())};
    const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
    for (const std::int64_t column : column_indices) ++result.starts[at(column + 1)];
    std::partial_sum(result.starts.begin(), result.starts.end(), result.starts.begin());
    auto next = result.starts;
    for (std::int64_t row = 0; row < rows(); ++row) {
      for (std::int64_t i = starts[at(row)]; i < starts[at(row + 1)]; ++i) {
        const std::size_t place = at(next[at(column_indices[at(i)])]++);
        result.column_indices[place] = row;
        result.values[place] = values[at(i)];
      }
    }
    return result;
  }
};

/// A SparseMatrix in a device's memory.
template <class Device>
struct SparseRows {
  std::int64_t columns;
  Tensor<std::int64_t, Device> starts;
  Tensor<std::int64_t, Device> column_indices;
  Tensor<double, Device> values;

  explicit SparseRows(const SparseMatrix& matrix)
      : columns(matrix.columns),
        starts(on_device(matrix.starts)),
        column_indices(on_device(matrix.column_indices)),
        values(on_device(matrix.values)) {}
  std::int64_t rows() const { return starts.numel() - 1; }

 private:
  template <class T>
  static Tensor<T, Device> on_device(const std::vector<T>& list) {
    return Tensor<T, Device>::from(list, {static_cast<std::int64_t>(list.size())});
  }
};

/// One element of a line times a matrix, by the number of the matrix' row and where the line is.
template <class T>
struct SparseProduct {
  std::span<const T> x;
  std::span<const std::int64_t> starts;
  std::span<const std::int64_t> column_indices;
  std::span<const double> values;
  std::int64_t outer_stride;
  std::int64_t line_stride;

  SFUMATO_HOST_DEVICE T operator()(std::int64_t outer, std::int64_t row, std::int64_t inner) const {
    const T* const line = x.data() + outer * outer_stride + inner;
    if constexpr (std::integral<T>) {
      // A double would round it beyond 2^53.
      const std::int64_t only = starts.data()[row];
      if (starts.data()[row + 1] == only + 1 && values.data()[only] == 1.0) {
        return line[column_indices.data()[only] * line_stride];
      }
    }
    double total = times_line(row, line);
    if constexpr (std::integral<T>) {
      // Cubic polynomials overshoot, beyond what an integer can be.
      using Limits = std::numeric_limits<T>;
      using std::floor;
      total = floor(total + 0.5);
      if (total <= static_cast<double>(Limits::min())) return Limits::min();
      if (total >= static_cast<double>(Limits::max())) return Limits::max();
    }
    return static_cast<T>(total);
  }
  /// The same of `count` neighbouring rows, for one line.
  void run(std::integral_constant<std::size_t, 1>, std::int64_t count, T* out,
           const std::int64_t* outer, const std::int64_t* row,
           const std::int64_t* inner) const requires std::floating_point<T> {
    const T* const line = x.data() + *outer * outer_stride + *inner;
    for (std::int64_t k = 0; k < count; ++k) out[k] = static_cast<T>(times_line(*row + k, line));
  }
  /// The same of `count` neighbouring lines, in an order that vectors can be made of.
  void run(std::integral_constant<std::size_t, 2>, std::int64_t count, T* out,
           const std::int64_t* outer, const std::int64_t* row,
           const std::int64_t* inner) const requires std::floating_point<T> {
    constexpr std::int64_t kRun = 256;
    std::array<double, kRun> totals;
    const std::int64_t begin = starts.data()[*row];
    const std::int64_t end = starts.data()[*row + 1];
    for (std::int64_t first = 0; first < count; first += kRun) {
      const T* const lines = x.data() + *outer * outer_stride + *inner + first;
      const std::int64_t length = std::min(kRun, count - first);
      std::fill_n(totals.begin(), length, begin == end ? 0.0 : -0.0);
      for (std::int64_t i = begin; i < end; ++i) {
        const T* const line = lines + column_indices.data()[i] * line_stride;
        add_multiple(values.data()[i], length, line, totals.data());
      }
      std::copy_n(totals.begin(), length, out + first);
    }
  }
  template <class Memory>
  void touch(Memory& memory) const {
    const auto read = [&](const auto& array) {
      memory.reads(array.data(), static_cast<std::int64_t>(array.size()));
    };
    read(x);
    read(starts);
    read(column_indices);
    read(values);
  }

 private:
  SFUMATO_HOST_DEVICE double times_line(std::int64_t row, const T* line) const {
    const std::int64_t begin = starts.data()[row];
    const std::int64_t end = starts.data()[row + 1];
    double total = begin == end ? 0.0 : -0.0;  // what is added to -0 stays what it is, -0 too
    for (std::int64_t i = begin; i < end; ++i) {
      total += values.data()[i] * static_cast<double>(line[column_indices.data()[i] * line_stride]);
    }
    return total;
  }
  // A function of its own, or GCC gathers from memory what it adds up.
  [[gnu::noinline]] static void add_multiple(double weight, std::int64_t count, const T* line,
                                             double* totals) {
    for (std::int64_t k = 0; k < count; ++k) totals[k] += weight * static_cast<double>(line[k]);
  }
};

/// x with every line along `axis` multiplied by `matrix`, whose transpose is `back`.
template <class T, class Device>
Variable<T, Device> multiply_lines(const char* op, const Variable<T, Device>& x, int axis,
                                   const SparseRows<Device>& matrix,
                                   const SparseRows<Device>& back) {
  std::int64_t outer = 1;
  std::int64_t inner = 1;
  for (int i = 0; i < x.rank(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : x.shape()[i];
  auto out = Tensor<T, Device>::empty(x.shape().with(axis, matrix.rows()));
  const auto span = [](const auto& tensor) {
    return std::span(tensor.data(), static_cast<std::size_t>(tensor.numel()));
  };
  const SparseProduct<T> product{
      span(x.value()),     span(matrix.starts),    span(matrix.column_indices),
      span(matrix.values), matrix.columns * inner, inner};
  // The indices that the function is called with.
  const auto numbers =
      Tensor<std::int64_t, Device>::arange(std::max({outer, matrix.rows(), inner}));
  const Shape shape{outer, matrix.rows(), inner};
  const auto index = [&](const Strides& strides) {
    return Strided<const std::int64_t>{numbers.data(), strides};
  };
  Device::map(product, shape, Strided<T>{out.data(), row_major_strides(shape)}, index({1, 0, 0}),
              index({0, 1, 0}), index({0, 0, 1}));
  return record(op, std::move(out), {x}, [op, axis, matrix, back](const Backward<T, Device>& ctx) {
    return multiply_lines(op, ctx.gradient(), axis, back, matrix);
  });
}

template <class T, class Device>
Variable<T, Device> multiply_lines(const char* op, const Variable<T, Device>& x, int axis,
                                   const SparseMatrix& matrix) {
  return multiply_lines(op, x, axis, SparseRows<Device>(matrix),
                        SparseRows<Device>(matrix.transposed()));
}

/// Images (n, c, h, w) with their columns multiplied by `rows` and their rows by `columns`: those
/// first that are neighbours in memory, unless that leaves more for the others.
template <class T, class Device>
Variable<T, Device> resample2d(const char* op, const Variable<T, Device>& x,
                               const SparseMatrix& rows, const SparseMatrix& columns) {
  if (rows.rows() < rows.columns) {
    return multiply_lines(op, multiply_lines(op, x, 2, rows), 3, columns);
  }
  return multiply_lines(op, multiply_lines(op, x, 3, columns), 2, rows);
}

/// (n, c, height, width) of images (0, c, h, w) or (n, 0, h, w).
template <class T, class Device>
Variable<T, Device> resample_nothing(const Variable<T, Device>& x, std::int64_t height,
                                     std::int64_t width) {
  return broadcast_to(sum(x, {2, 3}, true), {x.shape()[0], x.shape()[1], height, width});
}

}  // namespace sfumato::ops::detail
