#pragma once

#include <algorithm>
#include <bit>
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

/// How a result (m × n) is cut into tiles that threads compute, all of them or, of a symmetric one,
/// those on and below the diagonal. Of these a job takes one below or two on the diagonal, as half
/// of what those have is left out: so all jobs are equally long.
struct TileJobs {
  std::int64_t m;
  std::int64_t n;
  std::int64_t tile;  ///< rows and columns
  bool symmetric;

  std::int64_t rows() const { return ceil_div(m, tile); }
  std::int64_t columns() const { return ceil_div(n, tile); }
  std::int64_t below_diagonal() const { return rows() * (rows() - 1) / 2; }
  std::int64_t count() const {
    return symmetric ? below_diagonal() + ceil_div(rows(), 2) : rows() * columns();
  }

  /// Calls `body(row, column)` with where each tile of a job begins.
  template <class Body>
  void for_each_tile(std::int64_t job, const Body& body) const {
    if (!symmetric) {
      body(job / columns() * tile, job % columns() * tile);
    } else if (job < below_diagonal()) {
      std::int64_t row = 1;
      for (; job >= row; ++row) job -= row;
      body(row * tile, job * tile);
    } else {
      const std::int64_t first = 2 * (job - below_diagonal());
      for (std::int64_t i = first; i < std::min(first + 2, rows()); ++i) body(i * tile, i * tile);
    }
  }
};

/// Tiles of `tile`, or smaller ones where otherwise threads would have no work while `times` such
/// results with sums of k products each are computed. In float an element has the same bits in any
/// tile; other products are Eigen's.
template <class T>
TileJobs tile_jobs(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t tile,
                   bool symmetric, std::int64_t times, std::int64_t threads = thread_count()) {
  constexpr std::int64_t kSmallest = 32;          // a whole panel of any kernel
  constexpr std::int64_t kWorth = 32 * 32 * 256;  // products that outweigh copying their factors
  TileJobs jobs{m, n, tile, symmetric};
  while (std::same_as<T, float> && jobs.tile > kSmallest &&
         jobs.tile * jobs.tile / 4 * k >= kWorth && !keep_busy(times * jobs.count(), threads)) {
    jobs.tile /= 2;
  }
  return jobs;
}

/// The same on all threads: c in tiles.
template <class T>
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a,
              MatrixView<const T> b, MatrixView<T> c, bool accumulate, bool symmetric = false) {
  constexpr std::int64_t kTile = 256;
  const bool few_tiles = m * n < 4 * kTile * kTile;
  // Waking the threads costs more than a small product.
  const bool small = m * n * k < 64 * 64 * 64;
  const TileJobs jobs = tile_jobs<T>(m, n, k, few_tiles ? kTile / 2 : kTile, symmetric, 1);
  parallel_for(jobs.count(), small ? jobs.count() : 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t job = begin; job < end; ++job) {
      jobs.for_each_tile(job, [&](std::int64_t row, std::int64_t column) {
        multiply_block(std::min(jobs.tile, m - row), std::min(jobs.tile, n - column), k,
                       a.block(row, 0), b.block(0, column), c.block(row, column), accumulate,
                       symmetric && column == row);
      });
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
  const auto whole =
      static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max(m, n))));
  const TileJobs jobs = tile_jobs<T>(m, n, length, whole, symmetric, slices);
  parallel_for(slices * jobs.count(), 1, [&](std::int64_t job, std::int64_t) {
    const std::int64_t slice = job / jobs.count();
    const std::int64_t first = slice * length;
    const MatrixView<T> part{partial.data() + slice * m * n, n};
    jobs.for_each_tile(job % jobs.count(), [&](std::int64_t row, std::int64_t column) {
      multiply_block<T>(std::min(jobs.tile, m - row), std::min(jobs.tile, n - column),
                        std::max<std::int64_t>(0, std::min(length, k - first)), a.block(row, first),
                        b.block(first, column), part.block(row, column), false,
                        symmetric && column == row);
    });
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
    const std::int64_t left_size = (batch - 1) * stride_a + m * k;
    const std::int64_t right_size = (batch - 1) * stride_b + k * n;
    const auto left = cpu::in_float(left_size, a);
    const bool same = a == b && left_size == right_size;  // a view may begin where the other does
    const auto right = same ? left : cpu::in_float(right_size, b);
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
