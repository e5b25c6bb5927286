#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/style/preprocess.hpp"
#include "sfumato/style/transfer.hpp"

namespace sfumato::style {

/// How pixels are resampled when pictures are read.
enum class Resizing {
  kPillow,         ///< bilinear with antialiasing, io::resize
  kPillowBicubic,  ///< bicubic with antialiasing, io::resize
  kOpenCv,         ///< bilinear without, io::opencv_resize
};

/// How a side in proportion becomes a whole number.
enum class SideRounding {
  kNearest,
  kDown,  ///< as neural-style does
};

/// How one stage's picture becomes the next one's start. It is clipped to what can be shown first.
enum class Enlarging {
  kSmooth,   ///< straight lines between the numbers as they are
  kBicubic,  ///< cubic curves between the numbers as they are
  kPixels,   ///< as a picture of 8 bits, by Resizing
};

/// Which size the style picture gets.
enum class StyleFit {
  kKeep,     ///< the content's longer side, and its own proportions
  kSqueeze,  ///< the content's height and width
  kShrink,   ///< as kKeep, but its own size where that is smaller
};

/// How pictures become tensors, and tensors pictures: what programs of the same algorithm differ
/// in.
struct PictureOptions {
  Resizing resizing = Resizing::kPillow;
  Enlarging enlarging = Enlarging::kSmooth;
  Rounding rounding = Rounding::kNearest;
  StyleFit style_fit = StyleFit::kKeep;
  double style_scale = 1.0;  ///< of the style's sides, beside what style_fit makes of them
  std::optional<std::int64_t> style_size = {};  ///< its longer side, in the place of all that
  SideRounding side_rounding = SideRounding::kNearest;
};

/// One run of the optimiser, which starts from the last one's picture.
struct PresetStage {
  std::int64_t height;
  std::int64_t width;
  std::int64_t iterations;
  std::int64_t lr_decay_every;
};

/// Options that mean what another program does.
struct Preset {
  PictureOptions pictures = {};
  TransferOptions transfer = {};
  nn::VggOptions network = {};
  std::vector<PresetStage> stages = {};               ///< or else …
  std::optional<std::int64_t> min_size = {};          ///< … a ladder from this longer side on
  std::optional<std::int64_t> first_iterations = {};  ///< of the coarsest picture
  std::int64_t final_passes = 0;                      ///< behind it, for Styles::painted
  bool from_noise = false;                            ///< or else from the content
  double noise = 1.0;                                 ///< its deviation, in Pixels
};

namespace detail {

/// The code of "Dive into Deep Learning", chapter "Neural style transfer": of its edition of 2020
/// the two stages.
inline Preset book() {
  Preset preset;
  preset.stages = {{150, 225, 500, 200}, {600, 900, 300, 100}};
  preset.pictures.rounding = Rounding::kDown;
  preset.pictures.style_fit = StyleFit::kSqueeze;
  preset.pictures.enlarging = Enlarging::kPixels;
  preset.transfer.borders = Borders::kPlain;
  preset.transfer.learning_rate = 0.01;
  preset.transfer.lr_decay = 0.1;
  ObjectiveOptions& objective = preset.transfer.objective;
  objective.content_layers = {"relu4_4"};
  objective.style_layers = {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "conv5_1"};
  objective.content_weight = 1.0;
  objective.style_weight = 1e3;
  objective.tv_weight = 10.0;
  return preset;
}

inline Preset book_of_mxnet() {
  Preset preset = book();
  ObjectiveOptions& objective = preset.transfer.objective;
  objective.content_layers = {"conv4_4"};
  objective.style_layers = {"conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"};
  preset.pictures.resizing = Resizing::kOpenCv;
  preset.pictures.enlarging = Enlarging::kSmooth;
  preset.transfer.adam_form = optim::AdamForm::kMxnet;
  return preset;
}

/// The edition of 2023.
inline Preset newer_book() {
  Preset preset = book();
  preset.stages = {{300, 450, 500, 50}};
  preset.transfer.objective.style_weight = 1e4;
  preset.transfer.learning_rate = 0.3;
  preset.transfer.lr_decay = 0.8;
  return preset;
}

/// The colour of Caffe's zeros, normalised.
inline std::vector<double> surround_of_caffe() {
  std::vector<double> colour;
  for (std::size_t c = 0; c < 3; ++c) {
    colour.push_back((kCaffeMean[c] / 255.0 - kImageNetMean[c]) / kImageNetDeviation[c]);
  }
  return colour;
}

/// What the programs have in common that look behind the ReLUs of conv4_2 and the first ones of
/// every block, and paint at 512 pixels.
inline Preset of_relus() {
  Preset preset;
  preset.pictures.rounding = Rounding::kDown;
  preset.transfer.borders = Borders::kPlain;
  preset.transfer.lr_decay = 1.0;
  preset.transfer.optimizer = Optimizer::kLbfgs;
  preset.transfer.lbfgs.line_search = optim::LineSearch::kNone;
  ObjectiveOptions& objective = preset.transfer.objective;
  objective.content_layers = {"relu4_2"};
  objective.style_layers = {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"};
  return preset;
}

/// Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks" (2016), with
/// α / β = 1e-3. The paper does not say how many iterations it took.
inline Preset gatys() {
  Preset preset = of_relus();
  preset.pictures.style_fit = StyleFit::kSqueeze;
  preset.network.pooling = nn::Pooling::kAverage;
  preset.network.surround = surround_of_caffe();
  preset.from_noise = true;
  preset.transfer.iterations = 500;
  preset.transfer.pixels = Pixels::kLevels;
  preset.transfer.lbfgs = {};
  ObjectiveOptions& objective = preset.transfer.objective;
  objective.content_weight = 1e-3;
  objective.style_weight = 1.0 / 5.0;
  objective.tv_weight = 0.0;
  objective.sums = true;
  return preset;
}

/// J. Johnson's neural-style, as ProGamerGov's port to PyTorch computes it.
inline Preset johnson() {
  Preset preset = of_relus();
  preset.pictures.side_rounding = SideRounding::kDown;
  preset.network.surround = surround_of_caffe();
  preset.from_noise = true;
  preset.noise = 1e-3;
  preset.transfer.iterations = 1000;
  preset.transfer.learning_rate = 1.0;
  preset.transfer.pixels = Pixels::kLevels;
  preset.transfer.lbfgs.history = 100;
  ObjectiveOptions& objective = preset.transfer.objective;
  // There 5 and 100, with which it diverges where features have a mean of 1, as ours; these are
  // what its results were compared with.
  objective.content_weight = 300.0;
  objective.style_weight = 3e5;
  objective.tv_weight = 1e-3;
  objective.variation = Variation::kSum;
  return preset;
}

/// K. Crowson's style-transfer-pytorch.
inline Preset crowson() {
  Preset preset = of_relus();
  preset.pictures.resizing = Resizing::kPillowBicubic;
  preset.pictures.enlarging = Enlarging::kBicubic;
  preset.pictures.style_fit = StyleFit::kShrink;
  preset.network.rescale_pooling = true;
  preset.network.first_padding = ops::PaddingMode::kReplicate;
  preset.min_size = 128;
  preset.first_iterations = 1000;
  TransferOptions& transfer = preset.transfer;
  transfer.optimizer = Optimizer::kAdam;
  transfer.iterations = 500;
  transfer.learning_rate = 0.02;
  transfer.beta2 = 0.99;
  transfer.pixels = Pixels::kUnit;
  transfer.clip = true;
  transfer.average_decay = 0.99;
  transfer.lbfgs.history = 10;
  ObjectiveOptions& objective = transfer.objective;
  objective.content_weight = 0.015;
  objective.style_weight = 1.0;
  double weight = 256.0;
  for (const std::string& layer : objective.style_layers) {
    objective.style_layer_weights[layer] = weight / 341.0;
    weight /= 4.0;
  }
  objective.tv_weight = 2.0;
  objective.style_loss = StyleLoss::kWasserstein;
  objective.root_iterations = 12;
  objective.root_gradient = ops::RootGradient::kLyapunov;
  objective.variation = Variation::kNinePoint;
  return preset;
}

/// The default objective, at any size, in the fewest iterations.
inline Preset fast() {
  Preset preset;
  preset.network.rescale_pooling = true;  // as without a preset
  preset.transfer.optimizer = Optimizer::kScaledLbfgs;
  preset.transfer.lbfgs.history = 10;
  preset.transfer.iterations = 50;
  return preset;
}

}  // namespace detail

/// What preset() knows.
inline std::vector<std::string> preset_names() {
  return {"d2l", "d2l-pytorch", "d2l-mxnet", "d2l-2023", "gatys", "johnson", "crowson", "fast"};
}

/// The options of another program, or of a paper; docs/presets.md tells what each means, and how
/// exactly. Throws ValueError for other names.
inline Preset preset(std::string_view name) {
  if (name == "d2l" || name == "d2l-pytorch") return detail::book();
  if (name == "d2l-mxnet") return detail::book_of_mxnet();
  if (name == "d2l-2023") return detail::newer_book();
  if (name == "gatys") return detail::gatys();
  if (name == "johnson") return detail::johnson();
  if (name == "crowson") return detail::crowson();
  if (name == "fast") return detail::fast();
  std::string known;
  for (const std::string& each : preset_names()) known += (known.empty() ? "" : ", ") + each;
  throw ValueError(message("there is no preset '", name, "'; presets are ", known));
}

}  // namespace sfumato::style
