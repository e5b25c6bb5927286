#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sfumato/autodiff/variable.hpp"

namespace sfumato::style {

namespace detail {
/// Takes features of any element type.
struct AnyVisitor {
  template <class Features>
  void operator()(std::size_t, const Features&) const {}
};
}  // namespace detail

/// A network that style transfer can look into: layers in a row, each of which sees what the one
/// before has made, known by name or number. nn::Vgg is one, nn::ResNet another.
///
/// - `visit_features(image, layers, visit)` calls visit(i, features) with what layers[i] makes of
///   images (n, 3, h, w), as soon as it is computed; the features' element type is the network's,
///   that of the image may be another. A fourth argument, `first`, says that the image stands for
///   the features of the layer before that.
/// - `stride(layer)` is the side, in pixels of the image, of what one value of a layer stands for.
/// - `freeze()` makes its parameters constants.
template <class Network, class T>
concept FeatureExtractor = requires(Network& network, const Network& constant,
                                    const Variable<T, typename Network::device_type>& image,
                                    const std::vector<std::size_t>& layers, std::size_t layer) {
  typename Network::value_type;
  { constant.layer_names() } -> std::convertible_to<const std::vector<std::string>&>;
  { constant.layer_index(std::string_view()) } -> std::same_as<std::size_t>;
  { constant.stride(layer) } -> std::same_as<std::int64_t>;
  {network.visit_features(image, layers, detail::AnyVisitor())};
  {network.freeze()};
};

/// The index of the deepest of some layers; 0 for none. Throws ValueError for a layer that the
/// network does not have.
template <class Network>
std::size_t deepest_layer(const Network& network, const std::vector<std::string>& layers) {
  std::size_t deepest = 0;
  for (const std::string& name : layers) deepest = std::max(deepest, network.layer_index(name));
  return deepest;
}

/// What a layer's loss counts among `weights`, by the network's names; 1 where it has none there.
/// Throws ValueError for a layer that the network does not have.
template <class Network>
double layer_weight(const Network& network, const std::string& layer,
                    const std::map<std::string, double>& weights) {
  const auto found = weights.find(network.layer_names()[network.layer_index(layer)]);
  return found == weights.end() ? 1.0 : found->second;
}

}  // namespace sfumato::style
