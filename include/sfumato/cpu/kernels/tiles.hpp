// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_TILES) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_TILES
#undef SFUMATO_CPU_KERNELS_TILES
#else
#define SFUMATO_CPU_KERNELS_TILES
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sfumato/core/geometry.hpp"
#include "sfumato/cpu/kernels/columns.hpp"
#include "sfumato/cpu/kernels/convolution_task.hpp"
#include "sfumato/cpu/kernels/gemm.hpp"
#include "sfumato/cpu/kernels/prefetch.hpp"
#include "sfumato/cpu/kernels/target.hpp"
#include "sfumato/cpu/kernels/winograd_points.hpp"
#include "sfumato/cpu/kernels/winograd_tiling.hpp"
#include "sfumato/cpu/kernels/winograd_transforms.hpp"

/// The transforms of Winograd's algorithm in two dimensions, from images and to them.
namespace sfumato::cpu::SFUMATO_NAMESPACE {

/// The nine weights of kLanes filters, `rows` of which there are, each vector one weight.
template <class S>
SFUMATO_INLINE void load_filters(const Filters<S>& filters, const S* first, std::int64_t rows,
                                 Vector (&g)[9]) {
  constexpr std::int64_t kAhead = 8;  // filters; far enough for them to come from memory
#pragma GCC unroll 16
  for (int row = 0; row < kLanes; ++row) {
    const S* next = first + row * filters.out_stride + kAhead * filters.in_stride;
    prefetch_to_l1(next);
  }
  load_nines(first, filters.out_stride, rows, g);
  if (filters.turned) {
#pragma GCC unroll 4
    for (int tap = 0; tap < 4; ++tap) std::swap(g[tap], g[8 - tap]);
  }
}

SFUMATO_INLINE void store_lanes(float* to, const Vector (&x)[1]) {
  store(to, x[0]);
}
SFUMATO_INLINE void store_left(float* to, Vector x) {
  store(to, x);
}

/// Transforms the filters of up to kPanel output channels from `out` on and of `count` input
/// channels from `in` on: `u` gets for each point a panel of `count` rows, `point_stride` apart,
/// the last one followed by zeros up to a multiple of kPerLane.
template <int kOutput, class S, class E>
SFUMATO_TARGET inline void transform_filters(const Filters<S>& filters, std::int64_t out,
                                             std::int64_t outs, std::int64_t in, std::int64_t count,
                                             E* u, std::int64_t point_stride) {
  constexpr int kInput = WinogradPoints<kOutput>::kInput;
  constexpr int kParts = kPerLane<E>;
  for (std::int64_t half = 0; half < kPanel; half += kLanes) {
    const std::int64_t rows = std::clamp<std::int64_t>(outs - half, 0, kLanes);
    for (std::int64_t i = 0; i < count; i += kParts) {
      Vector columns[std::size_t{kParts}][3][std::size_t{kInput}];
#pragma GCC unroll 2
      for (int part = 0; part < kParts; ++part) {
        Vector g[9];
        load_filters(filters,
                     filters.weight + (out + half) * filters.out_stride +
                         (in + i + part) * filters.in_stride,
                     i + part < count ? rows : 0, g);
#pragma GCC unroll 3
        for (int j = 0; j < 3; ++j) {
          transform_filter<kOutput>(g[j], g[3 + j], g[6 + j], columns[part][j]);
        }
      }
      E* target = u + i * kPanel + half * kParts;
#pragma GCC unroll 8
      for (int row = 0; row < kInput; ++row) {
        Vector values[std::size_t{kInput}][std::size_t{kParts}];
#pragma GCC unroll 2
        for (int part = 0; part < kParts; ++part) {
          const auto& from = columns[part];
          Vector points[std::size_t{kInput}];
          transform_filter<kOutput>(from[0][row], from[1][row], from[2][row], points);
#pragma GCC unroll 8
          for (int column = 0; column < kInput; ++column) values[column][part] = points[column];
        }
#pragma GCC unroll 8
        for (int column = 0; column < kInput; ++column) {
          store_lanes(target + (row * kInput + column) * point_stride, values[column]);
        }
      }
    }
  }
}

/// Pixels of kLanes channels: the rows of a segment of tiles, 50 columns, rounded up to vectors.
struct Scratch {
  static constexpr std::int64_t kWidth = 64;
  alignas(64) float pixels[8][kWidth][kLanes];
};

/// Loads the pixels of kLanes columns from `start` on of a row of `channels` channels, and makes
/// each vector one column. Columns outside the image are zeros.
template <class S>
SFUMATO_INLINE void load_pixels(const Convolution<S>& task, std::int64_t first_plane,
                                std::int64_t channels, std::int64_t row, std::int64_t start,
                                float (*pixels)[kLanes]) {
  const Conv2dGeometry& g = task.g;
  const std::int64_t plane = g.in_h * g.in_w;
  const std::int64_t bytes = BitRows{1, g.in_w}.bytes_per_row();
  const bool inside = row >= 0 && row < g.in_h;
  const bool whole = inside && start >= 0 && start + kLanes <= g.in_w && channels >= kLanes;
  const S* source = task.x + first_plane * plane + row * g.in_w + start;
  Vector values[kLanes];
  if (whole) {
#pragma GCC unroll 16
    for (int channel = 0; channel < kLanes; ++channel) {
      values[channel] = load(source + channel * plane);
    }
    if (task.mask != nullptr) {
      const std::uint8_t* bits = task.mask + (first_plane * g.in_h + row) * bytes;
#pragma GCC unroll 16
      for (int channel = 0; channel < kLanes; ++channel) {
        values[channel] = let_through(bits + channel * g.in_h * bytes, start, values[channel]);
      }
    }
  } else {
#pragma GCC unroll 16
    for (int channel = 0; channel < kLanes; ++channel) {
      values[channel] =
          channel < channels ? load_columns(task, first_plane + channel, row, start) : zero();
    }
  }
  transpose(values);
#pragma GCC unroll 16
  for (int j = 0; j < kLanes; ++j) store(pixels[j], values[j]);
}

/// What tiles are taken from: inputs, which overlap, or gradients of the outputs, which don't.
enum class TilesOf { kInput, kGradient };

template <int kOutput, TilesOf kOf>
SFUMATO_INLINE void transform_tile(Vector (&values)[std::size_t{kOutput + 2}]) {
  if constexpr (kOf == TilesOf::kInput) {
    transform_input<kOutput>(values);
  } else {
    transform_gradient<kOutput>(values);
  }
}

/// Transforms the tiles of a segment for up to kLanes channels. `v` is the place of its first tile
/// and channel in the first point's matrix; tiles are `tile_stride` apart, points `point_stride`.
template <int kOutput, TilesOf kOf = TilesOf::kInput, class S, class E>
SFUMATO_TARGET inline void transform_tiles(const Convolution<S>& task, std::int64_t first_channel,
                                           const Segment& segment, Scratch& scratch, E* v,
                                           std::int64_t tile_stride, std::int64_t point_stride) {
  constexpr int kInput = WinogradPoints<kOutput>::kInput;
  constexpr int kSide = kOf == TilesOf::kInput ? kInput : kOutput;  // of a tile
  const Conv2dGeometry& g = task.g;
  const std::int64_t first_plane = segment.image * g.in_channels + first_channel;
  const std::int64_t left = segment.first * kOutput - g.padding_w;
  const std::int64_t width = segment.tiles * kOutput + kSide - kOutput;
  for (std::int64_t i = 0; i < kSide; ++i) {
    const std::int64_t row = segment.row * kOutput + i - g.padding_h;
    for (std::int64_t column = 0; column < width; column += kLanes) {
      load_pixels(task, first_plane, g.in_channels - first_channel, row, left + column,
                  scratch.pixels[i] + column);
    }
  }
  for (std::int64_t column = 0; column < width; ++column) {
    Vector values[std::size_t{kInput}];
#pragma GCC unroll 8
    for (int i = 0; i < kSide; ++i) values[i] = load(scratch.pixels[i][column]);
    transform_tile<kOutput, kOf>(values);
#pragma GCC unroll 8
    for (int i = 0; i < kInput; ++i) store(scratch.pixels[i][column], values[i]);
  }
  for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
    for (std::int64_t i = 0; i < kInput; ++i) {
      Vector values[std::size_t{kInput}];
#pragma GCC unroll 8
      for (int j = 0; j < kSide; ++j) values[j] = load(scratch.pixels[i][tile * kOutput + j]);
      transform_tile<kOutput, kOf>(values);
#pragma GCC unroll 8
      for (int j = 0; j < kInput; ++j) {
        store_left(v + tile * tile_stride + (i * kInput + j) * point_stride, values[j]);
      }
    }
  }
}

/// Writes kLanes pixels, `count` of which are in the image, of up to kLanes channels, rectified if
/// asked for. `y` and `positive` are the first channel's.
template <class S>
SFUMATO_INLINE void store_pixels(const Convolution<S>& task, const float (*pixels)[kLanes],
                                 std::int64_t channels, std::int64_t count, S* y,
                                 std::uint8_t* positive) {
  const std::int64_t plane = task.g.out_h * task.g.out_w;
  const std::int64_t bit_plane = task.g.out_h * BitRows{1, task.g.out_w}.bytes_per_row();
  Vector values[kLanes];
#pragma GCC unroll 16
  for (int j = 0; j < kLanes; ++j) values[j] = load(pixels[j]);
  transpose(values);
#pragma GCC unroll 16
  for (int channel = 0; channel < kLanes; ++channel) {
    if (channel >= channels) break;
    store_columns(task.relu, values[channel], count, y + channel * plane,
                  positive == nullptr ? nullptr : positive + channel * bit_plane);
  }
}

/// Transforms the products of a segment back and writes the pixels of up to kLanes output channels.
template <int kOutput, class S>
SFUMATO_TARGET inline void transform_products(const Convolution<S>& task,
                                              std::int64_t first_channel, const Segment& segment,
                                              Scratch& scratch, const float* m,
                                              std::int64_t tile_stride, std::int64_t point_stride) {
  constexpr int kInput = WinogradPoints<kOutput>::kInput;
  constexpr std::int64_t kLongOutput = kOutput;
  const Conv2dGeometry& g = task.g;
  const std::int64_t channels = std::min(kLanes, g.out_channels - first_channel);
  const std::int64_t first_plane = segment.image * g.out_channels + first_channel;
  const std::int64_t plane = g.out_h * g.out_w;
  const std::int64_t bytes = BitRows{1, g.out_w}.bytes_per_row();
  const Vector start =
      task.bias == nullptr ? zero() : load(mask_between(0, channels), task.bias + first_channel);
  const std::int64_t left = segment.first * kOutput;
  const std::int64_t width = std::min(segment.tiles * kOutput, g.out_w - left);
  const std::int64_t rows = std::min(kLongOutput, g.out_h - segment.row * kOutput);
  S* const corner = task.y + first_plane * plane + segment.row * kOutput * g.out_w + left;
  for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
    // The pixels' cache lines come while the tiles are computed.
    const std::int64_t line_row = tile % kOutput;
    const std::int64_t line_column = tile / kOutput * kLine;
    if (line_row < rows && line_column < width) {
      const S* line = corner + line_row * g.out_w + line_column;
      for (std::int64_t channel = 0; channel < channels; ++channel) {
        prefetch_to_l2(line + channel * plane);
      }
    }
    Vector half[std::size_t{kInput}][std::size_t{kOutput}];
#pragma GCC unroll 8
    for (int i = 0; i < kInput; ++i) {
      Vector values[std::size_t{kInput}];
#pragma GCC unroll 8
      for (int j = 0; j < kInput; ++j) {
        values[j] = load(m + tile * tile_stride + (i * kInput + j) * point_stride);
      }
      transform_output<kOutput>(values, half[i]);
    }
#pragma GCC unroll 6
    for (int j = 0; j < kOutput; ++j) {
      Vector column[std::size_t{kInput}];
#pragma GCC unroll 8
      for (int i = 0; i < kInput; ++i) column[i] = half[i][j];
      Vector values[std::size_t{kOutput}];
      transform_output<kOutput>(column, values);
#pragma GCC unroll 6
      for (int i = 0; i < kOutput; ++i) {
        store(scratch.pixels[i][tile * kOutput + j], add(values[i], start));
      }
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    std::uint8_t* const positive =
        task.positive == nullptr
            ? nullptr
            : task.positive + (first_plane * g.out_h + segment.row * kOutput + i) * bytes +
                  left / 8;
    for (std::int64_t column = 0; column < width; column += kLanes) {
      store_pixels(task, scratch.pixels[i] + column, channels, width - column,
                   corner + i * g.out_w + column,
                   positive == nullptr ? nullptr : positive + column / 8);
    }
  }
}

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
