#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
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
template <class T, class Device = Cpu>
class Objective {
 public:
  /// Content and style are normalised images (1, 3, h, w); their sizes may differ. The network must
  /// outlive the objective. Throws ValueError for layers that the network does not have.
  Objective(nn::Vgg<T, Device>& network, const Tensor<T, Device>& content,
            const Tensor<T, Device>& style, const ObjectiveOptions& options = {})
      : network_(network), options_(options) {
    if (options.content_layers.empty() && options.style_layers.empty()) {
      throw ValueError("style transfer: name at least one content or style layer");
    }
    for (const auto& layer : options.content_layers) {
      layers_.push_back(network.layer_index(layer));
    }
    for (const auto& layer : options.style_layers) layers_.push_back(network.layer_index(layer));
    no_grad([&] {
      const auto split =
          layers_.begin() + static_cast<std::ptrdiff_t>(options.content_layers.size());
      content_targets_ = network.taps(Variable<T, Device>(content), {layers_.begin(), split});
      style_targets_.resize(options.style_layers.size());
      network.visit_taps(Variable<T, Device>(style), {split, layers_.end()},
                         [&](std::size_t i, const Variable<T, Device>& features) {
                           style_targets_[i] = losses::gram_matrix(features);
                         });
    });
  }

  /// The losses of a picture (1, 3, h, w) of the content image's size.
  Losses<T, Device> operator()(const Variable<T, Device>& image) const {
    Losses<T, Device> losses{
        .content = std::vector<Variable<T, Device>>(content_targets_.size()),
        .style = std::vector<Variable<T, Device>>(style_targets_.size()),
        .tv = losses::total_variation_loss(image) * static_cast<T>(options_.tv_weight),
        .total = {}};
    network_.visit_taps(image, layers_, [&](std::size_t i, const Variable<T, Device>& features) {
      if (i < content_targets_.size()) {
        losses.content[i] = losses::content_loss(features, content_targets_[i]) *
                            static_cast<T>(options_.content_weight);
      } else {
        const std::size_t j = i - content_targets_.size();
        losses.style[j] =
            losses::style_loss(features, style_targets_[j]) * static_cast<T>(options_.style_weight);
      }
    });
    losses.total = losses.tv;
    for (const auto& loss : losses.content) losses.total = losses.total + loss;
    for (const auto& loss : losses.style) losses.total = losses.total + loss;
    return losses;
  }

 private:
  nn::Vgg<T, Device>& network_;
  ObjectiveOptions options_;
  std::vector<std::size_t> layers_;  // the content layers, then the style layers
  std::vector<Variable<T, Device>> content_targets_;
  std::vector<Variable<T, Device>> style_targets_;
};

}  // namespace sfumato::style
