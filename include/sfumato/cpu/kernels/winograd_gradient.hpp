// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_WINOGRAD_GRADIENT) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_WINOGRAD_GRADIENT
#undef SFUMATO_CPU_KERNELS_WINOGRAD_GRADIENT
#else
#define SFUMATO_CPU_KERNELS_WINOGRAD_GRADIENT
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sfumato/core/division.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/kernels/convolution_task.hpp"
#include "sfumato/cpu/kernels/gemm.hpp"
#include "sfumato/cpu/kernels/target.hpp"
#include "sfumato/cpu/kernels/tiles.hpp"
#include "sfumato/cpu/kernels/winograd.hpp"
#include "sfumato/cpu/kernels/winograd_points.hpp"
#include "sfumato/cpu/kernels/winograd_tiling.hpp"
#include "sfumato/cpu/kernels/winograd_transforms.hpp"

/// The gradient with respect to filters by Winograd's algorithm: as its results are linear in the
/// transformed filters, the gradient with respect to these is, at each point, a product of the
/// transformed tiles of the input and of the outputs' gradient, and goes back through Gᵀ.
namespace sfumato::cpu::SFUMATO_NAMESPACE {

/// Gᵀ u G for kLanes filters, `count` of which there are: to the nine weights of each, or added to
/// them.
template <int kOutput>
SFUMATO_TARGET inline void finish_filters(const float* u, std::int64_t point_stride,
                                          std::int64_t count, bool accumulate, float* dweight) {
  constexpr int kInput = WinogradPoints<kOutput>::kInput;
  Vector half[std::size_t{kInput}][3];
#pragma GCC unroll 8
  for (int i = 0; i < kInput; ++i) {
    Vector values[std::size_t{kInput}];
#pragma GCC unroll 8
    for (int j = 0; j < kInput; ++j) values[j] = load(u + (i * kInput + j) * point_stride);
    transform_filter_gradient<kOutput>(values, half[i]);
  }
  alignas(64) float taps[9][kLanes];
#pragma GCC unroll 3
  for (int j = 0; j < 3; ++j) {
    Vector column[std::size_t{kInput}];
#pragma GCC unroll 8
    for (int i = 0; i < kInput; ++i) column[i] = half[i][j];
    Vector g[3];
    transform_filter_gradient<kOutput>(column, g);
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) store(taps[3 * i + j], g[i]);
  }
  for (std::int64_t lane = 0; lane < count; ++lane) {
    for (int tap = 0; tap < 9; ++tap) {
      float& weight = dweight[lane * 9 + tap];
      weight = taps[tap][lane] + (accumulate ? weight : 0.0F);
    }
  }
}

/// dweight from x and dy, where winograd_applies().
inline void weight_gradient_by_winograd(const Conv2dGeometry& g, const float* x, const float* dy,
                                        float* dweight) {
  constexpr int kOutput = 4;
  constexpr int kProducts = WinogradPoints<kOutput>::kProducts;
  constexpr std::int64_t kOuts = 32;               // output channels of a job
  constexpr std::int64_t kMostTiles = 256;         // of a panel that fits the L1 cache
  constexpr std::int64_t kMostElements = 1 << 21;  // of all tiles, for the caches behind it
  Conv2dGeometry of_dy = g;
  of_dy.in_channels = g.out_channels;
  of_dy.in_h = g.out_h;
  of_dy.in_w = g.out_w;
  of_dy.padding_h = of_dy.padding_w = 0;
  const Convolution<float> inputs{.g = g, .x = x, .filters = {}, .y = nullptr};
  const Convolution<float> gradients{.g = of_dy, .x = dy, .filters = {}, .y = nullptr};
  const std::int64_t panels = ceil_div(g.in_channels, kPanel);
  const std::int64_t in_groups = panels * kPanel / kLanes;
  const std::int64_t out_groups = ceil_div(g.out_channels, kLanes);
  const std::int64_t out_blocks = ceil_div(g.out_channels, kOuts);
  const std::int64_t most_tiles =
      std::min(kMostTiles, kMostElements / (kProducts * (g.in_channels + g.out_channels)));
  const TileBlocks blocks(TileGrid(g, kOutput), most_tiles, 1);
  const std::int64_t tiles = blocks.tiles();
  PointMatrices<float> v(kProducts, panels * tiles, kPanel);
  PointMatrices<float> dm(kProducts, tiles, out_groups * kLanes);
  for (std::int64_t index = 0; index < blocks.count; ++index) {
    const TileBlock block = blocks[index];
    parallel_for(in_groups + out_groups, 1, [&](std::int64_t group, std::int64_t) {
      Scratch scratch;
      blocks.for_each_segment(block, [&](const Segment& segment, std::int64_t tile) {
        if (group < in_groups) {
          const std::int64_t channel = group * kLanes;
          transform_tiles<kOutput>(inputs, channel, segment, scratch,
                                   v.at(0, channel / kPanel * tiles + tile, channel % kPanel),
                                   v.row_stride, v.stride);
        } else {
          const std::int64_t channel = (group - in_groups) * kLanes;
          transform_tiles<kOutput, TilesOf::kGradient>(gradients, channel, segment, scratch,
                                                       dm.at(0, tile, channel), dm.row_stride,
                                                       dm.stride);
        }
      });
    });
    parallel_for(panels * out_blocks, 1, [&](std::int64_t job, std::int64_t) {
      PointMatrices<float> du(kProducts, kOuts, kPanel);
      const std::int64_t panel = job / out_blocks;
      const std::int64_t out = job % out_blocks * kOuts;
      const std::int64_t outs = std::min(kOuts, g.out_channels - out);
      const std::int64_t ins = std::min(kPanel, g.in_channels - panel * kPanel);
      const auto multiply = ins > kLanes ? multiply_rows<Left::kColumns, 2, float>
                                         : multiply_rows<Left::kColumns, 1, float>;
      for (std::int64_t point = 0; point < kProducts; ++point) {
        for (std::int64_t row = 0; row < outs;) {
          const std::int64_t rows = next_tile(outs - row);
          multiply(rows, block.tiles, dm.at(point, 0, out + row), dm.row_stride,
                   v.at(point, panel * tiles, 0), du.at(point, row, 0), du.row_stride, false, 0);
          row += rows;
        }
      }
      for (std::int64_t in = 0; in < ins; in += kLanes) {
        for (std::int64_t row = 0; row < outs; ++row) {
          finish_filters<kOutput>(
              du.at(0, row, in), du.stride, std::min(kLanes, ins - in), index > 0,
              dweight + ((out + row) * g.in_channels + panel * kPanel + in) * 9);
        }
      }
    });
  }
}

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
