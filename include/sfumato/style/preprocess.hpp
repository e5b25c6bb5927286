#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"

namespace sfumato::style {

/// The mean of the red, green and blue of ImageNet's photographs in [0, 1], with which
/// torchvision's networks were trained.
inline constexpr std::array<double, 3> kImageNetMean{0.485, 0.456, 0.406};
/// Their standard deviation.
inline constexpr std::array<double, 3> kImageNetDeviation{0.229, 0.224, 0.225};
/// The same mean of levels from 0 to 255 as Caffe's networks have it.
inline constexpr std::array<double, 3> kCaffeMean{123.68, 116.779, 103.939};

/// Pixels (height, width, 3) of 8 bits as what the network expects: scaled to [0, 1], minus the
/// mean, over the deviation, shape (1, 3, height, width). Throws ShapeError for other pixels.
template <class T, class Device = Cpu>
Tensor<T, Device> normalize(const Tensor<std::uint8_t>& pixels) {
  if (pixels.rank() != 3 || pixels.shape()[2] != 3) {
    throw ShapeError(message("normalize: pixels ", pixels.shape(), " must be (height, width, 3)"));
  }
  const auto plane = static_cast<std::size_t>(pixels.shape()[0] * pixels.shape()[1]);
  auto image = Tensor<T>::empty({1, 3, pixels.shape()[0], pixels.shape()[1]});
  const std::uint8_t* const source = pixels.data();
  T* const values = image.data();
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const double value = static_cast<double>(source[i * 3 + c]) / 255.0;
      values[c * plane + i] = static_cast<T>((value - kImageNetMean[c]) / kImageNetDeviation[c]);
    }
  }
  return image.template to<Device>();
}

/// How a value between two of 8 bits becomes one of them.
enum class Rounding {
  kNearest,
  kDown,  ///< cut off, darker by half a level on average: as torchvision and matplotlib do it
};

/// The inverse of normalize: clipped to [0, 1], rounded to 8 bits, shape (height, width, 3).
/// Throws ShapeError unless the image is (1, 3, height, width).
template <class T, class Device>
Tensor<std::uint8_t> denormalize(const Tensor<T, Device>& image,
                                 Rounding rounding = Rounding::kNearest) {
  if (image.rank() != 4 || image.shape()[0] != 1 || image.shape()[1] != 3) {
    throw ShapeError(
        message("denormalize: image ", image.shape(), " must be (1, 3, height, width)"));
  }
  const auto plane = static_cast<std::size_t>(image.shape()[2] * image.shape()[3]);
  const Tensor<T> there = image.template to<Cpu>();
  const T* const values = there.data();
  auto painted = Tensor<std::uint8_t>::empty({image.shape()[2], image.shape()[3], 3});
  std::uint8_t* const pixels = painted.data();
  // Each step is rounded to T, as where other programs cut off, a last bit decides about a level.
  const auto as_t = [](double value) { return static_cast<double>(static_cast<T>(value)); };
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const double scaled =
          as_t(static_cast<double>(values[c * plane + i]) * as_t(kImageNetDeviation[c]));
      const double value = as_t(scaled + as_t(kImageNetMean[c]));
      // NaN compares false and becomes black, rather than anything at all.
      const double level = as_t((value > 0.0 ? std::min(value, 1.0) : 0.0) * 255.0);
      pixels[i * 3 + c] = static_cast<std::uint8_t>(
          rounding == Rounding::kNearest ? std::lround(level) : static_cast<long>(level));
    }
  }
  return painted;
}

}  // namespace sfumato::style
