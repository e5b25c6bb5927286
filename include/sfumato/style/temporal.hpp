#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"
#include "sfumato/style/term.hpp"

/// Pictures of a film that do not flicker: Ruder, Dosovitskiy and Brox, "Artistic style transfer
/// for videos" (2016). A flow (2, h, w) says for every pixel of one frame how many pixels to the
/// right and below of it the same thing is in another frame.
namespace sfumato::style {

namespace detail {

/// The planes of images (c, h, w) between pixels, by bilinear interpolation; beyond an edge they
/// are as at the edge.
class Planes {
 public:
  explicit Planes(const Tensor<float>& image)
      : values_(image.to_vector()), height_(image.shape()[-2]), width_(image.shape()[-1]) {}

  float at(std::int64_t plane, std::int64_t y, std::int64_t x) const {
    y = std::clamp<std::int64_t>(y, 0, height_ - 1);
    x = std::clamp<std::int64_t>(x, 0, width_ - 1);
    return values_[static_cast<std::size_t>((plane * height_ + y) * width_ + x)];
  }

  float between(std::int64_t plane, float y, float x) const {
    y = inside(y, height_);
    x = inside(x, width_);
    const auto top = static_cast<std::int64_t>(y);
    const auto left = static_cast<std::int64_t>(x);
    const float down = y - static_cast<float>(top);
    const float right = x - static_cast<float>(left);
    const auto row = [&](std::int64_t i) {
      return at(plane, i, left) * (1 - right) + at(plane, i, left + 1) * right;
    };
    return row(top) * (1 - down) + row(top + 1) * down;
  }

 private:
  /// Also where a flow leads very far, or nowhere, as NaN does.
  static float inside(float place, std::int64_t side) {
    return place > 0 ? std::min(place, static_cast<float>(side - 1)) : 0.0F;
  }

  std::vector<float> values_;
  std::int64_t height_;
  std::int64_t width_;
};

inline void check_flow(const char* what, const Shape& flow, std::int64_t height,
                       std::int64_t width) {
  if (flow == Shape{2, height, width} && height > 0 && width > 0) return;
  throw ShapeError(message(what, ": a flow ", flow, " where it must be ", Shape{2, height, width}));
}

}  // namespace detail

/// One frame's picture (1, c, h, w) moved to where its things are in another frame: at each pixel,
/// what the flow from there leads to. Throws ShapeError for a flow of another size.
inline Tensor<float> warp(const Tensor<float>& picture, const Tensor<float>& flow) {
  if (picture.rank() != 4 || picture.shape()[0] != 1) {
    throw ShapeError(message("warp: a picture ", picture.shape(), " must be (1, c, h, w)"));
  }
  const std::int64_t channels = picture.shape()[1];
  const std::int64_t height = picture.shape()[2];
  const std::int64_t width = picture.shape()[3];
  detail::check_flow("warp", flow.shape(), height, width);
  const detail::Planes from(picture);
  const detail::Planes way(flow);
  std::vector<float> moved;
  moved.reserve(static_cast<std::size_t>(picture.numel()));
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        moved.push_back(from.between(c, static_cast<float>(y) + way.at(1, y, x),
                                     static_cast<float>(x) + way.at(0, y, x)));
      }
    }
  }
  return Tensor<float>::from(moved, picture.shape());
}

/// Where a flow u, v from this frame to the last one can be relied on, (1, 1, h, w): 1, or 0 where
/// something was uncovered, as the flow w̃ from there does not lead back,
/// |w + w̃|² > 0.01 (|w|² + |w̃|²) + 0.5, and 0 at edges of what moves,
/// |∇u|² + |∇v|² > 0.01 |w|² + 0.002 (Sundaram, Brox and Keutzer, 2010; the paper's section 4.1).
/// Throws ShapeError for flows of different sizes.
inline Tensor<float> reliable(const Tensor<float>& flow, const Tensor<float>& back) {
  if (flow.rank() != 3) throw ShapeError(message("reliable: ", flow.shape(), " is no flow"));
  const std::int64_t height = flow.shape()[1];
  const std::int64_t width = flow.shape()[2];
  detail::check_flow("reliable", flow.shape(), height, width);
  detail::check_flow("reliable", back.shape(), height, width);
  const detail::Planes there(flow);
  const detail::Planes home(back);
  const auto squares = [](float a, float b) { return a * a + b * b; };
  std::vector<float> mask;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const float u = there.at(0, y, x);
      const float v = there.at(1, y, x);
      const float to_y = static_cast<float>(y) + v;
      const float to_x = static_cast<float>(x) + u;
      const float back_u = home.between(0, to_y, to_x);
      const float back_v = home.between(1, to_y, to_x);
      const bool inside = to_y >= 0 && to_x >= 0 && to_y <= static_cast<float>(height - 1) &&
                          to_x <= static_cast<float>(width - 1);
      const bool leads_back = squares(u + back_u, v + back_v) <=
                              0.01F * (squares(u, v) + squares(back_u, back_v)) + 0.5F;
      float change = 0.0F;
      for (const int plane : {0, 1}) {
        const float down = (there.at(plane, y + 1, x) - there.at(plane, y - 1, x)) / 2;
        const float right = (there.at(plane, y, x + 1) - there.at(plane, y, x - 1)) / 2;
        change += squares(down, right);
      }
      const bool inner = change <= 0.01F * squares(u, v) + 0.002F;
      mask.push_back(inside && leads_back && inner ? 1.0F : 0.0F);
    }
  }
  return Tensor<float>::from(mask, {1, 1, height, width});
}

/// The term that keeps a picture as the last frame's is where that can be relied on:
/// mean over pixels and colours of r (x - t)², where t is the target's first three channels, the
/// last picture moved by warp(), and r its fourth, reliable(). The target has shape (1, 4, h, w).
template <class T, class Device>
Term<T, Device> temporal_term(const Tensor<T, Device>& target, double weight) {
  using Numbers = Variable<T, Device>;
  if (target.rank() != 4 || target.shape()[0] != 1 || target.shape()[1] != 4) {
    throw ShapeError(message("temporal_term: a target ", target.shape(), " must be (1, 4, h, w)"));
  }
  return {.target = Numbers(target),
          .weight = weight,
          .kind = "temporal",
          .loss = [](const Numbers& picture, const Numbers& goal) {
            const auto last = ops::slice(goal, 1, {.stop = 3});
            const auto counts = ops::slice(goal, 1, {.start = 3});
            return ops::mean(ops::square(picture - last) * counts);
          }};
}

}  // namespace sfumato::style
