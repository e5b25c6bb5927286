#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "sfumato/losses/matching.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/style/borders.hpp"
#include "sfumato/style/pictures.hpp"
#include "stages.hpp"

namespace neural_style {

/// What the objective needs of each pixel of a picture, in bytes.
struct FeatureBytes {
  double targets = 0.0;   ///< the features of content layers that pictures are compared with
  double painting = 0.0;  ///< at once beside them at the most, for the losses and their gradient
  double looking = 0.0;   ///< at once at the most without a gradient
  double choices = 0.0;   ///< what is kept of each of several styles, to choose neighbours from
};

/// Walks through the layers up to the last that the objective looks at. A layer has its input and
/// its result, or their gradients, at once; what is kept meanwhile for the gradient of each loss
/// are features of style layers, and differences from the target of content layers. In tiles,
/// memory that is free in pieces is counted as one more of the largest features. `anew` is a final
/// pass, which finds neighbours in each layer by itself.
template <class T, class Device>
FeatureBytes feature_bytes(const sfumato::nn::Vgg<T, Device>& network,
                           const sfumato::style::ObjectiveOptions& objective, bool anew = false) {
  const auto parameters = network.named_parameters();  // weight and bias of each convolution
  const std::vector<std::string>& names = network.layer_names();
  const std::size_t last =
      sfumato::style::deepest_layer(network, sfumato::style::layers_of(objective));
  FeatureBytes bytes;
  double kept = 0.0;
  double input = 0.0;
  double largest = 0.0;
  double compared = 0.0;  // of all style layers, one position for 4 × 4 pixels, or all …
  double searched = 0.0;  // … and what is looked at together of that
  double channels = 0.0;
  double pixels = 1.0;
  std::size_t convolution = 0;
  int block = 1;
  bool tapped = true;  // the layer before
  for (std::size_t layer = 0; layer <= last; ++layer) {
    const auto times = [&](const std::vector<std::string>& layers) {
      return static_cast<double>(std::count_if(
          layers.begin(), layers.end(),
          [&](const std::string& name) { return network.layer_index(name) == layer; }));
    };
    if (names[layer].starts_with("conv")) {
      channels = static_cast<double>(parameters[2 * convolution++].second.shape()[0]);
    } else if (names[layer].starts_with("pool")) {
      pixels /= 4.0;
      ++block;
    }
    const double result = sizeof(float) * channels * pixels;
    const bool with_convolution = names[layer].starts_with("relu") && !tapped;
    const double both = with_convolution ? result : input + result;
    bytes.painting = std::max(bytes.painting, kept + both);
    bytes.looking = std::max(bytes.looking, both);
    const double content = times(objective.content_layers);
    const double style = times(objective.style_layers);
    const double vectors = style * sizeof(float) * channels * (anew ? pixels : 1.0 / 16.0);
    compared += vectors;
    searched = anew ? std::max(searched, vectors) : compared;
    kept += content * result;
    if (style > 0.0 && !(objective.low_memory && block == 1)) kept += result;
    tapped = content + style > 0.0;
    if (tapped) bytes.painting = std::max(bytes.painting, kept + result);
    bytes.targets += content * result;
    largest = std::max(largest, result);
    input = result;
  }
  if (objective.tile > 0) bytes.painting += largest;
  if (objective.style_loss == sfumato::style::StyleLoss::kNeighbors) {
    // What is compared with; beside it vectors, their lengths and cosines; and where neighbours are
    // looked for, those of both pictures, centred, of unit length and together.
    bytes.targets += compared;
    bytes.painting += 4.0 * compared;
    bytes.looking += 6.0 * searched;
    bytes.choices = 6.0 * searched;
  }
  return bytes;
}

/// The most pixels that are in memory at once of a picture in tiles of at most `side`, or in one
/// piece where that is 0.
template <class Network>
double pixels_at_once(const Network& network, const sfumato::style::ObjectiveOptions& objective,
                      std::int64_t height, std::int64_t width) {
  namespace library = sfumato::style;
  const auto cut = library::tile_cut(network, library::layers_of(objective), objective.tile);
  double most = 0.0;
  for (const library::Tile& tile : library::tiles_of({1, 3, height, width}, cut)) {
    most = std::max(most, static_cast<double>(tile.rows.seen() * tile.columns.seen()));
  }
  return most;
}

/// Of each pixel of a picture in tiles, the bytes of what is as large as the picture while a tile's
/// features are there. The picture before is forgotten when the gradient comes about.
inline double picture_bytes(const sfumato::style::TransferOptions& options) {
  constexpr double kColours = 3.0 * sizeof(float);
  // It, its gradient, and Adam's two moments; or two gradients, the direction, where its line
  // begins, the best, and of the step before the picture and its losses'.
  double pictures = options.optimizer == sfumato::style::Optimizer::kAdam ? 4.0 : 9.0;
  if (options.pixels != sfumato::style::Pixels::kNormalized) pictures += 1.0;  // as it is seen
  if (options.average_decay > 0.0) pictures += 1.0;
  return kColours * pictures;
}

/// How many bytes a stage is expected to add at its peak, on the CPU, to what the program has
/// before its first iteration. Of each pixel painted there are features, or of those of one tile,
/// and what is about as large as the picture: its gradient, Adam's moments, copies. Where the
/// picture that comes out is not the one that is painted, its losses have targets of their own,
/// unless they are of neighbours. The style pictures' features are computed once, one picture after
/// the other, and not kept.
template <class Device, class Stored>
double expected_memory(const sfumato::nn::Vgg<Stored, Device>& network, const Stage& stage,
                       const std::vector<sfumato::style::PictureSize>& styles) {
  namespace library = sfumato::style;
  constexpr double kColours = 3.0 * sizeof(float);
  const double steps =  // that L-BFGS remembers, with their changes of the gradient
      stage.transfer.optimizer != library::Optimizer::kAdam
          ? 2.0 * static_cast<double>(std::min<std::int64_t>(
                      static_cast<std::int64_t>(stage.transfer.lbfgs.history),
                      stage.transfer.iterations))
          : 0.0;
  constexpr double kMebi = 1024.0 * 1024.0;
  const bool tiled = stage.transfer.objective.tile > 0;
  const double picture = tiled ? picture_bytes(stage.transfer) : 90.0;  // untiled, as measured …
  const double anyway = tiled ? 16.0 * kMebi : 8.0 * kMebi;             // … and of any picture
  const auto pixels = [](std::int64_t height, std::int64_t width) {
    return static_cast<double>(height) * static_cast<double>(width);
  };
  const std::int64_t deepest = library::deepest_pixel(network, stage.transfer.objective);
  const bool extends = stage.transfer.borders == library::Borders::kExtend;
  const auto side = [&](std::int64_t asked) {
    return extends ? library::extended_side(asked, deepest) : asked;
  };
  const library::ObjectiveOptions& objective = stage.transfer.objective;
  const auto at_once = [&](std::int64_t height, std::int64_t width) {
    return pixels_at_once(network, objective, height, width);
  };
  const double painted = pixels(side(stage.size.height), side(stage.size.width));
  const double tile = at_once(side(stage.size.height), side(stage.size.width));
  const double shown = pixels(stage.size.height, stage.size.width);
  const FeatureBytes bytes = feature_bytes(network, objective, stage.anew);
  const bool neighbors = objective.style_loss == library::StyleLoss::kNeighbors;
  const double targets =
      bytes.targets * (painted == shown || neighbors ? painted : painted + shown);
  double all = 0.0;  // pixels of styles
  double largest = 0.0;
  double seen = 0.0;  // of one at once
  for (const library::PictureSize& style : styles) {
    all += pixels(style.height, style.width);
    largest = std::max(largest, pixels(style.height, style.width));
    seen = std::max(seen, at_once(style.height, style.width));
  }
  // Of the pairs whose distances are in memory at once: those, and where they are least.
  constexpr double kPair = 2.0 * sizeof(float) + 2.0 * sizeof(std::int64_t);
  const auto choices = std::max<std::int64_t>(1, static_cast<std::int64_t>(all / 16.0));
  const std::int64_t rows = sfumato::losses::detail::vectors_at_once(choices);
  const double pairs =
      std::min(static_cast<double>(rows), painted / 16.0) * static_cast<double>(choices);
  const double matching = neighbors ? kPair * pairs : 0.0;
  return anyway + targets + (all - largest) * kColours +
         std::max(
             painted * (picture + kColours * steps) + tile * bytes.painting,
             matching + (all - largest) * bytes.choices + largest * picture + seen * bytes.looking);
}

}  // namespace neural_style
