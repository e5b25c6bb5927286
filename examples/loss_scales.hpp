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

/// How large the style losses of one layer are in two networks: the sums of √loss, which is a
/// distance, over the same pairs of pictures.
struct StyleDistances {
  double full = 1.0;
  double slim = 1.0;
  friend bool operator==(const StyleDistances&, const StyleDistances&) = default;
};

/// What the losses of a slim network are multiplied by, so that weights of losses mean about the
/// same as with the full network: content losses are as large as there, and so is the sum of the
/// style losses of the layers asked for, be they convolutions or ReLUs. Of that sum all style
/// layers make up the same share, as the slim network's deep layers alone would be easy to deceive.
/// Layers that are not named have 1.
struct LossScales {
  std::map<std::string, double> content;        ///< by the names of layers
  std::map<std::string, StyleDistances> style;  ///< the same
  double total_variation = 1.0;

  /// The scales of the style layers that `options` asks for, by the names that `network` has for
  /// them.
  template <class Network>
  std::map<std::string, double> style_scales(const sfumato::style::ObjectiveOptions& options,
                                             const Network& network) const {
    std::map<std::string, StyleDistances> chosen;
    for (const std::string& asked_for : options.style_layers) {
      const std::string& name = network.layer_names()[network.layer_index(asked_for)];
      if (const auto found = style.find(name); found != style.end()) chosen.insert(*found);
    }
    double total = 0.0;
    for (const auto& [name, distances] : chosen) total += std::pow(distances.full, 2);
    std::map<std::string, double> scales;
    for (const auto& [name, distances] : chosen) {
      const double share = total / static_cast<double>(chosen.size());
      scales[name] = share * std::pow(distances.slim, -2);
    }
    return scales;
  }

  template <class Network>
  void apply_to(sfumato::style::ObjectiveOptions& options, const Network& network) const {
    options.content_layer_weights = content;
    options.style_layer_weights = style_scales(options, network);
    options.tv_weight *= total_variation;
  }
};

/// The scale of total variation to paint with by a slim network. Part of what such a network takes
/// for style is noise to the full one, which this keeps down: at the same content, pictures have
/// more of the style in the full one's eyes (weights/README.md has figures).
inline constexpr double kSlimTotalVariation = 8.0;

namespace detail {
inline constexpr const char* kContentScale = "content_scale ";
inline constexpr const char* kFullStyle = "style_distance_full ";
inline constexpr const char* kSlimStyle = "style_distance_slim ";
inline constexpr const char* kOlderStyleScale = "style_scale ";
inline constexpr const char* kTotalVariationScale = "total_variation_scale";
}  // namespace detail

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
    for (std::size_t i = 0; i < style_layers.size(); ++i) {
      scales.style[style_layers[i]] = {wide[contents + i], narrow[contents + i]};
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
  for (const auto& [name, distances] : scales.style) {
    write(detail::kFullStyle + name, distances.full);
    write(detail::kSlimStyle + name, distances.slim);
  }
  write(detail::kTotalVariationScale, scales.total_variation);
  return metadata;
}

/// What to_metadata() wrote; nothing for a file that says nothing.
/// Throws IoError for a number that is not positive, and for files of an older distill_vgg19.
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
    } else if (key.starts_with(detail::kFullStyle)) {
      scales.style[layer_behind(detail::kFullStyle)].full = read();
    } else if (key.starts_with(detail::kSlimStyle)) {
      scales.style[layer_behind(detail::kSlimStyle)].slim = read();
    } else if (key.starts_with(detail::kOlderStyleScale)) {
      throw sfumato::IoError(
          sfumato::message(weights.string(), ": the metadata '", key,
                           "' are of an older distill_vgg19, before features behind ReLUs; get "
                           "the weights anew"));
    } else if (key == detail::kTotalVariationScale) {
      scales.total_variation = read();
    }
  }
  return scales;
}

}  // namespace examples
