#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"

namespace sfumato::style {

/// The colours (height, width, 3) and the opacity (height, width, 1) of pixels
/// (height, width, 4). What can't be seen at all gets the mean colour of what can, so that no
/// colour of nothing gets into what is painted beside it. Throws ShapeError for other pixels.
inline std::pair<Tensor<std::uint8_t>, Tensor<std::uint8_t>> split_opacity(
    const Tensor<std::uint8_t>& pixels) {
  if (pixels.rank() != 3 || pixels.shape()[2] != 4 || pixels.numel() == 0) {
    throw ShapeError(
        message("split_opacity: pixels ", pixels.shape(), " must be (height, width, 4)"));
  }
  const std::int64_t height = pixels.shape()[0];
  const std::int64_t width = pixels.shape()[1];
  auto colors = Tensor<std::uint8_t>::empty({height, width, 3});
  auto opacity = Tensor<std::uint8_t>::empty({height, width, 1});
  std::array<double, 3> sums{};
  double seen = 0.0;
  for (std::int64_t i = 0; i < height * width; ++i) {
    const std::uint8_t* const pixel = pixels.data() + 4 * i;
    for (std::size_t c = 0; c < 3; ++c) sums[c] += double(pixel[c]) * pixel[3];
    seen += pixel[3];
  }
  for (std::int64_t i = 0; i < height * width; ++i) {
    const std::uint8_t* const pixel = pixels.data() + 4 * i;
    opacity.data()[i] = pixel[3];
    for (std::size_t c = 0; c < 3; ++c) {
      const double mean = seen > 0.0 ? sums[c] / seen : 255.0;
      colors.data()[3 * i + static_cast<std::int64_t>(c)] =
          pixel[3] > 0 ? pixel[c] : static_cast<std::uint8_t>(mean + 0.5);
    }
  }
  return {colors, opacity};
}

/// A picture (height, width, 3) with an opacity (height, width, 1): (height, width, 4). Throws
/// ShapeError for what does not fit.
inline Tensor<std::uint8_t> with_opacity(const Tensor<std::uint8_t>& picture,
                                         const Tensor<std::uint8_t>& opacity) {
  if (picture.rank() != 3 || picture.shape()[2] != 3 ||
      opacity.shape() != Shape{picture.shape()[0], picture.shape()[1], 1}) {
    throw ShapeError(message("with_opacity: a picture ", picture.shape(), " and an opacity ",
                             opacity.shape(), " must be (h, w, 3) and (h, w, 1)"));
  }
  auto pixels = Tensor<std::uint8_t>::empty({picture.shape()[0], picture.shape()[1], 4});
  for (std::int64_t i = 0; i < opacity.numel(); ++i) {
    for (std::int64_t c = 0; c < 3; ++c) pixels.data()[4 * i + c] = picture.data()[3 * i + c];
    pixels.data()[4 * i + 3] = opacity.data()[i];
  }
  return pixels;
}

}  // namespace sfumato::style
