#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sfumato/autodiff/checkpoint.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/losses/style.hpp"
#include "sfumato/losses/total_variation.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/convolution.hpp"
#include "sfumato/ops/mixed_precision.hpp"

namespace sfumato::style {

/// What a picture should be like: which layers' features are compared, and how much each loss
/// counts. The defaults are those of the PyTorch code in "Dive into Deep Learning". It names
/// convolutions, but the ReLUs behind them work in place and leave features without negative
/// values, which take colours over better (docs/presets.md); only behind conv5_1, its last layer,
/// is none.
struct ObjectiveOptions {
  std::vector<std::string> content_layers{"relu4_4"};
  std::vector<std::string> style_layers{"relu1_1", "relu2_1", "relu3_1", "relu4_1", "conv5_1"};
  double content_weight = 1.0;
  double style_weight = 1e3;
  double tv_weight = 10.0;
  /// What the losses of some layers are multiplied by in addition, by name ("conv5_1"); the others
  /// by 1.
  std::map<std::string, double> content_layer_weights{};
  std::map<std::string, double> style_layer_weights{};
  /// Do not keep the features of style layers in the first two blocks, which are the largest, but
  /// compute them again for their gradients.
  bool low_memory = false;
};

/// The index of the deepest layer that the objective asks for. Throws ValueError for layers that
/// the network does not have.
template <class T, class Device>
std::size_t deepest_layer(const nn::Vgg<T, Device>& network, const ObjectiveOptions& options) {
  std::size_t last = 0;
  for (const auto* const names : {&options.content_layers, &options.style_layers}) {
    for (const std::string& name : *names) last = std::max(last, network.layer_index(name));
  }
  return last;
}

/// The sides, in pixels, of what one value of the deepest layer asked for stands for: 2ⁿ behind n
/// poolings. Pictures with smaller ones have no value there. Throws ValueError for layers that the
/// network does not have.
template <class T, class Device>
std::int64_t deepest_pixel(const nn::Vgg<T, Device>& network, const ObjectiveOptions& objective) {
  std::int64_t side = 1;
  const std::size_t last = deepest_layer(network, objective);
  for (std::size_t layer = 0; layer <= last; ++layer) {
    if (network.layer_names()[layer].starts_with("pool")) side *= 2;
  }
  return side;
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
/// `Stored` is the network's element type. Where it is not T, features are stored in it, but for
/// the first convolution, which sees the picture itself and needs all bits of it; losses are
/// computed in T, and only the total has a gradient.
template <class T, class Device = Cpu, class Stored = T>
class Objective {
 public:
  /// Content and style are normalised images (1, 3, h, w); their sizes may differ. The network must
  /// outlive the objective, and the objective its losses. Throws ValueError for layers that the
  /// network does not have, and ShapeError for images too small for them.
  Objective(nn::Vgg<Stored, Device>& network, const Tensor<T, Device>& content,
            const Tensor<T, Device>& style, const ObjectiveOptions& options = {})
      : network_(network), options_(options) {
    if (options.content_layers.empty() && options.style_layers.empty()) {
      throw ValueError("style transfer: name at least one content or style layer");
    }
    refuse_small("content", content, deepest_pixel(network, options));
    refuse_small("style", style, deepest_pixel(network, {{}, options.style_layers}));
    if constexpr (kMixed) {
      const auto parameters = network.named_parameters();
      first_weight_ = Variable<T, Device>(parameters[0].second.value().template cast<T>());
      first_bias_ = Variable<T, Device>(parameters[1].second.value().template cast<T>());
    }
    for (const std::string& name : options.content_layers) add_term(name, false);
    for (const std::string& name : options.style_layers) add_term(name, true);
    no_grad([&] {
      find_targets(content, false);
      find_targets(style, true);
    });
  }

  /// The losses of a picture (1, 3, h, w) of the content image's size.
  Losses<T, Device> operator()(const Variable<T, Device>& image) const {
    std::vector<Variable<T, Device>> parts(terms_.size());
    Losses<T, Device> losses;
    losses.tv = losses::total_variation_loss(image) * static_cast<T>(options_.tv_weight);
    losses.total = losses.tv;
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      if (!terms_[i].from_image()) continue;
      parts[i] = recomputed_loss(terms_[i], image);
      losses.total = losses.total + parts[i];
    }
    if constexpr (!kMixed) {
      network_.visit_taps(image, tapped_layers_, [&](std::size_t k, const auto& x) {
        const Term& term = terms_[tapped_terms_[k]];
        auto& part = parts[tapped_terms_[k]];
        part = term.recomputed ? recomputed_loss(term, x) : loss(term, x);
        losses.total = losses.total + part;
      });
    } else if (!tapped_layers_.empty()) {
      losses.total = losses.total + ops::mixed_precision_sum<Stored>(
                                        first_convolution(image),
                                        [&](const auto& x, const auto& visit) {
                                          network_.visit_taps(x, tapped_layers_, visit, 1);
                                        },
                                        [&](std::size_t k, const Variable<T, Device>& features) {
                                          auto part = loss(terms_[tapped_terms_[k]], features);
                                          parts[tapped_terms_[k]] = part.detach();
                                          return part;
                                        });
    }
    const auto split = parts.begin() + static_cast<std::ptrdiff_t>(options_.content_layers.size());
    losses.content.assign(parts.begin(), split);
    losses.style.assign(split, parts.end());
    return losses;
  }

 private:
  static constexpr bool kMixed = !std::same_as<Stored, T>;
  static constexpr std::size_t kImage = static_cast<std::size_t>(-1);  // before the first layer

  /// One layer's loss.
  struct Term {
    bool is_style;
    std::size_t layer;
    T weight;
    bool recomputed = false;     ///< from the output of …
    std::size_t input = kImage;  ///< … the last pooling before it
    Variable<T, Device> target;
    bool from_image() const { return recomputed && input == kImage; }
  };

  static void refuse_small(const char* which, const Tensor<T, Device>& image, std::int64_t least) {
    if (image.rank() != 4 || std::min(image.shape()[2], image.shape()[3]) >= least) return;
    throw ShapeError(
        message("style transfer: the ", which, " image ", image.shape(),
                " is too small for the layers asked for, which need sides of at least ", least,
                "; take a larger one, or layers behind fewer poolings"));
  }

  void add_term(const std::string& name, bool is_style) {
    constexpr int kLargeBlocks = 2;
    const std::size_t layer = network_.layer_index(name);
    const auto& layer_weights =
        is_style ? options_.style_layer_weights : options_.content_layer_weights;
    const auto found = layer_weights.find(network_.layer_names()[layer]);
    const double weight = (is_style ? options_.style_weight : options_.content_weight) *
                          (found == layer_weights.end() ? 1.0 : found->second);
    Term term{.is_style = is_style, .layer = layer, .weight = static_cast<T>(weight), .target = {}};
    int block = 1;
    for (std::size_t i = 0; i < term.layer; ++i) {
      if (!network_.layer_names()[i].starts_with("pool")) continue;
      term.input = i;
      ++block;
    }
    term.recomputed =
        kMixed ? term.layer == 0 : options_.low_memory && is_style && block <= kLargeBlocks;
    if (!term.from_image()) {
      tapped_layers_.push_back(term.recomputed ? term.input : term.layer);
      tapped_terms_.push_back(terms_.size());
    }
    terms_.push_back(term);
  }

  void find_targets(const Tensor<T, Device>& image, bool of_style) {
    std::vector<std::size_t> layers;
    std::vector<Term*> terms;
    const auto keep = [](Term& term, const Variable<T, Device>& features) {
      term.target = term.is_style ? losses::gram_matrix(features) : features;
    };
    const Variable<T, Device> picture(image);
    for (Term& term : terms_) {
      if (term.is_style != of_style) continue;
      if (kMixed && term.layer == 0) {
        keep(term, first_convolution(picture));
      } else {
        layers.push_back(term.layer);
        terms.push_back(&term);
      }
    }
    if constexpr (kMixed) {
      const auto first = first_convolution(picture).value().template cast<Stored>();
      network_.visit_taps(
          Variable<Stored, Device>(first), layers,
          [&](std::size_t i, const auto& stored) {
            keep(*terms[i], Variable<T, Device>(stored.value().template cast<T>()));
          },
          1);
    } else {
      network_.visit_taps(picture, layers,
                          [&](std::size_t i, const auto& x) { keep(*terms[i], x); });
    }
  }

  Variable<T, Device> first_convolution(const Variable<T, Device>& image) const {
    return ops::conv2d(image, first_weight_, first_bias_, {.padding = 1});
  }

  Variable<T, Device> loss(const Term& term, const Variable<T, Device>& features) const {
    return (term.is_style ? losses::style_loss(features, term.target)
                          : losses::content_loss(features, term.target)) *
           term.weight;
  }

  Variable<T, Device> recomputed_loss(const Term& term, const Variable<T, Device>& input) const {
    return checkpoint(
        [this, &term](const std::vector<Variable<T, Device>>& inputs) {
          if constexpr (kMixed) {
            return loss(term, first_convolution(inputs[0]));
          } else {
            Variable<T, Device> result;
            network_.visit_taps(
                inputs[0], {term.layer},
                [&](std::size_t, const auto& features) { result = loss(term, features); },
                term.input + 1);
            return result;
          }
        },
        {input});
  }

  nn::Vgg<Stored, Device>& network_;
  ObjectiveOptions options_;
  std::vector<Term> terms_;                 // the content layers', then the style layers'
  std::vector<std::size_t> tapped_layers_;  // what the network is asked for …
  std::vector<std::size_t> tapped_terms_;   // … and for which terms
  Variable<T, Device> first_weight_;        // where the element types differ
  Variable<T, Device> first_bias_;
};

}  // namespace sfumato::style
