#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "arguments.hpp"
#include "options.hpp"
#include "presets.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/style/transfer.hpp"

namespace neural_style {

/// One run of the optimiser; a preset may have several, each starting from the last one's picture.
struct Stage {
  std::int64_t height;
  std::int64_t width;
  sfumato::style::TransferOptions transfer;
};

/// Height and width of the result: what was given, and the content's proportions for the rest.
inline Stage single_stage(const Arguments& a, const sfumato::Shape& content) {
  const auto height = static_cast<double>(content[0]);
  const auto width = static_cast<double>(content[1]);
  // In eights of pixels: poolings leave out the last row or column of what they can't halve, and
  // where the last layers don't look, the first ones draw lines.
  const auto in_proportion = [](std::int64_t other, double ratio) {
    constexpr std::int64_t kUnit = 8;
    const double units = static_cast<double>(other) * ratio / static_cast<double>(kUnit);
    return std::clamp<std::int64_t>(kUnit * std::llround(units), kSmallest, kLargest);
  };
  Stage stage{0, 0, a.transfer};
  if (a.height && a.width) {
    stage.height = *a.height;
    stage.width = *a.width;
  } else if (a.height || (!a.width && height > width)) {
    stage.height = a.height.value_or(a.size.value_or(kDefaultSize));
    stage.width = in_proportion(stage.height, width / height);
  } else {
    stage.width = a.width.value_or(a.size.value_or(kDefaultSize));
    stage.height = in_proportion(stage.width, height / width);
  }
  return stage;
}

/// The stages of the preset, if it has some and no size was given; else one stage.
inline std::vector<Stage> plan_stages(const Arguments& a, const sfumato::Shape& content) {
  const Preset* const preset = find_preset(a.preset);
  const bool sized = a.size || a.height || a.width;
  if (preset == nullptr || preset->stages.empty() || sized) return {single_stage(a, content)};
  std::vector<Stage> stages;
  for (const PresetStage& stage : preset->stages) {
    stages.push_back({stage.height, stage.width, arguments_of(a.given, &stage).transfer});
  }
  return stages;
}

}  // namespace neural_style
