#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/style/preprocess.hpp"
#include "sfumato/style/transfer.hpp"

namespace sfumato::style {

/// How pixels are resampled when pictures are read.
enum class Resizing {
  kPillow,  ///< bilinear with antialiasing, io::resize
  kOpenCv,  ///< bilinear without, io::opencv_resize
};

/// How one stage's picture becomes the next one's start. It is clipped to what can be shown first.
enum class Enlarging {
  kSmooth,  ///< straight lines between the numbers as they are
  kPixels,  ///< as a picture of 8 bits, by Resizing
};

/// Which size the style picture gets.
enum class StyleFit {
  kKeep,     ///< the content's longer side, and its own proportions
  kSqueeze,  ///< the content's height and width
};

/// How pictures become tensors, and tensors pictures: what programs of the same algorithm differ
/// in.
struct PictureOptions {
  Resizing resizing = Resizing::kPillow;
  Enlarging enlarging = Enlarging::kSmooth;
  Rounding rounding = Rounding::kNearest;
  StyleFit style_fit = StyleFit::kKeep;
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
  PictureOptions pictures;
  TransferOptions transfer;
  std::vector<PresetStage> stages;
};

/// What preset() knows.
inline std::vector<std::string> preset_names() {
  return {"d2l", "d2l-pytorch", "d2l-mxnet"};
}

/// The code of "Dive into Deep Learning", chapter "Neural style transfer", as its edition of 2020
/// prints it with two stages: d2l-pytorch, also called d2l, for PyTorch and d2l-mxnet for MXNet.
/// docs/presets.md has a table of what the two differ in. Throws ValueError for other names.
inline Preset preset(std::string_view name) {
  Preset preset;
  preset.stages = {{150, 225, 500, 200}, {600, 900, 300, 100}};
  preset.pictures.rounding = Rounding::kDown;
  preset.pictures.style_fit = StyleFit::kSqueeze;
  preset.transfer.borders = Borders::kPlain;
  preset.transfer.learning_rate = 0.01;
  preset.transfer.lr_decay = 0.1;
  ObjectiveOptions& objective = preset.transfer.objective;
  objective.content_weight = 1.0;
  objective.style_weight = 1e3;
  objective.tv_weight = 10.0;
  if (name == "d2l" || name == "d2l-pytorch") {
    objective.content_layers = {"relu4_4"};
    objective.style_layers = {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "conv5_1"};
    preset.pictures.resizing = Resizing::kPillow;
    preset.pictures.enlarging = Enlarging::kPixels;
  } else if (name == "d2l-mxnet") {
    objective.content_layers = {"conv4_4"};
    objective.style_layers = {"conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"};
    preset.pictures.resizing = Resizing::kOpenCv;
    preset.pictures.enlarging = Enlarging::kSmooth;
    preset.transfer.adam_form = optim::AdamForm::kMxnet;
  } else {
    std::string known;
    for (const std::string& each : preset_names()) known += (known.empty() ? "" : ", ") + each;
    throw ValueError(message("there is no preset '", name, "'; presets are ", known));
  }
  return preset;
}

}  // namespace sfumato::style
