#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sfumato/autodiff/checkpoint.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/mixed_precision.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/losses/style.hpp"
#include "sfumato/losses/total_variation.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/ops/arithmetic.hpp"

namespace sfumato::style {

/// What a picture should be like: which layers' features are compared, and how much each loss
/// counts. The defaults are those of "Dive into Deep Learning".
struct ObjectiveOptions {
  std::vector<std::string> content_layers{"conv4_4"};
  std::vector<std::string> style_layers{"conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"};
  double content_weight = 1.0;
  double style_weight = 1e3;
  double tv_weight = 10.0;
  /// Do not keep the features of style layers in the first two blocks, which are the largest, but
  /// compute them again for their gradients.
  bool low_memory = false;
};

/// The same objective for a network with `widths` channels in its blocks instead of VGG's own. With
/// fewer channels, each as active as before, the entries of gram_matrix are larger by VGG's width
/// over theirs, and style losses by the square of it; content losses stay.
inline ObjectiveOptions scaled_to_widths(ObjectiveOptions options,
                                         const std::array<std::int64_t, 5>& widths) {
  const std::array<std::int64_t, 5> own = nn::VggOptions{}.widths;
  double ratio = 0.0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    ratio += static_cast<double>(widths[i]) / static_cast<double>(own[i]) / 5.0;
  }
  options.style_weight *= ratio * ratio;
  return options;
}

/// The losses of one picture, each multiplied by its weight; content and style by layer.
template <class T, class Device = Cpu>
struct Losses {
  std::vector<Variable<T, Device>> content;
  std::vector<Variable<T, Device>> style;
  Variable<T, Device> tv;
  Variable<T, Device> total;
};

/// The objective of neural style transfer: how far a picture is from the content of one image and
/// the style of another, as a (frozen) VGG network sees them.
///
/// `Stored` is the network's element type. Where it is not T, features are stored in it, losses are
/// computed in T, and only the total has a gradient.
template <class T, class Device = Cpu, class Stored = T>
class Objective {
 public:
  /// Content and style are normalised images (1, 3, h, w); their sizes may differ. The network must
  /// outlive the objective, and the objective its losses. Throws ValueError for layers that the
  /// network does not have.
  Objective(nn::Vgg<Stored, Device>& network, const Tensor<T, Device>& content,
            const Tensor<T, Device>& style, const ObjectiveOptions& options = {})
      : network_(network), options_(options) {
    if (options.content_layers.empty() && options.style_layers.empty()) {
      throw ValueError("style transfer: name at least one content or style layer");
    }
    no_grad([&] {
      add_terms(options.content_layers, content, false);
      add_terms(options.style_layers, style, true);
    });
    for (const Term& term : terms_) layers_.push_back(term.recomputed ? term.input : term.layer);
  }

  /// The losses of a picture (1, 3, h, w) of the content image's size.
  Losses<T, Device> operator()(const Variable<T, Device>& image) const {
    std::vector<Variable<T, Device>> parts(terms_.size());
    Losses<T, Device> losses;
    losses.tv = losses::total_variation_loss(image) * static_cast<T>(options_.tv_weight);
    losses.total = losses.tv;
    if constexpr (std::same_as<Stored, T>) {
      visit_layers(image, [&](std::size_t i, const Variable<T, Device>& x) {
        parts[i] = terms_[i].recomputed ? recomputed_loss(terms_[i], x) : loss(terms_[i], x);
      });
      for (const auto& part : parts) losses.total = losses.total + part;
    } else {
      losses.total = losses.total +
                     mixed_precision_sum<Stored>(
                         image, [&](const auto& x, const auto& visit) { visit_layers(x, visit); },
                         [&](std::size_t i, const Variable<T, Device>& features) {
                           const auto part = loss(terms_[i], features);
                           parts[i] = part.detach();
                           return part;
                         });
    }
    const auto split = parts.begin() + static_cast<std::ptrdiff_t>(options_.content_layers.size());
    losses.content.assign(parts.begin(), split);
    losses.style.assign(split, parts.end());
    return losses;
  }

 private:
  static constexpr std::size_t kImage = static_cast<std::size_t>(-1);  // before the first layer

  /// One layer's loss.
  struct Term {
    bool is_style;
    std::size_t layer;
    bool recomputed = false;     ///< from the output of …
    std::size_t input = kImage;  ///< … the last pooling before it
    Variable<T, Device> target;
  };

  void add_terms(const std::vector<std::string>& names, const Tensor<T, Device>& image,
                 bool is_style) {
    const std::size_t first = terms_.size();
    std::vector<std::size_t> layers;
    for (const std::string& name : names) {
      layers.push_back(network_.layer_index(name));
      terms_.push_back(make_term(layers.back(), is_style));
    }
    network_.visit_taps(Variable<Stored, Device>(image.template cast<Stored>()), layers,
                        [&](std::size_t i, const Variable<Stored, Device>& stored) {
                          const Variable<T, Device> features(stored.value().template cast<T>());
                          terms_[first + i].target =
                              is_style ? losses::gram_matrix(features) : features;
                        });
  }

  Term make_term(std::size_t layer, bool is_style) const {
    constexpr int kLargeBlocks = 2;
    Term term{.is_style = is_style, .layer = layer, .target = {}};
    int block = 1;
    for (std::size_t i = 0; i < layer; ++i) {
      if (!network_.layer_names()[i].starts_with("pool")) continue;
      term.input = i;
      ++block;
    }
    term.recomputed =
        options_.low_memory && is_style && block <= kLargeBlocks && std::same_as<Stored, T>;
    return term;
  }

  /// Calls `visit(i, x)` with what layers_[i] makes of the image, for every term.
  template <class Visit>
  void visit_layers(const Variable<Stored, Device>& image, const Visit& visit) const {
    std::vector<std::size_t> layers;
    std::vector<std::size_t> terms;
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      if (layers_[i] == kImage) {
        visit(i, image);
      } else {
        layers.push_back(layers_[i]);
        terms.push_back(i);
      }
    }
    network_.visit_taps(image, layers, [&](std::size_t i, const auto& x) { visit(terms[i], x); });
  }

  Variable<T, Device> loss(const Term& term, const Variable<T, Device>& features) const {
    return term.is_style
               ? losses::style_loss(features, term.target) * static_cast<T>(options_.style_weight)
               : losses::content_loss(features, term.target) *
                     static_cast<T>(options_.content_weight);
  }

  Variable<T, Device> recomputed_loss(const Term& term, const Variable<T, Device>& input) const {
    return checkpoint(
        [this, &term](const std::vector<Variable<T, Device>>& inputs) {
          Variable<T, Device> result;
          network_.visit_taps(
              inputs[0], {term.layer},
              [&](std::size_t, const auto& features) { result = loss(term, features); },
              term.input + 1);
          return result;
        },
        {input});
  }

  nn::Vgg<Stored, Device>& network_;
  ObjectiveOptions options_;
  std::vector<Term> terms_;          // the content layers', then the style layers'
  std::vector<std::size_t> layers_;  // from which each is computed
};

}  // namespace sfumato::style
