#pragma once

#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <system_error>

#include "sfumato/core/error.hpp"
#include "sfumato/io/weights.hpp"
#include "sfumato/style/options.hpp"

namespace sfumato::style {

/// How large the style losses of one layer are in two networks: the sums of √loss, which is a
/// distance, over the same pairs of pictures.
struct StyleDistances {
  double full = 1.0;
  double slim = 1.0;
  friend bool operator==(const StyleDistances&, const StyleDistances&) = default;
};

/// What the losses of a slim network are multiplied by, so that weights of losses mean about the
/// same as with the full network: content losses are as large as there, and so is the sum of the
/// style losses of the layers asked for, be they convolutions or ReLUs. Of that sum style layers
/// make up one share each, or more where a file says less for the slim distance: its deep layers
/// alone would be easy to deceive. Layers that are not named have 1.
struct LossScales {
  std::map<std::string, double> content;        ///< by the names of layers
  std::map<std::string, StyleDistances> style;  ///< the same
  double total_variation = 1.0;
  double neighbors_total_variation = 1.0;  ///< the same of StyleLoss::kNeighbors

  /// The scales of the style layers that `options` asks for, by the names that `network` has for
  /// them.
  template <class Network>
  std::map<std::string, double> style_scales(const ObjectiveOptions& options,
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
  void apply_to(ObjectiveOptions& options, const Network& network) const {
    const auto apply = [&](const std::map<std::string, double>& scales,
                           std::map<std::string, double>& weights) {
      for (const auto& [name, scale] : scales)
        weights.try_emplace(name, 1.0).first->second *= scale;
    };
    apply(content, options.content_layer_weights);
    if (options.style_loss == StyleLoss::kNeighbors) {
      // Cosines are as large in one network as in another.
      options.tv_weight *= neighbors_total_variation;
    } else {
      apply(style_scales(options, network), options.style_layer_weights);
      options.tv_weight *= total_variation;
    }
  }
};

namespace detail {
inline constexpr const char* kContentScale = "content_scale ";
inline constexpr const char* kFullStyle = "style_distance_full ";
inline constexpr const char* kSlimStyle = "style_distance_slim ";
inline constexpr const char* kOlderStyleScale = "style_scale ";
inline constexpr const char* kTotalVariationScale = "total_variation_scale";
inline constexpr const char* kNeighborsTotalVariationScale = "total_variation_scale neighbors";
}  // namespace detail

/// The scales that a weights file says of itself in its metadata; none for one that says nothing,
/// and that of total variation beside neighbours too where it says no other.
/// Throws IoError for a number that is not positive, and for files of an older distill_vgg19.
inline LossScales loss_scales_of(const std::filesystem::path& weights) {
  LossScales scales;
  std::optional<double> of_neighbors;
  for (const auto& entry : io::WeightsFile(weights).metadata()) {
    const auto& key = entry.first;
    const auto& text = entry.second;
    const auto read = [&] {
      double scale = 0.0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), scale);
      if (error != std::errc{} || end != text.data() + text.size() || !(scale > 0.0) ||
          !std::isfinite(scale)) {
        throw IoError(message(weights.string(), ": the metadata '", key, "' are '", text,
                              "', not a positive number"));
      }
      return scale;
    };
    const auto layer_behind = [&](const std::string& prefix) { return key.substr(prefix.size()); };
    if (key.starts_with(detail::kContentScale)) {
      scales.content[layer_behind(detail::kContentScale)] = read();
    } else if (key.starts_with(detail::kFullStyle)) {
      scales.style[layer_behind(detail::kFullStyle)].full = read();
    } else if (key.starts_with(detail::kSlimStyle)) {
      scales.style[layer_behind(detail::kSlimStyle)].slim = read();
    } else if (key.starts_with(detail::kOlderStyleScale)) {
      throw IoError(message(weights.string(), ": the metadata '", key,
                            "' are of an older distill_vgg19, before features behind ReLUs; get "
                            "the weights anew"));
    } else if (key == detail::kTotalVariationScale) {
      scales.total_variation = read();
    } else if (key == detail::kNeighborsTotalVariationScale) {
      of_neighbors = read();
    }
  }
  scales.neighbors_total_variation = of_neighbors.value_or(scales.total_variation);
  return scales;
}

}  // namespace sfumato::style
