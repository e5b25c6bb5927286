#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/losses/cosine_similarity.hpp"
#include "sfumato/losses/matching.hpp"
#include "sfumato/ops/interpolate.hpp"
#include "sfumato/style/feature_extractor.hpp"
#include "sfumato/style/objective.hpp"
#include "sfumato/style/options.hpp"

/// Kolkin, Kucera, Paris, Sýkora, Shechtman and Shakhnarovich, "Neural neighbor style transfer"
/// (2022): wherever the picture shows something, the features that it is to have there are those of
/// the place of the style that is most like it.
namespace sfumato::style {

namespace detail {

/// The features of a layer as vectors (positions, c), a position for each `kGrid` × `kGrid` pixels
/// of the image, so that those of all layers lie on one another.
template <class T, class Features, class Device>
Variable<T, Device> on_grid(const Variable<Features, Device>& features, const Shape& image) {
  constexpr std::int64_t kGrid = 4;
  const auto side = [&](int axis) { return std::max<std::int64_t>(1, image[axis] / kGrid); };
  auto x = ops::cast<T>(features);
  if (x.size(2) != side(2) || x.size(3) != side(3)) {
    x = ops::interpolate(
        x, {.size = {side(2), side(3)}, .mode = ops::Interpolation::kBilinear, .antialias = true});
  }
  return losses::feature_vectors(x);
}

/// What some layers see in an image, on one grid: for each layer vectors and their mean.
template <class T, class Device>
struct GridFeatures {
  std::vector<Variable<T, Device>> vectors;
  std::vector<Variable<T, Device>> means;

  template <class Network>
  GridFeatures(Network& network, const Tensor<T, Device>& image,
               const std::vector<std::string>& names) {
    std::vector<std::size_t> layers;
    for (const std::string& name : names) layers.push_back(network.layer_index(name));
    vectors.resize(names.size());
    const NoGrad off;
    network.visit_features(Variable<T, Device>(image), layers,
                           [&](std::size_t i, const auto& features) {
                             vectors[i] = on_grid<T>(features, image.shape());
                           });
    for (const auto& x : vectors) means.push_back(ops::mean(x, 0, true));
  }

  /// All layers of a position in one vector, in which each counts the same.
  Variable<T, Device> together() const {
    const NoGrad off;
    std::vector<Variable<T, Device>> parts;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      const auto x = vectors[i] - means[i];
      const auto length = ops::norm(x, 2.0, 1, true);
      parts.push_back(x / ops::masked_fill(length, length == T{0}, T{1}));
    }
    return ops::cat(parts, 1);
  }
};

/// What a picture is to look like: of each position of the content the one of the style is found
/// whose features in all style layers are most like it, their means taken away. The loss of a layer
/// is the mean of 1 - cos(x - m, t - m) over positions, where x are the picture's features, t those
/// chosen of the style, and m the style's mean; with a strength s below 1, t and m are s of that
/// and 1 - s of the content's own. As in the paper, but that all layers have the same weight,
/// unless the options say otherwise, and a term each. Throws ValueError for a strength out of
/// range.
template <class Network, class T, class Device>
void add_neighbor_terms(std::vector<typename Objective<Network, T>::FeatureTerm>& terms,
                        Network& network, const Tensor<T, Device>& content,
                        const Tensor<T, Device>& style, const ObjectiveOptions& options) {
  using Numbers = Variable<T, Device>;
  if (!(options.strength >= 0.0 && options.strength <= 1.0)) {
    throw ValueError(
        message("style transfer: a strength of ", options.strength, "; it must be from 0 to 1"));
  }
  if (options.style_layers.empty()) return;
  const GridFeatures<T, Device> seen(network, content, options.style_layers);
  const GridFeatures<T, Device> choices(network, style, options.style_layers);
  const auto nearest = losses::nearest_neighbors(seen.together(), choices.together());
  for (std::size_t i = 0; i < options.style_layers.size(); ++i) {
    const std::string& name = options.style_layers[i];
    const double factor = layer_weight(network, name, options.style_layer_weights);
    const NoGrad off;
    const auto mixed = [&](const Numbers& of_style, const Numbers& of_content) {
      return of_style * static_cast<T>(options.strength) +
             of_content * static_cast<T>(1.0 - options.strength);
    };
    const Numbers mean = mixed(choices.means[i], seen.means[i]);
    const Numbers goal =
        mixed(ops::index_select(choices.vectors[i], 0, nearest), seen.vectors[i]) - mean;
    terms.push_back({name, goal, options.style_weight * factor, "style",
                     [mean, shape = content.shape()](const auto& x, const Numbers& target) {
                       const auto own = on_grid<T>(x, shape) - mean;
                       return ops::mean(T{1} - losses::cosine_similarity(own, target));
                     }});
  }
}

}  // namespace detail

}  // namespace sfumato::style
