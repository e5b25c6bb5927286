#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/interpolate.hpp"
#include "sfumato/style/borders.hpp"

/// Painting from coarse to fine, as K. Crowson's style-transfer-pytorch does it.
namespace sfumato::style {

/// The longer sides of pictures from the coarsest to the finest: `finest` over the powers of √2,
/// to the nearest pixel (halves to even), as far as they are not below
/// `coarsest`. Throws ValueError unless
/// 0 < coarsest ≤ finest.
inline std::vector<std::int64_t> ladder(std::int64_t coarsest, std::int64_t finest) {
  if (coarsest < 1 || coarsest > finest) {
    throw ValueError(message("ladder: from ", coarsest, " to ", finest,
                             " pixels; the first must be at least 1 and at most the second"));
  }
  std::vector<std::int64_t> sides;
  std::int64_t side = finest;
  for (int i = 1; side >= coarsest; ++i) {
    if (sides.empty() || sides.back() != side) sides.push_back(side);
    side = std::llrint(static_cast<double>(finest) / std::pow(2.0, i / 2.0));
  }
  std::reverse(sides.begin(), sides.end());
  return sides;
}

/// What Adam has learnt of a picture, by the names of its state_dict(), for one of another shape
/// (1, 3, h, w): its means by cubic curves, its mean squares by straight lines, which leaves none
/// below zero. Of a picture that was extended (borders.hpp), only what is `shown` of it.
template <class T, class Device>
std::map<std::string, Tensor<T, Device>> enlarge_moments(
    std::map<std::string, Tensor<T, Device>> state, const Shape& shown, const Shape& shape) {
  const NoGrad off;
  for (auto& [name, moment] : state) {
    if (moment.rank() != 4) continue;
    const auto mode = name.starts_with("first_moment") ? ops::Interpolation::kBicubic
                                                       : ops::Interpolation::kBilinear;
    const auto seen = crop_borders(Variable<T, Device>(moment), shown[2], shown[3]);
    moment = ops::interpolate(seen, {.size = {shape[2], shape[3]}, .mode = mode}).value();
  }
  return state;
}

}  // namespace sfumato::style
