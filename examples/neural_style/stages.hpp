#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "arguments.hpp"
#include "options.hpp"
#include "presets.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/style/borders.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/transfer.hpp"

namespace neural_style {

/// One run of the optimiser; a preset may have several, each starting from the last one's picture.
struct Stage {
  sfumato::style::PictureSize size;
  sfumato::style::TransferOptions transfer;
};

/// Height and width of the result: what was given, and the content's proportions for the rest.
inline sfumato::style::PictureSize size_of_result(const Arguments& a,
                                                  const sfumato::Shape& content) {
  if (a.height && a.width) return {*a.height, *a.width};
  if (!a.height && !a.width) {
    return sfumato::style::size_in_proportion(content, a.size.value_or(kDefaultSize));
  }
  const auto in_proportion = [](std::int64_t given, std::int64_t side, std::int64_t of) {
    const double exact =
        static_cast<double>(given) * static_cast<double>(side) / static_cast<double>(of);
    return std::clamp<std::int64_t>(std::llround(exact), 2, kLargest);
  };
  return a.height ? sfumato::style::PictureSize{*a.height,
                                                in_proportion(*a.height, content[1], content[0])}
                  : sfumato::style::PictureSize{in_proportion(*a.width, content[0], content[1]),
                                                *a.width};
}

/// Throws ValueError for a stage too thin for the network's poolings.
inline void refuse_thin(const Stage& stage) {
  const std::int64_t side = std::min(stage.size.height, stage.size.width);
  if (stage.transfer.borders == sfumato::style::Borders::kExtend ||
      side >= sfumato::style::kDeepestPixel) {
    return;
  }
  throw sfumato::ValueError(
      sfumato::message("a picture of ", stage.size.height, " x ", stage.size.width,
                       " is too thin for the network: with plain borders, sides must be at least ",
                       sfumato::style::kDeepestPixel, "; take a larger size, or --borders extend"));
}

/// The stages of the preset, if it has some and no size was given; else one stage. Throws
/// ValueError for a size that the network can't paint.
inline std::vector<Stage> plan_stages(const Arguments& a, const sfumato::Shape& content) {
  const Preset* const preset = find_preset(a.preset);
  const bool sized = a.size || a.height || a.width;
  if (preset == nullptr || preset->options.stages.empty() || sized) {
    const Stage stage{size_of_result(a, content), a.transfer};
    refuse_thin(stage);
    return {stage};
  }
  std::vector<Stage> stages;
  for (const sfumato::style::PresetStage& stage : preset->options.stages) {
    stages.push_back({{stage.height, stage.width}, arguments_of(a.given, &stage).transfer});
  }
  return stages;
}

}  // namespace neural_style
