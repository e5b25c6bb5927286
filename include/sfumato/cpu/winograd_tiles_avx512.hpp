#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "sfumato/core/geometry.hpp"
#include "sfumato/cpu/avx512.hpp"
#include "sfumato/cpu/gemm_avx512.hpp"
#include "sfumato/cpu/winograd.hpp"

#ifdef SFUMATO_AVX512

/// The algorithm of winograd.hpp with the vectors of AVX-512, where each vector holds one position
/// of 16 channels.
namespace sfumato::cpu::avx512 {

using winograd::kInput;
using winograd::kOutput;
using winograd::kP;
using winograd::kPoints;
using winograd::kQ;

/// Tiles of a row that are transformed together; their pixels of 16 channels stay in the L1 cache.
inline constexpr std::int64_t kSegment = 12;

/// Bᵀ d, as winograd::transform_input.
SFUMATO_AVX512_INLINE void transform_input(__m512 (&d)[6]) {
  const __m512 two = _mm512_set1_ps(2.0F);
  const __m512 half = _mm512_set1_ps(0.5F);
  const __m512 edge = _mm512_set1_ps(2.5F);
  const __m512 p = _mm512_set1_ps(kP<float>);
  const __m512 q = _mm512_set1_ps(kQ<float>);
  const __m512 even_p = _mm512_fnmadd_ps(two, d[2], d[4]);
  const __m512 odd_p = _mm512_fnmadd_ps(two, d[1], d[3]);
  const __m512 even_q = _mm512_fnmadd_ps(half, d[2], d[4]);
  const __m512 odd_q = _mm512_fnmadd_ps(half, d[1], d[3]);
  d[0] = _mm512_fnmadd_ps(edge, d[2], _mm512_add_ps(d[0], d[4]));
  d[5] = _mm512_fnmadd_ps(edge, d[3], _mm512_add_ps(d[1], d[5]));
  d[1] = _mm512_fmadd_ps(p, odd_p, even_p);
  d[2] = _mm512_fnmadd_ps(p, odd_p, even_p);
  d[3] = _mm512_fmadd_ps(q, odd_q, even_q);
  d[4] = _mm512_fnmadd_ps(q, odd_q, even_q);
}

/// G g, as winograd::transform_filter.
SFUMATO_AVX512_INLINE void transform_filter(__m512 g0, __m512 g1, __m512 g2, __m512 (&u)[6]) {
  const __m512 scale_p = _mm512_set1_ps(static_cast<float>(-2.0 / 3.0));
  const __m512 scale_q = _mm512_set1_ps(static_cast<float>(1.0 / 6.0));
  const __m512 even_p = _mm512_mul_ps(scale_p, _mm512_fmadd_ps(_mm512_set1_ps(0.5F), g2, g0));
  const __m512 even_q = _mm512_mul_ps(scale_q, _mm512_fmadd_ps(_mm512_set1_ps(2.0F), g2, g0));
  const __m512 slope_p = _mm512_set1_ps(static_cast<float>(-2.0 / 3.0) * kP<float>);
  const __m512 slope_q = _mm512_set1_ps(static_cast<float>(1.0 / 6.0) * kQ<float>);
  u[0] = g0;
  u[1] = _mm512_fmadd_ps(slope_p, g1, even_p);
  u[2] = _mm512_fnmadd_ps(slope_p, g1, even_p);
  u[3] = _mm512_fmadd_ps(slope_q, g1, even_q);
  u[4] = _mm512_fnmadd_ps(slope_q, g1, even_q);
  u[5] = g2;
}

/// Aᵀ m, as winograd::transform_output.
SFUMATO_AVX512_INLINE void transform_output(const __m512 (&m)[6], __m512 (&y)[4]) {
  const __m512 p = _mm512_set1_ps(kP<float>);
  const __m512 q = _mm512_set1_ps(kQ<float>);
  const __m512 half = _mm512_set1_ps(0.5F);
  const __m512 two = _mm512_set1_ps(2.0F);
  const __m512 sum_p = _mm512_add_ps(m[1], m[2]);
  const __m512 sum_q = _mm512_add_ps(m[3], m[4]);
  const __m512 slope_p = _mm512_mul_ps(p, _mm512_sub_ps(m[1], m[2]));
  const __m512 slope_q = _mm512_mul_ps(q, _mm512_sub_ps(m[3], m[4]));
  y[0] = _mm512_add_ps(_mm512_add_ps(m[0], sum_p), sum_q);
  y[1] = _mm512_add_ps(slope_p, slope_q);
  y[2] = _mm512_fmadd_ps(half, sum_p, _mm512_mul_ps(two, sum_q));
  y[3] = _mm512_fmadd_ps(half, slope_p, _mm512_fmadd_ps(two, slope_q, m[5]));
}

/// Filters somewhere in memory, three by three weights each, as the convolution or its input
/// gradient reads them.
struct Filters {
  const float* weight;
  std::int64_t out_stride;  ///< from one output channel to the next
  std::int64_t in_stride;   ///< from one input channel to the next
  bool turned;              ///< by 180°
};

/// A convolution and what is done on the way in and out.
struct Convolution {
  Conv2dGeometry g;
  const float* x;
  const std::uint8_t* gate = nullptr;  ///< bits of x; where they are 0, so is x. Null: no gate
  Filters filters;
  const float* bias = nullptr;  ///< may be null
  float* y;
  bool relu = false;                 ///< y is max(y, 0) …
  std::uint8_t* positive = nullptr;  ///< … and these bits say where it is positive; may be null
};

/// Transforms the filters of up to 32 output channels from `out` on and of `count` input channels
/// from `in` on: `u` gets for each point a panel of `count` rows, `point_stride` apart.
SFUMATO_AVX512 inline void transform_filters(const Filters& filters, std::int64_t out,
                                             std::int64_t outs, std::int64_t in, std::int64_t count,
                                             float* u, std::int64_t point_stride) {
  for (std::int64_t half = 0; half < kPanel; half += kLanes) {
    const std::int64_t rows = std::clamp<std::int64_t>(outs - half, 0, kLanes);
    for (std::int64_t i = 0; i < count; ++i) {
      const float* first =
          filters.weight + (out + half) * filters.out_stride + (in + i) * filters.in_stride;
      __m512 g[16];
      constexpr std::int64_t kAhead = 8;  // filters; far enough for them to come from memory
#pragma GCC unroll 16
      for (int row = 0; row < 16; ++row) {
        _mm_prefetch(reinterpret_cast<const char*>(first + row * filters.out_stride +
                                                   kAhead * filters.in_stride),
                     _MM_HINT_T0);
        g[row] = row < rows ? _mm512_maskz_loadu_ps(0x1ff, first + row * filters.out_stride)
                            : _mm512_setzero_ps();
      }
      transpose(g);
      if (filters.turned) {
#pragma GCC unroll 4
        for (int tap = 0; tap < 4; ++tap) std::swap(g[tap], g[8 - tap]);
      }
      __m512 columns[3][6];
#pragma GCC unroll 3
      for (int j = 0; j < 3; ++j) transform_filter(g[j], g[3 + j], g[6 + j], columns[j]);
      float* target = u + i * kPanel + half;
#pragma GCC unroll 6
      for (int row = 0; row < 6; ++row) {
        __m512 values[6];
        transform_filter(columns[0][row], columns[1][row], columns[2][row], values);
#pragma GCC unroll 6
        for (int column = 0; column < 6; ++column) {
          _mm512_storeu_ps(target + (row * kInput + column) * point_stride, values[column]);
        }
      }
    }
  }
}

/// Some neighbouring tiles of a row of tiles.
struct Segment {
  std::int64_t row;    ///< of tiles
  std::int64_t first;  ///< tile in the row
  std::int64_t tiles;
};

/// The tiles of an image in segments, row by row.
struct TileGrid {
  std::int64_t rows;
  std::int64_t columns;

  TileGrid(std::int64_t out_h, std::int64_t out_w)
      : rows((out_h + kOutput - 1) / kOutput), columns((out_w + kOutput - 1) / kOutput) {}
  std::int64_t segments_per_row() const { return (columns + kSegment - 1) / kSegment; }
  std::int64_t segments() const { return rows * segments_per_row(); }
  Segment segment(std::int64_t index) const {
    const std::int64_t first = index % segments_per_row() * kSegment;
    return {index / segments_per_row(), first, std::min(kSegment, columns - first)};
  }
  /// How many tiles stand before a segment.
  std::int64_t tiles_before(std::int64_t index) const {
    return index / segments_per_row() * columns + index % segments_per_row() * kSegment;
  }
};

/// Pixels of 16 channels: 64 columns of six rows.
struct Scratch {
  static constexpr std::int64_t kWidth = 64;
  alignas(64) float pixels[kInput][kWidth][kLanes];
};

/// The bits of 16 columns of a row from `start` on, which may be a little below zero.
inline __mmask16 bits_from(const std::uint8_t* row, std::int64_t start) {
  const std::int64_t first = std::max<std::int64_t>(start, 0);
  std::uint32_t bits = 0;
  std::memcpy(&bits, row + first / 8, sizeof(bits));
  return static_cast<__mmask16>(bits >> (first % 8) << (first - start));
}

/// Transforms the tiles of a segment for up to 16 channels. `v` is the place of its first tile and
/// channel in the first point's matrix; tiles are `tile_stride` apart, points `point_stride`.
SFUMATO_AVX512 inline void transform_tiles(const Convolution& task, std::int64_t image,
                                           std::int64_t first_channel, const Segment& segment,
                                           Scratch& scratch, float* v, std::int64_t tile_stride,
                                           std::int64_t point_stride) {
  const Conv2dGeometry& g = task.g;
  const std::int64_t channels = g.in_channels - first_channel;
  const std::int64_t first_plane = image * g.in_channels + first_channel;
  const std::int64_t plane = g.in_h * g.in_w;
  const std::int64_t bytes = BitRows{1, g.in_w}.bytes_per_row();
  const std::int64_t left = segment.first * kOutput - g.padding_w;
  const std::int64_t width = segment.tiles * kOutput + 2;
  for (std::int64_t i = 0; i < kInput; ++i) {
    const std::int64_t row = segment.row * kOutput + i - g.padding_h;
    for (std::int64_t column = 0; column < width; column += kLanes) {
      __m512 values[16];
      const std::int64_t start = left + column;
      // The columns that lie in the image; zeros stand for the others.
      const bool inside = row >= 0 && row < g.in_h;
      const __mmask16 columns =
          inside ? static_cast<__mmask16>(first_lanes(g.in_w - start) & ~first_lanes(-start)) : 0;
      const float* source = task.x + first_plane * plane + row * g.in_w + start;
#pragma GCC unroll 16
      for (int channel = 0; channel < 16; ++channel) {
        __mmask16 lanes = channel < channels ? columns : static_cast<__mmask16>(0);
        if (task.gate != nullptr && lanes != 0) {
          lanes &= bits_from(task.gate + ((first_plane + channel) * g.in_h + row) * bytes, start);
        }
        values[channel] = _mm512_maskz_loadu_ps(lanes, source + channel * plane);
      }
      transpose(values);
#pragma GCC unroll 16
      for (int j = 0; j < 16; ++j) _mm512_store_ps(scratch.pixels[i][column + j], values[j]);
    }
  }
  for (std::int64_t column = 0; column < width; ++column) {
    __m512 values[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) values[i] = _mm512_load_ps(scratch.pixels[i][column]);
    transform_input(values);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) _mm512_store_ps(scratch.pixels[i][column], values[i]);
  }
  for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
    for (std::int64_t i = 0; i < kInput; ++i) {
      __m512 values[6];
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) {
        values[j] = _mm512_load_ps(scratch.pixels[i][tile * kOutput + j]);
      }
      transform_input(values);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) {
        _mm512_storeu_ps(v + tile * tile_stride + (i * kInput + j) * point_stride, values[j]);
      }
    }
  }
}

/// Transforms the products of a segment back and writes the pixels of up to 16 output channels.
SFUMATO_AVX512 inline void transform_products(const Convolution& task, std::int64_t image,
                                              std::int64_t first_channel, const Segment& segment,
                                              Scratch& scratch, const float* m,
                                              std::int64_t tile_stride, std::int64_t point_stride) {
  const Conv2dGeometry& g = task.g;
  const std::int64_t channels = g.out_channels - first_channel;
  const std::int64_t first_plane = image * g.out_channels + first_channel;
  const std::int64_t plane = g.out_h * g.out_w;
  const std::int64_t bytes = BitRows{1, g.out_w}.bytes_per_row();
  const __m512 zero = _mm512_setzero_ps();
  const __m512 start = task.bias == nullptr ? zero
                                            : _mm512_maskz_loadu_ps(first_lanes(channels),
                                                                    task.bias + first_channel);
  const std::int64_t left = segment.first * kOutput;
  const std::int64_t width = std::min(segment.tiles * kOutput, g.out_w - left);
  const std::int64_t rows = std::min(kOutput, g.out_h - segment.row * kOutput);
  float* const corner = task.y + first_plane * plane + segment.row * kOutput * g.out_w + left;
  for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
    // The pixels' cache lines come while the tiles are computed.
    const std::int64_t line_row = tile % kOutput;
    const std::int64_t line_column = tile / kOutput * kLanes;
    if (line_row < rows && line_column < width) {
      const float* line = corner + line_row * g.out_w + line_column;
      for (std::int64_t channel = 0; channel < std::min(kLanes, channels); ++channel) {
        _mm_prefetch(reinterpret_cast<const char*>(line + channel * plane), _MM_HINT_T1);
      }
    }
    __m512 half[6][4];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      __m512 values[6];
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) {
        values[j] = _mm512_loadu_ps(m + tile * tile_stride + (i * kInput + j) * point_stride);
      }
      transform_output(values, half[i]);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const __m512 column[6] = {half[0][j], half[1][j], half[2][j],
                                half[3][j], half[4][j], half[5][j]};
      __m512 values[4];
      transform_output(column, values);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        _mm512_store_ps(scratch.pixels[i][tile * kOutput + j], _mm512_add_ps(values[i], start));
      }
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t column = 0; column < width; column += kLanes) {
      __m512 values[16];
#pragma GCC unroll 16
      for (int j = 0; j < 16; ++j) values[j] = _mm512_load_ps(scratch.pixels[i][column + j]);
      transpose(values);
      const __mmask16 columns = first_lanes(width - column);
      float* target = corner + i * g.out_w + column;
      std::uint8_t* const positive =
          task.positive == nullptr
              ? nullptr
              : task.positive + (first_plane * g.out_h + segment.row * kOutput + i) * bytes +
                    (left + column) / 8;
#pragma GCC unroll 16
      for (int channel = 0; channel < 16; ++channel) {
        if (channel >= channels) break;
        if (task.relu) values[channel] = _mm512_max_ps(zero, values[channel]);  // NaN stays NaN
        _mm512_mask_storeu_ps(target + channel * plane, columns, values[channel]);
        if (positive != nullptr) {
          const auto word = static_cast<std::uint16_t>(
              _mm512_mask_cmp_ps_mask(columns, values[channel], zero, _CMP_GT_OQ));
          std::memcpy(positive + channel * g.out_h * bytes, &word, sizeof(word));
        }
      }
    }
  }
}

}  // namespace sfumato::cpu::avx512

#endif
