#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/core/division.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/kernels/amx.hpp"
#include "sfumato/cpu/kernels/convolution_task.hpp"
#include "sfumato/cpu/kernels/every_target.hpp"
#include "sfumato/cpu/kernels/ozaki_slices.hpp"
#include "sfumato/cpu/kernels/shares.hpp"

#ifdef SFUMATO_AMX

/// Convolution of floats by the Ozaki scheme (see ozaki_slices.hpp) with the matrix instructions of
/// AMX. One of them adds the product of 16 pixels × 64 channels and 64 channels × 16 output
/// channels, all of them bytes, to 16 × 16 whole numbers. Products of slices are exact; the
/// smallest ones are left out. Six or eight products of bytes for one of floats would take longer
/// than Winograd's algorithm in float, so F(4, 3) halves their number: four rows of outputs are
/// computed together. F(4 × 4, 3 × 3) would halve it again, but moves more bytes than that is
/// worth.
namespace sfumato::cpu::avx512 {

inline constexpr std::int64_t kColumnsTogether = 2 * kLanes;  ///< that are multiplied at a time

/// What multiply_slices() multiplies.
struct SliceProduct {
  const std::uint8_t* pixels;
  const std::uint8_t* next_pixels;  ///< of the product after this one
  std::int64_t pixel_stride;
  std::int64_t groups;
  const std::uint8_t* filters;
};

/// Of a tile of pixels and one of output channels.
using TileSums = std::int32_t[kLanes][kLanes];
/// Of two tiles of pixels and two of output channels.
using PixelProducts = float[2][2][kLanes][kLanes];

/// Adds the products of a slice of pixels and a slice of filters to the sums.
template <int kPixelTiles>
SFUMATO_AMX __attribute__((always_inline)) inline void multiply_slice(const std::uint8_t* pixels,
                                                                      std::int64_t stride,
                                                                      const std::uint8_t* filters) {
  _tile_loadd(4, pixels, stride);
  _tile_loadd(6, filters, 64);
  _tile_dpbssd(0, 4, 6);
  _tile_loadd(7, filters + SliceFilters::kTileBytes, 64);
  _tile_dpbssd(1, 4, 7);
  if constexpr (kPixelTiles == 2) {
    _tile_loadd(5, pixels + kLanes * stride, stride);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
}

/// The sums of all products of slices whose places, of which 0 is the high one, add up to kPlace.
template <int kPixelTiles, int kPlace>
SFUMATO_AMX inline void multiply_place(const SliceProduct& p, TileSums (*sums)[2]) {
  constexpr int kFirst = std::max(0, kPlace - kSlices + 1);
  constexpr int kLast = std::min(kPlace, kSlices - 1);
  constexpr int kFetched = 6 * kPixelTiles;  // pixels, of which three columns need all
  // All places of few channels find their slices where the first one has fetched them.
  const bool fetches = kPlace == 2 || p.groups > 1;
  const std::uint8_t* pixels = p.pixels;
  const std::uint8_t* filters = p.filters;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t group = 0; group < p.groups; ++group) {
    const std::uint8_t* next = group + 1 < p.groups ? pixels + kSlices * kGroup : p.next_pixels;
    for (std::int64_t column = 0; column < 3; ++column) {
#pragma GCC unroll 3
      for (int slice = kFirst; slice <= kLast; ++slice) {
        const std::uint8_t* tiles = filters + (kPlace - slice) * SliceFilters::kSliceStride;
        multiply_slice<kPixelTiles>(pixels + column * p.pixel_stride + slice * kGroup,
                                    p.pixel_stride, tiles);
        if (fetches) {
          fetch(tiles + SliceFilters::kColumnStride, 64, 32);
          fetch(next + column * kFetched * p.pixel_stride + slice * kGroup, p.pixel_stride,
                kFetched);
        }
      }
      filters += SliceFilters::kColumnStride;
    }
    pixels += kSlices * kGroup;
  }
  _tile_stored(0, sums[0][0], 64);
  _tile_stored(1, sums[0][1], 64);
  if constexpr (kPixelTiles == 2) {
    _tile_stored(2, sums[1][0], 64);
    _tile_stored(3, sums[1][1], 64);
  }
}

/// The products of one or two tiles of pixels and two of filters at a point, from the first kPlaces
/// places. `pixel_unit` and `filter_units` are the sizes of their units.
template <int kPixelTiles, int kPlaces>
SFUMATO_AMX inline void multiply_slices(const SliceProduct& p, float pixel_unit,
                                        const float* filter_units, PixelProducts& products) {
  alignas(64) TileSums sums[std::size_t{kPlaces}][2][2];
  multiply_place<kPixelTiles, 2>(p, sums[2]);  // which reads all slices
  multiply_place<kPixelTiles, 1>(p, sums[1]);
  multiply_place<kPixelTiles, 0>(p, sums[0]);
  if constexpr (kPlaces == 4) multiply_place<kPixelTiles, 3>(p, sums[3]);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // GCC 12 does not see what tiles store
  constexpr float kBase = 256.0F;
  constexpr float kLastPlace = kPlaces == 4 ? kBase : kBase * kBase;
  for (int j = 0; j < 2; ++j) {
    const Vector filter_unit = load(filter_units + j * kLanes);
    for (int i = 0; i < kPixelTiles; ++i) {
#pragma GCC unroll 4
      for (int pixel = 0; pixel < kLanes; ++pixel) {
        Vector sum = to_floats(sums[0][i][j][pixel]);
#pragma GCC unroll 3
        for (int place = 1; place < kPlaces; ++place) {
          sum = multiply_add(sum, broadcast(kBase), to_floats(sums[place][i][j][pixel]));
        }
        // One after the other: the product of two small units may be too small for a float.
        sum = multiply(multiply(sum, filter_unit), broadcast(kLastPlace * pixel_unit));
        store(products[i][j][pixel], sum);
      }
    }
  }
}

/// Transforms the products of a tile of pixels and one of output channels, from `out` on, back and
/// writes them.
SFUMATO_AVX512 inline void write_rows(const Convolution<float>& task, const RowBlock& block,
                                      std::int64_t column, std::int64_t out,
                                      const PixelProducts* products, int i, int j) {
  const Conv2dGeometry& g = task.g;
  const std::int64_t channels = std::min(kLanes, g.out_channels - out);
  const Vector bias =
      task.bias == nullptr ? zero() : load(mask_between(0, channels), task.bias + out);
  alignas(64) float pixels[kRowOutputs][kLanes][kLanes];
  for (int pixel = 0; pixel < kLanes; ++pixel) {
    Vector m[kRowPoints];
#pragma GCC unroll 6
    for (int point = 0; point < kRowPoints; ++point) m[point] = load(products[point][i][j][pixel]);
    Vector y[kRowOutputs];
    transform_output<kRowOutputs>(m, y);
#pragma GCC unroll 4
    for (int row = 0; row < kRowOutputs; ++row) store(pixels[row][pixel], add(y[row], bias));
  }
  for (std::int64_t row = 0; row < std::min(kRowOutputs, g.out_h - block.first); ++row) {
    write_pixels(task, block.image, block.first + row, column, out, pixels[row]);
  }
}

/// Fetches where a sixth of the results of two tiles of pixels will be written.
SFUMATO_AMX inline void fetch_results(const Convolution<float>& task, const RowBlock& block,
                                      std::int64_t column, std::int64_t out, int sixth) {
  const Conv2dGeometry& g = task.g;
  constexpr std::int64_t kChannels = ceil_div(kPanel, kRowPoints);
  const std::int64_t last = std::min({out + (sixth + 1) * kChannels, out + kPanel, g.out_channels});
  for (std::int64_t channel = out + sixth * kChannels; channel < last; ++channel) {
    const std::int64_t line = (block.image * g.out_channels + channel) * g.out_h + block.first;
    const float* first = task.y + line * g.out_w + column;
    for (std::int64_t row = 0; row < kRowOutputs; ++row) fetch(first + row * g.out_w, 64, 2);
  }
}

/// The results of some columns of a block of rows for kPanel output channels from `out` on.
template <int kPlaces>
inline void multiply_block_of_rows(const Convolution<float>& task, const RowBlock& block,
                                   const Part& columns, SliceRows& pixels, std::int64_t index,
                                   std::int64_t out, const SliceFilters& filters) {
  const Conv2dGeometry& g = task.g;
  const TileRegisters registers;
  PointValues units;
  for (std::size_t i = 0; i < kRowPoints; ++i) units[i] = pixels.unit(index, i).size;
  alignas(64) PixelProducts products[kRowPoints];
  for (std::int64_t column = columns.begin; column < columns.end; column += kColumnsTogether) {
    const int pixel_tiles = g.out_w - column > kLanes ? 2 : 1;
    const auto multiply =
        pixel_tiles == 2 ? multiply_slices<2, kPlaces> : multiply_slices<1, kPlaces>;
    for (int point = 0; point < kRowPoints; ++point) {
      fetch_results(task, block, column, out, point);
      multiply(
          {.pixels = pixels.at(index, point, column),
           .next_pixels = point + 1 < kRowPoints ? pixels.at(index, point + 1, column)
                                                 : pixels.at(index, 0, column + kColumnsTogether),
           .pixel_stride = pixels.pixel_stride,
           .groups = pixels.groups,
           .filters = filters.bytes.data() + point * filters.point_stride},
          units[static_cast<std::size_t>(point)], filters.units[point], products[point]);
    }
    for (int i = 0; i < pixel_tiles; ++i) {
      for (int j = 0; j < 2 && out + j * kLanes < g.out_channels; ++j) {
        write_rows(task, block, column + i * kLanes, out + j * kLanes, products, i, j);
      }
    }
  }
}

/// The filters of all output channels, in panels of kPanel.
inline std::vector<SliceFilters> gather_all_filters(const Convolution<float>& task) {
  constexpr std::int64_t kHalves = kPanel / kLanes;
  std::vector<SliceFilters> panels;
  for (std::int64_t out = 0; out < task.g.out_channels; out += kPanel) panels.emplace_back(task.g);
  const auto count = std::ssize(panels);
  const std::int64_t halves = parts_of_jobs(count, kHalves);
  parallel_for(count * halves, 1, [&](std::int64_t job, std::int64_t) {
    const std::int64_t panel = job / halves;
    const Part part(kPanel, kLanes, job % halves, halves);
    for (std::int64_t out = part.begin; out < part.end; out += kLanes) {
      gather_filter_slices(task, panel * kPanel, out, panels[static_cast<std::size_t>(panel)]);
    }
  });
  return panels;
}

/// For filters that fit the L2 cache, with all four places: each thread takes blocks of rows of its
/// own.
inline void convolve_row_blocks(const Convolution<float>& task) {
  const Conv2dGeometry& g = task.g;
  const std::vector<SliceFilters> panels = gather_all_filters(task);
  parallel_for(row_blocks(g), 1, [&](std::int64_t index, std::int64_t) {
    const RowBlock block = row_block(g, index);
    const Part seen(g.out_w + 2);
    SliceRows pixels(g, 1, 1);
    for (std::int64_t group = 0; group < pixels.groups; ++group) {
      find_largest(task, block, group, seen, pixels.largest_of(0, group, 0));
    }
    for (std::int64_t group = 0; group < pixels.groups; ++group) {
      gather_slices(task, block, group, seen, pixels, 0);
    }
    for (std::size_t panel = 0; panel < panels.size(); ++panel) {
      multiply_block_of_rows<4>(task, block, Part(g.out_w), pixels, 0,
                                static_cast<std::int64_t>(panel) * kPanel, panels[panel]);
    }
  });
}

/// For more filters, or few blocks for the threads: all threads gather some blocks of rows; then
/// each takes kPanel output channels at a time, or blocks of some of these.
template <int kPlaces>
inline void convolve_gathered_rows(const Convolution<float>& task, SliceJob job) {
  constexpr std::int64_t kMostBytes = 12 << 20;  // of pixels
  const Conv2dGeometry& g = task.g;
  const std::int64_t all = row_blocks(g);
  const std::int64_t most = std::max<std::int64_t>(1, kMostBytes / SliceRows(g).block_stride);
  const std::int64_t rounds = ceil_div(all, most);
  const std::int64_t together = ceil_div(all, rounds);
  const std::int64_t panels = ceil_div(g.out_channels, kPanel);
  const std::int64_t groups = SliceRows(g).groups;
  const std::int64_t parts = parts_of_jobs(together * groups, ceil_div(g.out_w + 2, kLanes));
  SliceRows pixels(g, together, parts);
  std::vector<SliceFilters> filters;
  if (job == SliceJob::kBoth) filters = gather_all_filters(task);
  for (std::int64_t first = 0; first < all; first += together) {
    const std::int64_t count = std::min(together, all - first);
    // Group by group: so each thread reads channels that it wrote in the layer before.
    const auto for_each_group = [&](const auto& body) {
      parallel_for(count * groups * parts, 1, [&](std::int64_t index, std::int64_t) {
        body(index / parts % count, index / parts / count, index % parts);
      });
    };
    for_each_group([&](std::int64_t index, std::int64_t group, std::int64_t part) {
      find_largest(task, row_block(g, first + index), group, Part(g.out_w + 2, kLanes, part, parts),
                   pixels.largest_of(index, group, part));
    });
    for_each_group([&](std::int64_t index, std::int64_t group, std::int64_t part) {
      gather_slices(task, row_block(g, first + index), group,
                    Part(g.out_w + 2, kLanes, part, parts), pixels, index);
    });
    const auto multiply = [&](std::int64_t index, std::int64_t panel, const Part& columns,
                              const SliceFilters& of_panel) {
      multiply_block_of_rows<kPlaces>(task, row_block(g, first + index), columns, pixels, index,
                                      panel * kPanel, of_panel);
    };
    if (job == SliceJob::kBoth) {
      const std::int64_t pieces =
          parts_of_jobs(count * panels, ceil_div(g.out_w, kColumnsTogether));
      parallel_for(panels * count * pieces, 1, [&](std::int64_t piece, std::int64_t) {
        const std::int64_t panel = piece / pieces / count;
        multiply(piece / pieces % count, panel,
                 Part(g.out_w, kColumnsTogether, piece % pieces, pieces),
                 filters[static_cast<std::size_t>(panel)]);
      });
      continue;
    }
    parallel_for(panels, 1, [&](std::int64_t panel, std::int64_t) {
      SliceFilters own(g);
      for (std::int64_t out = 0; out < kPanel; out += kLanes) {
        gather_filter_slices(task, panel * kPanel, out, own);
      }
      for (std::int64_t index = 0; index < count; ++index) {
        multiply(index, panel, Part(g.out_w), own);
      }
    });
  }
}

/// A 3 × 3 convolution that winograd_applies() to, by products of slices: with so many filters that
/// Winograd's algorithm in float loses as much to rounding, of three places, else of four.
inline void convolve_by_matrices(const Convolution<float>& task) {
  constexpr std::int64_t kInCache = 128 * 128;  // filters whose slices stay in the L2 cache
  constexpr std::int64_t kFourPlaces = 256 * 256;
  const Conv2dGeometry& g = task.g;
  if (row_blocks(g) == 0) return;
  const std::int64_t filters = g.in_channels * g.out_channels;
  const SliceJob job =
      choose_slice_job(row_blocks(g), ceil_div(g.out_channels, kPanel), filters <= kInCache);
  if (job == SliceJob::kRows) {
    convolve_row_blocks(task);
  } else if (filters <= kFourPlaces) {
    convolve_gathered_rows<4>(task, job);
  } else {
    convolve_gathered_rows<3>(task, job);
  }
}

}  // namespace sfumato::cpu::avx512

#endif
