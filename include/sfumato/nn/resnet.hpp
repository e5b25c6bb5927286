#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/nn/batch_norm.hpp"
#include "sfumato/nn/initializers.hpp"
#include "sfumato/nn/layer_names.hpp"
#include "sfumato/nn/layers.hpp"
#include "sfumato/nn/module.hpp"
#include "sfumato/nn/sequential.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/pooling.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/relu.hpp"

namespace sfumato::nn {

/// Which residual network.
struct ResNetOptions {
  int depth = 18;  ///< 18, 34 or 50 layers with weights
  bool classifier = false;
  std::int64_t classes = 1000;
  std::array<std::int64_t, 4> widths{64, 128, 256, 512};  ///< of each stage's 3 × 3 convolutions
};

namespace detail {
/// One without a bias, (out, in, k, k), of random weights.
template <class T, class Device>
std::shared_ptr<Conv2d<T, Device>> convolution(std::int64_t in, std::int64_t out,
                                               std::int64_t kernel, std::int64_t stride,
                                               Random& random) {
  return std::make_shared<Conv2d<T, Device>>(
      kaiming_normal<T, Device>({out, in, kernel, kernel}, random), Tensor<T, Device>(),
      ops::Conv2dOptions{.stride = stride, .padding = kernel / 2});
}
}  // namespace detail

/// relu(f(x) + x), where f is convolutions "conv1", "conv2", …, each with its normalisation, and
/// ReLUs between them: two of 3 × 3, or, of a bottleneck, 1 × 1, 3 × 3 and 1 × 1 to four times the
/// channels. x passes through `downsample`, a 1 × 1 convolution and its normalisation, if its shape
/// changes.
template <class T = float, class Device = Cpu>
class ResidualBlock : public Module<T, Device> {
 public:
  ResidualBlock(std::int64_t in, std::int64_t width, std::int64_t stride, bool bottleneck,
                Random& random) {
    const std::int64_t out = bottleneck ? 4 * width : width;
    if (bottleneck) add_convolution(in, width, 1, 1, random);
    add_convolution(bottleneck ? width : in, width, 3, stride, random);
    add_convolution(width, out, bottleneck ? 1 : 3, 1, random);
    if (stride == 1 && in == out) return;
    downsample_ = this->add_module("downsample", std::make_shared<Sequential<T, Device>>());
    downsample_->push_back(detail::convolution<T, Device>(in, out, 1, stride, random));
    downsample_->push_back(std::make_shared<BatchNorm2d<T, Device>>(out));
  }

  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    Variable<T, Device> y = x;
    for (std::size_t i = 0; i < layers_.size(); i += 2) {
      y = (*layers_[i + 1])((*layers_[i])(i == 0 ? y : ops::relu(y)));
    }
    return ops::relu(y + (downsample_ == nullptr ? x : (*downsample_)(x)));
  }

 private:
  void add_convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                       Random& random) {
    const std::size_t number = layers_.size() / 2 + 1;
    layers_.push_back(this->add_module(
        message("conv", number), detail::convolution<T, Device>(in, out, kernel, stride, random)));
    layers_.push_back(
        this->add_module(message("bn", number), std::make_shared<BatchNorm2d<T, Device>>(out)));
  }

  std::vector<std::shared_ptr<Module<T, Device>>> layers_;
  std::shared_ptr<Sequential<T, Device>> downsample_;
};

/// The networks of He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015),
/// with torchvision's names and shapes. Layers that can be looked at are "relu1", "pool1" and the
/// blocks "layer1.0", "layer1.1", …. Call eval() to use the statistics that were learnt.
///
///     nn::ResNet<float> network({.depth = 18}, random);
///     network.load_state_dict(state, false);   // as torchvision's, which has a classifier, too
template <class T = float, class Device = Cpu>
class ResNet : public Module<T, Device> {
 public:
  /// Random weights (kaiming_normal). Throws ValueError for an unknown depth.
  explicit ResNet(const ResNetOptions& options = {}, Random& random = default_random())
      : conv1_(this->add_module(
            "conv1", detail::convolution<T, Device>(3, options.widths[0], 7, 2, random))),
        bn1_(options.widths[0]) {
    this->add_module("bn1", bn1_);
    std::int64_t channels = options.widths[0];
    const bool bottleneck = options.depth == 50;
    for (std::size_t stage = 0; stage < options.widths.size(); ++stage) {
      const std::string name = message("layer", stage + 1);
      const auto blocks = this->add_module(name, std::make_shared<Sequential<T, Device>>());
      for (int i = 0; i < blocks_per_stage(options.depth)[stage]; ++i) {
        const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
        blocks_.push_back(std::make_shared<ResidualBlock<T, Device>>(
            channels, options.widths[stage], stride, bottleneck, random));
        blocks->push_back(blocks_.back());
        layer_names_.push_back(message(name, ".", i));
        strides_.push_back(strides_.back() * stride);
        channels = options.widths[stage] * (bottleneck ? 4 : 1);
      }
    }
    if (options.classifier) {
      classifier_ = this->add_module(
          "fc", std::make_shared<Linear<T, Device>>(channels, options.classes, random));
    }
  }

  const std::vector<std::string>& layer_names() const { return layer_names_; }
  std::int64_t stride(std::size_t layer) const { return strides_[layer]; }

  /// The index of a layer from its name or number. Throws ValueError for one that there isn't.
  std::size_t layer_index(std::string_view layer) const {
    if (const auto found = detail::find_layer(layer_names_, layer)) return *found;
    throw ValueError(message("ResNet: there is no layer '", layer,
                             "'; layers are relu1, pool1, layer1.0, …, ", layer_names_.back()));
  }

  /// Calls `visit(i, features)` with what layers[i] makes of images (n, 3, h, w), from the input of
  /// layer `first` on. Images in another element type are converted.
  template <class Image, class Visit>
  void visit_features(const Variable<Image, Device>& x, const std::vector<std::size_t>& layers,
                      const Visit& visit, std::size_t first = 0) {
    if (layers.empty()) return;
    for (const std::size_t layer : layers) layer_index(std::to_string(layer));
    Variable<T, Device> y = ops::cast<T>(x);
    const std::size_t last = *std::max_element(layers.begin(), layers.end());
    for (std::size_t i = first; i <= last; ++i) {
      y = layer(i, y);
      for (std::size_t j = 0; j < layers.size(); ++j) {
        if (layers[j] == i) visit(j, y);
      }
    }
  }

  /// The last block's features, or the classes' logits when there is a classifier.
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    Variable<T, Device> y = x;
    for (std::size_t i = 0; i < layer_names_.size(); ++i) y = layer(i, y);
    return classifier_ == nullptr ? y : (*classifier_)(ops::mean(y, {2, 3}));
  }

 private:
  static std::array<int, 4> blocks_per_stage(int depth) {
    if (depth == 18) return {2, 2, 2, 2};
    if (depth == 34 || depth == 50) return {3, 4, 6, 3};
    throw ValueError(
        message("ResNet: there is no ResNet-", depth, " here; depths are 18, 34 and 50"));
  }

  Variable<T, Device> layer(std::size_t i, const Variable<T, Device>& x) {
    if (i == 0) return ops::relu(bn1_((*conv1_)(x)));
    if (i == 1) return ops::max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1});
    return (*blocks_[i - 2])(x);
  }

  std::shared_ptr<Conv2d<T, Device>> conv1_;
  BatchNorm2d<T, Device> bn1_;
  std::vector<std::shared_ptr<ResidualBlock<T, Device>>> blocks_;
  std::shared_ptr<Linear<T, Device>> classifier_;
  std::vector<std::string> layer_names_{"relu1", "pool1"};
  std::vector<std::int64_t> strides_{2, 4};
};

}  // namespace sfumato::nn
