// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_GEMM) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_GEMM
#undef SFUMATO_CPU_KERNELS_GEMM
#else
#define SFUMATO_CPU_KERNELS_GEMM
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sfumato/core/division.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/kernels/matrix_view.hpp"
#include "sfumato/cpu/kernels/prefetch.hpp"
#include "sfumato/cpu/kernels/target.hpp"

/// Matrix products whose right factor is stored in panels of two vectors' columns, each with its
/// rows one after the other. Registers hold a tile of kTileRows rows of results, so that every
/// vector loaded from the panel serves as many multiplications and every number from the left two.
/// Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008).
namespace sfumato::cpu::SFUMATO_NAMESPACE {

inline constexpr std::int64_t kPanel = 2 * kLanes;  ///< columns of a panel
inline constexpr std::int64_t kDepth = 128;         ///< rows of a panel that fit the L1 cache
inline constexpr std::int64_t kLine = 64 / sizeof(float);  ///< floats of a cache line

/// Columns of the panels that are multiplied with at a time.
inline constexpr std::int64_t kTogether = 32;

/// Numbers of a factor in a lane: one float or, where a target has products of them, two bfloat16,
/// of neighbouring columns on the left and rows on the right.
template <class E>
inline constexpr std::int64_t kPerLane = sizeof(float) / sizeof(E);

SFUMATO_INLINE Vector load_lanes(const float* from) {
  return load(from);
}
SFUMATO_INLINE Vector broadcast_lane(const float* from) {
  return broadcast(*from);
}
/// sum + a · b, each a vector of factors of the first argument's type.
SFUMATO_INLINE Vector multiply_add_lanes(float /*factors*/, Vector a, Vector b, Vector sum) {
  return multiply_add(a, b, sum);
}

/// How the left factor of a product is read.
enum class Left {
  kRows,       ///< stored by rows
  kColumns,    ///< stored by columns
  kFetchNext,  ///< by rows; what lies `ahead` of it is brought into the L2 cache meanwhile
};

/// c (kRows × kVectors kLanes) = a (kRows × k) · the first vectors of a panel (k × kPanel), added
/// to what c holds when `accumulate`. k is a multiple of kPerLane.
template <int kRows, int kVectors, Left kLeft, class E>
SFUMATO_TARGET inline void multiply_tile(std::int64_t k, const E* a, std::int64_t a_stride,
                                         const E* panel, float* c, std::int64_t c_stride,
                                         bool accumulate, std::int64_t ahead) {
  constexpr std::int64_t kLineElements = kLine * kPerLane<E>;
  const std::int64_t row_step = kLeft == Left::kColumns ? 1 : a_stride;
  const std::int64_t depth_step = kLeft == Left::kColumns ? a_stride : 1;
  Vector sums[std::size_t{kRows}][std::size_t{kVectors}];
#pragma GCC unroll 12
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      sums[row][j] = accumulate ? load(c + row * c_stride + j * kLanes) : zero();
    }
  }
  for (std::int64_t first = 0; first < k; first += kLineElements) {
    if constexpr (kLeft == Left::kFetchNext) {
#pragma GCC unroll 12
      for (int row = 0; row < kRows; ++row) {
        prefetch_to_l2(a + row * row_step + first + ahead);
      }
    }
    const std::int64_t last = std::min(first + kLineElements, k);
#pragma GCC unroll 4
    for (std::int64_t i = first; i < last; i += kPerLane<E>) {
      Vector b[std::size_t{kVectors}];
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        b[j] = load_lanes(panel + i * kPanel + j * kLanes * kPerLane<E>);
      }
#pragma GCC unroll 12
      for (int row = 0; row < kRows; ++row) {
        const Vector factor = broadcast_lane(a + row * row_step + i * depth_step);
#pragma GCC unroll 2
        for (int j = 0; j < kVectors; ++j) {
          sums[row][j] = multiply_add_lanes(E{}, factor, b[j], sums[row][j]);
        }
      }
    }
  }
#pragma GCC unroll 12
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) store(c + row * c_stride + j * kLanes, sums[row][j]);
  }
}

/// multiply_tile() for `rows` rows, from 1 to kTileRows.
template <Left kLeft, int kVectors, class E>
inline void multiply_rows(std::int64_t rows, std::int64_t k, const E* a, std::int64_t a_stride,
                          const E* panel, float* c, std::int64_t c_stride, bool accumulate,
                          std::int64_t ahead = 0) {
  constexpr auto kByRows = []<int... kRows>(std::integer_sequence<int, kRows...>) {
    return std::array{&multiply_tile<kRows + 1, kVectors, kLeft, E>...};
  }
  (std::make_integer_sequence<int, static_cast<int>(kTileRows)>());
  kByRows[static_cast<std::size_t>(rows - 1)](k, a, a_stride, panel, c, c_stride, accumulate,
                                              ahead);
}

/// How many of `rows` rows the next tile takes, so that tiles are nearly equal: 13 rows are 7 and
/// 6, not 12 and 1.
inline std::int64_t next_tile(std::int64_t rows) {
  const std::int64_t tiles = ceil_div(rows, kTileRows);
  return ceil_div(rows, tiles);
}

/// c (m × columns) = a (m × k) · panels, for any m, where c has room for whole vectors. The
/// panels, `panel_stride` apart, stay in the L1 cache together, so that each row of a is fetched
/// once.
template <class E>
inline void multiply_panels(std::int64_t m, std::int64_t k, std::int64_t columns, const E* a,
                            std::int64_t a_stride, const E* panels, std::int64_t panel_stride,
                            float* c, std::int64_t c_stride, bool accumulate, std::int64_t ahead) {
  const auto first = columns > kLanes ? multiply_rows<Left::kFetchNext, 2, E>
                                      : multiply_rows<Left::kFetchNext, 1, E>;
  while (m > 0) {
    const std::int64_t rows = next_tile(m);
    first(rows, k, a, a_stride, panels, c, c_stride, accumulate, ahead);
    for (std::int64_t j = kPanel; j < columns; j += kPanel) {
      const auto next = columns - j > kLanes ? multiply_rows<Left::kRows, 2, E>
                                             : multiply_rows<Left::kRows, 1, E>;
      next(rows, k, a, a_stride, panels + j / kPanel * panel_stride, c + j, c_stride, accumulate,
           0);
    }
    m -= rows;
    a += rows * a_stride;
    c += rows * c_stride;
  }
}

/// Copies `depth` rows and `columns` columns of b into panels, the last one filled up with zeros.
SFUMATO_TARGET inline void pack_panels(std::int64_t depth, std::int64_t columns,
                                       MatrixView<const float> b, float* panels) {
  const std::int64_t step = depth * kPanel;  // from panel to panel
  const auto target = [&](std::int64_t row, std::int64_t column) {
    return panels + column / kPanel * step + row * kPanel + column % kPanel;
  };
  for (std::int64_t i = 0; !b.transposed && i < depth; ++i) {
    constexpr std::int64_t kAhead = 8;  // rows, which no prefetcher of the processor follows
    const float* row = b.data + i * b.stride;
    // After the last rows come the first ones of the next columns.
    const float* ahead =
        i + kAhead < depth ? row + kAhead * b.stride : row + (kAhead - depth) * b.stride + columns;
    std::int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) {
      prefetch_to_l1(ahead + j);
      store(target(i, j), load(row + j));
    }
    if (j < columns) store(target(i, j), load(mask_between(0, columns - j), row + j));
  }
  for (std::int64_t j = 0; b.transposed && j < columns; j += kLanes) {
    for (std::int64_t i = 0; i < depth; i += kLanes) {
      Vector values[kLanes];
#pragma GCC unroll 16
      for (int lane = 0; lane < kLanes; ++lane) {
        const float* const source = b.data + (j + lane) * b.stride + i;
        values[lane] = j + lane >= columns   ? zero()
                       : i + kLanes <= depth ? load(source)
                                             : load(mask_between(0, depth - i), source);
      }
      transpose(values);
#pragma GCC unroll 16
      for (int row = 0; row < kLanes; ++row) {
        if (i + row < depth) store(target(i + row, j), values[row]);
      }
    }
  }
  // A last panel of which only the first vector is filled.
  const std::int64_t filled = round_up(columns, kLanes);
  for (std::int64_t i = 0; filled % kPanel != 0 && i < depth; ++i) store(target(i, filled), zero());
}

/// multiply_block() of gemm.hpp. If `symmetric`, only what lies on and below the diagonal of c is
/// computed, and a little above.
inline void multiply_block(std::int64_t m, std::int64_t n, std::int64_t k,
                           MatrixView<const float> a, MatrixView<const float> b,
                           MatrixView<float> c, bool accumulate, bool symmetric) {
  constexpr std::int64_t kLongDepth = 256;  // rows of a panel
  constexpr std::int64_t kColumns = 256;    // packed together, walking along rows
  auto packed = Tensor<float, Cpu>::empty({kLongDepth * std::min(round_up(n, kPanel), kColumns)});
  alignas(64) float edge[kTileRows * kPanel];
  const auto multiply =
      a.transposed ? multiply_rows<Left::kColumns, 2, float> : multiply_rows<Left::kRows, 2, float>;
  const auto multiply_one =
      a.transposed ? multiply_rows<Left::kColumns, 1, float> : multiply_rows<Left::kRows, 1, float>;
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
            multiply(rows, depth, left, a.stride, panel, target, c.stride, add, 0);
            continue;
          }
          const auto multiply_edge = columns - j > kLanes ? multiply : multiply_one;
          multiply_edge(rows, depth, left, a.stride, panel, edge, kPanel, false, 0);
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

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
