#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "sfumato/core/division.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/kernels/convolution_task.hpp"
#include "sfumato/cpu/kernels/every_target.hpp"
#include "sfumato/cpu/kernels/prefetch.hpp"

#ifdef SFUMATO_AMX

/// Floats as whole numbers of a unit, and these as three signed bytes, their digits:
/// x = unit (2¹⁶ high + 2⁸ middle + low). The unit is chosen by the largest number of those that
/// share it, so that these are as exact as floats and numbers far smaller are less so. Here for the
/// six rows of pixels that four rows of outputs see, and for filters, both at the points of
/// Winograd's F(4, 3).
namespace sfumato::cpu::avx512 {

inline constexpr std::int64_t kGroup = 64;  ///< channels whose bytes stand together
inline constexpr int kDigits = 3;
inline constexpr std::int64_t kRowOutputs = 4;  ///< rows of outputs
inline constexpr int kRowPoints = 6;            ///< points, and rows of pixels

/// A number for each point.
using PointValues = std::array<float, kRowPoints>;

/// The unit of numbers of which `largest` is the largest magnitude. Where these are too small for a
/// unit all count as zero; where some are infinite or NaN the unit is NaN, and so are all results.
struct Unit {
  float size = 0.0F;
  float per_one = 0.0F;  ///< 1 / size
  explicit Unit(float largest) {
    constexpr float kMost = 8355000.0F;  // a little less than 0x7f7f7f, all of whose digits are 127
    constexpr float kSmallest = 1e-30F;
    if (!(largest <= std::numeric_limits<float>::max())) {
      size = std::numeric_limits<float>::quiet_NaN();
    } else if (largest > kSmallest) {
      size = largest / kMost;
      per_one = kMost / largest;
    }
  }
};

/// x in units as a whole number, with each of its digits increased by 128.
SFUMATO_AVX512_INLINE Integers to_digits(Vector x, Vector units_per_one) {
  return add(round_to_integers(multiply(x, units_per_one)), broadcast(0x808080));
}

/// Writes the digits of four vectors side by side: high, middle and low ones, `stride` apart.
SFUMATO_AVX512_INLINE void store_digits(const Integers (&x)[4], std::uint8_t* to,
                                        std::int64_t stride) {
  Integers high;
  Integers middle;
  Integers low;
  join_digits(x, high, middle, low);
  store_bits(to, high);
  store_bits(to + stride, middle);
  store_bits(to + 2 * stride, low);
}

/// Four rows of outputs of an image.
struct RowBlock {
  std::int64_t image;
  std::int64_t first;
};
/// How many there are in a batch, and which one comes at `index`.
inline std::int64_t row_blocks(const Conv2dGeometry& g) {
  return g.batch * ((g.out_h + kRowOutputs - 1) / kRowOutputs);
}
inline RowBlock row_block(const Conv2dGeometry& g, std::int64_t index) {
  const std::int64_t per_image = row_blocks(g) / g.batch;
  return {index / per_image, index % per_image * kRowOutputs};
}

/// What some blocks of rows see: for each of them and each point a row of pixels, of which each has
/// for each group the high, the middle and the low digits of its channels.
struct DigitRows {
  std::int64_t groups;
  std::int64_t columns;       ///< pixels of a row
  std::int64_t pixel_stride;  ///< bytes
  std::int64_t point_stride;
  std::int64_t block_stride;
  Tensor<std::uint8_t, Cpu> bytes;
  std::vector<PointValues> largest;  ///< magnitudes of each block's groups

  // A row is read to the end of its last tile, and two columns on. An odd number of cache lines
  // keeps pixels out of each other's cache sets.
  explicit DigitRows(const Conv2dGeometry& g)
      : groups(round_up(g.in_channels, kGroup) / kGroup),
        columns(round_up(g.out_w, kLanes) + 2),
        pixel_stride((groups * kDigits / 2 * 2 + 1) * kGroup),
        point_stride(columns * pixel_stride),
        block_stride(kRowPoints * point_stride) {}
  DigitRows(const Conv2dGeometry& g, std::int64_t blocks) : DigitRows(g) {
    bytes = Tensor<std::uint8_t, Cpu>::empty({blocks * block_stride});
    largest.resize(static_cast<std::size_t>(blocks * groups));
  }
  std::uint8_t* at(std::int64_t block, std::int64_t point, std::int64_t column) {
    return bytes.data() + block * block_stride + point * point_stride + column * pixel_stride;
  }
  PointValues& largest_of(std::int64_t block, std::int64_t group) {
    return largest[static_cast<std::size_t>(block * groups + group)];
  }
  Unit unit(std::int64_t block, std::size_t point) {
    float all = 0.0F;
    for (std::int64_t group = 0; group < groups; ++group) {
      const float value = largest_of(block, group)[point];
      if (std::isnan(value) || value > all) all = value;
    }
    return Unit(all);
  }
};

/// A channel of what a block of rows sees.
struct SeenRows {
  SeenRows(const Conv2dGeometry& g, const RowBlock& block, std::int64_t channel)
      : plane(block.image * g.in_channels + channel), first(block.first - g.padding_h) {}
  std::int64_t plane;
  std::int64_t first;
};

/// The values at all points of kLanes columns from `start` on.
SFUMATO_AVX512_INLINE void load_points(const Convolution<float>& task, const SeenRows& rows,
                                       std::int64_t start, Vector (&d)[kRowPoints]) {
  const Conv2dGeometry& g = task.g;
  const bool whole = rows.first >= 0 && rows.first + kRowPoints <= g.in_h && start >= 0 &&
                     start + kLanes <= g.in_w;
  if (whole) {
    const std::int64_t line = rows.plane * g.in_h + rows.first;
#pragma GCC unroll 6
    for (int i = 0; i < kRowPoints; ++i) d[i] = load(task.x + (line + i) * g.in_w + start);
    if (task.gate != nullptr) {
      const std::int64_t bytes = BitRows{1, g.in_w}.bytes_per_row();
#pragma GCC unroll 6
      for (int i = 0; i < kRowPoints; ++i) {
        d[i] = let_through(task.gate + (line + i) * bytes, start, d[i]);
      }
    }
  } else {
#pragma GCC unroll 6
    for (int i = 0; i < kRowPoints; ++i) {
      d[i] = load_columns(task, rows.plane, rows.first + i, start);
    }
  }
  transform_input<kRowOutputs>(d);
}

/// Fetches `lines` cache lines, `stride` bytes apart, into the L1 cache.
SFUMATO_AVX512_INLINE void fetch(const void* first, std::int64_t stride, int lines) {
#pragma GCC unroll 8
  for (int line = 0; line < lines; ++line) {
    prefetch_to_l1(static_cast<const char*>(first) + line * stride);
  }
}

/// The largest magnitudes of a group of channels.
SFUMATO_AVX512 inline void find_largest(const Convolution<float>& task, const RowBlock& block,
                                        std::int64_t group, PointValues& result) {
  const Conv2dGeometry& g = task.g;
  Integers largest[kRowPoints];
  for (Integers& magnitudes : largest) magnitudes = broadcast(0);
  const std::int64_t end = std::min(g.in_channels, (group + 1) * kGroup);
  for (std::int64_t channel = group * kGroup; channel < end; ++channel) {
    const SeenRows rows(g, block, channel);
    const std::int64_t first = std::max<std::int64_t>(rows.first, 0);
    const float* next = task.x + ((rows.plane + 1) * g.in_h + first) * g.in_w;
    for (std::int64_t column = 0; column < g.out_w + 2; column += kLanes) {
      Vector d[kRowPoints];
      load_points(task, rows, column - g.padding_w, d);
#pragma GCC unroll 6
      for (int i = 0; i < kRowPoints; ++i) {
        largest[i] = larger_magnitude(largest[i], d[i]);
      }
      // No prefetcher of the processor follows from one channel to the next.
      fetch(next + column, g.in_w * static_cast<std::int64_t>(sizeof(float)), kRowPoints);
    }
  }
#pragma GCC unroll 6
  for (std::size_t i = 0; i < kRowPoints; ++i) result[i] = largest_lane(largest[i]);
}

/// Writes the digits of a group of channels.
SFUMATO_AVX512 inline void gather_digits(const Convolution<float>& task, const RowBlock& block,
                                         std::int64_t group, DigitRows& pixels,
                                         std::int64_t index) {
  constexpr std::int64_t kQuads = kGroup / 4;
  const Conv2dGeometry& g = task.g;
  alignas(64) std::uint8_t digits[kRowPoints][kDigits][kQuads][4 * kLanes];
  PointValues per_one;
  for (std::size_t i = 0; i < kRowPoints; ++i) per_one[i] = pixels.unit(index, i).per_one;
  for (std::int64_t column = 0; column < g.out_w + 2; column += kLanes) {
    for (std::int64_t quad = 0; quad < kQuads; ++quad) {
      Integers numbers[kRowPoints][4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const std::int64_t channel = group * kGroup + 4 * quad + i;
        Vector d[kRowPoints] = {zero(), zero(), zero(), zero(), zero(), zero()};
        if (channel < g.in_channels) {
          load_points(task, SeenRows(g, block, channel), column - g.padding_w, d);
        }
#pragma GCC unroll 6
        for (std::size_t point = 0; point < kRowPoints; ++point) {
          numbers[point][i] = to_digits(d[point], broadcast(per_one[point]));
        }
      }
#pragma GCC unroll 6
      for (int point = 0; point < kRowPoints; ++point) {
        store_digits(numbers[point], digits[point][0][quad], sizeof(digits[0][0]));
      }
    }
    const std::int64_t columns = std::min(kLanes, pixels.columns - column);
    for (int point = 0; point < kRowPoints; ++point) {
      for (int digit = 0; digit < kDigits; ++digit) {
        Vector channels[kLanes];  // of each column four; then of four channels each column
#pragma GCC unroll 16
        for (int quad = 0; quad < kLanes; ++quad)
          channels[quad] = load_bits(digits[point][digit][quad]);
        transpose(channels);
        std::uint8_t* target = pixels.at(index, point, column) + (group * kDigits + digit) * kGroup;
        for (std::int64_t j = 0; j < columns; ++j, target += pixels.pixel_stride) {
          store_bits(target, channels[j]);
        }
      }
    }
  }
}

/// The filters of kPanel output channels: for each point, group and column of the filters, and each
/// digit, two tiles, of which each row has four input channels of kLanes output channels.
struct DigitFilters {
  static constexpr std::int64_t kTileBytes = kGroup * kLanes;
  static constexpr std::int64_t kDigitStride = 2 * kTileBytes;
  static constexpr std::int64_t kColumnStride = kDigits * kDigitStride;

  std::int64_t point_stride;
  Tensor<std::uint8_t, Cpu> bytes;
  float units[kRowPoints][kPanel];  ///< sizes

  explicit DigitFilters(const Conv2dGeometry& g)
      : point_stride(round_up(g.in_channels, kGroup) / kGroup * 3 * kColumnStride),
        bytes(Tensor<std::uint8_t, Cpu>::empty({kRowPoints * point_stride})) {}
};

/// Finds the units of a panel's output channels `half` … `half` + kLanes - 1, whose filters begin
/// at `weight`.
SFUMATO_AVX512 inline void find_filter_units(const Convolution<float>& task, const float* weight,
                                             std::int64_t outs, std::int64_t half,
                                             DigitFilters& target,
                                             float (&per_one)[kRowPoints][kLanes]) {
  Integers largest[kRowPoints];
  for (Integers& magnitudes : largest) magnitudes = broadcast(0);
  for (std::int64_t c = 0; c < task.g.in_channels; ++c) {
    Vector taps[9];
    load_filters(task.filters, weight + c * task.filters.in_stride, outs, taps);
#pragma GCC unroll 3
    for (int column = 0; column < 3; ++column) {
      Vector u[kRowPoints];
      transform_filter<kRowOutputs>(taps[column], taps[3 + column], taps[6 + column], u);
#pragma GCC unroll 6
      for (int point = 0; point < kRowPoints; ++point) {
        largest[point] = larger_magnitude(largest[point], u[point]);
      }
    }
  }
  for (int point = 0; point < kRowPoints; ++point) {
    alignas(64) float magnitudes[kLanes];
    store_bits(magnitudes, largest[point]);
    for (int lane = 0; lane < kLanes; ++lane) {
      const Unit unit(magnitudes[lane]);
      per_one[point][lane] = unit.per_one;
      target.units[point][half + lane] = unit.size;
    }
  }
}

/// Writes the digits of the filters of kPanel output channels from `out` on.
SFUMATO_AVX512 inline void gather_filter_digits(const Convolution<float>& task, std::int64_t out,
                                                DigitFilters& target) {
  const Filters<float>& filters = task.filters;
  const Conv2dGeometry& g = task.g;
  for (std::int64_t half = 0; half < kPanel; half += kLanes) {
    const std::int64_t outs = std::clamp<std::int64_t>(g.out_channels - out - half, 0, kLanes);
    const float* const weight = filters.weight + (out + half) * filters.out_stride;
    alignas(64) float per_one[kRowPoints][kLanes];
    find_filter_units(task, weight, outs, half, target, per_one);
    for (std::int64_t c = 0; c < round_up(g.in_channels, kGroup); c += 4) {
      Vector taps[4][9];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const std::int64_t there = c + i < g.in_channels ? outs : 0;
        load_filters(filters, weight + (c + i) * filters.in_stride, there, taps[i]);
      }
      std::uint8_t* place = target.bytes.data() + c / kGroup * 3 * DigitFilters::kColumnStride +
                            half / kLanes * DigitFilters::kTileBytes + c % kGroup * kLanes;
      for (int column = 0; column < 3; ++column, place += DigitFilters::kColumnStride) {
        Integers numbers[kRowPoints][4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          Vector u[kRowPoints];
          transform_filter<kRowOutputs>(taps[i][column], taps[i][3 + column], taps[i][6 + column],
                                        u);
#pragma GCC unroll 6
          for (int point = 0; point < kRowPoints; ++point) {
            numbers[point][i] = to_digits(u[point], load(per_one[point]));
          }
        }
#pragma GCC unroll 6
        for (int point = 0; point < kRowPoints; ++point) {
          store_digits(numbers[point], place + point * target.point_stride,
                       DigitFilters::kDigitStride);
        }
      }
    }
  }
}

}  // namespace sfumato::cpu::avx512

#endif
