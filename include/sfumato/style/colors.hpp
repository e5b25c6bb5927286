#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/linalg.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/ops.hpp"

/// The content's colours with the style's brush: Gatys, Bethge, Hertzmann and Shechtman,
/// "Preserving color in neural artistic style transfer" (2016). Pixels are (height, width, 3).
namespace sfumato::style {

namespace detail {

template <class Device>
void check_pixels(const char* what, const Tensor<std::uint8_t, Device>& pixels) {
  if (pixels.rank() == 3 && pixels.shape()[2] == 3 && pixels.numel() > 0) return;
  throw ShapeError(message(what, ": pixels ", pixels.shape(), " must be (height, width, 3)"));
}

/// Red, green and blue from 0 to 1 as rows of a matrix (3, pixels), their mean (3, 1), and their
/// covariance with a little added to its diagonal, of which there are roots and inverses even where
/// all is grey.
template <class Device>
struct ColorStatistics {
  Variable<double, Device> colors;
  Variable<double, Device> mean;
  Variable<double, Device> covariance;

  explicit ColorStatistics(const Tensor<std::uint8_t, Device>& pixels) {
    constexpr double kLeastVariance = 1e-4;
    const Variable<double, Device> rows(pixels.template cast<double>().reshape({-1, 3}));
    colors = ops::transpose(rows) / 255.0;
    mean = ops::mean(colors, 1, true);
    const auto deviation = colors - mean;
    covariance = ops::matmul(deviation, deviation, {.transpose_b = true}) /
                     static_cast<double>(colors.size(1)) +
                 Variable<double, Device>(Tensor<double, Device>::eye(3)) * kLeastVariance;
  }
};

inline double luma(double red, double green, double blue) {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

}  // namespace detail

/// A picture with its colours moved and turned so that their mean and covariance become those of
/// another: x ↦ √C √S⁻¹ (x - μ) + ν, clipped. Throws ShapeError for anything but pixels.
template <class Device>
Tensor<std::uint8_t, Device> match_colors(const Tensor<std::uint8_t, Device>& picture,
                                          const Tensor<std::uint8_t, Device>& like) {
  detail::check_pixels("match_colors", picture);
  detail::check_pixels("match_colors", like);
  const NoGrad off;
  const detail::ColorStatistics<Device> own(picture);
  const detail::ColorStatistics<Device> other(like);
  const auto white = ops::solve(ops::sqrtm(own.covariance), own.colors - own.mean);
  const auto matched = ops::matmul(ops::sqrtm(other.covariance), white) + other.mean;
  const std::vector<double> values = ops::transpose(matched).value().to_vector();
  std::vector<std::uint8_t> pixels;
  for (const double value : values) {
    pixels.push_back(static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 1.0) * 255.0)));
  }
  return Tensor<std::uint8_t, Device>::from(pixels, picture.shape());
}

namespace detail {
/// A colour as bright as `target`: what is added to red, green and blue is the same. Where such a
/// colour can't be shown, it becomes paler, not brighter or darker.
inline void put_luma(const std::uint8_t* color, double target, std::uint8_t* result) {
  const double own = luma(color[0], color[1], color[2]);
  double part = 1.0;  // of the colour's distance from grey
  for (std::size_t c = 0; c < 3; ++c) {
    const double chroma = color[c] - own;
    if (chroma > 0.0) part = std::min(part, (255.0 - target) / chroma);
    if (chroma < 0.0) part = std::min(part, target / -chroma);
  }
  for (std::size_t c = 0; c < 3; ++c) {
    result[c] = static_cast<std::uint8_t>(std::lround(target + part * (color[c] - own)));
  }
}

/// Mean and standard deviation of the luma.
struct LumaStatistics {
  double mean = 0.0;
  double deviation = 0.0;

  explicit LumaStatistics(const std::vector<std::uint8_t>& pixels) {
    const double count = static_cast<double>(pixels.size() / 3);
    double squares = 0.0;
    for (std::size_t i = 0; i < pixels.size(); i += 3) {
      const double own = luma(pixels[i], pixels[i + 1], pixels[i + 2]);
      mean += own / count;
      squares += own * own / count;
    }
    deviation = std::sqrt(std::max(0.0, squares - mean * mean));
  }
};
}  // namespace detail

/// How bright a picture is (its luma, BT.601), in the colours of another of the same size: what is
/// added to red, green and blue is the same. Where such a colour can't be shown, it becomes paler,
/// not brighter or darker. Throws ShapeError for pixels that do not fit.
template <class Device>
Tensor<std::uint8_t, Device> luma_in_colors(const Tensor<std::uint8_t, Device>& picture,
                                            const Tensor<std::uint8_t, Device>& colors) {
  detail::check_pixels("luma_in_colors", picture);
  if (picture.shape() != colors.shape()) {
    throw ShapeError(message("luma_in_colors: a picture ", picture.shape(), " and colours ",
                             colors.shape(), " must have one size"));
  }
  const std::vector<std::uint8_t> bright = picture.to_vector();
  const std::vector<std::uint8_t> hue = colors.to_vector();
  std::vector<std::uint8_t> pixels(bright.size());
  for (std::size_t i = 0; i < bright.size(); i += 3) {
    detail::put_luma(&hue[i], detail::luma(bright[i], bright[i + 1], bright[i + 2]), &pixels[i]);
  }
  return Tensor<std::uint8_t, Device>::from(pixels, picture.shape());
}

/// What match_luma() takes over.
struct LumaParts {
  bool mean = true;       ///< how bright it is
  bool deviation = true;  ///< its contrast
};

/// A picture whose luma is moved and stretched so that its mean and its standard deviation, or one
/// of them, become those of another: y ↦ σ'/σ (y - μ) + μ', clipped; as Gatys et al. do it with the
/// style's beforehand. Colours keep their distance from grey where that can be shown. Throws
/// ShapeError for anything but pixels.
template <class Device>
Tensor<std::uint8_t, Device> match_luma(const Tensor<std::uint8_t, Device>& picture,
                                        const Tensor<std::uint8_t, Device>& like,
                                        const LumaParts& parts = {}) {
  detail::check_pixels("match_luma", picture);
  detail::check_pixels("match_luma", like);
  const std::vector<std::uint8_t> before = picture.to_vector();
  const detail::LumaStatistics own(before);
  const detail::LumaStatistics other(like.to_vector());
  const double mean = parts.mean ? other.mean : own.mean;
  const double stretch =
      parts.deviation && own.deviation > 0.0 ? other.deviation / own.deviation : 1.0;
  std::vector<std::uint8_t> pixels(before.size());
  for (std::size_t i = 0; i < before.size(); i += 3) {
    const double luma = detail::luma(before[i], before[i + 1], before[i + 2]);
    detail::put_luma(&before[i], std::clamp(mean + stretch * (luma - own.mean), 0.0, 255.0),
                     &pixels[i]);
  }
  return Tensor<std::uint8_t, Device>::from(pixels, picture.shape());
}

}  // namespace sfumato::style
