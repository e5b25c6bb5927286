#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "sfumato/core/division.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/kernels/convolution_task.hpp"
#include "sfumato/cpu/kernels/every_target.hpp"
#include "sfumato/cpu/kernels/shares.hpp"
#include "sfumato/cpu/kernels/strips.hpp"

#ifdef SFUMATO_AMX

/// Convolution as plain sums of products, by the matrix instructions of AMX: one adds the product
/// of 16 pixels × 32 channels and 32 channels × 16 output channels, in bfloat16, to 16 × 16 sums in
/// float. At their speed Winograd's transforms would cost more than they save, and bfloat16 is too
/// coarse for them. Numbers below 2⁻¹²⁶ count as zero. Intel, "Architecture Instruction Set
/// Extensions Programming Reference", chapter on AMX.
namespace sfumato::cpu::avx512 {

inline constexpr std::int64_t kDot = 32;          ///< channels that one instruction sums over
inline constexpr std::int64_t kTile = 16 * kDot;  ///< elements of a tile register

/// Rows of an image, padded, for a strip of output rows, with the channels of a pixel together.
struct PixelRows {
  std::int64_t channels;  ///< a multiple of kDot
  std::int64_t columns;   ///< pixels of a row
  std::int64_t pixel_stride;
  std::int64_t row_stride;
  Tensor<BFloat16, Cpu> values;

  // A row is read to the end of its last tile, and two columns on. A cache line more than needed
  // keeps pixels, whose sizes are powers of two, out of each other's cache sets.
  explicit PixelRows(const Conv2dGeometry& g)
      : channels(round_up(g.in_channels, kDot)),
        columns(round_up(g.out_w, kLanes) + kLanes),
        pixel_stride(channels + kDot),
        row_stride(columns * pixel_stride) {}
  PixelRows(const Conv2dGeometry& g, std::int64_t out_rows) : PixelRows(g) {
    values = Tensor<BFloat16, Cpu>::empty({(out_rows + 2) * row_stride});
  }
  BFloat16* at(std::int64_t row, std::int64_t column) {
    return values.data() + row * row_stride + column * pixel_stride;
  }
};

/// load_columns() of a channel; zeros for channels that are none.
SFUMATO_AVX512_INLINE Vector load_channel(const Convolution<BFloat16>& task, std::int64_t image,
                                          std::int64_t channel, std::int64_t row,
                                          std::int64_t start) {
  const std::int64_t channels = task.g.in_channels;
  return channel < channels ? load_columns(task, image * channels + channel, row, start) : zero();
}

/// Gathers kDot channels from `channel` on of some of the rows that a strip sees, of which there
/// are two more than it has.
SFUMATO_AVX512 inline void gather_pixels(const Convolution<BFloat16>& task, const Strip& strip,
                                         const Part& rows, std::int64_t channel,
                                         PixelRows& pixels) {
  const Conv2dGeometry& g = task.g;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const std::int64_t row = strip.first + i - g.padding_h;
    for (std::int64_t column = 0; column < pixels.columns; column += kLanes) {
      const std::int64_t start = column - g.padding_w;
      Vector pairs[kLanes];
      for (std::int64_t pair = 0; pair < kLanes; ++pair) {
        const std::int64_t c = channel + 2 * pair;
        pairs[pair] = pair_up(load_channel(task, strip.image, c, row, start),
                              load_channel(task, strip.image, c + 1, row, start));
      }
      transpose(pairs);
#pragma GCC unroll 16
      for (int j = 0; j < kLanes; ++j) store_bits(pixels.at(i, column + j) + channel, pairs[j]);
    }
  }
}

/// Elements of the filters of `outs` output channels as gather_filters() lays them out.
inline std::int64_t filter_elements(const Conv2dGeometry& g, std::int64_t outs) {
  return round_up(outs, kLanes) * 9 * round_up(g.in_channels, kDot);
}

/// Lays out the filters of up to two tiles' output channels from `out` on as multiply_pixels()
/// reads them: for each row of the filters, each kDot input channels and each column the tiles,
/// in which each row has pairs of input channels.
SFUMATO_AVX512 inline void gather_filters(const Convolution<BFloat16>& task, std::int64_t out,
                                          BFloat16* target) {
  const Filters<BFloat16>& filters = task.filters;
  const Conv2dGeometry& g = task.g;
  const std::int64_t groups = round_up(g.in_channels, kDot) / kDot;
  const std::int64_t tiles = g.out_channels - out > kLanes ? 2 : 1;
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t first = out + tile * kLanes;
    const std::int64_t rows = std::min(kLanes, g.out_channels - first);
    const BFloat16* weight = filters.weight + first * filters.out_stride;
    for (std::int64_t c = 0; c < groups * kDot; c += 2) {
      Vector even[9];
      Vector odd[9];
      load_filters(filters, weight + c * filters.in_stride, c < g.in_channels ? rows : 0, even);
      load_filters(filters, weight + (c + 1) * filters.in_stride, c + 1 < g.in_channels ? rows : 0,
                   odd);
#pragma GCC unroll 9
      for (std::int64_t tap = 0; tap < 9; ++tap) {
        const std::int64_t place = (tap / 3 * groups + c / kDot) * 3 + tap % 3;
        store_bits(target + (place * tiles + tile) * kTile + c % kDot * kLanes,
                   pair_up(even[tap], odd[tap]));
      }
    }
  }
}

/// What multiply_pixels() multiplies.
struct PixelProduct {
  const BFloat16* pixels;  ///< where the first pixel's filters begin
  std::int64_t channels;   ///< see PixelRows
  std::int64_t pixel_stride;
  std::int64_t row_stride;
  const BFloat16* filters;  ///< see gather_filters()
  const float* bias;        ///< of two tiles' output channels
};

/// sums[i][j] = the outputs of 16 pixels for 16 output channels, where i counts the tiles of
/// pixels, which are neighbours, and j those of channels.
template <int kPixelTiles, int kChannelTiles>
SFUMATO_AMX inline void multiply_pixels(const PixelProduct& p, float (*sums)[2][kLanes][kLanes]) {
  constexpr bool kTwoPixels = kPixelTiles == 2;
  constexpr bool kTwoChannels = kChannelTiles == 2;
  const std::int64_t stride = 2 * p.pixel_stride;  // bytes
  const BFloat16* filters = p.filters;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // GCC 12 does not see what tiles load
  _tile_loadd(0, p.bias, 0);
  if constexpr (kTwoChannels) _tile_loadd(1, p.bias + kLanes, 0);
  if constexpr (kTwoPixels) _tile_loadd(2, p.bias, 0);
  if constexpr (kTwoPixels && kTwoChannels) _tile_loadd(3, p.bias + kLanes, 0);
  for (std::int64_t row = 0; row < 3; ++row) {
    for (std::int64_t channel = 0; channel < p.channels; channel += kDot) {
      const BFloat16* pixels = p.pixels + row * p.row_stride + channel;
      for (std::int64_t column = 0; column < 3; ++column) {
        _tile_loadd(4, pixels, stride);
        _tile_loadd(6, filters, 64);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (kTwoChannels) {
          _tile_loadd(7, filters + kTile, 64);
          _tile_dpbf16ps(1, 4, 7);
        }
        if constexpr (kTwoPixels) {
          _tile_loadd(5, pixels + kLanes * p.pixel_stride, stride);
          _tile_dpbf16ps(2, 5, 6);
        }
        if constexpr (kTwoPixels && kTwoChannels) _tile_dpbf16ps(3, 5, 7);
        pixels += p.pixel_stride;
        filters += kChannelTiles * kTile;
      }
    }
  }
  _tile_stored(0, sums[0][0], 64);
  if constexpr (kTwoChannels) _tile_stored(1, sums[0][1], 64);
  if constexpr (kTwoPixels) _tile_stored(2, sums[1][0], 64);
  if constexpr (kTwoPixels && kTwoChannels) _tile_stored(3, sums[1][1], 64);
}

/// What a processor is told of its tile registers: here, that they have 16 rows of 64 bytes.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1;
  std::uint8_t reserved[15] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
// Not on a stack: GCC 12 believes that 8 bytes of it are read, and does not store the others.
inline constexpr TileConfiguration kTileConfiguration{};

/// Keeps tile registers in use for as long as it lives.
class TileRegisters {
 public:
  SFUMATO_AMX TileRegisters() { _tile_loadconfig(&kTileConfiguration); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;
  SFUMATO_AMX ~TileRegisters() { _tile_release(); }
};

/// Writes kLanes pixels of up to kLanes output channels from `channel` on.
template <class S>
SFUMATO_AVX512 inline void write_pixels(const Convolution<S>& task, std::int64_t image,
                                        std::int64_t row, std::int64_t column, std::int64_t channel,
                                        const float (*pixels)[kLanes]) {
  const Conv2dGeometry& g = task.g;
  const std::int64_t line = (image * g.out_channels + channel) * g.out_h + row;
  std::uint8_t* const positive =
      task.positive == nullptr
          ? nullptr
          : task.positive + line * BitRows{1, g.out_w}.bytes_per_row() + column / 8;
  store_pixels(task, pixels, g.out_channels - channel, g.out_w - column,
               task.y + line * g.out_w + column, positive);
}

/// The outputs of some rows of a strip for up to two tiles' output channels from `out` on.
inline void multiply_strip(const Convolution<BFloat16>& task, const Strip& strip, const Part& rows,
                           PixelRows& pixels, std::int64_t out, const BFloat16* filters) {
  constexpr decltype(&multiply_pixels<1, 1>) kMultiply[2][2] = {
      {multiply_pixels<1, 1>, multiply_pixels<1, 2>},
      {multiply_pixels<2, 1>, multiply_pixels<2, 2>}};
  const Conv2dGeometry& g = task.g;
  const TileRegisters registers;
  const int channel_tiles = g.out_channels - out > kLanes ? 2 : 1;
  alignas(64) float bias[kPanel] = {};
  alignas(64) float sums[2][2][kLanes][kLanes];
  for (std::int64_t c = 0; task.bias != nullptr && c < std::min(kPanel, g.out_channels - out);
       ++c) {
    bias[c] = static_cast<float>(task.bias[out + c]);
  }
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    for (std::int64_t column = 0; column < g.out_w; column += 2 * kLanes) {
      const int pixel_tiles = g.out_w - column > kLanes ? 2 : 1;
      kMultiply[pixel_tiles - 1][channel_tiles - 1](
          {pixels.at(row, column), pixels.channels, pixels.pixel_stride, pixels.row_stride, filters,
           bias},
          sums);
      for (int i = 0; i < pixel_tiles; ++i) {
        for (int j = 0; j < channel_tiles; ++j) {
          write_pixels(task, strip.image, strip.first + row, column + i * kLanes, out + j * kLanes,
                       sums[i][j]);
        }
      }
    }
  }
}

/// The filters of all output channels.
struct GatheredFilters {
  std::int64_t panel_stride;
  Tensor<BFloat16, Cpu> values;

  explicit GatheredFilters(const Convolution<BFloat16>& task)
      : panel_stride(filter_elements(task.g, kPanel)),
        values(Tensor<BFloat16, Cpu>::empty({filter_elements(task.g, task.g.out_channels)})) {
    parallel_for(ceil_div(task.g.out_channels, kPanel), 1, [&](std::int64_t panel, std::int64_t) {
      gather_filters(task, panel * kPanel, of_panel(panel));
    });
  }
  BFloat16* of_panel(std::int64_t panel) { return values.data() + panel * panel_stride; }
};

/// For filters that fit the L2 cache: each thread takes strips of its own.
inline void convolve_strips(const Convolution<BFloat16>& task) {
  constexpr std::int64_t kElements = 3 << 16;  // of a strip
  const Conv2dGeometry& g = task.g;
  const Strips strips(g, PixelRows(g).row_stride, kElements, thread_count());
  GatheredFilters filters(task);
  parallel_for(g.batch * strips.per_image, 1, [&](std::int64_t index, std::int64_t) {
    const Strip strip = strips.strip(g, index);
    const Part seen(strip.rows + 2);
    PixelRows pixels(g, strip.rows);
    for (std::int64_t c = 0; c < g.in_channels; c += kDot) {
      gather_pixels(task, strip, seen, c, pixels);
    }
    for (std::int64_t out = 0; out < g.out_channels; out += kPanel) {
      multiply_strip(task, strip, Part(strip.rows), pixels, out, filters.of_panel(out / kPanel));
    }
  });
}

/// For more filters: all threads gather a strip; then each takes two tiles' output channels at a
/// time or, where these are few for the threads, some rows for them, when all filters are gathered.
inline void convolve_panels(const Convolution<BFloat16>& task) {
  constexpr std::int64_t kElements = 3 << 18;  // of a strip
  const Conv2dGeometry& g = task.g;
  const Strips strips(g, PixelRows(g).row_stride, kElements, 1);
  const std::int64_t panels = ceil_div(g.out_channels, kPanel);
  const std::int64_t groups = ceil_div(g.in_channels, kDot);
  PixelRows pixels(g, strips.rows);
  std::optional<GatheredFilters> all;
  if (!keep_busy(panels)) all.emplace(task);
  for (std::int64_t index = 0; index < g.batch * strips.per_image; ++index) {
    const Strip strip = strips.strip(g, index);
    const std::int64_t seen = strip.rows + 2;
    const std::int64_t seen_parts = parts_of_jobs(groups, seen);
    parallel_for(groups * seen_parts, 1, [&](std::int64_t job, std::int64_t) {
      gather_pixels(task, strip, Part(seen, 1, job % seen_parts, seen_parts),
                    job / seen_parts * kDot, pixels);
    });
    const std::int64_t parts = all ? parts_of_jobs(panels, strip.rows) : 1;
    parallel_for(panels * parts, 1, [&](std::int64_t job, std::int64_t) {
      const std::int64_t panel = job / parts;
      const Part rows(strip.rows, 1, job % parts, parts);
      if (all) {
        multiply_strip(task, strip, rows, pixels, panel * kPanel, all->of_panel(panel));
        return;
      }
      auto filters = Tensor<BFloat16, Cpu>::empty({filter_elements(g, kPanel)});
      gather_filters(task, panel * kPanel, filters.data());
      multiply_strip(task, strip, rows, pixels, panel * kPanel, filters.data());
    });
  }
}

/// A 3 × 3 convolution that winograd_applies() to, by sums of products.
inline void convolve_by_matrices(const Convolution<BFloat16>& task) {
  constexpr std::int64_t kFewElements = 1 << 18;  // that stay in the L2 cache
  if (filter_elements(task.g, task.g.out_channels) > kFewElements) {
    convolve_panels(task);
  } else {
    convolve_strips(task);
  }
}

}  // namespace sfumato::cpu::avx512

#endif
