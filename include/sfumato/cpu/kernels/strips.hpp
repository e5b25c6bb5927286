#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/core/division.hpp"
#include "sfumato/core/geometry.hpp"

namespace sfumato::cpu {

/// Some rows of the output of an image.
struct Strip {
  std::int64_t image;
  std::int64_t first;
  std::int64_t rows;
};

/// How a batch is cut into strips, so that what each sees of its image, with a row above and one
/// below, stays in a cache.
struct Strips {
  std::int64_t rows;       ///< of a strip
  std::int64_t per_image;  ///< strips

  /// Strips of at most `most_elements`, `row_elements` to a row; as many to an image as there are
  /// threads or a multiple.
  Strips(const Conv2dGeometry& g, std::int64_t row_elements, std::int64_t most_elements,
         std::int64_t threads) {
    const std::int64_t most = std::max<std::int64_t>(1, most_elements / row_elements - 2);
    const std::int64_t strips = ceil_div(g.out_h, most);
    const std::int64_t shared = round_up(strips, threads);
    rows = ceil_div(g.out_h, shared);
    per_image = ceil_div(g.out_h, rows);
  }
  Strip strip(const Conv2dGeometry& g, std::int64_t index) const {
    const std::int64_t first = index % per_image * rows;
    return {index / per_image, first, std::min(rows, g.out_h - first)};
  }
};

}  // namespace sfumato::cpu
