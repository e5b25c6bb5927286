#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"

/// How a slim VGG-19 learns to see like the full one. Each of its convolutions has a projection, a
/// matrix (wide, narrow) that is used in training only: it turns the slim network's features into
/// the full network's, decoded = projection · slim.
namespace distill {

using sfumato::Tensor;
using sfumato::Variable;
using Network = sfumato::nn::Vgg<float>;

/// A tensor's matrix as Eigen sees it.
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Rows = Eigen::Map<Matrix>;
using ConstRows = Eigen::Map<const Matrix>;

/// What the full network makes of a batch: the outputs of its convolutions, up to some layer.
using Features = std::vector<Variable<float>>;

/// The layer indices of the 16 convolutions.
inline std::vector<std::size_t> convolution_layers(const Network& network) {
  std::vector<std::size_t> layers;
  for (std::size_t i = 0; i < network.layer_names().size(); ++i) {
    if (network.layer_names()[i].starts_with("conv")) layers.push_back(i);
  }
  return layers;
}

/// Where style is compared: the first convolution of each block.
inline bool is_style_tap(const std::string& layer) {
  return layer.ends_with("_1");
}

/// A convolution at which the two networks are compared in training.
struct Tap {
  std::size_t layer;        ///< its index among the layers
  std::size_t convolution;  ///< and among the convolutions
  bool style;               ///< whether its Gram matrix counts, too
  float weight;             ///< how much its loss counts
};

/// The taps of style transfer, and the last convolution, without which those after conv5_1 would
/// not learn; a little of it is enough, and hardly bends what the others learn. conv5_1 is the
/// hardest, and most of the style loss of many a picture; conv4_4 decides what content is.
inline std::vector<Tap> training_taps(const Network& network) {
  std::vector<Tap> taps;
  const std::vector<std::size_t> layers = convolution_layers(network);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string& name = network.layer_names()[layers[i]];
    const bool style = is_style_tap(name);
    const bool content = name == "conv4_2" || name == "conv4_4";
    const bool last = i + 1 == layers.size();
    if (style || content || last) {
      const bool twice = name == "conv5_1" || name == "conv4_4";
      const float weight = last ? 0.1F : twice ? 2.0F : 1.0F;
      taps.push_back({layers[i], i, style, weight});
    }
  }
  return taps;
}

inline std::vector<std::size_t> layers_of(const std::vector<Tap>& taps) {
  std::vector<std::size_t> layers;
  for (const Tap& tap : taps) layers.push_back(tap.layer);
  return layers;
}

/// The slim network, and what it has in training only.
struct Student {
  Student(const sfumato::nn::VggOptions& options, sfumato::Random&& random)
      : network(options, random) {}

  Network network;
  std::vector<Variable<float>> projections;  ///< of each convolution, (wide, narrow)
};

/// How far a convolution of the student is from the teacher's.
struct TapLoss {
  Variable<float> features;    ///< |full - decoded|² / |full|²
  Variable<float> gram;        ///< the same of the Gram matrices; undefined unless asked for
  Variable<float> similarity;  ///< how far the projection is from turning and scaling alone
};

/// Compares features (n, wide, h, w) with slim ones (n, narrow, h, w). The squares are multiplied
/// out, |full - P slim|² = |full|² - 2 ⟨P, full slimᵀ⟩ + ⟨PᵀP, slim slimᵀ⟩, so that nothing as
/// large as the features is computed but the products, nor in the gradients.
inline TapLoss tap_loss(const Variable<float>& full, const Variable<float>& slim,
                        const Variable<float>& projection, bool with_gram) {
  using namespace sfumato;
  const auto flat = [](const Variable<float>& x) {
    return ops::reshape(x, {x.shape()[0], x.shape()[1], -1});
  };
  const auto pixels = static_cast<float>(full.shape()[2] * full.shape()[3]);
  // Sums over pixels and channels, so that the projection of one can be the other.
  const auto gram = [](const Variable<float>& x) {
    return losses::gram_matrix(x) * static_cast<float>(x.shape()[1]);
  };
  const auto inner = [](const Variable<float>& a, const Variable<float>& b) {
    return ops::sum(a * b);
  };
  const auto square = ops::matmul(projection, projection, {.transpose_a = true});
  const auto slim_gram = gram(slim);
  const auto cross = ops::matmul(flat(full), flat(slim), {.transpose_b = true}) / pixels;
  const float size = std::max(ops::sum(ops::square(full)).item() / pixels, 1e-12F);
  TapLoss loss;
  loss.features = (inner(slim_gram, square) - inner(cross, projection) * 2.0F) / size + 1.0F;
  if (with_gram) {
    // The same for P slim_gram Pᵀ and the full network's.
    const auto full_gram = gram(full);
    const auto folded =
        ops::matmul(ops::matmul(projection, full_gram, {.transpose_a = true}), projection);
    const auto turned = ops::matmul(ops::matmul(square, slim_gram), square);
    const float gram_size = std::max(ops::sum(ops::square(full_gram)).item(), 1e-12F);
    loss.gram = inner(slim_gram, turned - folded * 2.0F) / gram_size + 1.0F;
  }
  // Where projectionᵀ projection is a multiple of 1, slim distances are the full ones to scale.
  const std::int64_t narrow = projection.shape()[1];
  const auto mean_square = ops::sum(ops::square(projection)) / static_cast<float>(narrow);
  auto one = Tensor<float>::zeros({narrow, narrow});
  for (std::int64_t i = 0; i < narrow; ++i) one.set({i, i}, 1.0F);
  loss.similarity = ops::sum(ops::square(square / mean_square - Variable<float>(one))) /
                    static_cast<float>(narrow);
  return loss;
}

/// What is minimised at a tap. A little pulls each projection towards keeping distances, without
/// which slim style losses would be of another metric.
inline Variable<float> total_loss(const TapLoss& loss) {
  constexpr float kGram = 2.0F;
  constexpr float kSimilarity = 0.02F;
  const auto total = loss.features + loss.similarity * kSimilarity;
  return loss.gram.defined() ? total + loss.gram * kGram : total;
}

}  // namespace distill
