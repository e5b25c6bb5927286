#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/gemm_avx512.hpp"
#include "sfumato/cpu/winograd_tiles_avx512.hpp"

#ifdef SFUMATO_AVX512

/// The order in which Winograd's algorithm does its work, so that what is used again is still in a
/// cache. Tiles are taken through transform, products and back in blocks.
namespace sfumato::cpu::avx512 {

/// Some tiles of an image.
struct Block {
  std::int64_t image;
  std::int64_t first;  ///< segment
  std::int64_t last;   ///< segment; not of the block any more
  std::int64_t tiles;
};

/// How an image is cut into blocks.
struct Blocks {
  TileGrid grid;
  std::int64_t segments;   ///< of a block
  std::int64_t per_image;  ///< blocks

  Blocks(const Conv2dGeometry& g, std::int64_t most_tiles) : grid(g.out_h, g.out_w) {
    const std::int64_t most = std::max<std::int64_t>(1, most_tiles / widest());
    per_image = (grid.segments() + most - 1) / most;
    segments = (grid.segments() + per_image - 1) / per_image;
  }
  std::int64_t widest() const { return std::min(kSegment, grid.columns); }
  /// The most tiles that a block has.
  std::int64_t tiles() const { return segments * widest(); }
  Block operator[](std::int64_t index) const {
    const std::int64_t first = index % per_image * segments;
    const std::int64_t last = std::min(first + segments, grid.segments());
    return {index / per_image, first, last, grid.tiles_before(last) - grid.tiles_before(first)};
  }
  /// Calls `body(segment, tile)` with each segment of a block and the tile of the block that it
  /// begins with.
  template <class Body>
  void for_each_segment(const Block& block, const Body& body) const {
    std::int64_t tile = 0;
    for (std::int64_t index = block.first; index < block.last; ++index) {
      const Segment segment = grid.segment(index);
      body(segment, tile);
      tile += segment.tiles;
    }
  }
};

/// A matrix for each of the 36 points, one row per tile.
struct PointMatrices {
  std::int64_t row_stride;
  std::int64_t stride;  ///< from point to point
  Tensor<float, Cpu> values;

  // A cache line more than needed keeps rows and points, whose sizes are powers of two, out of each
  // other's cache sets.
  PointMatrices(std::int64_t rows, std::int64_t columns)
      : row_stride(columns + kLanes),
        stride(rows * row_stride + kLanes),
        values(Tensor<float, Cpu>::empty({kPoints * stride})) {}
  float* at(std::int64_t point, std::int64_t row, std::int64_t column) {
    return values.data() + point * stride + row * row_stride + column;
  }
};

/// Transforms the tiles of a block for 16 channels from `channel` on.
inline void transform_block(const Convolution& task, const Blocks& blocks, const Block& block,
                            std::int64_t channel, PointMatrices& v) {
  Scratch scratch;
  blocks.for_each_segment(block, [&](const Segment& segment, std::int64_t tile) {
    transform_tiles(task, block.image, channel, segment, scratch, v.at(0, tile, channel),
                    v.row_stride, v.stride);
  });
}

/// Transforms the products of a block back for 16 output channels from `channel` on, whose products
/// begin at `column`.
inline void finish_block(const Convolution& task, const Blocks& blocks, const Block& block,
                         std::int64_t channel, PointMatrices& m, std::int64_t column) {
  Scratch scratch;
  blocks.for_each_segment(block, [&](const Segment& segment, std::int64_t tile) {
    transform_products(task, block.image, channel, segment, scratch, m.at(0, tile, column),
                       m.row_stride, m.stride);
  });
}

/// For few filters, which are transformed first: each thread takes blocks of tiles of its own
/// through everything, in its own L2 cache.
inline void convolve_by_blocks(const Convolution& task) {
  constexpr std::int64_t kBlockElements = 1 << 18;  // of a block's matrices
  const Conv2dGeometry& g = task.g;
  const std::int64_t in = round_up(g.in_channels, kLanes);
  const std::int64_t out = round_up(g.out_channels, kPanel);
  const Blocks blocks(g, kBlockElements / (kPoints * (in + out)));
  PointMatrices u(1, g.in_channels * out);
  parallel_for(out / kPanel, 1, [&](std::int64_t panel, std::int64_t) {
    transform_filters(task.filters, panel * kPanel, g.out_channels - panel * kPanel, 0,
                      g.in_channels, u.at(0, 0, panel * kPanel * g.in_channels), u.stride);
  });
  parallel_for(g.batch * blocks.per_image, 1, [&](std::int64_t index, std::int64_t) {
    const Block block = blocks[index];
    PointMatrices v(blocks.tiles(), in);
    PointMatrices m(blocks.tiles(), out);
    for (std::int64_t c = 0; c < g.in_channels; c += kLanes) {
      transform_block(task, blocks, block, c, v);
    }
    for (std::int64_t point = 0; point < kPoints; ++point) {
      for (std::int64_t panel = 0; panel < out; panel += kPanel) {
        for (std::int64_t k = 0; k < g.in_channels; k += kDepth) {
          multiply_panel(block.tiles, std::min(kDepth, g.in_channels - k), v.at(point, 0, k),
                         v.row_stride, v.stride, u.at(point, 0, panel * g.in_channels + k * kPanel),
                         m.at(point, 0, panel), m.row_stride, k > 0);
        }
      }
    }
    for (std::int64_t c = 0; c < g.out_channels; c += kLanes) {
      finish_block(task, blocks, block, c, m, c);
    }
  });
}

/// For many filters, which would fit no cache: all threads transform the tiles of a block; then
/// each takes panels of 32 output channels, transforms their filters bit by bit where they are
/// used, multiplies all tiles with them, and transforms the products back.
inline void convolve_by_panels(const Convolution& task) {
  constexpr std::int64_t kMostTiles = 600;
  constexpr std::int64_t kManyTiles = 144;
  const Conv2dGeometry& g = task.g;
  const std::int64_t in = round_up(g.in_channels, kLanes);
  const std::int64_t panels = (g.out_channels + kPanel - 1) / kPanel;
  const Blocks blocks(g, kMostTiles);
  // The fewer filters at a time, the surer they are still in the cache when they are overwritten;
  // the more, the less often the products are loaded to be added to.
  const std::int64_t most_depth = blocks.tiles() > kManyTiles ? kDepth : kDepth / 2;
  PointMatrices v(blocks.tiles(), in);
  for (std::int64_t index = 0; index < g.batch * blocks.per_image; ++index) {
    const Block block = blocks[index];
    parallel_for(in / kLanes, 1, [&](std::int64_t group, std::int64_t) {
      transform_block(task, blocks, block, group * kLanes, v);
    });
    parallel_for(panels, 1, [&](std::int64_t panel, std::int64_t) {
      PointMatrices u(1, most_depth * kPanel);
      PointMatrices m(blocks.tiles(), kPanel);
      const std::int64_t o = panel * kPanel;
      for (std::int64_t k = 0; k < g.in_channels; k += most_depth) {
        const std::int64_t depth = std::min(most_depth, g.in_channels - k);
        transform_filters(task.filters, o, g.out_channels - o, k, depth, u.at(0, 0, 0), u.stride);
        for (std::int64_t point = 0; point < kPoints; ++point) {
          multiply_panel(block.tiles, depth, v.at(point, 0, k), v.row_stride, v.stride,
                         u.at(point, 0, 0), m.at(point, 0, 0), m.row_stride, k > 0);
        }
      }
      for (std::int64_t c = 0; c < std::min(kPanel, g.out_channels - o); c += kLanes) {
        finish_block(task, blocks, block, o + c, m, c);
      }
    });
  }
}

/// Winograd's algorithm for whatever winograd_applies() to.
inline void convolve(const Convolution& task) {
  // So many filters, transformed, leave a core's cache no room for the tiles. Measured for the
  // layers of VGG-19: see benchmarks/README.md.
  constexpr std::int64_t kManyFilters = 128 * 192;
  if (task.g.in_channels * task.g.out_channels < kManyFilters) {
    convolve_by_blocks(task);
  } else {
    convolve_by_panels(task);
  }
}

}  // namespace sfumato::cpu::avx512

#endif
