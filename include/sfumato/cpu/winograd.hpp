#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/gemm.hpp"

/// Convolution with 3 × 3 filters by Winograd's minimal filtering F(4 × 4, 3 × 3): Lavin and Gray,
/// "Fast algorithms for convolutional neural networks" (2015). Each tile of 6 × 6 inputs and each
/// filter are transformed so that 4 × 4 outputs cost 36 multiplications instead of 144; summing
/// over channels makes them 36 matrix products.
///
/// The transforms evaluate polynomials at 0, ±1/√2, ±√2 and infinity. These points keep rounding
/// errors several times smaller than the usual 0, ±1, ±2; see Barabasz et al., "Error analysis and
/// improving the accuracy of Winograd convolution" (2018).
namespace sfumato::cpu {

namespace winograd {

inline constexpr std::int64_t kOutput = 4;                ///< outputs of a tile, per dimension
inline constexpr std::int64_t kInput = 6;                 ///< inputs of a tile, per dimension
inline constexpr std::int64_t kPoints = kInput * kInput;  ///< products per tile

template <class T>
inline constexpr T kP = static_cast<T>(1.0 / std::numbers::sqrt2);
template <class T>
inline constexpr T kQ = static_cast<T>(std::numbers::sqrt2);

/// Bᵀ d: six inputs at the six points. Here p² = 1/2, q² = 2.
template <class T>
std::array<T, 6> transform_input(T d0, T d1, T d2, T d3, T d4, T d5) {
  const T even_p = d4 - T{2} * d2;
  const T odd_p = kP<T> * (d3 - T{2} * d1);
  const T even_q = d4 - static_cast<T>(0.5) * d2;
  const T odd_q = kQ<T> * (d3 - static_cast<T>(0.5) * d1);
  const T edge = static_cast<T>(2.5);
  return {d0 - edge * d2 + d4, even_p + odd_p, even_p - odd_p,
          even_q + odd_q,      even_q - odd_q, d1 - edge * d3 + d5};
}

/// G g: a filter's three weights at the six points.
template <class T>
std::array<T, 6> transform_filter(T g0, T g1, T g2) {
  const T even_p = static_cast<T>(-2.0 / 3.0) * (g0 + static_cast<T>(0.5) * g2);
  const T odd_p = static_cast<T>(-2.0 / 3.0) * kP<T> * g1;
  const T even_q = static_cast<T>(1.0 / 6.0) * (g0 + T{2} * g2);
  const T odd_q = static_cast<T>(1.0 / 6.0) * kQ<T> * g1;
  return {g0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, g2};
}

/// Aᵀ m: four outputs from the six products.
template <class T>
std::array<T, 4> transform_output(T m0, T m1, T m2, T m3, T m4, T m5) {
  const T sum_p = m1 + m2;
  const T difference_p = m1 - m2;
  const T sum_q = m3 + m4;
  const T difference_q = m3 - m4;
  return {m0 + sum_p + sum_q, kP<T> * difference_p + kQ<T> * difference_q,
          static_cast<T>(0.5) * sum_p + T{2} * sum_q,
          static_cast<T>(0.5) * kP<T> * difference_p + T{2} * kQ<T> * difference_q + m5};
}

/// Some rows of tiles of one image, and how its matrices are laid out: for each of the 36 points a
/// matrix with one row per channel and one column per tile.
struct TileRows {
  std::int64_t first_row;  ///< of tiles
  std::int64_t rows;
  std::int64_t tiles_per_row;
  std::int64_t tiles() const { return rows * tiles_per_row; }
};

/// The transformed filters, (36, out channels, in channels).
template <class T>
Tensor<T, Cpu> transform_filters(const Conv2dGeometry& g, const T* weight) {
  // A few filters at a time go through a small buffer: written one by one, they would touch 36
  // places that are a power of two apart, which a cache can't hold together.
  constexpr std::int64_t kTogether = 64;
  const std::int64_t count = g.out_channels * g.in_channels;
  auto transformed = Tensor<T, Cpu>::empty({kPoints, g.out_channels, g.in_channels});
  parallel_for(count, 16 * kTogether, [&](std::int64_t begin, std::int64_t end) {
    std::array<T, kPoints * kTogether> buffer;
    for (std::int64_t first = begin; first < end; first += kTogether) {
      const std::int64_t together = std::min(kTogether, end - first);
      for (std::int64_t filter = 0; filter < together; ++filter) {
        const T* w = weight + (first + filter) * 9;
        std::array<std::array<T, 6>, 3> columns;
        for (std::size_t j = 0; j < 3; ++j) columns[j] = transform_filter(w[j], w[3 + j], w[6 + j]);
        T* out = buffer.data() + filter;
        for (std::size_t i = 0; i < 6; ++i) {
          for (const T value : transform_filter(columns[0][i], columns[1][i], columns[2][i])) {
            *out = value;
            out += kTogether;
          }
        }
      }
      for (std::int64_t point = 0; point < kPoints; ++point) {
        std::copy_n(buffer.data() + point * kTogether, together,
                    transformed.data() + point * count + first);
      }
    }
  });
  return transformed;
}

/// Transforms the tiles of one channel. `v` is where the channel's row of the first point's matrix
/// begins; the matrices are `point_stride` apart. All loops run over neighbouring tiles or pixels,
/// which the compiler vectorises.
template <class T>
void transform_tiles(const Conv2dGeometry& g, const T* plane, const TileRows& block, T* v,
                     std::int64_t point_stride) {
  const std::int64_t tiles = block.tiles_per_row;
  const std::int64_t width = (tiles + 1) * kOutput;
  thread_local std::vector<T> scratch;
  scratch.assign(static_cast<std::size_t>(2 * kInput * width), T{0});
  T* const padded = scratch.data();  // six input rows with their padding
  T* const phases =
      padded + kInput * width;  // one row after the vertical transform, de-interleaved
  const std::int64_t left = g.padding_w;
  const std::int64_t copied = std::min(g.in_w, width - left);
  for (std::int64_t row = 0; row < block.rows; ++row, v += tiles) {
    for (std::int64_t i = 0; i < kInput; ++i) {
      const std::int64_t in_row = (block.first_row + row) * kOutput + i - g.padding_h;
      T* target = padded + i * width + left;
      if (in_row >= 0 && in_row < g.in_h) {
        std::copy_n(plane + in_row * g.in_w, copied, target);
      } else {
        std::fill_n(target, copied, T{0});
      }
    }
    for (std::int64_t x = 0; x < width; ++x) {
      const std::array<T, 6> column =
          transform_input(padded[x], padded[width + x], padded[2 * width + x],
                          padded[3 * width + x], padded[4 * width + x], padded[5 * width + x]);
      const std::int64_t place = x % kOutput * (tiles + 1) + x / kOutput;
      for (std::int64_t i = 0; i < kInput; ++i) {
        phases[i * width + place] = column[static_cast<std::size_t>(i)];
      }
    }
    for (std::int64_t i = 0; i < kInput; ++i) {
      const T* p0 = phases + i * width;
      const T* p1 = p0 + tiles + 1;
      const T* p2 = p1 + tiles + 1;
      const T* p3 = p2 + tiles + 1;
      T* out = v + i * kInput * point_stride;
      for (std::int64_t j = 0; j < tiles; ++j) {
        const std::array<T, 6> values =
            transform_input(p0[j], p1[j], p2[j], p3[j], p0[j + 1], p1[j + 1]);
        for (std::int64_t k = 0; k < kInput; ++k) {
          out[k * point_stride + j] = values[static_cast<std::size_t>(k)];
        }
      }
    }
  }
}

/// Transforms the products of one output channel back and writes its pixels.
template <class T>
void transform_products(const Conv2dGeometry& g, const T* m, std::int64_t point_stride,
                        const TileRows& block, T bias, T* plane) {
  const std::int64_t tiles = block.tiles_per_row;
  const std::int64_t width = tiles * kOutput;
  thread_local std::vector<T> scratch;
  scratch.resize(static_cast<std::size_t>((kInput + kOutput) * width));
  T* const half = scratch.data();           // six rows of four phases each
  T* const pixels = half + kInput * width;  // four output rows
  for (std::int64_t row = 0; row < block.rows; ++row, m += tiles) {
    for (std::int64_t i = 0; i < kInput; ++i) {
      const T* products = m + i * kInput * point_stride;
      T* out = half + i * width;
      for (std::int64_t j = 0; j < tiles; ++j) {
        const std::array<T, 4> values =
            transform_output(products[j], products[point_stride + j],
                             products[2 * point_stride + j], products[3 * point_stride + j],
                             products[4 * point_stride + j], products[5 * point_stride + j]);
        for (std::int64_t k = 0; k < kOutput; ++k) {
          out[k * tiles + j] = values[static_cast<std::size_t>(k)];
        }
      }
    }
    for (std::int64_t k = 0; k < kOutput; ++k) {
      const T* phase = half + k * tiles;
      for (std::int64_t j = 0; j < tiles; ++j) {
        const std::array<T, 4> column =
            transform_output(phase[j], phase[width + j], phase[2 * width + j], phase[3 * width + j],
                             phase[4 * width + j], phase[5 * width + j]);
        for (std::int64_t i = 0; i < kOutput; ++i) {
          pixels[i * width + j * kOutput + k] = column[static_cast<std::size_t>(i)] + bias;
        }
      }
    }
    const std::int64_t first = (block.first_row + row) * kOutput;
    for (std::int64_t i = 0; i < std::min(kOutput, g.out_h - first); ++i) {
      std::copy_n(pixels + i * width, g.out_w, plane + (first + i) * g.out_w);
    }
  }
}

}  // namespace winograd

/// Whether Winograd's algorithm computes this convolution: 3 × 3 filters, moved by one.
inline bool winograd_applies(const Conv2dGeometry& g) {
  return g.kernel_h == 3 && g.kernel_w == 3 && g.stride_h == 1 && g.stride_w == 1 &&
         g.dilation_h == 1 && g.dilation_w == 1 && g.groups == 1;
}

/// conv2d where winograd_applies().
template <class T>
void conv2d_winograd(const Conv2dGeometry& g, const T* x, const T* weight, const T* bias, T* y) {
  using namespace winograd;
  constexpr std::int64_t kMostElements = 1 << 22;  // of the matrices of a block, to stay in cache
  const Tensor<T, Cpu> filters = transform_filters(g, weight);
  const std::int64_t tile_rows = (g.out_h + kOutput - 1) / kOutput;
  const std::int64_t tiles_per_row = (g.out_w + kOutput - 1) / kOutput;
  const std::int64_t rows = std::clamp<std::int64_t>(
      kMostElements / (kPoints * (g.in_channels + g.out_channels) * tiles_per_row), 1, tile_rows);
  auto inputs = Tensor<T, Cpu>::empty({kPoints, g.in_channels, rows * tiles_per_row});
  auto products = Tensor<T, Cpu>::empty({kPoints, g.out_channels, rows * tiles_per_row});
  constexpr std::int64_t kChannelsPerChunk = 4;
  constexpr std::int64_t kRowsPerProduct = 256;
  const std::int64_t row_blocks = (g.out_channels + kRowsPerProduct - 1) / kRowsPerProduct;

  for (std::int64_t image = 0; image < g.batch; ++image) {
    for (std::int64_t first = 0; first < tile_rows; first += rows) {
      const TileRows block{first, std::min(rows, tile_rows - first), tiles_per_row};
      const std::int64_t tiles = block.tiles();
      parallel_for(g.in_channels, kChannelsPerChunk, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c) {
          transform_tiles(g, x + (image * g.in_channels + c) * g.in_h * g.in_w, block,
                          inputs.data() + c * tiles, g.in_channels * tiles);
        }
      });
      parallel_for(kPoints * row_blocks, 1, [&](std::int64_t begin, std::int64_t) {
        const std::int64_t point = begin / row_blocks;
        const std::int64_t row = begin % row_blocks * kRowsPerProduct;
        multiply_block<T>(
            std::min(kRowsPerProduct, g.out_channels - row), tiles, g.in_channels,
            {filters.data() + (point * g.out_channels + row) * g.in_channels, g.in_channels},
            {inputs.data() + point * g.in_channels * tiles, tiles},
            {products.data() + (point * g.out_channels + row) * tiles, tiles}, false);
      });
      parallel_for(g.out_channels, kChannelsPerChunk, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c) {
          transform_products(g, products.data() + c * tiles, g.out_channels * tiles, block,
                             bias == nullptr ? T{0} : bias[c],
                             y + (image * g.out_channels + c) * g.out_h * g.out_w);
        }
      });
    }
  }
}

}  // namespace sfumato::cpu
