#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/gemm_avx512.hpp"
#include "sfumato/cpu/winograd_tiles_avx512.hpp"

#ifdef SFUMATO_AVX512

namespace sfumato::cpu::avx512 {

/// The sizes of a block's matrices.
struct BlockSizes {
  std::int64_t in;     ///< input channels, rounded up to whole vectors
  std::int64_t out;    ///< output channels, rounded up to whole panels
  std::int64_t tiles;  ///< most tiles of a block
  // A cache line more than the matrix keeps the points out of each other's cache sets.
  std::int64_t v_stride() const { return tiles * in + kLanes; }
  std::int64_t m_stride(std::int64_t columns) const { return tiles * columns + kLanes; }
};

inline std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// For few channels: all filters are transformed first, then each thread takes blocks of tiles
/// through transform, products and back, all in its own L2 cache.
inline void convolve_by_blocks(const Convolution& task) {
  const Conv2dGeometry& g = task.g;
  constexpr std::int64_t kBlockElements = 1 << 18;  // of a block's matrices
  const TileGrid grid(g.out_h, g.out_w);
  const std::int64_t in = round_up(g.in_channels, kLanes);
  const std::int64_t out = round_up(g.out_channels, kPanel);
  const std::int64_t segments = std::max<std::int64_t>(
      1, kBlockElements / (kPoints * (in + out) * std::min(kSegment, grid.columns)));
  const BlockSizes sizes{in, out, segments * std::min(kSegment, grid.columns)};
  const std::int64_t blocks = (grid.segments() + segments - 1) / segments;
  const std::int64_t u_stride = g.in_channels * out + kLanes;
  auto u = Tensor<float, Cpu>::empty({kPoints * u_stride});
  parallel_for(out / kPanel, 1, [&](std::int64_t panel, std::int64_t) {
    transform_filters(task.filters, panel * kPanel, g.out_channels - panel * kPanel, 0,
                      g.in_channels, u.data() + panel * kPanel * g.in_channels, u_stride);
  });
  parallel_for(g.batch * blocks, 1, [&](std::int64_t job, std::int64_t) {
    const std::int64_t image = job / blocks;
    const std::int64_t first = job % blocks * segments;
    const std::int64_t last = std::min(first + segments, grid.segments());
    const std::int64_t before = grid.tiles_before(first);
    const std::int64_t tiles = grid.tiles_before(last) - before;
    auto v = Tensor<float, Cpu>::empty({kPoints * sizes.v_stride()});
    auto m = Tensor<float, Cpu>::empty({kPoints * sizes.m_stride(out)});
    Scratch scratch;
    for (std::int64_t s = first; s < last; ++s) {
      for (std::int64_t c = 0; c < g.in_channels; c += kLanes) {
        transform_tiles(task, image, c, grid.segment(s), scratch,
                        v.data() + (grid.tiles_before(s) - before) * in + c, in, sizes.v_stride());
      }
    }
    for (std::int64_t point = 0; point < kPoints; ++point) {
      for (std::int64_t panel = 0; panel < out; panel += kPanel) {
        for (std::int64_t k = 0; k < g.in_channels; k += kDepth) {
          multiply_panel(tiles, std::min(kDepth, g.in_channels - k),
                         v.data() + point * sizes.v_stride() + k, in, sizes.v_stride(),
                         u.data() + point * u_stride + panel * g.in_channels + k * kPanel,
                         m.data() + point * sizes.m_stride(out) + panel, out, k > 0);
        }
      }
    }
    for (std::int64_t s = first; s < last; ++s) {
      for (std::int64_t c = 0; c < g.out_channels; c += kLanes) {
        transform_products(task, image, c, grid.segment(s), scratch,
                           m.data() + (grid.tiles_before(s) - before) * out + c, out,
                           sizes.m_stride(out));
      }
    }
  });
}

/// For many channels, whose filters fit no cache: the tiles are transformed first, then each thread
/// takes panels of 32 output channels, transforms their filters bit by bit, multiplies, and
/// transforms the products back.
inline void convolve_by_panels(const Convolution& task) {
  const Conv2dGeometry& g = task.g;
  constexpr std::int64_t kMostTiles = 192;
  const TileGrid grid(g.out_h, g.out_w);
  const std::int64_t in = round_up(g.in_channels, kLanes);
  const std::int64_t out = round_up(g.out_channels, kPanel);
  const std::int64_t widest = std::min(kSegment, grid.columns);
  const std::int64_t most = std::max<std::int64_t>(1, kMostTiles / widest);
  const std::int64_t blocks = (grid.segments() + most - 1) / most;
  const std::int64_t segments = (grid.segments() + blocks - 1) / blocks;
  const BlockSizes sizes{in, out, segments * widest};
  auto v = Tensor<float, Cpu>::empty({kPoints * sizes.v_stride()});
  for (std::int64_t job = 0; job < g.batch * blocks; ++job) {
    const std::int64_t image = job / blocks;
    const std::int64_t first = job % blocks * segments;
    const std::int64_t last = std::min(first + segments, grid.segments());
    const std::int64_t before = grid.tiles_before(first);
    const std::int64_t tiles = grid.tiles_before(last) - before;
    parallel_for(in / kLanes, 1, [&](std::int64_t group, std::int64_t) {
      const std::int64_t c = group * kLanes;
      Scratch scratch;
      for (std::int64_t s = first; s < last; ++s) {
        transform_tiles(task, image, c, grid.segment(s), scratch,
                        v.data() + (grid.tiles_before(s) - before) * in + c, in, sizes.v_stride());
      }
    });
    parallel_for(out / kPanel, 1, [&](std::int64_t panel, std::int64_t) {
      constexpr std::int64_t kFilterStride = kDepth * kPanel + kLanes;
      auto u = Tensor<float, Cpu>::empty({kPoints * kFilterStride});
      auto m = Tensor<float, Cpu>::empty({kPoints * sizes.m_stride(kPanel)});
      const std::int64_t o = panel * kPanel;
      for (std::int64_t k = 0; k < g.in_channels; k += kDepth) {
        const std::int64_t depth = std::min(kDepth, g.in_channels - k);
        transform_filters(task.filters, o, g.out_channels - o, k, depth, u.data(), kFilterStride);
        for (std::int64_t point = 0; point < kPoints; ++point) {
          multiply_panel(tiles, depth, v.data() + point * sizes.v_stride() + k, in,
                         sizes.v_stride(), u.data() + point * kFilterStride,
                         m.data() + point * sizes.m_stride(kPanel), kPanel, k > 0);
        }
      }
      Scratch scratch;
      for (std::int64_t s = first; s < last; ++s) {
        for (std::int64_t c = 0; c < std::min(kPanel, g.out_channels - o); c += kLanes) {
          transform_products(task, image, o + c, grid.segment(s), scratch,
                             m.data() + (grid.tiles_before(s) - before) * kPanel + c, kPanel,
                             sizes.m_stride(kPanel));
        }
      }
    });
  }
}

/// Winograd's algorithm for whatever winograd_applies() to.
inline void convolve(const Convolution& task) {
  // Filters of so many channels, transformed, leave a core's cache no room for the tiles.
  constexpr std::int64_t kManyFilters = 128 * 192;
  if (task.g.in_channels * task.g.out_channels < kManyFilters) {
    convolve_by_blocks(task);
  } else {
    convolve_by_panels(task);
  }
}

}  // namespace sfumato::cpu::avx512

#endif
