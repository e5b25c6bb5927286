#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/nn/layer_names.hpp"
#include "sfumato/nn/layers.hpp"
#include "sfumato/nn/module.hpp"
#include "sfumato/nn/sequential.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/convolution.hpp"
#include "sfumato/ops/padding.hpp"
#include "sfumato/ops/pooling.hpp"

namespace sfumato::nn {

/// Which pooling stands between the blocks of a VGG network; Gatys et al. found that average
/// pooling gives slightly more appealing pictures.
enum class Pooling {
  kMax,
  kAverage,
  kL2,  ///< the root of the sum of squares
};

/// Which VGG network.
struct VggOptions {
  int depth = 19;  ///< 11, 13, 16 or 19 layers with weights
  Pooling pooling = Pooling::kMax;
  /// Whether what other poolings than kMax leave is made about as large as what kMax would: times 2
  /// for kAverage, 0.78 for kL2, as in K. Crowson's style-transfer-pytorch.
  bool rescale_pooling = false;
  ops::PaddingMode first_padding = ops::PaddingMode::kZeros;  ///< of the first convolution
  /// What stands, channel by channel, beyond the edges of an image where the padding is kZeros;
  /// zeros when empty.
  std::vector<double> surround = {};
  bool classifier = false;
  std::int64_t classes = 1000;
  /// Channels of each of the five blocks, or of each convolution.
  std::vector<std::int64_t> widths{64, 128, 256, 512, 512};

  friend bool operator==(const VggOptions&, const VggOptions&) = default;
};

/// The networks of Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
/// recognition" (2014): five blocks of 3 × 3 convolutions and ReLUs, a pooling after each, and
/// three linear layers if the classifier is asked for. Parameters have
/// torchvision's names ("features.0.weight").
///
/// Layers of the feature part are known by torchvision's index ("0" … "36" in VGG-19) or by name:
/// "conv3_2" and "relu3_2" are of the second convolution in block 3, "pool3" is at its end.
template <class T = float, class Device = Cpu>
class Vgg : public Module<T, Device> {
 public:
  /// Random weights (kaiming_normal), biases zero. Throws ValueError for an unknown depth.
  explicit Vgg(const VggOptions& options = {}, Random& random = default_random())
      : Vgg(options, [&random](const std::string&, const Shape& shape) {
          return shape.rank() > 1 ? kaiming_normal<T, Device>(shape, random)
                                  : Tensor<T, Device>::zeros(shape);
        }) {}

  /// Weights by torchvision's names, which are used in place, not copied; surplus ones are ignored.
  /// Throws ValueError when one is missing or has another shape.
  Vgg(const VggOptions& options, const StateDict<T, Device>& state)
      : Vgg(options, [&state](const std::string& name, const Shape& shape) {
          const auto found = state.find(name);
          if (found == state.end()) throw ValueError(message("Vgg: the weights have no ", name));
          if (found->second.shape() != shape) {
            throw ValueError(message("Vgg: ", name, " has the shape ", found->second.shape(),
                                     " but this network needs ", shape));
          }
          return found->second;
        }) {}

  /// The parameter names that a network with these options has.
  static std::vector<std::string> parameter_names(const VggOptions& options) {
    std::vector<std::string> names;
    std::size_t index = 0;
    for (const int convolutions : convolutions_per_block(options.depth)) {
      for (int i = 0; i < convolutions; ++i, index += 2) {
        names.push_back(message("features.", index, ".weight"));
        names.push_back(message("features.", index, ".bias"));
      }
      ++index;
    }
    if (options.classifier) {
      for (const int layer : {0, 3, 6}) {
        names.push_back(message("classifier.", layer, ".weight"));
        names.push_back(message("classifier.", layer, ".bias"));
      }
    }
    return names;
  }

  /// The width of each convolution, from the weights: `shape_of(name)` is asked for the shape of
  /// each. Throws ValueError for one that is not of a convolution.
  template <class ShapeOf>
  static std::vector<std::int64_t> widths_of(int depth, const ShapeOf& shape_of) {
    std::vector<std::int64_t> widths;
    for (const std::string& name : parameter_names({.depth = depth})) {
      if (!name.ends_with(".weight")) continue;
      const Shape shape = shape_of(name);
      if (shape.rank() != 4) {
        throw ValueError(message("Vgg: ", name, " has the shape ", shape,
                                 ", which is not of a convolution (out, in, 3, 3)"));
      }
      widths.push_back(shape[0]);
    }
    return widths;
  }

  /// The width of each convolution of a network with these options.
  /// Throws ValueError unless there is a width for each block or for each convolution.
  static std::vector<std::int64_t> convolution_widths(const VggOptions& options) {
    const std::vector<int> blocks = convolutions_per_block(options.depth);
    const int convolutions = std::accumulate(blocks.begin(), blocks.end(), 0);
    if (options.widths.size() == static_cast<std::size_t>(convolutions)) return options.widths;
    if (options.widths.size() != blocks.size()) {
      throw ValueError(message("Vgg: there are ", options.widths.size(), " widths; give ",
                               blocks.size(), " for the blocks or ", convolutions,
                               " for the convolutions of VGG-", options.depth));
    }
    std::vector<std::int64_t> widths;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      widths.insert(widths.end(), static_cast<std::size_t>(blocks[i]), options.widths[i]);
    }
    return widths;
  }

  /// The names of the feature layers in order, "conv1_1", "relu1_1", ….
  const std::vector<std::string>& layer_names() const { return layer_names_; }

  /// The index of a feature layer from its name or its number.
  /// Throws ValueError for one that the network does not have.
  std::size_t layer_index(std::string_view layer) const {
    if (const auto found = detail::find_layer(layer_names_, layer)) return *found;
    throw ValueError(message("Vgg: there is no layer '", layer,
                             "'; layers are conv1_1, relu1_1, …, ", layer_names_.back(),
                             " or 0 to ", layer_names_.size() - 1));
  }

  /// The side, in pixels of the image, of what one value of a layer stands for: 2ⁿ behind n
  /// poolings.
  std::int64_t stride(std::size_t layer) const {
    std::int64_t side = 1;
    for (std::size_t i = 0; i <= layer; ++i) side *= layer_names_[i].starts_with("pool") ? 2 : 1;
    return side;
  }

  /// How many pixels on each side of what one value of a layer stands for have a part in it: one
  /// step of each convolution. Where a picture is cut at a multiple of the layer's stride, no value
  /// that is farther from there changes. Throws ValueError for circular padding, by which opposite
  /// edges are neighbours.
  std::int64_t reach(std::size_t layer) const {
    if (first_options_.padding_mode == ops::PaddingMode::kCircular) {
      throw ValueError("Vgg: with circular padding no part of a picture can be seen alone");
    }
    std::int64_t pixels = 0;
    for (std::size_t i = 0; i <= layer; ++i) {
      if (layer_names_[i].starts_with("conv")) pixels += stride(i);
    }
    return pixels;
  }

  /// Lets go of what stands behind a layer, a classifier too, and of its memory. Throws ValueError.
  void forget_behind(std::size_t layer) {
    check({layer});
    if (std::exchange(classifier_, nullptr)) this->remove_module("classifier");
    for (; layer_names_.size() > layer + 1; layer_names_.pop_back()) features_->pop_back();
  }

  /// What the given layers make of images (n, 3, h, w), in the order asked for. Nothing beyond the
  /// last of them is computed. Throws ValueError for an index that the network does not have.
  std::vector<Variable<T, Device>> features(const Variable<T, Device>& x,
                                            const std::vector<std::size_t>& layers) {
    check(layers);
    return features_->features(surrounded(x), layers);
  }

  /// The same one by one, as soon as each is computed, from the input of layer `first` on: see
  /// Sequential::visit_features. Of images in another element type, whose bits the network's may
  /// not hold, the first convolution is computed in theirs, and its result is converted.
  template <class Image, class Visit>
  void visit_features(const Variable<Image, Device>& x, const std::vector<std::size_t>& layers,
                      const Visit& visit, std::size_t first = 0) {
    check(layers);
    if (layers.empty()) return;
    if constexpr (std::same_as<Image, T>) {
      features_->visit_features(first > 0 ? x : surrounded(x), layers, visit, first);
    } else if (first > 0) {
      features_->visit_features(ops::cast<T>(x), layers, visit, first);
    } else {
      const auto parameters = (*features_)[0].parameters();
      const auto y = ops::cast<T>(ops::conv2d(surrounded(x), ops::cast<Image>(parameters[0]),
                                              ops::cast<Image>(parameters[1]), first_options_));
      std::vector<std::size_t> later;
      std::vector<std::size_t> positions;
      for (std::size_t i = 0; i < layers.size(); ++i) {
        if (layers[i] == 0) {
          visit(i, y);
        } else {
          later.push_back(layers[i]);
          positions.push_back(i);
        }
      }
      features_->visit_features(
          y, later, [&](std::size_t i, const auto& features) { visit(positions[i], features); }, 1);
    }
  }

  /// The features after the last pooling, or the classes' logits when there is a classifier.
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    Variable<T, Device> features = features_->forward(surrounded(x));
    if (classifier_ == nullptr) return features;
    const auto pooled = ops::adaptive_avg_pool2d(features, kClassifierGrid);
    return classifier_->forward(ops::flatten(pooled, 1));
  }

 private:
  static constexpr std::int64_t kClassifierGrid = 7;  // what is left of 224 × 224

  /// Where a parameter's first value comes from, by its name and shape.
  using ParameterSource =
      std::function<Tensor<T, Device>(const std::string& name, const Shape& shape)>;

  Vgg(const VggOptions& options, const ParameterSource& source)
      : first_options_{.padding = 1, .padding_mode = options.first_padding} {
    features_ = this->add_module("features", std::make_shared<Sequential<T, Device>>());
    if (!options.surround.empty()) surround_by(options.surround);
    std::int64_t channels = 3;
    const auto blocks = convolutions_per_block(options.depth);
    const auto widths = convolution_widths(options);
    auto next_width = widths.begin();
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      for (int i = 1; i <= blocks[block]; ++i) {
        const std::int64_t width = *next_width++;
        const std::string name = message("features.", features_->size());
        auto weight = source(name + ".weight", {width, channels, 3, 3});
        auto bias = source(name + ".bias", {width});
        add_layer(message("conv", block + 1, "_", i),
                  std::make_shared<Conv2d<T, Device>>(
                      std::move(weight), std::move(bias),
                      block == 0 && i == 1 ? first_options_ : ops::Conv2dOptions{.padding = 1}));
        add_layer(message("relu", block + 1, "_", i), std::make_shared<ReLU<T, Device>>());
        channels = width;
      }
      add_layer(message("pool", block + 1), pooling(options));
    }
    if (options.classifier) add_classifier(options, source);
  }

  static std::shared_ptr<Module<T, Device>> pooling(const VggOptions& options) {
    switch (options.pooling) {
      case Pooling::kAverage:  // half of four is twice their mean
        return std::make_shared<AvgPool2d<T, Device>>(
            ops::AvgPool2dOptions{.divisor_override = options.rescale_pooling ? 2 : 0});
      case Pooling::kL2:
        return std::make_shared<L2Pool2d<T, Device>>(options.rescale_pooling ? 0.78 : 1.0);
      default:
        return std::make_shared<MaxPool2d<T, Device>>();
    }
  }

  /// Images with the colour around them by which the first convolution's zeros are replaced.
  template <class Image>
  Variable<Image, Device> surrounded(const Variable<Image, Device>& x) const {
    if (!surround_.defined()) return x;
    const Variable<Image, Device> ones(Tensor<Image, Device>::ones({1, 1, x.size(-2), x.size(-1)}));
    const auto outside = Compute<Image>{1} - ops::pad(ones, {1, 1, 1, 1});
    return ops::pad(x, {1, 1, 1, 1}) + ops::cast<Image>(surround_) * outside;
  }
  void surround_by(const std::vector<double>& colour) {
    if (colour.size() != 3) {
      throw ValueError(message("Vgg: a surround of ", colour.size(), " numbers, not 3"));
    }
    if (first_options_.padding_mode != ops::PaddingMode::kZeros) return;
    const std::vector<Compute<T>> numbers(colour.begin(), colour.end());
    const auto pixel = Tensor<Compute<T>, Device>::from(numbers, {1, 3, 1, 1});
    surround_ = Variable<Compute<T>, Device>(pixel);
    first_options_.padding = 0;
  }

  void check(const std::vector<std::size_t>& layers) const {
    for (const std::size_t layer : layers) layer_index(std::to_string(layer));
  }

  void add_layer(std::string name, std::shared_ptr<Module<T, Device>> layer) {
    layer_names_.push_back(std::move(name));
    features_->push_back(std::move(layer));
  }

  void add_classifier(const VggOptions& options, const ParameterSource& source) {
    constexpr std::int64_t kHidden = 4096;
    classifier_ = this->add_module("classifier", std::make_shared<Sequential<T, Device>>());
    const auto linear = [&](std::int64_t in, std::int64_t out) {
      const std::string name = message("classifier.", classifier_->size());
      auto weight = source(name + ".weight", {out, in});
      auto bias = source(name + ".bias", {out});
      classifier_->push_back(
          std::make_shared<Linear<T, Device>>(std::move(weight), std::move(bias)));
    };
    const auto rectify = [&] {
      classifier_->push_back(std::make_shared<ReLU<T, Device>>());
      classifier_->push_back(std::make_shared<Dropout<T, Device>>());
    };
    linear(options.widths.back() * kClassifierGrid * kClassifierGrid, kHidden);
    rectify();
    linear(kHidden, kHidden);
    rectify();
    linear(kHidden, options.classes);
  }

  static std::vector<int> convolutions_per_block(int depth) {
    switch (depth) {
      case 11:
        return {1, 1, 2, 2, 2};
      case 13:
        return {2, 2, 2, 2, 2};
      case 16:
        return {2, 2, 3, 3, 3};
      case 19:
        return {2, 2, 4, 4, 4};
      default:
        throw ValueError(message("Vgg: there is no VGG-", depth, "; depths are 11, 13, 16 and 19"));
    }
  }

  ops::Conv2dOptions first_options_;
  Variable<Compute<T>, Device> surround_;  // undefined for zeros
  std::shared_ptr<Sequential<T, Device>> features_;
  std::shared_ptr<Sequential<T, Device>> classifier_;
  std::vector<std::string> layer_names_;
};

}  // namespace sfumato::nn
