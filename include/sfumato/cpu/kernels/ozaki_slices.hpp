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
#include "sfumato/cpu/kernels/shares.hpp"

#ifdef SFUMATO_AMX

/// The slices of the Ozaki scheme, which multiplies floats exactly, part by part, with instructions
/// for shorter numbers: Ozaki, Ogita, Oishi and Rump, "Error-free transformations of matrix
/// multiplication by using fast routines of matrix multiplication and its applications" (2012);
/// with whole numbers as here: Ootomo, Ozaki and Yokota, "DGEMM on integer matrix multiplication
/// unit" (2024).
///
/// A float is a whole number of a unit, and this three signed bytes, its slices:
/// x = unit (2¹⁶ high + 2⁸ middle + low). The largest of the numbers that share a unit determines
/// it, so the large ones are as exact as floats, and those far smaller are less so. The numbers
/// here are the six rows of pixels that four rows of outputs see, and the filters, both at the
/// points of Winograd's F(4, 3).
namespace sfumato::cpu::avx512 {

inline constexpr std::int64_t kGroup = 64;  ///< channels whose bytes stand together
inline constexpr int kSlices = 3;
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
    constexpr float kMost = 8355000.0F;  // a little less than 0x7f7f7f, all of whose slices are 127
    constexpr float kSmallest = 1e-30F;
    if (!(largest <= std::numeric_limits<float>::max())) {
      size = std::numeric_limits<float>::quiet_NaN();
    } else if (largest > kSmallest) {
      size = largest / kMost;
      per_one = kMost / largest;
    }
  }
};

/// x in units as a whole number, with each of its slices increased by 128.
SFUMATO_AVX512_INLINE Integers to_slices(Vector x, Vector units_per_one) {
  return add(round_to_integers(multiply(x, units_per_one)), broadcast(0x808080));
}

/// Writes the slices of four vectors side by side: high, middle and low ones, `stride` apart.
SFUMATO_AVX512_INLINE void store_slices(const Integers (&x)[4], std::uint8_t* to,
                                        std::int64_t stride) {
  Integers high;
  Integers middle;
  Integers low;
  join_slices(x, high, middle, low);
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
  return g.batch * ceil_div(g.out_h, kRowOutputs);
}
inline RowBlock row_block(const Conv2dGeometry& g, std::int64_t index) {
  const std::int64_t per_image = row_blocks(g) / g.batch;
  return {index / per_image, index % per_image * kRowOutputs};
}

/// What some blocks of rows see: for each of them and each point a row of pixels, of which each has
/// for each group the high, the middle and the low slices of its channels.
struct SliceRows {
  std::int64_t groups;
  std::int64_t parts = 1;     ///< of a row, which threads look at one by one
  std::int64_t columns;       ///< pixels of a row
  std::int64_t pixel_stride;  ///< bytes
  std::int64_t point_stride;
  std::int64_t block_stride;
  Tensor<std::uint8_t, Cpu> bytes;
  std::vector<PointValues> largest;  ///< magnitudes of the parts of each block's groups

  // A row is read to the end of its last tile, and two columns on. An odd number of cache lines
  // keeps pixels out of each other's cache sets.
  explicit SliceRows(const Conv2dGeometry& g)
      : groups(round_up(g.in_channels, kGroup) / kGroup),
        columns(round_up(g.out_w, kLanes) + 2),
        pixel_stride((groups * kSlices / 2 * 2 + 1) * kGroup),
        point_stride(columns * pixel_stride),
        block_stride(kRowPoints * point_stride) {}
  SliceRows(const Conv2dGeometry& g, std::int64_t blocks, std::int64_t row_parts) : SliceRows(g) {
    parts = row_parts;
    bytes = Tensor<std::uint8_t, Cpu>::empty({blocks * block_stride});
    largest.resize(static_cast<std::size_t>(blocks * groups * parts));
  }
  std::uint8_t* at(std::int64_t block, std::int64_t point, std::int64_t column) {
    return bytes.data() + block * block_stride + point * point_stride + column * pixel_stride;
  }
  PointValues& largest_of(std::int64_t block, std::int64_t group, std::int64_t part) {
    return largest[static_cast<std::size_t>((block * groups + group) * parts + part)];
  }
  Unit unit(std::int64_t block, std::size_t point) {
    float all = 0.0F;
    for (std::int64_t i = 0; i < groups * parts; ++i) {
      const float value = largest_of(block, 0, i)[point];
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
    if (task.mask != nullptr) {
      const std::int64_t bytes = BitRows{1, g.in_w}.bytes_per_row();
#pragma GCC unroll 6
      for (int i = 0; i < kRowPoints; ++i) {
        d[i] = let_through(task.mask + (line + i) * bytes, start, d[i]);
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

/// The largest magnitudes of some of the columns that are seen, two more than there are results, in
/// a group of channels.
SFUMATO_AVX512 inline void find_largest(const Convolution<float>& task, const RowBlock& block,
                                        std::int64_t group, const Part& seen, PointValues& result) {
  const Conv2dGeometry& g = task.g;
  Integers largest[kRowPoints];
  for (Integers& magnitudes : largest) magnitudes = broadcast(0);
  const std::int64_t end = std::min(g.in_channels, (group + 1) * kGroup);
  for (std::int64_t channel = group * kGroup; channel < end; ++channel) {
    const SeenRows rows(g, block, channel);
    const std::int64_t first = std::max<std::int64_t>(rows.first, 0);
    const float* next = task.x + ((rows.plane + 1) * g.in_h + first) * g.in_w;
    for (std::int64_t column = seen.begin; column < seen.end; column += kLanes) {
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

/// Writes the slices of some columns of a group of channels.
SFUMATO_AVX512 inline void gather_slices(const Convolution<float>& task, const RowBlock& block,
                                         std::int64_t group, const Part& seen, SliceRows& pixels,
                                         std::int64_t index) {
  constexpr std::int64_t kQuads = kGroup / 4;
  const Conv2dGeometry& g = task.g;
  alignas(64) std::uint8_t slices[kRowPoints][kSlices][kQuads][4 * kLanes];
  PointValues per_one;
  for (std::size_t i = 0; i < kRowPoints; ++i) per_one[i] = pixels.unit(index, i).per_one;
  for (std::int64_t column = seen.begin; column < seen.end; column += kLanes) {
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
          numbers[point][i] = to_slices(d[point], broadcast(per_one[point]));
        }
      }
#pragma GCC unroll 6
      for (int point = 0; point < kRowPoints; ++point) {
        store_slices(numbers[point], slices[point][0][quad], sizeof(slices[0][0]));
      }
    }
    const std::int64_t columns = std::min(kLanes, pixels.columns - column);
    for (int point = 0; point < kRowPoints; ++point) {
      for (int slice = 0; slice < kSlices; ++slice) {
        Vector channels[kLanes];  // of each column four; then of four channels each column
#pragma GCC unroll 16
        for (int quad = 0; quad < kLanes; ++quad)
          channels[quad] = load_bits(slices[point][slice][quad]);
        transpose(channels);
        std::uint8_t* target = pixels.at(index, point, column) + (group * kSlices + slice) * kGroup;
        for (std::int64_t j = 0; j < columns; ++j, target += pixels.pixel_stride) {
          store_bits(target, channels[j]);
        }
      }
    }
  }
}

/// The filters of kPanel output channels: for each point, group and column of the filters, and each
/// slice, two tiles, of which each row has four input channels of kLanes output channels.
struct SliceFilters {
  static constexpr std::int64_t kTileBytes = kGroup * kLanes;
  static constexpr std::int64_t kSliceStride = 2 * kTileBytes;
  static constexpr std::int64_t kColumnStride = kSlices * kSliceStride;

  std::int64_t point_stride;
  Tensor<std::uint8_t, Cpu> bytes;
  float units[kRowPoints][kPanel];  ///< sizes

  explicit SliceFilters(const Conv2dGeometry& g)
      : point_stride(round_up(g.in_channels, kGroup) / kGroup * 3 * kColumnStride),
        bytes(Tensor<std::uint8_t, Cpu>::empty({kRowPoints * point_stride})) {}
};

/// Finds the units of a panel's output channels `half` … `half` + kLanes - 1, whose filters begin
/// at `weight`.
SFUMATO_AVX512 inline void find_filter_units(const Convolution<float>& task, const float* weight,
                                             std::int64_t outs, std::int64_t half,
                                             SliceFilters& target,
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

/// Writes the slices of the filters of kLanes output channels from `out` + `half` on, a half of the
/// panel that begins at `out`.
SFUMATO_AVX512 inline void gather_filter_slices(const Convolution<float>& task, std::int64_t out,
                                                std::int64_t half, SliceFilters& target) {
  const Filters<float>& filters = task.filters;
  const Conv2dGeometry& g = task.g;
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
    std::uint8_t* place = target.bytes.data() + c / kGroup * 3 * SliceFilters::kColumnStride +
                          half / kLanes * SliceFilters::kTileBytes + c % kGroup * kLanes;
    for (int column = 0; column < 3; ++column, place += SliceFilters::kColumnStride) {
      Integers numbers[kRowPoints][4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        Vector u[kRowPoints];
        transform_filter<kRowOutputs>(taps[i][column], taps[i][3 + column], taps[i][6 + column], u);
#pragma GCC unroll 6
        for (int point = 0; point < kRowPoints; ++point) {
          numbers[point][i] = to_slices(u[point], load(per_one[point]));
        }
      }
#pragma GCC unroll 6
      for (int point = 0; point < kRowPoints; ++point) {
        store_slices(numbers[point], place + point * target.point_stride,
                     SliceFilters::kSliceStride);
      }
    }
  }
}

}  // namespace sfumato::cpu::avx512

#endif
