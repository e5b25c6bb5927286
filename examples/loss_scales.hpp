#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/io/weights.hpp"
#include "sfumato/sfumato.hpp"

namespace examples {

/// What the losses of a slim network are multiplied by, by the names of layers, so that weights of
/// losses mean about the same as with the full network: content losses are as large as there, and
/// so is the sum of the style losses. Of that sum all style layers make up the same share, as the
/// slim network's deep layers alone would be easy to deceive. Layers that are not named have 1.
struct LossScales {
  std::map<std::string, double> content;
  std::map<std::string, double> style;
  double total_variation = 1.0;

  void apply_to(sfumato::style::ObjectiveOptions& options) const {
    options.content_layer_weights = content;
    options.style_layer_weights = style;
    options.tv_weight *= total_variation;
  }
};

/// The scale of total variation to paint with by a slim network. Part of what such a network takes
/// for style is noise to the full one, which this keeps down: at the same content, pictures have
/// more of the style in the full one's eyes (weights/README.md has figures).
inline constexpr double kSlimTotalVariation = 8.0;

namespace detail {
inline constexpr const char* kContentScale = "content_scale ";
inline constexpr const char* kStyleScale = "style_scale ";
inline constexpr const char* kTotalVariationScale = "total_variation_scale";
}  // namespace detail

/// Compares the losses between each two of `images` (1, 3, h, w), all of one size, at the layers of
/// style transfer.
inline LossScales measure_loss_scales(sfumato::nn::Vgg<float>& full, sfumato::nn::Vgg<float>& slim,
                                      const std::vector<sfumato::Tensor<float>>& images) {
  using namespace sfumato;
  const std::vector<std::string> content_layers{"conv4_2", "conv4_4"};
  const std::vector<std::string> style_layers = style::ObjectiveOptions{}.style_layers;
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
      network.visit_taps(Variable<float>(image), layers, [&](std::size_t k, const auto& features) {
        const Variable<float> now = k < contents ? features : losses::gram_matrix(features);
        for (const Variable<float>& before : seen[k]) {
          const auto loss = losses::mean_squared_error(before, now);
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
    double total = 0.0;
    for (std::size_t k = contents; k < wide.size(); ++k) total += std::pow(wide[k], 2);
    const double share = total / static_cast<double>(style_layers.size());
    for (std::size_t i = 0; i < style_layers.size(); ++i) {
      scales.style[style_layers[i]] = share * std::pow(narrow[contents + i], -2);
    }
  });
  return scales;
}

/// The scales as a weights file says them of itself, to the last digit.
inline std::map<std::string, std::string> to_metadata(const LossScales& scales) {
  std::map<std::string, std::string> metadata;
  const auto write = [&](const std::string& key, double scale) {
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), scale);
    metadata[key] = std::string(text.data(), end);
  };
  for (const auto& [name, scale] : scales.content) write(detail::kContentScale + name, scale);
  for (const auto& [name, scale] : scales.style) write(detail::kStyleScale + name, scale);
  write(detail::kTotalVariationScale, scales.total_variation);
  return metadata;
}

/// What to_metadata() wrote; nothing for a file that says nothing.
/// Throws IoError for a scale that is not a positive number.
inline LossScales loss_scales_of(const std::filesystem::path& weights) {
  LossScales scales;
  for (const auto& [key, text] : sfumato::io::WeightsFile(weights).metadata()) {
    const auto read = [&, &key = key, &text = text] {
      double scale = 0.0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), scale);
      if (error != std::errc{} || end != text.data() + text.size() || !(scale > 0.0) ||
          !std::isfinite(scale)) {
        throw sfumato::IoError(sfumato::message(weights.string(), ": the metadata '", key,
                                                "' are '", text, "', not a positive number"));
      }
      return scale;
    };
    const auto layer_behind = [&key = key](const std::string& prefix) {
      return key.substr(prefix.size());
    };
    if (key.starts_with(detail::kContentScale)) {
      scales.content[layer_behind(detail::kContentScale)] = read();
    } else if (key.starts_with(detail::kStyleScale)) {
      scales.style[layer_behind(detail::kStyleScale)] = read();
    } else if (key == detail::kTotalVariationScale) {
      scales.total_variation = read();
    }
  }
  return scales;
}

}  // namespace examples
