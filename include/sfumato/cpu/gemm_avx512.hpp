#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sfumato/cpu/avx512.hpp"
#include "sfumato/cpu/matrix_view.hpp"

#ifdef SFUMATO_AVX512

/// Matrix products whose right factor is stored in panels of 32 columns, each with its rows one
/// after the other. Registers hold a tile of 12 × 32 results, so that every vector loaded from the
/// panel serves 12 multiplications and every number from the left two.
/// Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008).
namespace sfumato::cpu::avx512 {

inline constexpr std::int64_t kPanel = 32;     ///< columns of a panel
inline constexpr std::int64_t kTileRows = 12;  ///< rows of results in registers
inline constexpr std::int64_t kDepth = 128;    ///< rows of a panel that stay in the L1 cache

/// c (kRows × 32) = a (kRows × k) · panel (k × 32), added to what c holds when `accumulate`.
/// Meanwhile what lies `ahead` of a, which is to be multiplied next, is brought into the L2 cache.
/// With kTransposed, a is stored by columns.
template <int kRows, bool kTransposed>
SFUMATO_AVX512 inline void multiply_tile(std::int64_t k, const float* a, std::int64_t a_stride,
                                         std::int64_t ahead, const float* panel, float* c,
                                         std::int64_t c_stride, bool accumulate) {
  const std::int64_t row_step = kTransposed ? 1 : a_stride;
  const std::int64_t depth_step = kTransposed ? a_stride : 1;
  __m512 left[kRows];
  __m512 right[kRows];
#pragma GCC unroll 12
  for (int row = 0; row < kRows; ++row) {
    left[row] = accumulate ? _mm512_loadu_ps(c + row * c_stride) : _mm512_setzero_ps();
    right[row] = accumulate ? _mm512_loadu_ps(c + row * c_stride + kLanes) : _mm512_setzero_ps();
  }
  for (std::int64_t first = 0; first < k; first += kLanes) {
#pragma GCC unroll 12
    for (int row = 0; row < kRows; ++row) {
      _mm_prefetch(reinterpret_cast<const char*>(a + row * row_step + first * depth_step + ahead),
                   _MM_HINT_T1);
    }
    const std::int64_t last = std::min(first + kLanes, k);
    for (std::int64_t i = first; i < last; ++i) {
      const __m512 b0 = _mm512_loadu_ps(panel + i * kPanel);
      const __m512 b1 = _mm512_loadu_ps(panel + i * kPanel + kLanes);
#pragma GCC unroll 12
      for (int row = 0; row < kRows; ++row) {
        const __m512 factor = _mm512_set1_ps(a[row * row_step + i * depth_step]);
        left[row] = _mm512_fmadd_ps(factor, b0, left[row]);
        right[row] = _mm512_fmadd_ps(factor, b1, right[row]);
      }
    }
  }
#pragma GCC unroll 12
  for (int row = 0; row < kRows; ++row) {
    _mm512_storeu_ps(c + row * c_stride, left[row]);
    _mm512_storeu_ps(c + row * c_stride + kLanes, right[row]);
  }
}

/// c (m × 32) = a (m × k) · panel (k × 32) for any m.
template <bool kTransposed = false>
SFUMATO_AVX512 inline void multiply_panel(std::int64_t m, std::int64_t k, const float* a,
                                          std::int64_t a_stride, std::int64_t ahead,
                                          const float* panel, float* c, std::int64_t c_stride,
                                          bool accumulate) {
  constexpr auto kByRows = []<int... kRows>(std::integer_sequence<int, kRows...>) {
    return std::array{&multiply_tile<kRows + 1, kTransposed>...};
  }
  (std::make_integer_sequence<int, static_cast<int>(kTileRows)>());
  while (m > 0) {
    // Nearly equal tiles: 13 rows are 7 and 6, not 12 and 1.
    const std::int64_t tiles = (m + kTileRows - 1) / kTileRows;
    const std::int64_t rows = (m + tiles - 1) / tiles;
    kByRows[static_cast<std::size_t>(rows - 1)](k, a, a_stride, ahead, panel, c, c_stride,
                                                accumulate);
    m -= rows;
    a += rows * (kTransposed ? 1 : a_stride);
    c += rows * c_stride;
  }
}

/// A panel of the `columns` columns (at most 32) and `depth` rows of b, filled up with zeros.
SFUMATO_AVX512 inline void pack_panel(std::int64_t depth, std::int64_t columns,
                                      MatrixView<const float> b, float* panel) {
  if (!b.transposed) {
    const __mmask16 left = first_lanes(columns);
    const __mmask16 right = first_lanes(columns - kLanes);
    for (std::int64_t i = 0; i < depth; ++i) {
      const float* row = b.data + i * b.stride;
      _mm512_storeu_ps(panel + i * kPanel, _mm512_maskz_loadu_ps(left, row));
      _mm512_storeu_ps(panel + i * kPanel + kLanes, _mm512_maskz_loadu_ps(right, row + kLanes));
    }
    return;
  }
  for (std::int64_t half = 0; half < kPanel; half += kLanes) {
    for (std::int64_t i = 0; i < depth; i += kLanes) {
      const __mmask16 lanes = first_lanes(depth - i);
      __m512 values[16];
#pragma GCC unroll 16
      for (int j = 0; j < 16; ++j) {
        values[j] = _mm512_maskz_loadu_ps(half + j < columns ? lanes : static_cast<__mmask16>(0),
                                          b.data + (half + j) * b.stride + i);
      }
      transpose(values);
#pragma GCC unroll 16
      for (int j = 0; j < 16; ++j) {
        if (i + j < depth) _mm512_storeu_ps(panel + (i + j) * kPanel + half, values[j]);
      }
    }
  }
}

/// multiply_block() of gemm.hpp. If `symmetric`, only what lies on and below the diagonal of c is
/// computed, and a little above.
inline void multiply_block(std::int64_t m, std::int64_t n, std::int64_t k,
                           MatrixView<const float> a, MatrixView<const float> b,
                           MatrixView<float> c, bool accumulate, bool symmetric) {
  alignas(64) float panel[kDepth * kPanel];
  alignas(64) float edge[kTileRows * kPanel];
  const auto multiply = a.transposed ? multiply_panel<true> : multiply_panel<false>;
  for (std::int64_t column = 0; column < n; column += kPanel) {
    const std::int64_t columns = std::min(kPanel, n - column);
    const std::int64_t row = symmetric ? column : 0;
    for (std::int64_t i = 0; i == 0 || i < k; i += kDepth) {
      const std::int64_t depth = std::min(kDepth, k - i);
      const bool add = accumulate || i > 0;
      pack_panel(depth, columns, b.block(i, column), panel);
      if (columns == kPanel) {
        multiply(m - row, depth, a.block(row, i).data, a.stride, 0, panel,
                 c.block(row, column).data, c.stride, add);
        continue;
      }
      for (std::int64_t first = row; first < m; first += kTileRows) {
        const std::int64_t rows = std::min(kTileRows, m - first);
        multiply(rows, depth, a.block(first, i).data, a.stride, 0, panel, edge, kPanel, false);
        for (std::int64_t r = 0; r < rows; ++r) {
          float* target = c.block(first + r, column).data;
          for (std::int64_t j = 0; j < columns; ++j) {
            target[j] = edge[r * kPanel + j] + (add ? target[j] : 0.0F);
          }
        }
      }
    }
  }
}

}  // namespace sfumato::cpu::avx512

#endif
