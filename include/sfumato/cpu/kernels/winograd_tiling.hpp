#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/core/division.hpp"
#include "sfumato/core/geometry.hpp"
#include "sfumato/cpu/kernels/shares.hpp"

/// How the kernels of Winograd's algorithm cut up what they compute.
namespace sfumato::cpu {

/// In which order the work of a convolution is done; see winograd.hpp.
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
  std::int64_t image;
  std::int64_t row;    ///< of tiles
  std::int64_t first;  ///< tile in the row
  std::int64_t tiles;
};

/// The tiles of a batch of images in segments, row by row, image by image.
struct TileGrid {
  std::int64_t images;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t longest;  ///< tiles of a segment

  /// Tiles of `output` × `output` results. A segment has 48 columns of results at most, so that its
  /// pixels of one vector of channels stay in the L1 cache while they are transformed, and begins
  /// at a whole 16-bit word of BitRows.
  TileGrid(const Conv2dGeometry& g, std::int64_t output)
      : images(g.batch), rows(ceil_div(g.out_h, output)), columns(ceil_div(g.out_w, output)) {
    const std::int64_t most = 48 / output;
    const std::int64_t unit = output == 4 ? 4 : 8;  // tiles whose columns are a multiple of 16
    const std::int64_t segments = ceil_div(columns, most);
    const std::int64_t even = ceil_div(columns, segments);
    longest = round_up(even, unit);
  }

  std::int64_t segments_per_row() const { return ceil_div(columns, longest); }
  std::int64_t segments() const { return images * rows * segments_per_row(); }
  Segment segment(std::int64_t index) const {
    const std::int64_t row = index / segments_per_row();
    const std::int64_t first = index % segments_per_row() * longest;
    return {row / rows, row % rows, first, std::min(longest, columns - first)};
  }
  /// How many tiles stand before a segment.
  std::int64_t tiles_before(std::int64_t index) const {
    return index / segments_per_row() * columns + index % segments_per_row() * longest;
  }
};

/// Some tiles that are taken through the algorithm together.
struct TileBlock {
  std::int64_t first;  ///< segment
  std::int64_t last;   ///< segment; not of the block any more
  std::int64_t tiles;
};

/// How a batch is cut into blocks. Small images share one, and so the work on the filters.
struct TileBlocks {
  TileGrid grid;
  std::int64_t segments;  ///< of a block
  std::int64_t count;     ///< of blocks

  /// Blocks of nearly equal size; where they are few, as many as there are threads or a multiple.
  TileBlocks(const TileGrid& tiles, std::int64_t most_tiles, std::int64_t threads) : grid(tiles) {
    const std::int64_t most = std::max<std::int64_t>(1, most_tiles / grid.longest);
    const std::int64_t blocks = ceil_div(grid.segments(), most);
    const std::int64_t shared = round_up(blocks, threads);
    segments = std::max<std::int64_t>(1, grid.segments() / shared);
    if (segments * shared < grid.segments()) ++segments;
    count = ceil_div(grid.segments(), segments);
  }
  /// The most tiles that a block has.
  std::int64_t tiles() const { return segments * grid.longest; }
  TileBlock operator[](std::int64_t index) const {
    const std::int64_t first = index * segments;
    return block_of(first, std::min(first + segments, grid.segments()));
  }
  /// The tiles of a part of a block, one of `parts`.
  TileBlock part(const TileBlock& block, std::int64_t index, std::int64_t parts) const {
    const Part segment_range(block.last - block.first, 1, index, parts);
    return block_of(block.first + segment_range.begin, block.first + segment_range.end);
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

 private:
  TileBlock block_of(std::int64_t first, std::int64_t last) const {
    return {first, last, grid.tiles_before(last) - grid.tiles_before(first)};
  }
};

/// What is fastest with vectors of `lanes` floats, measured for the layers of VGG-19: see
/// benchmarks/README.md.
inline WinogradPlan plan_winograd(const Conv2dGeometry& g, std::int64_t lanes) {
  // So many filters, transformed, leave a core's cache no room for the tiles.
  const bool many_filters = g.in_channels * g.out_channels >= 128 * 192;
  const auto tiles = [&](std::int64_t output) {
    return g.batch * ceil_div(g.out_h, output) * ceil_div(g.out_w, output);
  };
  // Larger tiles multiply less, but there are 64 instead of 36 products of filters to prepare,
  // which takes many tiles to pay, and rounding errors are twice as large, which matters most next
  // to the image.
  const bool avx512 = lanes == 16;
  if (avx512) {
    // Transforming a filter takes as long as multiplying it with so many tiles.
    constexpr std::int64_t kFilterTiles = 3;
    constexpr std::int64_t kEnoughTiles = 200;
    const bool less = 64 * (tiles(6) + kFilterTiles) < 36 * (tiles(4) + kFilterTiles);
    const std::int64_t output = less && (many_filters || tiles(6) >= kEnoughTiles) ? 6 : 4;
    if (many_filters) return {output, WinogradOrder::kPanels, output == 6 ? 192 : 600};
    // The processors that have it have caches of one or two mebibytes.
    const std::int64_t points = (output + 2) * (output + 2);
    return {output, WinogradOrder::kBlocks,
            (1 << 18) / (points * (g.in_channels + g.out_channels))};
  }
  const std::int64_t enough_tiles = many_filters ? 200 : 1000;
  const std::int64_t output = tiles(6) >= enough_tiles ? 6 : 4;
  if (many_filters) {
    // The transformed tiles stay in the cache that the cores share.
    constexpr std::int64_t kElements = 1 << 21;
    return {output, WinogradOrder::kPanels,
            kElements / ((output + 2) * (output + 2) * g.in_channels)};
  }
  return {output, WinogradOrder::kBlocks, 48};
}

}  // namespace sfumato::cpu
