#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "arguments.hpp"
#include "options.hpp"
#include "presets.hpp"
#include "settings.hpp"
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
/// Throws ValueError where that would be too long a side.
inline sfumato::style::PictureSize size_of_result(const Arguments& a,
                                                  const sfumato::Shape& content) {
  if (a.height && a.width) return {*a.height, *a.width};
  if (!a.height && !a.width) {
    return sfumato::style::size_in_proportion(content, a.size.value_or(kDefaultSize));
  }
  const auto in_proportion = [](std::int64_t given, std::int64_t side, std::int64_t of) {
    const double exact =
        static_cast<double>(given) * static_cast<double>(side) / static_cast<double>(of);
    return std::max<std::int64_t>(std::llround(exact), 2);
  };
  const sfumato::style::PictureSize size =
      a.height
          ? sfumato::style::PictureSize{*a.height, in_proportion(*a.height, content[1], content[0])}
          : sfumato::style::PictureSize{in_proportion(*a.width, content[0], content[1]), *a.width};
  if (std::max(size.height, size.width) > kLargest) {
    throw sfumato::ValueError(sfumato::message(
        "in proportion to ", a.height ? "--height " : "--width ", a.height ? *a.height : *a.width,
        ", the picture of ", content[0], " x ", content[1], " would become ", size.height, " x ",
        size.width, ", but no side may be above ", kLargest,
        "; take --size, or both --height and --width"));
  }
  return size;
}

/// Throws ValueError for a stage too thin for the network's poolings, whose layers need sides of at
/// least `least_side`.
inline void refuse_thin(const Stage& stage, std::int64_t least_side) {
  const std::int64_t side = std::min(stage.size.height, stage.size.width);
  if (stage.transfer.borders == sfumato::style::Borders::kExtend || side >= least_side) {
    return;
  }
  throw sfumato::ValueError(
      sfumato::message("a picture of ", stage.size.height, " x ", stage.size.width,
                       " is too thin for the layers asked for: with plain borders, sides must be "
                       "at least ",
                       least_side, "; take a larger size, or --borders extend"));
}

/// The stages of the preset, if it has some and no size was given; else one stage. Throws
/// ValueError for a size that the network can't paint.
inline std::vector<Stage> plan_stages(const Arguments& a, const sfumato::Shape& content,
                                      std::int64_t least_side) {
  const Preset* const preset = find_preset(a.preset);
  const bool sized = a.size || a.height || a.width;
  if (preset == nullptr || preset->options.stages.empty() || sized) {
    const Stage stage{size_of_result(a, content), a.transfer};
    refuse_thin(stage, least_side);
    return {stage};
  }
  std::vector<Stage> stages;
  for (const sfumato::style::PresetStage& stage : preset->options.stages) {
    stages.push_back({{stage.height, stage.width}, arguments_of(a.given, &stage).transfer});
  }
  return stages;
}

}  // namespace neural_style
