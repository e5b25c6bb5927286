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

  void apply_to(sfumato::style::ObjectiveOptions& options) const {
    options.content_layer_weights = content;
    options.style_layer_weights = style;
  }
};

namespace detail {
inline constexpr const char* kContentScale = "content_scale ";
inline constexpr const char* kStyleScale = "style_scale ";
}  // namespace detail

/// The layers that have scales: those of style transfer.
inline LossScales unit_loss_scales() {
  LossScales scales;
  for (const char* const name : {"conv4_2", "conv4_4"}) scales.content[name] = 1.0;
  for (const std::string& name : sfumato::style::ObjectiveOptions{}.style_layers) {
    scales.style[name] = 1.0;
  }
  return scales;
}

/// Compares the losses between each two of `images` (1, 3, h, w), all of one size.
inline LossScales measure_loss_scales(sfumato::nn::Vgg<float>& full, sfumato::nn::Vgg<float>& slim,
                                      const std::vector<sfumato::Tensor<float>>& images) {
  using namespace sfumato;
  LossScales scales = unit_loss_scales();
  // Of √loss, which is a distance, so that a few pairs do not make up all of the sum.
  const auto distances = [&](nn::Vgg<float>& network, const std::string& name, bool is_style) {
    std::vector<Variable<float>> seen;
    double sum = 0.0;
    for (const Tensor<float>& image : images) {
      const auto features = network.taps(Variable<float>(image), {network.layer_index(name)})[0];
      seen.push_back(is_style ? losses::gram_matrix(features) : features);
      for (std::size_t i = 0; i + 1 < seen.size(); ++i) {
        const auto loss = losses::mean_squared_error(seen[i], seen.back());
        sum += std::sqrt(static_cast<double>(loss.item()));
      }
    }
    return sum;
  };
  no_grad([&] {
    for (auto& [name, scale] : scales.content) {
      const double ratio = distances(full, name, false) / distances(slim, name, false);
      scale = ratio * ratio;
    }
    double total = 0.0;
    for (auto& [name, scale] : scales.style) {
      total += std::pow(distances(full, name, true), 2);
      scale = std::pow(distances(slim, name, true), -2);
    }
    for (auto& [name, scale] : scales.style) {
      scale *= total / static_cast<double>(scales.style.size());
    }
  });
  return scales;
}

/// The scales as a weights file says them of itself, to the last digit.
inline std::map<std::string, std::string> to_metadata(const LossScales& scales) {
  std::map<std::string, std::string> metadata;
  const auto write = [&](const std::string& prefix, const std::map<std::string, double>& from) {
    for (const auto& [name, scale] : from) {
      std::array<char, 32> text{};
      const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), scale);
      metadata[prefix + name] = std::string(text.data(), end);
    }
  };
  write(detail::kContentScale, scales.content);
  write(detail::kStyleScale, scales.style);
  return metadata;
}

/// What to_metadata() wrote; nothing for a file that says nothing.
/// Throws IoError for a scale that is not a positive number.
inline LossScales loss_scales_of(const std::filesystem::path& weights) {
  LossScales scales;
  for (const auto& [key, text] : sfumato::io::WeightsFile(weights).metadata()) {
    const auto read = [&, &key = key, &text = text](const std::string& prefix, auto& to) {
      if (!key.starts_with(prefix)) return;
      double scale = 0.0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), scale);
      if (error != std::errc{} || end != text.data() + text.size() || !(scale > 0.0) ||
          !std::isfinite(scale)) {
        throw sfumato::IoError(sfumato::message(weights.string(), ": the metadata '", key,
                                                "' are '", text, "', not a positive number"));
      }
      to[key.substr(prefix.size())] = scale;
    };
    read(detail::kContentScale, scales.content);
    read(detail::kStyleScale, scales.style);
  }
  return scales;
}

}  // namespace examples
