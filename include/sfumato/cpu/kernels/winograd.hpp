// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_WINOGRAD) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_WINOGRAD
#undef SFUMATO_CPU_KERNELS_WINOGRAD
#else
#define SFUMATO_CPU_KERNELS_WINOGRAD
#endif

#include <algorithm>
#include <concepts>
#include <cstdint>

#include "sfumato/core/division.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/kernels/convolution_task.hpp"
#include "sfumato/cpu/kernels/gemm.hpp"
#include "sfumato/cpu/kernels/shares.hpp"
#include "sfumato/cpu/kernels/target.hpp"
#include "sfumato/cpu/kernels/tiles.hpp"
#include "sfumato/cpu/kernels/winograd_points.hpp"
#include "sfumato/cpu/kernels/winograd_tiling.hpp"
#include "sfumato/cpu/options.hpp"

/// The order in which Winograd's algorithm does its work, so that what is used again is still in a
/// cache. Tiles are taken through transform, products and back in blocks.
namespace sfumato::cpu::SFUMATO_NAMESPACE {

/// A matrix for each point, one row per tile.
template <class E>
struct PointMatrices {
  std::int64_t row_stride;
  std::int64_t stride;  ///< from point to point
  Tensor<E, Cpu> values;

  // A cache line more than needed keeps points, and long rows, whose sizes are powers of two, out
  // of each other's cache sets. Short rows would be much longer with it, and fit.
  PointMatrices(std::int64_t points, std::int64_t rows, std::int64_t columns)
      : row_stride(columns < 256 ? columns : columns + kLine * kPerLane<E>),
        stride(rows * row_stride + kLine * kPerLane<E>),
        values(Tensor<E, Cpu>::empty({points * stride})) {}
  E* at(std::int64_t point, std::int64_t row, std::int64_t column) {
    return values.data() + point * stride + row * row_stride + column;
  }
};

/// Transforms the tiles of a block for kLanes channels from `channel` on, to rows from `row` on.
template <int kOutput, class S, class E>
void transform_block(const Convolution<S>& task, const TileBlocks& blocks, const TileBlock& block,
                     std::int64_t channel, PointMatrices<E>& v, std::int64_t row = 0) {
  Scratch scratch;
  blocks.for_each_segment(block, [&](const Segment& segment, std::int64_t tile) {
    transform_tiles<kOutput>(task, channel, segment, scratch, v.at(0, row + tile, channel),
                             v.row_stride, v.stride);
  });
}

/// Transforms the products of a block back for kLanes output channels from `channel` on, whose
/// products begin at `column`.
template <int kOutput, class S>
void finish_block(const Convolution<S>& task, const TileBlocks& blocks, const TileBlock& block,
                  std::int64_t channel, PointMatrices<float>& m, std::int64_t column) {
  Scratch scratch;
  blocks.for_each_segment(block, [&](const Segment& segment, std::int64_t tile) {
    transform_products<kOutput>(task, channel, segment, scratch, m.at(0, tile, column),
                                m.row_stride, m.stride);
  });
}

/// For few filters, which are transformed first: each thread takes blocks of tiles of its own
/// through everything, in its own L2 cache.
template <int kOutput, class E, class S>
void convolve_by_blocks(const Convolution<S>& task, std::int64_t most_tiles) {
  constexpr int kProducts = WinogradPoints<kOutput>::kProducts;
  const Conv2dGeometry& g = task.g;
  const std::int64_t in = round_up(g.in_channels, kLanes);
  const std::int64_t out = round_up(g.out_channels, kPanel);
  const std::int64_t depth = round_up(g.in_channels, kPerLane<E>);
  const TileBlocks blocks(TileGrid(g, kOutput), most_tiles, thread_count());
  PointMatrices<E> u(kProducts, 1, depth * out);
  parallel_for(out / kPanel, 1, [&](std::int64_t panel, std::int64_t) {
    transform_filters<kOutput>(task.filters, panel * kPanel, g.out_channels - panel * kPanel, 0,
                               g.in_channels, u.at(0, 0, panel * kPanel * depth), u.stride);
  });
  parallel_for(blocks.count, 1, [&](std::int64_t index, std::int64_t) {
    const TileBlock block = blocks[index];
    PointMatrices<E> v(kProducts, blocks.tiles(), in);
    PointMatrices<float> m(kProducts, blocks.tiles(), round_up(g.out_channels, kLanes));
    for (std::int64_t c = 0; c < g.in_channels; c += kLanes) {
      transform_block<kOutput>(task, blocks, block, c, v);
    }
    for (std::int64_t point = 0; point < kProducts; ++point) {
      for (std::int64_t o = 0; o < g.out_channels; o += kTogether) {
        for (std::int64_t k = 0; k < depth; k += kDepth) {
          multiply_panels(block.tiles, std::min(kDepth, depth - k),
                          std::min(kTogether, g.out_channels - o), v.at(point, 0, k), v.row_stride,
                          u.at(point, 0, o * depth + k * kPanel), depth * kPanel, m.at(point, 0, o),
                          m.row_stride, k > 0, v.stride);
        }
      }
    }
    for (std::int64_t c = 0; c < g.out_channels; c += kLanes) {
      finish_block<kOutput>(task, blocks, block, c, m, c);
    }
  });
}

/// For many filters, which would fit no cache: all threads transform the tiles of a block; then
/// each takes panels of output channels, transforms their filters bit by bit where they are used,
/// multiplies all tiles with them, and transforms the products back. Where panels are few for the
/// threads, several take parts of the tiles, and each transforms the filters again.
template <int kOutput, class E, class S>
void convolve_by_panels(const Convolution<S>& task, std::int64_t most_tiles) {
  constexpr int kProducts = WinogradPoints<kOutput>::kProducts;
  constexpr std::int64_t kManyTiles = 144;
  const Conv2dGeometry& g = task.g;
  const std::int64_t in = round_up(g.in_channels, kLanes);
  const std::int64_t panels = ceil_div(g.out_channels, kTogether);
  const TileBlocks blocks(TileGrid(g, kOutput), most_tiles, 1);
  // The fewer filters at a time, the surer they are still in the cache when they are overwritten;
  // the more, the less often the products are loaded to be added to.
  const std::int64_t most_depth = blocks.tiles() > kManyTiles ? kDepth : kDepth / 2;
  PointMatrices<E> v(kProducts, blocks.tiles(), in);
  for (std::int64_t index = 0; index < blocks.count; ++index) {
    const TileBlock block = blocks[index];
    const auto for_each_part = [&](std::int64_t count, const auto& body) {
      const std::int64_t parts = parts_of_jobs(count, block.last - block.first);
      parallel_for(count * parts, 1, [&](std::int64_t job, std::int64_t) {
        const TileBlock part = blocks.part(block, job % parts, parts);
        body(job / parts, part,
             blocks.grid.tiles_before(part.first) - blocks.grid.tiles_before(block.first));
      });
    };
    for_each_part(in / kLanes, [&](std::int64_t group, const TileBlock& part, std::int64_t row) {
      transform_block<kOutput>(task, blocks, part, group * kLanes, v, row);
    });
    for_each_part(panels, [&](std::int64_t panel, const TileBlock& part, std::int64_t row) {
      PointMatrices<E> u(kProducts, 1, most_depth * kTogether);
      PointMatrices<float> m(kProducts, part.tiles, kTogether);
      const std::int64_t o = panel * kTogether;
      const std::int64_t columns = std::min(kTogether, g.out_channels - o);
      for (std::int64_t k = 0; k < g.in_channels; k += most_depth) {
        const std::int64_t channels = std::min(most_depth, g.in_channels - k);
        const std::int64_t depth = round_up(channels, kPerLane<E>);
        for (std::int64_t first = 0; first < columns; first += kPanel) {
          transform_filters<kOutput>(task.filters, o + first, columns - first, k, channels,
                                     u.at(0, 0, first * depth), u.stride);
        }
        for (std::int64_t point = 0; point < kProducts; ++point) {
          multiply_panels(part.tiles, depth, columns, v.at(point, row, k), v.row_stride,
                          u.at(point, 0, 0), depth * kPanel, m.at(point, 0, 0), m.row_stride, k > 0,
                          v.stride);
        }
      }
      for (std::int64_t c = 0; c < columns; c += kLanes) {
        finish_block<kOutput>(task, blocks, part, o + c, m, c);
      }
    });
  }
}

/// For whatever winograd_applies() to, with tiles and filters of elements E.
template <int kOutput, class E, class S>
void convolve_in_order(const Convolution<S>& task, const WinogradPlan& plan) {
  if (plan.order == WinogradOrder::kPanels) {
    convolve_by_panels<kOutput, E>(task, plan.most_tiles);
  } else {
    convolve_by_blocks<kOutput, E>(task, plan.most_tiles);
  }
}

/// Winograd's algorithm as planned; but gradients that are stored in bfloat16 are computed from
/// products of it where the target has them and many filters make them pay. They are 1.2 % away
/// then, which a descent does not notice: as features, on which losses depend, they would be too
/// coarse.
template <class S>
void convolve_by_winograd(const Convolution<S>& task, const WinogradPlan& plan) {
  if constexpr (kMultipliesBFloat16 && std::same_as<S, BFloat16>) {
    const bool many_filters = plan.order == WinogradOrder::kPanels;
    if (task.filters.turned && many_filters && !options().exact) {
      return convolve_in_order<4, BFloat16>(task, plan);
    }
  }
  plan.output == 6 ? convolve_in_order<6, float>(task, plan)
                   : convolve_in_order<4, float>(task, plan);
}

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
