#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "checkpoint.hpp"
#include "outputs.hpp"
#include "record.hpp"
#include "reporter.hpp"
#include "sfumato/core/pool.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/loss_scales.hpp"
#include "sfumato/style/neighbors.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/temporal.hpp"
#include "signals.hpp"
#include "sources.hpp"
#include "stages.hpp"
#include "watch.hpp"

namespace neural_style {

/// A network, once a picture has needed it, up to the last of the layers that it looks at, the file
/// it came from, and what pictures that are painted one after the other share: what it has seen in
/// their styles.
template <class Device, class Stored>
struct Loaded {
  std::filesystem::path weights;
  sfumato::nn::VggOptions options;
  sfumato::style::LossScales scales;
  std::optional<sfumato::nn::Vgg<Stored, Device>> network;
  std::shared_ptr<sfumato::style::StyleCache<float, Device>> styles;  ///< null: nothing is shared

  /// Whether the network is there, computes so, and has not let go of any of these layers.
  bool has(const std::vector<std::string>& layers, const sfumato::nn::VggOptions& wanted) const {
    return network && options == wanted &&
           std::all_of(layers.begin(), layers.end(), [&](const std::string& layer) {
             return sfumato::nn::detail::find_layer(network->layer_names(), layer).has_value();
           });
  }
};

/// A normalised picture (1, 3, h, w), and the losses on the way to it, numbered through all stages.
template <class Device>
struct Painting {
  sfumato::Tensor<float, Device> picture;
  sfumato::Tensor<std::uint8_t> content;  ///< as it was read …
  sfumato::Tensor<std::uint8_t> matched;  ///< with the styles' colours, where that is asked for
  sfumato::Tensor<std::uint8_t> opacity;  ///< … and where its opacity is kept, that
  std::vector<sfumato::style::Iteration> history;
  std::int64_t iterations = 0;  ///< whose steps the picture has, of all stages
  std::string trouble;          ///< of pictures of stages that could not be written; or nothing
  std::shared_future<Record> record;  ///< of how it comes about, where somebody wants that
  std::string warning;                ///< of the last stage, that its loss rose; or nothing
  bool reached = false;               ///< whether the last stage came to --until-loss
  std::optional<sfumato::Tensor<float>> kept;  ///< of a film's last frame; style::temporal_term()

  /// What is shown.
  sfumato::Tensor<std::uint8_t> pixels(const Arguments& a) const { return pixels(a, picture); }
  /// The same of the picture as it is on the way.
  sfumato::Tensor<std::uint8_t> pixels(const Arguments& a,
                                       const sfumato::Tensor<float, Device>& now) const {
    namespace style = sfumato::style;
    auto painted = style::denormalize(now, a.pictures.rounding);
    if (a.keep != "no") {
      painted = style::match_luma(painted, content, {a.keep != "contrast", a.keep != "luminance"});
    }
    if (a.original_colors != "luminance" && a.original_colors != "matched") return painted;
    const style::PictureSize size{painted.shape()[0], painted.shape()[1]};
    const auto& colors = a.original_colors == "matched" ? matched : content;
    return style::luma_in_colors(painted, style::resize_picture(colors, size, a.pictures.resizing));
  }
  /// What is written of pixels: they, with the content's opacity where that is kept.
  sfumato::Tensor<std::uint8_t> written(const sfumato::Tensor<std::uint8_t>& shown) const {
    if (!opacity.defined()) return shown;
    return sfumato::style::with_opacity(
        shown, sfumato::io::resize(opacity, shown.shape()[0], shown.shape()[1]));
  }

  /// Goes on with what came of a stage.
  void add(const sfumato::style::TransferResult<float, Device>& result) {
    picture = result.image;
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

/// The content with its colours moved and turned to the mean and covariance of the styles' pixels,
/// of each style as many as its weight says.
inline sfumato::Tensor<std::uint8_t> in_colors_of_styles(const Sources& sources) {
  std::vector<std::int64_t> counts;
  std::vector<double> weights;
  for (const StyleSource& source : sources.styles) {
    counts.push_back(source.pixels.size(0) * source.pixels.size(1));
    weights.push_back(source.file.weight);
  }
  const std::vector<std::int64_t> some = sfumato::style::detail::in_ratio(counts, weights);
  std::vector<std::uint8_t> pixels;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    for (std::int64_t i = 0; i < some[k]; ++i) {
      const std::uint8_t* const pixel =
          sources.styles[k].pixels.data() + 3 * (i * counts[k] / some[k]);
      pixels.insert(pixels.end(), pixel, pixel + 3);
    }
  }
  const auto count = static_cast<std::int64_t>(pixels.size() / 3);
  return sfumato::style::match_colors(sources.content,
                                      sfumato::Tensor<std::uint8_t>::from(pixels, {count, 1, 3}));
}

/// The styles at the sizes that suit a stage, no side below `least` pixels.
template <class Device>
sfumato::style::Styles<float, Device> prepare_styles(const Sources& sources, const Stage& stage,
                                                     std::int64_t least) {
  namespace style = sfumato::style;
  const auto regions = [](const sfumato::Tensor<std::uint8_t>& of_mask,
                          const style::PictureSize& size) {
    return of_mask.defined() ? style::prepare_regions<float, Device>(of_mask, size)
                             : sfumato::Tensor<float, Device>();
  };
  std::vector<style::StylePicture<float, Device>> pictures;
  for (const StyleSource& source : sources.styles) {
    const style::PictureSize size =
        style::style_size(source.pixels.shape(), stage.size, stage.pictures, least);
    pictures.push_back({style::prepare_picture<float, Device>(source.pixels, size, stage.pictures),
                        source.file.weight, regions(source.regions, size)});
  }
  return {std::move(pictures), regions(sources.content_regions, stage.size)};
}

/// What the first stage starts with, (1, 3, h, w), where that is not the content.
template <class Device>
sfumato::Tensor<float, Device> initial_picture(
    const Arguments& a, const Stage& stage, const Sources& sources,
    const sfumato::style::Styles<float, Device>& styles) {
  using namespace sfumato;
  using Numbers = Variable<float, Device>;
  if (sources.initial.defined()) {
    return style::prepare_picture<float, Device>(sources.initial, stage.size, a.pictures);
  }
  const Shape shape{1, 3, stage.size.height, stage.size.width};
  if (a.initial == "gray") {
    const auto middle =
        style::normalize<float, Device>(Tensor<std::uint8_t>::full({1, 1, 3}, std::uint8_t{128}));
    return (Numbers(middle) + Numbers(Tensor<float, Device>::zeros(shape))).value();
  }
  Random random(a.seed);
  const Numbers noise(Tensor<float, Device>::randn(shape, random));
  if (a.initial == "style-stats") {
    const NoGrad off;
    Numbers mean(Tensor<float, Device>::zeros({1, 3, 1, 1}));
    Numbers squares = mean;
    for (const auto& picture : styles.pictures) {
      const auto part = static_cast<float>(picture.weight / styles.weight());
      const Numbers colors(picture.image);
      mean = mean + ops::mean(colors, {2, 3}, true) * part;
      squares = squares + ops::mean(ops::square(colors), {2, 3}, true) * part;
    }
    return (mean + noise * ops::sqrt(ops::relu(squares - ops::square(mean)))).value();
  }
  return style::PixelScale<float, Device>(a.transfer.pixels)
      .normalized(a.noise == 1.0 ? noise : noise * static_cast<float>(a.noise))
      .value();
}

/// Runs the stages one after the other, until the last is done or the user interrupts. `painting`
/// is always that of the stages that are whole, also when this throws.
template <class Device, class Stored>
void paint(const Arguments& a, const std::vector<Stage>& stages, Loaded<Device, Stored>& loaded,
           const Sources& sources, const Reporter& report, Watch& watch, Position<Device> from,
           Painting<Device>& painting) {
  using namespace sfumato;
  nn::Vgg<Stored, Device>& network = *loaded.network;
  painting.content = sources.content;
  painting.opacity = sources.opacity;
  if (a.original_colors == "matched") painting.matched = in_colors_of_styles(sources);
  style::MinimizerState<float, Device> learnt;
  Checkpoints keep(a, painting.record, report);
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
    loaded.scales.apply_to(objective, network);
    if (number < stages.size()) stage.transfer.until_loss.reset();
    // The file gets every row; who only looks on waits for as few as are shown.
    stage.transfer.losses_every = a.losses.empty() ? a.report_every : 1;
    auto content = style::prepare_picture<float, Device>(sources.content, stage.size, a.pictures);
    auto styles = prepare_styles<Device>(sources, stage,
                                         style::deepest_pixel(network, stage.transfer.objective));
    styles.cache = loaded.styles;
    Tensor<float, Device> picture = content;
    std::vector<style::Term<float, Device>> terms;
    if (painting.kept) {
      const auto target = painting.kept->template to<Device>();
      picture = ops::slice(Variable<float, Device>(target), 1, {.stop = 3}).value().clone();
      terms.push_back(style::temporal_term(target, a.temporal_weight));
    } else if (painting.picture.defined()) {
      picture = style::enlarge_picture(painting.picture, stage.size, a.pictures);
    } else if (a.initial != "content") {
      picture = initial_picture(a, stage, sources, styles);
    }
    const bool resumed = number == from.stage && from.state.pixels.defined();
    if (stage.anew && resumed) {
      if (!from.start.defined() || from.start.shape() != content.shape()) {
        throw ValueError("this final pass lacks the picture that it began with; paint it anew");
      }
      picture = from.start;
    }
    if (stage.anew) styles.painted = picture;
    watch.begin_stage(number, stage, painting.iterations,
                      [&] { return painting.pixels(a, picture); });
    const Position<Device> position{
        number, painting.iterations, painting.history, {}, styles.painted};
    style::MinimizerState<float, Device> state;
    if (number == from.stage) state = std::move(from.state);
    if (stage.goes_on && !state.pixels.defined()) {
      const style::PictureSize& before = stages[number - 2].size;
      state.optimizer = style::enlarge_moments(
          learnt.optimizer, {1, 3, before.height, before.width}, content.shape());
    }
    painting.iterations += state.iterations;
    if (resumed) watch.resume(painting.iterations, state.history, painting.history);
    auto result = style::transfer(
        network, std::move(content), std::move(styles), std::move(picture), stage.transfer,
        [&](const style::Moment<float, Device>& now) {
          ++painting.iterations;
          watch(
              now, painting.iterations, [&] { return painting.pixels(a, now.picture()); },
              [&](const auto& pixels) { return painting.written(pixels); });
          keep(now, position, painting);
          return goes_on();
        },
        std::move(state), terms);
    if (stage.transfer.objective.tile > 0) Pool<Device>::shared().trim();  // of the tiles
    learnt = std::move(result.state);
    painting.add(result);
    // Where it begins as a painting of the same, there is little to be found.
    if (!painting.kept) painting.warning = rise_of_loss(result.history, stage.transfer);
    if (result.converged) {
      report.say("no smaller loss was found after iteration %lld\n",
                 static_cast<long long>(result.state.iterations));
    }
    if (a.save_stages && number < stages.size()) {
      const HoldSignals whole_file;
      const std::string failure =
          write_picture(stage_path(a.output, number), painting.written(painting.pixels(a)));
      painting.trouble += (painting.trouble.empty() || failure.empty() ? "" : "; ") + failure;
    }
  }
}

}  // namespace neural_style
