#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"

/// Resizing as OpenCV's, and so MXNet's, default does it: bilinear between the four nearest pixels,
/// without antialiasing, which leaves much reduced pictures rough.
namespace sfumato::io {

namespace detail {

inline constexpr std::int32_t kOpenCvOne = 2048;  // the sum of two weights, in fixed point

/// Two neighbouring pixels, perhaps the same one, and their weights.
struct BilinearPixel {
  std::int64_t low;
  std::int64_t high;
  std::int32_t low_weight;
  std::int32_t high_weight;
};

inline std::vector<BilinearPixel> bilinear_plan(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  std::vector<BilinearPixel> plan;
  for (std::int64_t i = 0; i < to; ++i) {
    const auto centre = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
    auto low = static_cast<std::int64_t>(std::floor(centre));
    float fraction = centre - static_cast<float>(low);
    if (low < 0 || low + 1 >= from) {
      low = std::clamp<std::int64_t>(low, 0, from - 1);
      fraction = 0.0F;
    }
    const auto fixed = [](float weight) {  // a half to the even number
      return static_cast<std::int32_t>(std::nearbyint(weight * static_cast<float>(kOpenCvOne)));
    };
    plan.push_back({low, std::min(low + 1, from - 1), fixed(1.0F - fraction), fixed(fraction)});
  }
  return plan;
}

}  // namespace detail

/// An image (height, width, channels) of 8 bits at another size, to the bit as OpenCV's
/// INTER_LINEAR makes it. Throws ShapeError for other shapes and ValueError for sizes below 1.
inline Tensor<std::uint8_t> opencv_resize(const Tensor<std::uint8_t>& image, std::int64_t height,
                                          std::int64_t width) {
  if (image.rank() != 3 || image.numel() == 0) {
    throw ShapeError(message("opencv_resize: image ", image.shape(),
                             " must be (height, width, channels), none of them empty"));
  }
  if (height < 1 || width < 1) {
    throw ValueError(
        message("opencv_resize: size ", height, " x ", width, " must be at least 1 x 1"));
  }
  const std::int64_t channels = image.shape()[2];
  const std::int64_t row = image.shape()[1] * channels;
  auto result = Tensor<std::uint8_t>::empty({height, width, channels});
  const auto rows = detail::bilinear_plan(image.shape()[0], height);
  const auto columns = detail::bilinear_plan(image.shape()[1], width);
  parallel_for(height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const detail::BilinearPixel& down = rows[static_cast<std::size_t>(i)];
      std::uint8_t* out = result.data() + i * width * channels;
      for (const detail::BilinearPixel& across : columns) {
        for (std::int64_t c = 0; c < channels; ++c) {
          const auto along = [&](std::int64_t y) {
            const std::uint8_t* source = image.data() + y * row + c;
            return across.low_weight * source[across.low * channels] +
                   across.high_weight * source[across.high * channels];
          };
          const std::int32_t sum = ((down.low_weight * (along(down.low) >> 4)) >> 16) +
                                   ((down.high_weight * (along(down.high) >> 4)) >> 16);
          *out++ = static_cast<std::uint8_t>((sum + 2) >> 2);
        }
      }
    }
  });
  return result;
}

}  // namespace sfumato::io
