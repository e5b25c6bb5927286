#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/interpolate.hpp"
#include "sfumato/optim/optimizer.hpp"

/// Burt and Adelson, "The Laplacian pyramid as a compact image code" (1983).
namespace sfumato::style {

/// Images (n, c, h, w) as `levels` others, from the finest on: what each size adds to the next one,
/// whose sides are half as long (rounded down, at least 1), enlarged by straight lines; and at last
/// the smallest itself. lᵢ = xᵢ - up(xᵢ₊₁), xᵢ₊₁ = down(xᵢ). Throws ValueError for no levels, and
/// ShapeError for anything but images.
template <class T, class Device>
std::vector<Variable<T, Device>> laplacian_pyramid(const Variable<T, Device>& images,
                                                   std::int64_t levels) {
  if (levels < 1) {
    throw ValueError(message("laplacian_pyramid: ", levels, " levels; there must be at least 1"));
  }
  std::vector<Variable<T, Device>> pyramid;
  Variable<T, Device> x = images;
  while (static_cast<std::int64_t>(pyramid.size()) + 1 < levels) {
    const auto half = [&](int axis) { return std::max<std::int64_t>(1, x.size(axis) / 2); };
    const auto small = ops::interpolate(
        x, {.size = {half(2), half(3)}, .mode = ops::Interpolation::kBilinear, .antialias = true});
    pyramid.push_back(x - ops::interpolate(small, {.size = {x.size(2), x.size(3)},
                                                   .mode = ops::Interpolation::kBilinear}));
    x = small;
  }
  pyramid.push_back(x);
  return pyramid;
}

/// The images that a laplacian_pyramid() is of.
template <class T, class Device>
Variable<T, Device> sum_pyramid(const std::vector<Variable<T, Device>>& pyramid) {
  if (pyramid.empty()) throw ValueError("sum_pyramid: no levels; there must be at least 1");
  Variable<T, Device> x = pyramid.back();
  for (std::size_t i = pyramid.size() - 1; i-- > 0;) {
    const auto& level = pyramid[i];
    x = level + ops::interpolate(x, {.size = {level.size(2), level.size(3)},
                                     .mode = ops::Interpolation::kBilinear});
  }
  return x;
}

/// What an optimiser changes a picture by: its pixels, or the levels of its Laplacian pyramid, with
/// which a step changes large areas as easily as single pixels; Kolkin et al., "Neural neighbor
/// style transfer" (2022). As a pyramid's sum is linear, only the changes of levels are kept, and
/// only till they are added to the picture.
template <class T, class Device>
class PictureParameters {
 public:
  /// Of a picture (1, 3, h, w); 0 levels are its pixels.
  PictureParameters(const Variable<T, Device>& picture, std::int64_t levels) : picture_(picture) {
    if (levels == 0) return;
    const auto shapes = no_grad([&] { return laplacian_pyramid(picture, levels); });
    for (const auto& level : shapes) {
      changes_.emplace_back(Tensor<T, Device>::zeros(level.shape()), true);
    }
  }

  /// What the optimiser is to be given.
  std::vector<Variable<T, Device>> all() const {
    return changes_.empty() ? std::vector{picture_} : changes_;
  }

  /// Before a step: their gradient, from the picture's.
  void take_gradient() {
    if (changes_.empty()) return;
    for (auto& change : changes_) change.zero_grad();
    backward(ops::sum(sum_pyramid(changes_) * picture_.grad()));
  }

  /// After it: changes the picture, whose pixels it returns.
  Tensor<T, Device> put() {
    auto pixels = picture_.mutable_value();
    if (changes_.empty()) return pixels;
    const NoGrad off;
    const auto change = sum_pyramid(changes_).value();
    ops::apply_into("put", optim::detail::AddScaled<T>{T{1}}, pixels, pixels, change);
    for (auto& level : changes_) {
      level.mutable_value().copy_from(Tensor<T, Device>::zeros(level.shape()));
    }
    return pixels;
  }

 private:
  Variable<T, Device> picture_;
  std::vector<Variable<T, Device>> changes_;
};

}  // namespace sfumato::style
