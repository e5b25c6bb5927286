#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/io/opencv_resize.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/ops/interpolate.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/style/preprocess.hpp"
#include "sfumato/style/presets.hpp"

/// Pictures of 8 bits as style transfer takes and gives them, at the sizes that it needs.
namespace sfumato::style {

/// A height and a width in pixels.
struct PictureSize {
  std::int64_t height;
  std::int64_t width;
  friend bool operator==(const PictureSize&, const PictureSize&) = default;
};

/// The size whose longer side is `longer`, in the proportions of (height, width, …). The shorter
/// side is at least 2, as less has no variation. Throws ValueError for an empty picture, or for a
/// longer side below 2.
inline PictureSize size_in_proportion(const Shape& picture, std::int64_t longer,
                                      SideRounding rounding = SideRounding::kNearest) {
  const std::int64_t height = picture[0];
  const std::int64_t width = picture[1];
  constexpr std::int64_t kLeast = 2;
  if (height < 1 || width < 1 || longer < kLeast) {
    throw ValueError(message("size_in_proportion: a picture of ", height, " x ", width,
                             " with a longer side of ", longer, " pixels"));
  }
  if (rounding == SideRounding::kDown) {
    // In this order, as the last bit may decide.
    const double ratio = static_cast<double>(longer) / static_cast<double>(std::max(height, width));
    const auto cut = [&](std::int64_t side) {
      return std::max(kLeast, static_cast<std::int64_t>(ratio * static_cast<double>(side)));
    };
    return {cut(height), cut(width)};
  }
  const auto shorter = [&](std::int64_t from_shorter, std::int64_t from_longer) {
    const double side = static_cast<double>(longer) * static_cast<double>(from_shorter) /
                        static_cast<double>(from_longer);
    return std::max<std::int64_t>(kLeast, std::llround(side));
  };
  return height > width ? PictureSize{longer, shorter(width, height)}
                        : PictureSize{shorter(height, width), longer};
}

/// The size of the style picture (height, width, 3) beside a content of the given size: that size,
/// or in its own proportions the same longer side, times style_scale, or else style_size. No side
/// is below `least`, the pixels that the deepest layer needs (deepest_pixel()); of a long strip of
/// a picture that keeps its proportions, the shorter side decides.
inline PictureSize style_size(const Shape& style, const PictureSize& content,
                              const PictureOptions& options, std::int64_t least) {
  const auto scaled = [&](std::int64_t side) {
    return std::llround(static_cast<double>(side) * options.style_scale);
  };
  if (options.style_fit == StyleFit::kSqueeze && !options.style_size) {
    return {std::max<std::int64_t>(scaled(content.height), least),
            std::max<std::int64_t>(scaled(content.width), least)};
  }
  std::int64_t longer = std::max(content.height, content.width);
  if (options.style_fit == StyleFit::kShrink) {
    longer = std::min(longer, std::max(style[0], style[1]));
  }
  const PictureSize size = size_in_proportion(
      style, std::max<std::int64_t>(options.style_size.value_or(scaled(longer)), 2),
      options.side_rounding);
  if (std::min(size.height, size.width) >= least) return size;
  const double enough = static_cast<double>(least) *
                        static_cast<double>(std::max(style[0], style[1])) /
                        static_cast<double>(std::min(style[0], style[1]));
  return size_in_proportion(style, static_cast<std::int64_t>(std::ceil(enough)));
}

/// Pixels (height, width, 3) at another size, resampled as the options say.
inline Tensor<std::uint8_t> resize_picture(const Tensor<std::uint8_t>& pixels,
                                           const PictureSize& size, Resizing resizing) {
  return resizing == Resizing::kOpenCv
             ? io::opencv_resize(pixels, size.height, size.width)
             : io::resize(
                   pixels, size.height, size.width,
                   resizing == Resizing::kPillow ? io::Filter::kBilinear : io::Filter::kBicubic);
}

/// Pixels (height, width, 3) at another size, as the network expects them: normalised, (1, 3,
/// height, width).
template <class T, class Device = Cpu>
Tensor<T, Device> prepare_picture(const Tensor<std::uint8_t>& pixels, const PictureSize& size,
                                  const PictureOptions& options = {}) {
  return normalize<T, Device>(resize_picture(pixels, size, options.resizing));
}

/// Regions of a mask (height, width, r) (masks.hpp) at another size: (1, r, height, width), from 0
/// to 1.
template <class T, class Device = Cpu>
Tensor<T, Device> prepare_regions(const Tensor<std::uint8_t>& regions, const PictureSize& size) {
  const NoGrad off;
  const Variable<T> shares(io::resize(regions, size.height, size.width).template cast<T>());
  const auto planes = ops::unsqueeze(ops::permute(shares / T{255}, {2, 0, 1}), 0).value();
  return Tensor<T, Device>::from(planes.to_vector(), planes.shape());
}

/// A normalised picture (1, 3, h, w) with every value clipped to what can be shown, [0, 1] before
/// it was normalised.
template <class T, class Device>
Tensor<T, Device> clip_picture(const Tensor<T, Device>& image) {
  const auto shown_as = [](double value) {
    std::vector<T> values;
    for (std::size_t c = 0; c < 3; ++c) {
      values.push_back(static_cast<T>((value - kImageNetMean[c]) / kImageNetDeviation[c]));
    }
    return Variable<T, Device>(Tensor<T, Device>::from(values, {1, 3, 1, 1}));
  };
  return no_grad([&] {
           return ops::minimum(ops::maximum(Variable<T, Device>(image), shown_as(0.0)),
                               shown_as(1.0));
         })
      .value();
}

/// One stage's picture (1, 3, h, w) as the start of the next, larger one: clipped, then enlarged.
template <class T, class Device>
Tensor<T, Device> enlarge_picture(const Tensor<T, Device>& image, const PictureSize& size,
                                  const PictureOptions& options = {}) {
  if (options.enlarging == Enlarging::kPixels) {
    return prepare_picture<T, Device>(denormalize(image, options.rounding), size, options);
  }
  const bool bicubic = options.enlarging == Enlarging::kBicubic;
  const auto larger = no_grad([&] {
    return ops::interpolate(
        Variable<T, Device>(clip_picture(image)),
        {.size = {size.height, size.width},
         .mode = bicubic ? ops::Interpolation::kBicubic : ops::Interpolation::kBilinear});
  });
  return bicubic ? clip_picture(larger.value()) : larger.value();
}

}  // namespace sfumato::style
