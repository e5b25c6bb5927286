#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/style/borders.hpp"
#include "sfumato/style/pictures.hpp"
#include "stages.hpp"

namespace neural_style {

/// The values that a network's convolutions make of each pixel, up to the last layer that the
/// objective looks at: a convolution behind n poolings has a value for every 4ⁿ pixels.
template <class T, class Device>
double values_per_pixel(const sfumato::nn::Vgg<T, Device>& network,
                        const sfumato::style::ObjectiveOptions& objective) {
  const std::size_t last = sfumato::style::deepest_layer(network, objective);
  const auto parameters = network.named_parameters();  // weight and bias of each convolution
  double values = 0.0;
  double pixels = 1.0;
  std::size_t convolution = 0;
  for (std::size_t layer = 0; layer <= last; ++layer) {
    const std::string& name = network.layer_names()[layer];
    if (name.starts_with("pool")) pixels /= 4.0;
    if (!name.starts_with("conv")) continue;
    const auto channels = parameters[2 * convolution++].second.shape()[0];
    values += pixels * static_cast<double>(channels);
  }
  return values;
}

/// How many bytes a stage is expected to add at its peak, on the CPU, to what the program has
/// before its first iteration. Of each pixel painted there are the features that the gradient
/// needs, and what is about as large as the picture: its gradient, Adam's moments, copies. The
/// style picture's features are computed once, and kept two layers at a time.
///
/// The factors are fits to the peaks at 256, 512 and 768 pixels with the full and the slim network,
/// which they meet within 15 %.
template <class Device, class Stored>
double expected_memory(const sfumato::nn::Vgg<Stored, Device>& network, const Arguments& a,
                       const Stage& stage, const sfumato::style::PictureSize& style) {
  namespace library = sfumato::style;
  constexpr double kPicture = 170.0;  // bytes per pixel
  constexpr double kKept = 0.8;       // of the features, which ReLUs and convolutions share
  const auto pixels = [](std::int64_t height, std::int64_t width) {
    return static_cast<double>(height) * static_cast<double>(width);
  };
  const bool extends = stage.transfer.borders == library::Borders::kExtend;
  const auto painted = [&](std::int64_t side) {
    return extends ? library::extended_side(
                         side, library::deepest_pixel(network, stage.transfer.objective))
                   : side;
  };
  const double saved = a.memory == "low" ? 0.87 : a.precision == "bf16" ? 0.9 : 1.0;
  const double features = sizeof(float) * values_per_pixel(network, stage.transfer.objective);
  const double first = sizeof(float) * values_per_pixel(network, {{"0"}, {}});
  return std::max(pixels(painted(stage.size.height), painted(stage.size.width)) * saved *
                      (kPicture + kKept * features),
                  pixels(style.height, style.width) * (kPicture + 2.0 * first));
}

}  // namespace neural_style
