#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/avx512.hpp"
#include "sfumato/cpu/device.hpp"
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

inline std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

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

/// multiply_tile() for `rows` rows, from 1 to 12.
template <bool kTransposed = false>
inline void multiply_rows(std::int64_t rows, std::int64_t k, const float* a, std::int64_t a_stride,
                          std::int64_t ahead, const float* panel, float* c, std::int64_t c_stride,
                          bool accumulate) {
  constexpr auto kByRows = []<int... kRows>(std::integer_sequence<int, kRows...>) {
    return std::array{&multiply_tile<kRows + 1, kTransposed>...};
  }
  (std::make_integer_sequence<int, static_cast<int>(kTileRows)>());
  kByRows[static_cast<std::size_t>(rows - 1)](k, a, a_stride, ahead, panel, c, c_stride,
                                              accumulate);
}

/// How many of `rows` rows the next tile takes, so that tiles are nearly equal: 13 rows are 7 and
/// 6, not 12 and 1.
inline std::int64_t next_tile(std::int64_t rows) {
  const std::int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  return (rows + tiles - 1) / tiles;
}

/// c (m × 32) = a (m × k) · panel (k × 32) for any m.
inline void multiply_panel(std::int64_t m, std::int64_t k, const float* a, std::int64_t a_stride,
                           std::int64_t ahead, const float* panel, float* c, std::int64_t c_stride,
                           bool accumulate) {
  while (m > 0) {
    const std::int64_t rows = next_tile(m);
    multiply_rows(rows, k, a, a_stride, ahead, panel, c, c_stride, accumulate);
    m -= rows;
    a += rows * a_stride;
    c += rows * c_stride;
  }
}

/// Copies `depth` rows and `columns` columns of b into panels, the last one filled up with zeros.
SFUMATO_AVX512 inline void pack_panels(std::int64_t depth, std::int64_t columns,
                                       MatrixView<const float> b, float* panels) {
  const std::int64_t step = depth * kPanel;  // from panel to panel
  if (!b.transposed) {
    for (std::int64_t i = 0; i < depth; ++i) {
      constexpr std::int64_t kAhead = 8;  // rows, which no prefetcher of the processor follows
      const float* row = b.data + i * b.stride;
      for (std::int64_t j = 0; j < columns; j += kLanes) {
        _mm_prefetch(reinterpret_cast<const char*>(row + kAhead * b.stride + j), _MM_HINT_T0);
        _mm512_storeu_ps(panels + j / kPanel * step + i * kPanel + j % kPanel,
                         _mm512_maskz_loadu_ps(first_lanes(columns - j), row + j));
      }
    }
  } else {
    for (std::int64_t j = 0; j < columns; j += kLanes) {
      for (std::int64_t i = 0; i < depth; i += kLanes) {
        const __mmask16 lanes = first_lanes(depth - i);
        __m512 values[16];
#pragma GCC unroll 16
        for (int lane = 0; lane < 16; ++lane) {
          values[lane] =
              _mm512_maskz_loadu_ps(j + lane < columns ? lanes : static_cast<__mmask16>(0),
                                    b.data + (j + lane) * b.stride + i);
        }
        transpose(values);
        float* target = panels + j / kPanel * step + i * kPanel + j % kPanel;
#pragma GCC unroll 16
        for (int row = 0; row < 16; ++row) {
          if (i + row < depth) _mm512_storeu_ps(target + row * kPanel, values[row]);
        }
      }
    }
  }
  if (columns % kPanel > 0 && columns % kPanel <= kLanes) {
    float* const last = panels + columns / kPanel * step + kLanes;
    for (std::int64_t i = 0; i < depth; ++i) {
      _mm512_storeu_ps(last + i * kPanel, _mm512_setzero_ps());
    }
  }
}

/// multiply_block() of gemm.hpp. If `symmetric`, only what lies on and below the diagonal of c is
/// computed, and a little above.
inline void multiply_block(std::int64_t m, std::int64_t n, std::int64_t k,
                           MatrixView<const float> a, MatrixView<const float> b,
                           MatrixView<float> c, bool accumulate, bool symmetric) {
  constexpr std::int64_t kLongDepth = 256;       // rows of a panel
  constexpr std::int64_t kColumns = 8 * kPanel;  // packed together, walking along rows
  auto packed = Tensor<float, Cpu>::empty({kLongDepth * std::min(round_up(n, kPanel), kColumns)});
  alignas(64) float edge[kTileRows * kPanel];
  const auto multiply = a.transposed ? multiply_rows<true> : multiply_rows<false>;
  for (std::int64_t first = 0; first < n; first += kColumns) {
    const std::int64_t columns = std::min(kColumns, n - first);
    for (std::int64_t i = 0; i == 0 || i < k; i += kLongDepth) {
      const std::int64_t depth = std::min(kLongDepth, k - i);
      const bool add = accumulate || i > 0;
      pack_panels(depth, columns, b.block(i, first), packed.data());
      std::int64_t row = 0;
      while (row < m) {
        const std::int64_t rows = next_tile(m - row);
        const float* left = a.block(row, i).data;
        for (std::int64_t j = 0; j < columns; j += kPanel) {
          if (symmetric && first + j >= row + rows) break;
          const float* panel = packed.data() + j * depth;
          float* target = c.block(row, first + j).data;
          if (columns - j >= kPanel) {
            multiply(rows, depth, left, a.stride, 0, panel, target, c.stride, add);
            continue;
          }
          multiply(rows, depth, left, a.stride, 0, panel, edge, kPanel, false);
          for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t l = 0; l < columns - j; ++l) {
              float& value = target[r * c.stride + l];
              value = edge[r * kPanel + l] + (add ? value : 0.0F);
            }
          }
        }
        row += rows;
      }
    }
  }
}

}  // namespace sfumato::cpu::avx512

#endif
