#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>

#include "sfumato/core/division.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/half.hpp"
#include "sfumato/cpu/kernels/kernels.hpp"

// Eigen is a third of what there is to read. Programs that link sfumato::kernels are spared it.
#ifndef SFUMATO_COMPILED_KERNELS
#include "sfumato/cpu/eigen_product.hpp"
#endif

namespace sfumato {

namespace cpu {

/// The product of the element types that have no kernels of their own; see eigen_product.hpp.
template <class T>
void eigen_product(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a,
                   MatrixView<const T> b, MatrixView<T> c, bool accumulate);

/// c (m × n) = a (m × k) · b (k × n), added to what c holds when `accumulate`. One thread.
/// If `symmetric`, what lies above the diagonal of c may be left out.
template <class T>
void multiply_block(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a,
                    MatrixView<const T> b, MatrixView<T> c, bool accumulate,
                    bool symmetric = false) {
  if constexpr (std::same_as<T, float>) {
    return kernels<MatrixKernels>().multiply_block(m, n, k, a, b, c, accumulate, symmetric);
  } else {
    eigen_product(m, n, k, a, b, c, accumulate);
  }
}

/// The same on all threads: c in tiles whose size depends on the shape alone.
template <class T>
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a,
              MatrixView<const T> b, MatrixView<T> c, bool accumulate, bool symmetric = false) {
  constexpr std::int64_t kTile = 256;
  const bool few_tiles = m * n < 4 * kTile * kTile;
  const std::int64_t tile = few_tiles ? kTile / 2 : kTile;
  const std::int64_t rows = ceil_div(m, tile);
  const std::int64_t columns = ceil_div(n, tile);
  // Waking the threads costs more than a small product.
  const bool small = m * n * k < 64 * 64 * 64;
  parallel_for(rows * columns, small ? rows * columns : 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t job = begin; job < end; ++job) {
                   const std::int64_t row = job / columns * tile;
                   const std::int64_t column = job % columns * tile;
                   if (symmetric && column > row) continue;
                   multiply_block(std::min(tile, m - row), std::min(tile, n - column), k,
                                  a.block(row, 0), b.block(0, column), c.block(row, column),
                                  accumulate, symmetric && column == row);
                 }
               });
}

/// For small results of very long sums, such as a Gram matrix: the sum is cut into slices for the
/// threads, whose results are added in order.
template <class T>
void multiply_long(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a,
                   MatrixView<const T> b, MatrixView<T> c, std::int64_t slices, bool symmetric) {
  const std::int64_t length = ceil_div(k, slices);
  auto partial = Tensor<T, Cpu>::empty({slices * m * n});
  parallel_for(slices, 1, [&](std::int64_t slice, std::int64_t) {
    const std::int64_t first = slice * length;
    multiply_block<T>(m, n, std::max<std::int64_t>(0, std::min(length, k - first)),
                      a.block(0, first), b.block(first, 0), {partial.data() + slice * m * n, n},
                      false, symmetric);
  });
  constexpr std::int64_t kRows = 16;
  parallel_for(m, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      T* const row = c.data + i * c.stride;
      std::fill_n(row, n, T{0});
      for (std::int64_t slice = 0; slice < slices; ++slice) {
        const T* const part = partial.data() + (slice * m + i) * n;
        for (std::int64_t j = 0; j < n; ++j) row[j] += part[j];
      }
    }
  });
}

/// Copies what lies below the diagonal of a square matrix above it.
template <class T>
void mirror(std::int64_t size, MatrixView<T> c) {
  constexpr std::int64_t kRows = 16;  // of which each cache line is written whole
  parallel_for(size, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t column = begin; column < size; ++column) {
      const std::int64_t rows = std::min(end, column);
      for (std::int64_t row = begin; row < rows; ++row) {
        c.data[row * c.stride + column] = c.data[column * c.stride + row];
      }
    }
  });
}

}  // namespace cpu

template <class T>
void Cpu::gemm(const GemmGeometry& geometry, const T* a, const T* b, T* c) {
  const auto [batch, m, n, k, transpose_a, transpose_b, stride_a, stride_b] = geometry;
  if constexpr (SixteenBits<T>) {
    const auto left = cpu::in_float((batch - 1) * stride_a + m * k, a);
    const auto right = a == b ? left : cpu::in_float((batch - 1) * stride_b + k * n, b);
    cpu::store_rounded(batch * m * n, c,
                       [&](float* out) { Cpu::gemm(geometry, left.data(), right.data(), out); });
  } else {
    constexpr std::int64_t kSmallResult = 128 * 128;
    constexpr std::int64_t kLongSum = 1024;
    const bool long_sum = m * n <= kSmallResult && k >= 2 * kLongSum;
    // A Gram matrix: half of it is computed, the other half is its mirror image.
    const bool symmetric = a == b && !transpose_a && transpose_b && m == n && stride_a == stride_b;
    for (std::int64_t i = 0; i < batch; ++i) {
      const cpu::MatrixView<const T> left{a + i * stride_a, transpose_a ? m : k, transpose_a};
      const cpu::MatrixView<const T> right{b + i * stride_b, transpose_b ? k : n, transpose_b};
      const cpu::MatrixView<T> out{c + i * m * n, n};
      if (long_sum) {
        cpu::multiply_long(m, n, k, left, right, out, std::min<std::int64_t>(32, k / kLongSum),
                           symmetric);
      } else {
        cpu::multiply(m, n, k, left, right, out, false, symmetric);
      }
      if (symmetric) cpu::mirror(m, out);
    }
  }
}

}  // namespace sfumato
