#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/core/geometry.hpp"

/// How the vector kernels of Winograd's algorithm are told what to compute, and how they cut it up.
namespace sfumato::cpu {

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

/// In which order the work of a convolution is done; see vectors/winograd.inc.
enum class WinogradOrder {
  kBlocks,  ///< all filters are transformed first; each thread takes blocks of tiles through all
  kPanels,  ///< all threads share the tiles of a block; each transforms the filters it uses
};

struct WinogradPlan {
  std::int64_t output;  ///< 4 or 6: results of a tile, per dimension
  WinogradOrder order;
  std::int64_t most_tiles;  ///< of a block
};

/// Some neighbouring tiles of a row of tiles.
struct Segment {
  std::int64_t row;    ///< of tiles
  std::int64_t first;  ///< tile in the row
  std::int64_t tiles;
};

/// The tiles of an image in segments, row by row.
struct TileGrid {
  std::int64_t longest;  ///< tiles of a segment
  std::int64_t rows;
  std::int64_t columns;

  /// Tiles of `output` × `output` results. A segment has 48 columns of results at most, so that its
  /// pixels of one vector of channels stay in the L1 cache while they are transformed.
  TileGrid(std::int64_t out_h, std::int64_t out_w, std::int64_t output)
      : longest(48 / output),
        rows((out_h + output - 1) / output),
        columns((out_w + output - 1) / output) {}

  std::int64_t segments_per_row() const { return (columns + longest - 1) / longest; }
  std::int64_t segments() const { return rows * segments_per_row(); }
  Segment segment(std::int64_t index) const {
    const std::int64_t first = index % segments_per_row() * longest;
    return {index / segments_per_row(), first, std::min(longest, columns - first)};
  }
  /// How many tiles stand before a segment.
  std::int64_t tiles_before(std::int64_t index) const {
    return index / segments_per_row() * columns + index % segments_per_row() * longest;
  }
};

/// Some tiles of an image that are taken through the algorithm together.
struct TileBlock {
  std::int64_t image;
  std::int64_t first;  ///< segment
  std::int64_t last;   ///< segment; not of the block any more
  std::int64_t tiles;
};

/// How an image is cut into blocks.
struct TileBlocks {
  TileGrid grid;
  std::int64_t segments;   ///< of a block
  std::int64_t per_image;  ///< blocks

  TileBlocks(const TileGrid& tiles, std::int64_t most_tiles) : grid(tiles) {
    const std::int64_t most = std::max<std::int64_t>(1, most_tiles / widest());
    per_image = (grid.segments() + most - 1) / most;
    segments = (grid.segments() + per_image - 1) / per_image;
  }
  std::int64_t widest() const { return std::min(grid.longest, grid.columns); }
  /// The most tiles that a block has.
  std::int64_t tiles() const { return segments * widest(); }
  TileBlock operator[](std::int64_t index) const {
    const std::int64_t first = index % per_image * segments;
    const std::int64_t last = std::min(first + segments, grid.segments());
    return {index / per_image, first, last, grid.tiles_before(last) - grid.tiles_before(first)};
  }
  /// Calls `body(segment, tile)` with each segment of a block and the tile of the block that it
  /// begins with.
  template <class Body>
  void for_each_segment(const TileBlock& block, const Body& body) const {
    std::int64_t tile = 0;
    for (std::int64_t index = block.first; index < block.last; ++index) {
      const Segment segment = grid.segment(index);
      body(segment, tile);
      tile += segment.tiles;
    }
  }
};

/// What is fastest; benchmarks/README.md has the measurements for the layers of VGG-19.
inline WinogradPlan plan_winograd(const Conv2dGeometry& g) {
  // So many filters, transformed, leave a core's cache no room for the tiles.
  constexpr std::int64_t kManyFilters = 128 * 192;
  if (g.in_channels * g.out_channels < kManyFilters) {
    return {4, WinogradOrder::kBlocks, (1 << 18) / (36 * (g.in_channels + g.out_channels))};
  }
  return {4, WinogradOrder::kPanels, 600};
}

}  // namespace sfumato::cpu
