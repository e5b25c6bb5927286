#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "../loss_scales.hpp"
#include "arguments.hpp"
#include "reporter.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/sfumato.hpp"
#include "signals.hpp"
#include "stages.hpp"

namespace neural_style {

/// A normalised picture (1, 3, h, w), and the losses on the way to it, numbered through all stages.
template <class Device>
struct Painting {
  sfumato::Tensor<float, Device> picture;
  std::vector<sfumato::style::Iteration> history;
};

/// "out.png" to "out-stage1.png".
inline std::string stage_path(const std::string& output, std::size_t number) {
  const std::filesystem::path path(output);
  return (path.parent_path() /
          sfumato::message(path.stem().string(), "-stage", number, path.extension().string()))
      .string();
}

/// Runs the stages one after the other, until the last is done or the user interrupts.
template <class Device, class Stored>
Painting<Device> paint(const Arguments& a, const std::vector<Stage>& stages,
                       sfumato::nn::Vgg<Stored, Device>& network,
                       const examples::LossScales& scales,
                       const sfumato::Tensor<std::uint8_t>& content_pixels,
                       const sfumato::Tensor<std::uint8_t>& style_pixels, const Reporter& report) {
  using namespace sfumato;
  Painting<Device> painting;
  Tensor<float, Device>& picture = painting.picture;
  for (std::size_t number = 1; number <= stages.size() && interrupted == 0; ++number) {
    Stage stage = stages[number - 1];
    scales.apply_to(stage.transfer.objective);
    const auto prepare = [&](const Tensor<std::uint8_t>& pixels) {
      return style::normalize<float, Device>(
          io::resize(pixels, stage.height, stage.width, io::Filter::kBilinear));
    };
    const Tensor<float, Device> content = prepare(content_pixels);
    if (picture.defined()) {
      picture = ops::upsample2d(Variable<float, Device>(picture), stage.height, stage.width,
                                ops::Interpolation::kBilinear)
                    .value();
    } else if (a.initial == "noise") {
      Random random(a.seed);
      picture = Tensor<float, Device>::normal(content.shape(), random);
    } else {
      picture = content;
    }
    report.say("%lld x %lld, %lld iterations\n", static_cast<long long>(stage.height),
               static_cast<long long>(stage.width),
               static_cast<long long>(stage.transfer.iterations));
    const auto result = style::transfer(network, content, prepare(style_pixels), picture,
                                        stage.transfer, [&](const style::Iteration& now) {
                                          report(now, stage.transfer.iterations);
                                          return interrupted == 0;
                                        });
    picture = result.image;
    const style::Iteration before =
        painting.history.empty() ? style::Iteration{} : painting.history.back();
    for (style::Iteration row : result.history) {
      row.number += before.number;
      row.seconds += before.seconds;
      painting.history.push_back(row);
    }
    if (a.save_stages && number < stages.size()) {
      io::write_image(stage_path(a.output, number), style::denormalize(picture));
    }
  }
  return painting;
}

}  // namespace neural_style
