#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/division.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/ops/padding.hpp"

namespace sfumato::style {

/// What the objective sees of a picture whose sides the network can't halve at every pooling, as
/// 16 for four of them. Each leaves out the last row or column of what it can't halve, so that the
/// deep layers don't see up to 15 pixels at the right and below; left to the first layers alone,
/// these become coloured strips.
enum class Borders {
  kExtend,  ///< the picture continued by reflection to the next multiples: no strips
  kPlain,   ///< the picture as it is
};

/// The least multiple of `pixel` that is not less than a side.
inline std::int64_t extended_side(std::int64_t side, std::int64_t pixel) {
  return round_up(side, pixel);
}

/// True where extend_borders() has something to do for images (n, c, h, w).
inline bool needs_extension(const Shape& shape, std::int64_t pixel) {
  return shape[2] % pixel != 0 || shape[3] % pixel != 0;
}

/// Images (n, c, h, w) continued to the right and below by reflection, until their sides are
/// multiples of `pixel`. Throws ShapeError for anything but images, or empty ones.
template <class T, class Device>
Variable<T, Device> extend_borders(const Variable<T, Device>& image, std::int64_t pixel) {
  if (image.rank() != 4 || image.numel() == 0) {
    throw ShapeError(message("extend_borders: ", image.shape(),
                             " must be images (n, c, h, w), none of them empty"));
  }
  Variable<T, Device> extended = image;
  for (const int axis : {2, 3}) {
    const std::int64_t side = extended_side(image.shape()[axis], pixel);
    while (extended.shape()[axis] < side) {
      // A mirror shows no more than there is: narrow pictures are reflected several times.
      const std::int64_t now = extended.shape()[axis];
      extended = now == 1 ? ops::pad(extended, axis, 0, side - 1, ops::PaddingMode::kReplicate)
                          : ops::pad(extended, axis, 0, std::min(side - now, now - 1),
                                     ops::PaddingMode::kReflect);
    }
  }
  return extended;
}

/// The top left corner (n, c, height, width) of images: what extend_borders() was given.
template <class T, class Device>
Variable<T, Device> crop_borders(const Variable<T, Device>& image, std::int64_t height,
                                 std::int64_t width) {
  return ops::slice(ops::slice(image, 2, {.stop = height}), 3, {.stop = width});
}

}  // namespace sfumato::style
