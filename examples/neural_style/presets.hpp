#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "sfumato/style/presets.hpp"

namespace neural_style {

/// Defaults under a name, which the library has: a preset sets only what the command line leaves
/// open.
struct Preset {
  std::vector<std::string> names;  ///< the first is the one that help shows
  std::string help;
  sfumato::style::Preset options;
};

inline const std::vector<Preset>& presets() {
  using sfumato::style::preset;
  static const std::vector<Preset> all{
      {{"d2l-pytorch", "d2l"},
       "the two stages of \"Dive into Deep Learning\", 500 iterations at 150 x 225, then 300 at "
       "600 x 900, as its PyTorch code computes them",
       preset("d2l-pytorch")},
      {{"d2l-mxnet"}, "the same as its MXNet code does", preset("d2l-mxnet")},
      {{"d2l-2023"}, "its newer edition, 500 iterations at 300 x 450", preset("d2l-2023")},
      {{"gatys"}, "the paper of Gatys et al. (2016), from noise by L-BFGS", preset("gatys")},
      {{"johnson"}, "J. Johnson's neural-style, from noise by L-BFGS", preset("johnson")},
      {{"crowson"}, "K. Crowson's style-transfer-pytorch, from coarse to fine", preset("crowson")},
      {{"fast"},
       "the book's objective at the size given, by scaled-lbfgs in a tenth of the iterations",
       preset("fast")},
  };
  return all;
}

/// What help says of them.
inline std::string preset_help() {
  std::string help =
      "Defaults under a name; whatever is given besides wins, and a size makes one "
      "stage of a preset's";
  for (const Preset& preset : presets()) {
    std::string names;
    for (const std::string& name : preset.names) names += (names.empty() ? "" : " or ") + name;
    help += ". " + names + ": " + preset.help;
  }
  return help;
}

/// All names, other ones of the same preset among them.
inline std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    names.insert(names.end(), preset.names.begin(), preset.names.end());
  }
  return names;
}

/// The preset of that name, or null.
inline const Preset* find_preset(std::string_view name) {
  for (const Preset& preset : presets()) {
    for (const std::string& known : preset.names) {
      if (known == name) return &preset;
    }
  }
  return nullptr;
}

/// Puts a preset's options into `a`.
inline void apply(const sfumato::style::Preset& preset, Arguments& a) {
  a.pictures = preset.pictures;
  a.transfer = preset.transfer;
  a.network = preset.network;
  a.min_size = preset.min_size;
  a.first_iterations = preset.first_iterations;
  a.final_passes = preset.final_passes;
  a.initial = preset.from_noise ? "noise" : "content";
  a.noise = preset.noise;
}

/// The same with those of one of its stages, if it is not null.
inline void apply(const Preset& preset, const sfumato::style::PresetStage* stage, Arguments& a) {
  apply(preset.options, a);
  if (stage == nullptr) return;
  a.transfer.iterations = stage->iterations;
  a.transfer.lr_decay_every = stage->lr_decay_every;
}

}  // namespace neural_style
