#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sfumato/autodiff/checkpoint.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/style/feature_extractor.hpp"
#include "sfumato/style/sum_over_tiles.hpp"
#include "sfumato/style/term.hpp"
#include "sfumato/style/tiles.hpp"
#include "sfumato/style/visit_tiles.hpp"

namespace sfumato::style {

/// What a picture should be like: a sum of terms, of the features that a (frozen) network sees in
/// it, and of the picture itself. gatys_objective() makes the one of neural style transfer.
///
///     style::Objective<nn::Vgg<float>, float> objective(network, {bright}, {});
template <class Network, class T>
requires FeatureExtractor<Network, T>
class Objective {
 public:
  using Device = typename Network::device_type;
  using Features = typename Network::value_type;
  using FeatureTerm = Term<T, Device, Features>;
  using PictureTerm = Term<T, Device, T>;

  /// The network must outlive the objective, and the objective its losses. Where pictures are cut
  /// into tiles, no more is kept of them than what one tile needs: see sum_over_tiles(). With a
  /// split the picture is a strip of one, and losses and gradients are those of the whole. Throws
  /// ValueError for layers that the network does not have, for a term without a loss, or, of a
  /// layer, without sums where there are tiles, and for no terms at all.
  Objective(Network& network, std::vector<FeatureTerm> feature_terms,
            std::vector<PictureTerm> picture_terms, const TileCut& cut = {},
            TileSplit<T, Device> split = {})
      : network_(network),
        feature_terms_(std::move(feature_terms)),
        picture_terms_(std::move(picture_terms)),
        cut_(feature_terms_.empty() ? TileCut{} : cut),
        split_(std::move(split)) {
    cut_.strip = split_.strip;
    if (feature_terms_.empty() && picture_terms_.empty()) {
      throw ValueError("style transfer: an objective needs at least one term");
    }
    for (const PictureTerm& term : picture_terms_) {
      add_kind(term);
      if (!cut_.strip.is_whole() && !term.sums) throw of_all_at_once();
    }
    for (const FeatureTerm& term : feature_terms_) {
      add_kind(term);
      if (cut.side > 0 && !term.sums) throw of_all_at_once();
      const std::size_t layer = network_.layer_index(term.layer);
      layers_.push_back(layer);
      starts_.push_back(term.recompute ? start_of(layer) : layer);
      if (starts_.back()) {
        visited_layers_.push_back(*starts_.back());
        visited_terms_.push_back(layers_.size() - 1);
      }
    }
  }

  const std::vector<std::string>& kinds() const { return kinds_; }

  /// Whether pictures are strips of one, of which others have the rest.
  bool of_strips() const { return static_cast<bool>(split_.sum); }

  /// The kind of each term, and its layer where it has one: "style relu1_1".
  const std::vector<std::string>& names() const { return names_; }

  /// The losses of a picture (1, 3, h, w): first those of terms of the picture itself.
  Losses<T, Device> operator()(const Variable<T, Device>& image) const {
    const std::vector<Tile> tiles = tiles_of(image.shape(), cut_);
    Losses<T, Device> losses{
        tiles.size() > 1 || split_.sum ? tiled(image, tiles) : measured(image), kinds_, {}};
    for (const Variable<T, Device>& loss : losses.terms) {
      losses.total = losses.total.defined() ? losses.total + loss : loss;
    }
    return losses;
  }

 private:
  /// What the constructor says of the term that it is at.
  ValueError of_all_at_once() const {
    return ValueError(message("style transfer: the term '", names_.back(),
                              "' is of all positions at once, and can't be had tile by tile"));
  }

  template <class AnyTerm>
  void add_kind(const AnyTerm& term) {
    if (term.loss == nullptr && term.sums == nullptr) {
      throw ValueError(message("style transfer: the term of layer '", term.layer, "' has no loss"));
    }
    kinds_.push_back(term.kind);
    names_.push_back(term.kind + (term.layer.empty() ? "" : " " + term.layer));
  }

  /// The last layer before this one that is smaller than the one before it; from there features are
  /// computed again. Nothing where that is the picture.
  std::optional<std::size_t> start_of(std::size_t layer) const {
    for (std::size_t i = layer; i-- > 0;) {
      if (network_.stride(i) > (i == 0 ? 1 : network_.stride(i - 1))) return i;
    }
    return std::nullopt;
  }

  /// The weighted loss of a term, or its sums in a tile, or in a layer's.
  template <class AnyTerm, class Input>
  static Variable<T, Device> measure(const AnyTerm& term, const Input& features,
                                     const std::optional<Tile>& tile) {
    if (tile) return term.sums(features, *tile);
    return term.loss_of(features) * static_cast<T>(term.weight);
  }

  /// Of all terms, in the order of kinds; of an image, or what is seen of one for a tile, in which
  /// case those without sums are undefined.
  std::vector<Variable<T, Device>> measured(const Variable<T, Device>& image,
                                            const std::optional<Tile>& tile = {}) const {
    const std::size_t offset = picture_terms_.size();
    std::vector<Variable<T, Device>> all(kinds_.size());
    for (std::size_t i = 0; i < offset; ++i) {
      if (!tile || picture_terms_[i].sums) all[i] = measure(picture_terms_[i], image, tile);
    }
    const bool keeps = grad_enabled();  // else there is nothing to be computed again
    for (std::size_t i = 0; keeps && i < feature_terms_.size(); ++i) {
      if (!starts_[i]) all[offset + i] = recomputed(i, image, 0, tile);
    }
    const auto see = [&](std::size_t k, const auto& features, const std::optional<Tile>& seen) {
      const std::size_t i = keeps ? visited_terms_[k] : k;
      all[offset + i] = !keeps || *starts_[i] == layers_[i]
                            ? measure(feature_terms_[i], features, seen)
                            : recomputed(i, features, *starts_[i] + 1, seen);
    };
    const std::vector<std::size_t>& layers = keeps ? visited_layers_ : layers_;
    if (tile) {
      visit_tile(network_, image, layers, cut_, *tile, see);
    } else {
      network_.visit_features(image, layers,
                              [&](std::size_t k, const auto& features) { see(k, features, {}); });
    }
    return all;
  }

  /// A term whose features are computed from the input of layer `first`, and again for the
  /// gradient.
  template <class Input>
  Variable<T, Device> recomputed(std::size_t i, const Input& input, std::size_t first,
                                 const std::optional<Tile>& tile) const {
    const std::int64_t stride =
        network_.stride(layers_[i]) / (first == 0 ? 1 : network_.stride(first - 1));
    return checkpoint(
        [this, i, first, stride, tile](const std::vector<Input>& inputs) {
          Variable<T, Device> result;
          network_.visit_features(
              inputs[0], {layers_[i]},
              [&](std::size_t, const auto& x) {
                result = measure(feature_terms_[i], x,
                                 tile ? std::optional(tile->over(stride)) : std::nullopt);
              },
              first);
          return result;
        },
        {input});
  }

  /// The weighted losses, of sums over tiles; of the picture itself where there are no sums.
  std::vector<Variable<T, Device>> tiled(const Variable<T, Device>& image,
                                         const std::vector<Tile>& tiles) const {
    const auto shapes = std::make_shared<std::vector<Shape>>(kinds_.size());  // of the sums
    const auto sums = sum_over_tiles(
        image, tiles,
        [this, shapes](const Variable<T, Device>& seen, const Tile& tile) {
          std::vector<Variable<T, Device>> parts;
          const auto all = measured(seen, tile);
          for (std::size_t i = 0; i < all.size(); ++i) {
            if (!all[i].defined()) continue;
            (*shapes)[i] = all[i].shape();
            parts.push_back(ops::reshape(all[i], {-1}));
          }
          return ops::cat(parts, 0);
        },
        split_);
    std::vector<Variable<T, Device>> losses;
    std::int64_t begin = 0;
    const auto of_sums = [&](const auto& term) {
      const Shape& shape = (*shapes)[losses.size()];
      const std::int64_t end = begin + shape.numel();
      const auto own = ops::slice(sums, 0, {.start = std::exchange(begin, end), .stop = end});
      return term.of_sums(ops::reshape(own, shape));
    };
    for (const PictureTerm& term : picture_terms_) {
      const auto loss = term.sums ? of_sums(term) : term.loss_of(image);
      losses.push_back(loss * static_cast<T>(term.weight));
    }
    for (const FeatureTerm& term : feature_terms_) {
      losses.push_back(of_sums(term) * static_cast<T>(term.weight));
    }
    return losses;
  }

  Network& network_;
  std::vector<FeatureTerm> feature_terms_;
  std::vector<PictureTerm> picture_terms_;
  TileCut cut_;
  TileSplit<T, Device> split_;
  std::vector<std::string> kinds_;  // of the picture's terms, then of the features'
  std::vector<std::string> names_;  // the same order
  std::vector<std::size_t> layers_;
  std::vector<std::optional<std::size_t>> starts_;  // whose features a term's loss begins with
  std::vector<std::size_t> visited_layers_;         // what the network is asked for …
  std::vector<std::size_t> visited_terms_;          // … and for which terms
};

}  // namespace sfumato::style
