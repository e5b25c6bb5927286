#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/division.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/ops/layout.hpp"

/// Pictures that are looked at in parts, where the features of the whole would not fit into memory.
namespace sfumato::style {

/// The rows or columns of a tile, from `begin` to before `end`, and those around them that have a
/// part in their features: from `seen_begin` to before `seen_end`. The whole has `of`.
struct TileSpan {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t seen_begin = 0;
  std::int64_t seen_end = 0;
  std::int64_t of = 0;

  std::int64_t size() const { return end - begin; }
  std::int64_t seen() const { return seen_end - seen_begin; }
  /// The same in a layer of which one value stands for `stride` pixels.
  TileSpan over(std::int64_t stride) const {
    return {begin / stride, end / stride, seen_begin / stride, seen_end / stride, of / stride};
  }
  /// The same with at most so many around it.
  TileSpan within(std::int64_t halo) const {
    return {begin, end, std::max(seen_begin, begin - halo), std::min(seen_end, end + halo), of};
  }
};

/// One of the tiles that a picture, or a layer's features, are cut into. Without others it is all.
struct Tile {
  std::size_t number = 0;
  TileSpan rows;
  TileSpan columns;
  std::int64_t top = 0;  ///< the row of the whole that is the first here: see TileStrip

  /// All of images or features (n, c, h, w).
  static Tile whole(const Shape& shape) {
    return {0, {0, shape[2], 0, shape[2], shape[2]}, {0, shape[3], 0, shape[3], shape[3]}};
  }
  Tile over(std::int64_t stride) const {
    return {number, rows.over(stride), columns.over(stride), top / stride};
  }
  Tile within(std::int64_t halo) const {
    return {number, rows.within(halo), columns.within(halo), top};
  }
  /// Of the positions of the whole.
  double share() const {
    return static_cast<double>(rows.size()) * static_cast<double>(columns.size()) /
           (static_cast<double>(rows.of) * static_cast<double>(columns.of));
  }
};

/// The rows of a picture that are here, where the others are elsewhere.
struct TileStrip {
  std::int64_t top = 0;    ///< the row of the whole that is the first here
  std::int64_t begin = 0;  ///< tiles are computed here that begin in this row of the whole …
  std::int64_t end = 0;    ///< … up to before this one; 0: the whole is here
  std::int64_t of = 0;     ///< rows of the whole

  bool is_whole() const { return end == 0; }
};

/// Behind a layer no more than so many pixels around a tile are computed along.
struct TileHalo {
  std::size_t layer = 0;
  std::int64_t pixels = 0;
};

/// How pictures are cut into tiles, so that some layers of a network see in each what they see in
/// the whole picture.
struct TileCut {
  std::int64_t side = 0;   ///< of a tile at most, but for what is left of a `pixel`; 0: no tiles
  std::int64_t halo = 0;   ///< pixels around a tile that are computed along
  std::int64_t pixel = 1;  ///< what sides are multiples of
  TileStrip strip = {};    ///< what is here of a picture
  std::vector<TileHalo> narrower = {};  ///< halos of the layers to come, which reach less far
};

namespace detail {

/// The side of a picture in spans of about equal size.
inline std::vector<TileSpan> cut_side(std::int64_t side, const TileCut& cut) {
  const std::int64_t units = std::max<std::int64_t>(1, side / cut.pixel);
  const std::int64_t count =
      cut.side == 0 ? 1 : ceil_div(units, std::max<std::int64_t>(1, cut.side / cut.pixel));
  std::vector<TileSpan> spans;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = units * i / count * cut.pixel;
    const std::int64_t end = i + 1 == count ? side : units * (i + 1) / count * cut.pixel;
    spans.push_back({begin, end, std::max<std::int64_t>(0, begin - cut.halo),
                     std::min(side, end + cut.halo), side});
  }
  return spans;
}

/// A part of images or features (n, c, h, w).
inline ops::detail::Window tile_window(const Shape& whole, std::int64_t top, std::int64_t height,
                                       std::int64_t left, std::int64_t width) {
  ops::detail::Window window{whole.with(2, height).with(3, width), whole, 0,
                             row_major_strides(whole)};
  window.offset = top * window.strides[2] + left * window.strides[3];
  return window;
}

/// What is seen for a tile of images (n, c, h, w).
inline ops::detail::Window seen_window(const Shape& whole, const Tile& tile) {
  return tile_window(whole, tile.rows.seen_begin - tile.top, tile.rows.seen(),
                     tile.columns.seen_begin, tile.columns.seen());
}

/// What is a tile's own of images or features (n, c, h, w).
inline ops::detail::Window own_window(const Shape& whole, const Tile& tile) {
  return tile_window(whole, tile.rows.begin - tile.top, tile.rows.size(), tile.columns.begin,
                     tile.columns.size());
}

/// Of features (n, c, h, w), seen for a tile, those seen for it with a halo of at most so much.
template <class T, class Device>
Variable<T, Device> with_halo(const char* op, const Variable<T, Device>& seen, const Tile& tile,
                              std::int64_t halo) {
  const auto& [number, rows, columns, top] = tile.within(halo);
  if (seen.size(2) == rows.seen() && seen.size(3) == columns.seen()) return seen;
  return ops::detail::read_window(
      op, seen,
      tile_window(seen.shape(), rows.seen_begin - tile.rows.seen_begin, rows.seen(),
                  columns.seen_begin - tile.columns.seen_begin, columns.seen()));
}

}  // namespace detail

/// The tiles of images (n, c, h, w), row by row. Inside a picture they have a halo all around; at
/// its own edges they have none, so that a network sees there what it sees in the whole. Of a
/// strip, those that are computed here, whose numbers begin with 0, too.
inline std::vector<Tile> tiles_of(const Shape& image, const TileCut& cut) {
  std::vector<Tile> tiles;
  const TileStrip& strip = cut.strip;
  for (const TileSpan& rows : detail::cut_side(strip.is_whole() ? image[2] : strip.of, cut)) {
    if (!strip.is_whole() && (rows.begin < strip.begin || rows.begin >= strip.end)) continue;
    for (const TileSpan& columns : detail::cut_side(image[3], cut)) {
      tiles.push_back({tiles.size(), rows, columns, strip.top});
    }
  }
  return tiles;
}

/// A cut into tiles of at most `side` pixels, in which these layers see what they see in the whole
/// picture: with a halo as wide as they reach. Throws ValueError for a negative side, and for a
/// network without `reach(layer)`, which says that.
template <class Network>
TileCut tile_cut(const Network& network, const std::vector<std::string>& layers,
                 std::int64_t side) {
  if (side < 0) throw ValueError(message("style transfer: tiles of ", side, " pixels"));
  if (side == 0) return {};
  if constexpr (requires { network.reach(std::size_t{}); }) {
    TileCut cut{side, 1, 2};
    std::size_t deepest = 0;
    for (const std::string& name : layers) {
      const std::size_t layer = network.layer_index(name);
      deepest = std::max(deepest, layer);
      cut.halo = std::max(cut.halo, network.reach(layer));
      cut.pixel = std::max(cut.pixel, network.stride(layer));
    }
    const std::int64_t reach = cut.halo;
    std::vector<TileHalo> halos{{0, reach}};  // of the picture first
    for (std::size_t layer = 1; layer < deepest; ++layer) {
      const std::int64_t stride = network.stride(layer);
      if (stride == network.stride(layer - 1)) continue;
      const std::int64_t needed = reach - network.reach(layer);
      // A value less on each side is not worth a copy of the features.
      if (halos.back().pixels - needed > stride) halos.push_back({layer, needed});
    }
    // Each in whole values of the layer behind which it ends.
    std::int64_t unit = cut.pixel;
    std::int64_t halo = 0;
    for (std::size_t i = halos.size(); i-- > 0;) {
      halo = halos[i].pixels = std::max(halo, round_up(halos[i].pixels, unit));
      unit = network.stride(halos[i].layer);
    }
    cut.halo = halo;
    cut.narrower.assign(halos.begin() + 1, halos.end());
    return cut;
  } else {
    throw ValueError(
        "style transfer: this network does not say how far its layers reach; paint without tiles");
  }
}

/// A tile's own of what was seen for it, without what is around: features (n, c, h', w').
template <class T, class Device>
Variable<T, Device> inner(const Variable<T, Device>& seen, const Tile& tile) {
  return detail::with_halo("inner", seen, tile, 0);
}

/// A tile's own of the whole (n, c, h, w), or of the strip of it that is here.
template <class T, class Device>
Variable<T, Device> part_of(const Variable<T, Device>& whole, const Tile& tile) {
  if (tile.rows.size() == tile.rows.of && tile.columns.size() == tile.columns.of) return whole;
  return ops::detail::read_window("part_of", whole, detail::own_window(whole.shape(), tile));
}

}  // namespace sfumato::style
