#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "checkpoint.hpp"
#include "outputs.hpp"
#include "record.hpp"
#include "reporter.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/loss_scales.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/temporal.hpp"
#include "signals.hpp"
#include "stages.hpp"
#include "watch.hpp"

namespace neural_style {

/// A normalised picture (1, 3, h, w), and the losses on the way to it, numbered through all stages.
template <class Device>
struct Painting {
  sfumato::Tensor<float, Device> picture;
  sfumato::Tensor<std::uint8_t> colors;  ///< the content, where its colours are kept; or undefined
  std::vector<sfumato::style::Iteration> history;
  std::int64_t iterations = 0;  ///< whose steps the picture has, of all stages
  std::string trouble;          ///< of pictures of stages that could not be written; or nothing
  std::shared_future<Record> record;  ///< of how it comes about, where somebody wants that
  std::string warning;                ///< of the last stage, that its loss rose; or nothing
  bool reached = false;               ///< whether the last stage came to --until-loss
  std::optional<sfumato::Tensor<float>> kept;  ///< of a film's last frame; style::temporal_term()

  /// What is written.
  sfumato::Tensor<std::uint8_t> pixels(const Arguments& a) const { return pixels(a, picture); }
  /// The same of the picture as it is on the way.
  sfumato::Tensor<std::uint8_t> pixels(const Arguments& a,
                                       const sfumato::Tensor<float, Device>& now) const {
    const auto painted = sfumato::style::denormalize(now, a.pictures.rounding);
    if (!colors.defined()) return painted;
    const sfumato::style::PictureSize size{painted.shape()[0], painted.shape()[1]};
    return sfumato::style::luma_in_colors(
        painted, sfumato::style::resize_picture(colors, size, a.pictures.resizing));
  }

  /// Goes on with what came of a stage.
  void add(const sfumato::style::TransferResult<float, Device>& result) {
    picture = result.image;
    // Where it begins as a painting of the same, there is little to be found.
    if (!kept) warning = rise_of_loss(result.history);
    reached = result.reached;
    const sfumato::style::Iteration before =
        history.empty() ? sfumato::style::Iteration{} : history.back();
    for (sfumato::style::Iteration row : result.history) {
      row.number += before.number;
      row.seconds += before.seconds;
      history.push_back(row);
    }
  }
};

/// What the first stage starts with, (1, 3, h, w), where that is not the content.
template <class Device>
sfumato::Tensor<float, Device> initial_picture(const Arguments& a, const sfumato::Shape& shape,
                                               const sfumato::Tensor<float, Device>& style) {
  using namespace sfumato;
  using Numbers = Variable<float, Device>;
  if (a.initial == "gray") {
    const auto middle =
        style::normalize<float, Device>(Tensor<std::uint8_t>::full({1, 1, 3}, std::uint8_t{128}));
    return (Numbers(middle) + Numbers(Tensor<float, Device>::zeros(shape))).value();
  }
  Random random(a.seed);
  const Numbers noise(Tensor<float, Device>::randn(shape, random));
  if (a.initial == "style-stats") {
    const NoGrad off;
    const Numbers colors(style);
    const auto mean = ops::mean(colors, {2, 3}, true);
    const auto variance = ops::mean(ops::square(colors - mean), {2, 3}, true);
    return (mean + noise * ops::sqrt(variance)).value();
  }
  return style::PixelScale<float, Device>(a.transfer.pixels)
      .normalized(a.noise == 1.0 ? noise : noise * static_cast<float>(a.noise))
      .value();
}

/// Runs the stages one after the other, until the last is done or the user interrupts. `painting`
/// is always that of the stages that are whole, also when this throws.
template <class Device, class Stored>
void paint(const Arguments& a, const std::vector<Stage>& stages,
           sfumato::nn::Vgg<Stored, Device>& network, const sfumato::style::LossScales& scales,
           const sfumato::Tensor<std::uint8_t>& content_pixels,
           const sfumato::Tensor<std::uint8_t>& style_pixels, const Reporter& report, Watch& watch,
           const Position<Device>& from, Painting<Device>& painting) {
  using namespace sfumato;
  if (a.original_colors == "luminance") painting.colors = content_pixels;
  style::MinimizerState<float, Device> learnt;
  Checkpoints keep(a, painting.record);
  painting.history = from.earlier;
  painting.iterations = from.before;
  const auto goes_on = [&] {
    return interrupted == 0 && (a.stopped_after == 0 || painting.iterations < a.stopped_after);
  };
  for (std::size_t number = from.stage;
       number <= stages.size() && (number == from.stage || goes_on()); ++number) {
    Stage stage = stages[number - 1];
    style::ObjectiveOptions& objective = stage.transfer.objective;
    for (std::size_t i = 0; i < a.style_layer_weights.size(); ++i) {
      const std::size_t layer = network.layer_index(objective.style_layers[i]);
      objective.style_layer_weights[network.layer_names()[layer]] = a.style_layer_weights[i];
    }
    scales.apply_to(objective, network);
    if (number < stages.size()) stage.transfer.until_loss.reset();
    // The file gets every row; who only looks on waits for as few as are shown.
    stage.transfer.losses_every = a.losses.empty() ? a.report_every : 1;
    const auto prepare = [&](const Tensor<std::uint8_t>& pixels, const style::PictureSize& size) {
      return style::prepare_picture<float, Device>(pixels, size, a.pictures);
    };
    const Tensor<float, Device> content = prepare(content_pixels, stage.size);
    const Tensor<float, Device> style_picture = prepare(
        style_pixels, style::style_size(style_pixels.shape(), stage.size, a.pictures,
                                        style::deepest_pixel(network, stage.transfer.objective)));
    Tensor<float, Device> picture = content;
    std::vector<style::Term<float, Device>> terms;
    if (painting.kept) {
      const auto target = painting.kept->template to<Device>();
      picture = ops::slice(Variable<float, Device>(target), 1, {.stop = 3}).value().clone();
      terms.push_back(style::temporal_term(target, a.temporal_weight));
    } else if (painting.picture.defined()) {
      picture = style::enlarge_picture(painting.picture, stage.size, a.pictures);
    } else if (a.initial != "content") {
      picture = initial_picture(a, content.shape(), style_picture);
    }
    watch.begin_stage(number, stage, painting.iterations,
                      [&] { return painting.pixels(a, picture); });
    const Position<Device> position{number, painting.iterations, painting.history, {}};
    style::MinimizerState<float, Device> state;
    if (number == from.stage) state = from.state;
    if (stage.goes_on && !state.pixels.defined()) {
      const style::PictureSize& before = stages[number - 2].size;
      state.optimizer = style::enlarge_moments(
          learnt.optimizer, {1, 3, before.height, before.width}, content.shape());
    }
    painting.iterations += state.iterations;
    auto result = style::transfer(
        network, content, style_picture, picture, stage.transfer,
        [&](const style::Moment<float, Device>& now) {
          ++painting.iterations;
          watch(now, painting.iterations, [&] { return painting.pixels(a, now.picture()); });
          keep(now, position, painting);
          return goes_on();
        },
        state, terms);
    learnt = std::move(result.state);
    painting.add(result);
    if (result.converged) {
      report.say("no smaller loss was found after iteration %lld\n",
                 static_cast<long long>(result.state.iterations));
    }
    if (a.save_stages && number < stages.size()) {
      const HoldSignals whole_file;
      const std::string failure = write_picture(stage_path(a.output, number), painting.pixels(a));
      painting.trouble += (painting.trouble.empty() || failure.empty() ? "" : "; ") + failure;
    }
  }
}

}  // namespace neural_style
