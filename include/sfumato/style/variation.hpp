#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/losses/total_variation.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/difference.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/padding.hpp"
#include "sfumato/ops/sum.hpp"
#include "sfumato/style/options.hpp"
#include "sfumato/style/pixels.hpp"
#include "sfumato/style/term.hpp"
#include "sfumato/style/tiles.hpp"

namespace sfumato::style::detail {

/// What a tile adds to a picture's variation: of the pairs of neighbours whose first is in it.
/// `seen` begins where the tile does, and has the next row and column, if there is one.
template <class T, class Device>
Variable<T, Device> variation_of_tile(Variation variation, const Variable<T, Device>& seen,
                                      const Tile& tile) {
  const auto down = ops::diff(ops::slice(seen, 3, {.stop = tile.columns.size()}), 2);
  const auto right = ops::diff(ops::slice(seen, 2, {.stop = tile.rows.size()}), 3);
  const auto height = static_cast<T>(tile.rows.of);
  const auto width = static_cast<T>(tile.columns.of);
  const auto channels = static_cast<T>(seen.size(0) * seen.size(1));
  if (variation == Variation::kSum) return ops::sum(ops::abs(down)) + ops::sum(ops::abs(right));
  if (variation == Variation::kMean) {
    return (ops::sum(ops::abs(down)) / ((height - T{1}) * width) +
            ops::sum(ops::abs(right)) / (height * (width - T{1}))) /
           (T{2} * channels);
  }
  // Across, beyond the edge is the edge; straight, that adds nothing.
  const auto at_begin = [](const TileSpan& span) { return std::int64_t{span.begin == 0}; };
  const auto at_end = [](const TileSpan& span) { return std::int64_t{span.end == span.of}; };
  const auto padded = ops::pad(
      seen, {at_begin(tile.columns), at_end(tile.columns), at_begin(tile.rows), at_end(tile.rows)},
      ops::PaddingMode::kReplicate);
  const auto corner = [&](const ops::Range& rows, const ops::Range& columns) {
    return ops::slice(ops::slice(padded, 2, rows), 3, columns);
  };
  const ops::Range first{.stop = -1};
  const ops::Range last{.start = 1};
  const auto squares = [](const auto& x) { return ops::sum(ops::square(x)); };
  const auto across = squares(corner(last, last) - corner(first, first)) +
                      squares(corner(last, first) - corner(first, last));
  return (squares(down) + squares(right)) * (T{2} / T{3}) / (height * width * channels) +
         across / T{6} / ((height + T{1}) * (width + T{1}) * channels);
}

/// The sums of a picture's smoothness, with what it needs made once and not in every iteration.
template <class T, class Device>
typename Term<T, Device>::Sums variation_sums(Variation variation) {
  const PixelScale<T, Device> scale(variation == Variation::kSum         ? Pixels::kLevels
                                    : variation == Variation::kNinePoint ? Pixels::kUnit
                                                                         : Pixels::kNormalized);
  return [variation, scale](const Variable<T, Device>& seen, const Tile& tile) {
    const auto image = scale.pixels(seen);
    const bool whole = tile.rows.size() == tile.rows.of && tile.columns.size() == tile.columns.of;
    if (whole && variation == Variation::kSum) return losses::total_variation_sum(image);
    if (whole && variation == Variation::kNinePoint) return losses::nine_point_variation(image);
    if (whole) return losses::total_variation_loss(image);
    const auto with_next = [](const TileSpan& span) {
      return ops::Range{.start = span.begin - span.seen_begin,
                        .stop = std::min(span.end + 1, span.of) - span.seen_begin};
    };
    return variation_of_tile(
        variation,
        ops::slice(ops::slice(image, 2, with_next(tile.rows)), 3, with_next(tile.columns)), tile);
  };
}

}  // namespace sfumato::style::detail
