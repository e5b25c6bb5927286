#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/losses/style.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/style/feature_extractor.hpp"
#include "sfumato/style/neighbors.hpp"
#include "sfumato/style/objective.hpp"
#include "sfumato/style/options.hpp"
#include "sfumato/style/statistics.hpp"
#include "sfumato/style/styles.hpp"
#include "sfumato/style/term.hpp"
#include "sfumato/style/tiles.hpp"
#include "sfumato/style/variation.hpp"
#include "sfumato/style/visit_tiles.hpp"

/// The objective of Gatys, Ecker and Bethge, "Image style transfer using convolutional neural
/// networks" (2016), with the weights of the book "Dive into Deep Learning".
namespace sfumato::style {

/// The sides, in pixels, of what one value of the deepest layer asked for stands for: 2ⁿ behind n
/// poolings. Pictures with smaller ones have no value there. Throws ValueError for layers that the
/// network does not have.
template <class Network>
std::int64_t deepest_pixel(const Network& network, const ObjectiveOptions& options) {
  std::int64_t side = 1;
  for (const std::string& name : layers_of(options)) {
    side = std::max(side, network.stride(network.layer_index(name)));
  }
  return side;
}

namespace detail {

/// The terms of content layers, whose features are kept.
template <class Network, class T, class Device>
void add_content_terms(std::vector<typename Objective<Network, T>::FeatureTerm>& terms,
                       Network& network, const Tensor<T, Device>& content,
                       const ObjectiveOptions& options, const TileCut& cut) {
  using Numbers = Variable<T, Device>;
  std::vector<std::size_t> layers;
  for (const std::string& name : options.content_layers) {
    layers.push_back(network.layer_index(name));
  }
  std::vector<Tensor<T, Device>> targets(layers.size());
  std::vector<std::int64_t> rows(layers.size());  // of the whole, where there is a strip of it
  const std::int64_t end = cut.strip.is_whole() ? content.shape()[2] : cut.strip.end;
  const auto lasting = Pool<Device>::current().shared_from_this();
  no_grad([&] {
    visit_tiles(network, Numbers(content), layers, cut,
                [&](std::size_t i, const auto& seen, const Tile& tile) {
                  const auto own = ops::cast<T>(inner(seen, tile));
                  rows[i] = tile.rows.of;
                  if (tile.share() == 1.0) return void(targets[i] = own.value());
                  if (!targets[i].defined()) {
                    const PoolScope<Device> scope(lasting);
                    const std::int64_t stride = network.stride(layers[i]);
                    const std::int64_t here = end / stride - cut.strip.top / stride;
                    targets[i] = Tensor<T, Device>::empty(
                        own.shape().with(2, here).with(3, tile.columns.of));
                  }
                  ops::detail::copy_into_window(own.value(), own_window(targets[i].shape(), tile),
                                                targets[i]);
                });
  });
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string& name = options.content_layers[i];
    terms.push_back(
        {name,
         {},
         options.content_weight * layer_weight(network, name, options.content_layer_weights),
         "content"});
    terms.back().sums = [target = Numbers(targets[i]), rows = rows[i], sums = options.sums](
                            const auto& seen, const Tile& tile) {
      const auto x = inner(seen, tile);
      if (tile.rows.of != rows || tile.columns.of != target.size(3)) {
        throw ShapeError("style transfer: the picture and its content have other sizes");
      }
      const double part = sums ? static_cast<double>(x.numel()) / 2.0 : tile.share();
      return losses::content_loss(x, part_of(target, tile)) * static_cast<T>(part);
    };
    if (options.normalize_gradients) pull_equally(terms.back());
  }
}

/// A layer that is named twice, perhaps by another of its names, would count twice, and have one
/// weight for both.
template <class Network>
void refuse_twice(const char* kind, const Network& network,
                  const std::vector<std::string>& layers) {
  std::set<std::size_t> seen;
  for (const std::string& name : layers) {
    if (seen.insert(network.layer_index(name)).second) continue;
    throw ValueError(message("style transfer: the ", kind, " layer ", excerpt(name),
                             " is named twice; name it once, with a larger weight"));
  }
}

template <class T, class Device>
void refuse_small(const char* which, const Tensor<T, Device>& image, std::int64_t least) {
  if (image.rank() != 4 || std::min(image.shape()[2], image.shape()[3]) >= least) return;
  throw ShapeError(message("style transfer: the ", which, " image ", image.shape(),
                           " is too small for the layers asked for, which need sides of at least ",
                           least, "; take a larger one, or layers behind fewer poolings"));
}

}  // namespace detail

/// How far a picture is from the content of one image and the style of another, as a (frozen)
/// network sees them, and from smoothness: terms of the kinds "tv", "content" and "style"; and
/// terms of the picture that are given.
///
/// Content and style are normalised images (1, 3, h, w); their sizes may differ. The style may be
/// several (Styles). Losses are computed in T, whatever the network's element type. With a split
/// the content is a strip of one. Throws ValueError for layers that the network does not have, that
/// are named twice, or none, for a strength out of range, for tiles with kNeighbors or
/// normalize_gradients, and for strips with a strength below 1 or regions, and ShapeError for
/// images too small for them.
template <class Network, class T, class Device>
Objective<Network, T> gatys_objective(Network& network, const Tensor<T, Device>& content,
                                      const std::type_identity_t<Styles<T, Device>>& styles,
                                      const ObjectiveOptions& options = {},
                                      std::vector<Term<T, Device>> picture_terms = {},
                                      TileSplit<T, Device> split = {}) {
  if (options.content_layers.empty() && options.style_layers.empty()) {
    throw ValueError("style transfer: name at least one content or style layer");
  }
  detail::refuse_twice("content", network, options.content_layers);
  detail::refuse_twice("style", network, options.style_layers);
  if (!(options.strength >= 0.0 && options.strength <= 1.0)) {
    throw ValueError(
        message("style transfer: a strength of ", options.strength, "; it must be from 0 to 1"));
  }
  check_styles(styles, content.shape());
  detail::refuse_small("content", content, deepest_pixel(network, options));
  for (const StylePicture<T, Device>& style : styles.pictures) {
    detail::refuse_small("style", style.image, deepest_pixel(network, {{}, options.style_layers}));
  }
  using Goal = Objective<Network, T>;
  std::vector<typename Goal::FeatureTerm> terms;
  const TileCut cut = tile_cut(network, layers_of(options), options.tile);
  TileCut own = cut;
  own.strip = split.strip;
  if (!own.strip.is_whole() &&
      (cut.side == 0 || options.strength < 1.0 || styles.content_regions.defined())) {
    throw ValueError(
        "style transfer: a picture in strips needs tiles, and has no regions and no strength "
        "below 1");
  }
  detail::add_content_terms<Network, T>(terms, network, content, options, own);
  const std::size_t first_style = terms.size();
  if (options.style_loss == StyleLoss::kNeighbors) {
    detail::add_neighbor_terms<Network, T>(terms, network, content, styles, options);
  } else {
    detail::add_statistics_terms<Network, T>(terms, network, content, styles, options, cut);
  }
  for (std::size_t i = first_style; i < terms.size(); ++i) {
    terms[i].recompute = options.low_memory &&
                         network.stride(network.layer_index(terms[i].layer)) == network.stride(0);
  }
  picture_terms.insert(picture_terms.begin(), {"", {}, options.tv_weight, "tv"});
  picture_terms.front().sums = detail::variation_sums<T, Device>(options.variation);
  return Goal(network, std::move(terms), std::move(picture_terms), cut, std::move(split));
}

}  // namespace sfumato::style
