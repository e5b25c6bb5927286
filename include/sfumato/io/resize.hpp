#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"

/// Resizing with antialiasing, as Pillow's Image.resize does it: when an image shrinks, the filter
/// widens to cover all pixels that fall into a new one. Rows and columns are done one after the
/// other, in fixed point.
namespace sfumato::io {

/// How a new pixel weighs the old ones: a triangle over ±1 pixel, or Keys' cubic (1981) with
/// a = -1/2 over ±2.
enum class Filter { kBilinear, kBicubic };

namespace detail {

inline constexpr int kWeightBits = 22;  // eight bits of value and two of sign leave these of 32

/// Which old pixels make a new one, and by how much.
struct ResampledPixel {
  std::int64_t first;
  std::vector<std::int32_t> weights;
};

inline double filter_support(Filter filter) {
  return filter == Filter::kBilinear ? 1.0 : 2.0;
}

inline double filter_weight(Filter filter, double distance) {
  const double x = std::abs(distance);
  if (x >= filter_support(filter)) return 0.0;
  if (filter == Filter::kBilinear) return 1.0 - x;
  constexpr double kA = -0.5;
  return x < 1.0 ? ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1.0
                 : (((x - 5.0) * x + 8.0) * x - 4.0) * kA;
}

inline std::vector<ResampledPixel> resample_plan(std::int64_t from, std::int64_t to,
                                                 Filter filter) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double widening = std::max(scale, 1.0);
  const double support = filter_support(filter) * widening;
  std::vector<ResampledPixel> plan;
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto round_half_up = [](double x) {
      return static_cast<std::int64_t>(std::floor(x + 0.5));
    };
    const auto first = std::max<std::int64_t>(0, round_half_up(centre - support));
    const auto end = std::min(from, round_half_up(centre + support));
    std::vector<double> weights;
    double total = 0.0;
    for (std::int64_t j = first; j < end; ++j) {
      weights.push_back(filter_weight(filter, (static_cast<double>(j) - centre + 0.5) / widening));
      total += weights.back();
    }
    ResampledPixel pixel{first, {}};
    for (const double weight : weights) {
      pixel.weights.push_back(
          static_cast<std::int32_t>(std::lround(weight / total * (1 << kWeightBits))));
    }
    plan.push_back(std::move(pixel));
  }
  return plan;
}

/// One new value from old ones that are `stride` apart.
inline std::uint8_t resample(const ResampledPixel& pixel, const std::uint8_t* source,
                             std::int64_t stride) {
  std::int64_t total = std::int64_t{1} << (kWeightBits - 1);
  source += pixel.first * stride;
  for (const std::int32_t weight : pixel.weights) {
    total += weight * static_cast<std::int64_t>(*source);
    source += stride;
  }
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(total >> kWeightBits, 0, 255));
}

}  // namespace detail

/// An image (height, width, channels) of 8 bits at another size, within one grey level of Pillow's.
/// Throws ShapeError for other shapes and ValueError for sizes below 1.
inline Tensor<std::uint8_t> resize(const Tensor<std::uint8_t>& image, std::int64_t height,
                                   std::int64_t width, Filter filter = Filter::kBilinear) {
  if (image.rank() != 3 || image.numel() == 0) {
    throw ShapeError(message("resize: image ", image.shape(),
                             " must be (height, width, channels), none of them empty"));
  }
  if (height < 1 || width < 1) {
    throw ValueError(message("resize: size ", height, " x ", width, " must be at least 1 x 1"));
  }
  const std::int64_t old_height = image.shape()[0];
  const std::int64_t old_width = image.shape()[1];
  const std::int64_t channels = image.shape()[2];
  Tensor<std::uint8_t> wide = image;
  if (width != old_width) {
    wide = Tensor<std::uint8_t>::empty({old_height, width, channels});
    const auto plan = detail::resample_plan(old_width, width, filter);
    parallel_for(old_height, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::uint8_t* row = image.data() + i * old_width * channels;
        std::uint8_t* out = wide.data() + i * width * channels;
        for (const auto& pixel : plan) {
          for (std::int64_t c = 0; c < channels; ++c) {
            *out++ = detail::resample(pixel, row + c, channels);
          }
        }
      }
    });
  }
  if (height == old_height) return width == old_width ? image.clone() : wide;
  auto result = Tensor<std::uint8_t>::empty({height, width, channels});
  const auto plan = detail::resample_plan(old_height, height, filter);
  const std::int64_t row = width * channels;
  std::uint8_t* const out = result.data();
  const std::uint8_t* const in = std::as_const(wide).data();
  parallel_for(height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t j = 0; j < row; ++j) {
        out[i * row + j] = detail::resample(plan[static_cast<std::size_t>(i)], in + j, row);
      }
    }
  });
  return result;
}

}  // namespace sfumato::io
