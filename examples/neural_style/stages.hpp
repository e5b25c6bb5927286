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
#include "sfumato/style/ladder.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/transfer.hpp"

namespace neural_style {

/// One run of the optimiser; there may be several, each starting from the last one's picture.
struct Stage {
  sfumato::style::PictureSize size;
  sfumato::style::TransferOptions transfer;
  sfumato::style::PictureOptions pictures = {};
  bool goes_on = false;  ///< with what Adam has learnt in the one before
  bool anew = false;     ///< finds neighbours for what the one before painted: Styles::painted
};

/// Height and width of the result: what was given, and the content's proportions for the rest.
/// Throws ValueError where that would be too long a side.
inline sfumato::style::PictureSize size_of_result(const Arguments& a,
                                                  const sfumato::Shape& content) {
  if (a.height && a.width) return {*a.height, *a.width};
  if (!a.height && !a.width) {
    return sfumato::style::size_in_proportion(content, a.size.value_or(kDefaultSize),
                                              a.pictures.side_rounding);
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

/// From coarse to fine: sizes in proportion, by style::ladder(), the last of which is the result's;
/// and the final passes.
inline std::vector<Stage> plan_ladder(const Arguments& a, const sfumato::Shape& content) {
  namespace style = sfumato::style;
  const style::PictureSize result = size_of_result(a, content);
  const std::int64_t longer = std::max(result.height, result.width);
  const bool sides_given = a.height || a.width;
  const sfumato::Shape shape = sides_given ? sfumato::Shape{result.height, result.width} : content;
  std::vector<Stage> stages;
  for (const std::int64_t side : style::ladder(std::min(*a.min_size, longer), longer)) {
    stages.push_back(
        {side == longer ? result : style::size_in_proportion(shape, side, a.pictures.side_rounding),
         a.transfer, a.pictures, a.transfer.pyramid_levels == 0});
  }
  stages[0].goes_on = false;
  stages[0].transfer.iterations = a.first_iterations.value_or(a.transfer.iterations);
  for (std::int64_t pass = 0; pass < a.final_passes; ++pass) {
    constexpr std::int64_t kShorter = 4;  // than what made the picture
    stages.push_back({result, a.transfer, a.pictures, false, true});
    stages.back().transfer.iterations = (a.transfer.iterations + kShorter - 1) / kShorter;
    stages.back().transfer.learning_rate /= 2.0;  // there is little left to change
  }
  return stages;
}

/// The stages from --min-size on; or those of the preset, if it has some and no size was given; or
/// one. Throws ValueError for a size too large, and where --save-stages asks for what there is not.
inline std::vector<Stage> plan_stages(const Arguments& a, const sfumato::Shape& content) {
  const Preset* const preset = find_preset(a.preset);
  const bool sized = a.size || a.height || a.width;
  std::vector<Stage> stages;
  if (a.min_size) {
    stages = plan_ladder(a, content);
  } else if (preset == nullptr || preset->options.stages.empty() || sized) {
    stages = {{size_of_result(a, content), a.transfer, a.pictures}};
  } else {
    for (const sfumato::style::PresetStage& stage : preset->options.stages) {
      stages.push_back(
          {{stage.height, stage.width}, arguments_of(a.given, &stage).transfer, a.pictures});
    }
  }
  const auto longer = [](const Stage& stage) {
    return std::max(stage.size.height, stage.size.width);
  };
  for (Stage& stage : stages) {
    if (a.pictures.style_size) {
      stage.pictures.style_size = *a.pictures.style_size * longer(stage) / longer(stages.back());
    }
  }
  if (a.save_stages && stages.size() == 1) {
    throw sfumato::ValueError(
        "--save-stages: one stage has no picture before the last; take --min-size, or a preset of "
        "several without a size");
  }
  return stages;
}

}  // namespace neural_style
