#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sfumato/autodiff/checkpoint.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/style/feature_extractor.hpp"
#include "sfumato/style/term.hpp"

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

  /// The network must outlive the objective, and the objective its losses. Throws ValueError for
  /// layers that the network does not have, for a term without a loss, and for no terms at all.
  Objective(Network& network, std::vector<FeatureTerm> feature_terms,
            std::vector<PictureTerm> picture_terms)
      : network_(network),
        feature_terms_(std::move(feature_terms)),
        picture_terms_(std::move(picture_terms)) {
    if (feature_terms_.empty() && picture_terms_.empty()) {
      throw ValueError("style transfer: an objective needs at least one term");
    }
    for (const PictureTerm& term : picture_terms_) add_kind(term);
    for (const FeatureTerm& term : feature_terms_) {
      add_kind(term);
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

  /// The kind of each term, and its layer where it has one: "style relu1_1".
  const std::vector<std::string>& names() const { return names_; }

  /// The losses of a picture (1, 3, h, w): first those of terms of the picture itself.
  Losses<T, Device> operator()(const Variable<T, Device>& image) const {
    Losses<T, Device> losses{std::vector<Variable<T, Device>>(kinds_.size()), kinds_, {}};
    const auto add = [&](std::size_t i, const Variable<T, Device>& loss) {
      losses.total = losses.total.defined() ? losses.total + loss : loss;
      losses.terms[i] = loss;
    };
    for (std::size_t i = 0; i < picture_terms_.size(); ++i) {
      add(i, weighted(picture_terms_[i], image));
    }
    const std::size_t offset = picture_terms_.size();
    for (std::size_t i = 0; i < feature_terms_.size(); ++i) {
      if (!starts_[i]) add(offset + i, recomputed(i, image, 0));
    }
    network_.visit_features(image, visited_layers_, [&](std::size_t k, const auto& features) {
      const std::size_t i = visited_terms_[k];
      add(offset + i, *starts_[i] == layers_[i] ? weighted(feature_terms_[i], features)
                                                : recomputed(i, features, *starts_[i] + 1));
    });
    return losses;
  }

 private:
  template <class AnyTerm>
  void add_kind(const AnyTerm& term) {
    if (term.loss == nullptr) {
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

  template <class AnyTerm, class Input>
  static Variable<T, Device> weighted(const AnyTerm& term, const Input& features) {
    return term.loss(features, term.target) * static_cast<T>(term.weight);
  }

  /// A term whose features are computed from the input of layer `first`, and again for the
  /// gradient.
  template <class Input>
  Variable<T, Device> recomputed(std::size_t i, const Input& input, std::size_t first) const {
    return checkpoint(
        [this, i, first](const std::vector<Input>& inputs) {
          Variable<T, Device> loss;
          network_.visit_features(
              inputs[0], {layers_[i]},
              [&](std::size_t, const auto& x) { loss = weighted(feature_terms_[i], x); }, first);
          return loss;
        },
        {input});
  }

  Network& network_;
  std::vector<FeatureTerm> feature_terms_;
  std::vector<PictureTerm> picture_terms_;
  std::vector<std::string> kinds_;  // of the picture's terms, then of the features'
  std::vector<std::string> names_;  // the same order
  std::vector<std::size_t> layers_;
  std::vector<std::optional<std::size_t>> starts_;  // whose features a term's loss begins with
  std::vector<std::size_t> visited_layers_;         // what the network is asked for …
  std::vector<std::size_t> visited_terms_;          // … and for which terms
};

}  // namespace sfumato::style
