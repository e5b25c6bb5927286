#pragma once

#include <cstdint>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/interpolate.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::style {

/// Regions as a layer sees them, with soft edges.
template <class T, class Device = Cpu>
struct LayerRegions {
  /// How much each position counts in each region, (1, 1, h, w) with a mean of 1, or 0 where the
  /// region is not there. Undefined where there are no regions: then it is one, of all positions.
  std::vector<Variable<T, Device>> weights;
  std::vector<double> shares;  ///< of the layer that each region has
};

/// Regions (1, r, h, w) of an image at the size of its features (1, c, h', w'): each position has
/// the mean of what it stands for. Undefined regions are one of everything.
template <class T, class Device>
LayerRegions<T, Device> regions_of_layer(const Tensor<T, Device>& regions, const Shape& features) {
  if (!regions.defined()) return {{{}}, {1.0}};
  constexpr double kNothing = 1e-6;
  const NoGrad off;
  Variable<T, Device> maps(regions);
  if (maps.size(2) != features[2] || maps.size(3) != features[3]) {
    maps = ops::interpolate(maps, {.size = {features[2], features[3]},
                                   .mode = ops::Interpolation::kBilinear,
                                   .antialias = true});
  }
  LayerRegions<T, Device> layer;
  for (std::int64_t r = 0; r < maps.size(1); ++r) {
    const auto map = ops::slice(maps, 1, {.start = r, .stop = r + 1});
    const double share = static_cast<double>(ops::mean(map).item());
    const bool is_there = share > kNothing;
    layer.weights.push_back(is_there ? map / static_cast<T>(share) : map * T{0});
    layer.shares.push_back(is_there ? share : 0.0);
  }
  return layer;
}

}  // namespace sfumato::style
