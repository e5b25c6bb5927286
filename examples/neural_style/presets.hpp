#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"

namespace neural_style {

/// One run of the optimiser as a preset has it.
struct PresetStage {
  std::int64_t height;
  std::int64_t width;
  Settings settings;
};

/// Defaults under a name: a preset sets only what the command line leaves open.
struct Preset {
  std::vector<std::string> names;  ///< the first is the one that help shows
  std::string help;
  Settings settings;                ///< of all stages
  std::vector<PresetStage> stages;  ///< none: one stage, of the size that the options say
};

inline const std::vector<Preset>& presets() {
  static const std::vector<Preset> all{
      {{"d2l"},
       "the two stages of \"Dive into Deep Learning\", 500 iterations at 150 x 225, then 300 at "
       "600 x 900",
       {},
       {{150, 225, {{"--iterations", "500"}, {"--lr-decay-every", "200"}}},
        {600, 900, {{"--iterations", "300"}, {"--lr-decay-every", "100"}}}}},
  };
  return all;
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

}  // namespace neural_style
