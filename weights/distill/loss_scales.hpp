#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "sfumato/style/loss_scales.hpp"

namespace distill {

using sfumato::style::LossScales;

/// The scales of total variation to paint with by a slim network: of style losses and of the
/// distances of neighbours. Part of what such a network takes for style is noise to the full one,
/// which this keeps down: at the same content, pictures have more of the style in the full one's
/// eyes (weights/README.md has figures).
inline constexpr double kSlimTotalVariation = 2.0;
inline constexpr double kSlimNeighborsTotalVariation = 8.0;

/// Compares the losses between each two of `images` (1, 3, h, w), all of one size, at the layers of
/// style transfer, before and behind their ReLUs.
inline LossScales measure_loss_scales(sfumato::nn::Vgg<float>& full, sfumato::nn::Vgg<float>& slim,
                                      const std::vector<sfumato::Tensor<float>>& images) {
  using namespace sfumato;
  const std::vector<std::string> content_layers{"conv4_2", "conv4_4", "relu4_2", "relu4_4"};
  const std::vector<std::string> style_layers{"conv1_1", "conv2_1", "conv3_1", "conv4_1",
                                              "conv5_1", "relu1_1", "relu2_1", "relu3_1",
                                              "relu4_1", "relu5_1"};
  const std::size_t contents = content_layers.size();
  // Sums of √loss, which is a distance, so that a few pairs do not make up all of a sum: for the
  // content layers, then for the style layers.
  const auto distances = [&](nn::Vgg<float>& network) {
    std::vector<std::size_t> layers;
    for (const auto* const names : {&content_layers, &style_layers}) {
      for (const std::string& name : *names) layers.push_back(network.layer_index(name));
    }
    std::vector<std::vector<Variable<float>>> seen(layers.size());
    std::vector<double> sums(layers.size(), 0.0);
    for (const Tensor<float>& image : images) {
      network.visit_features(
          Variable<float>(image), layers, [&](std::size_t k, const auto& features) {
            const Variable<float> now = k < contents ? features : losses::gram_matrix(features);
            for (const Variable<float>& before : seen[k]) {
              const auto loss = losses::mse_loss(before, now);
              sums[k] += std::sqrt(static_cast<double>(loss.item()));
            }
            seen[k].push_back(now);
          });
    }
    return sums;
  };
  LossScales scales;
  no_grad([&] {
    const std::vector<double> wide = distances(full);
    const std::vector<double> narrow = distances(slim);
    for (std::size_t i = 0; i < contents; ++i) {
      scales.content[content_layers[i]] = std::pow(wide[i] / narrow[i], 2);
    }
    for (std::size_t i = 0; i < style_layers.size(); ++i) {
      scales.style[style_layers[i]] = {wide[contents + i], narrow[contents + i]};
    }
  });
  return scales;
}

/// Lets colours, which the first style layer sees, and large shapes, which the last one sees, count
/// for more than what is between, and the five in sum for as much as before: so painted, pictures
/// have more of the style in the full network's eyes (weights/README.md has figures).
inline void weigh_style_layers(LossScales& scales) {
  for (auto& [name, distances] : scales.style) {
    const double share = name.ends_with("1_1") ? 2.0 : name.ends_with("5_1") ? 1.5 : 0.5;
    distances.slim /= std::sqrt(share);
  }
}

/// The scales as a weights file says them of itself, to the last digit.
inline std::map<std::string, std::string> to_metadata(const LossScales& scales) {
  std::map<std::string, std::string> metadata;
  const auto write = [&](const std::string& key, double scale) {
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), scale);
    metadata[key] = std::string(text.data(), end);
  };
  for (const auto& [name, scale] : scales.content)
    write(sfumato::style::detail::kContentScale + name, scale);
  for (const auto& [name, distances] : scales.style) {
    write(sfumato::style::detail::kFullStyle + name, distances.full);
    write(sfumato::style::detail::kSlimStyle + name, distances.slim);
  }
  write(sfumato::style::detail::kTotalVariationScale, scales.total_variation);
  write(sfumato::style::detail::kNeighborsTotalVariationScale, scales.neighbors_total_variation);
  return metadata;
}

}  // namespace distill
