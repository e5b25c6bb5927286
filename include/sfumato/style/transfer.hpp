#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/repeat.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/sum.hpp"
#include "sfumato/optim/adam.hpp"
#include "sfumato/optim/schedules.hpp"
#include "sfumato/style/borders.hpp"
#include "sfumato/style/divergence.hpp"
#include "sfumato/style/objective.hpp"

namespace sfumato::style {

/// How a picture is made: the objective, and how it is minimised.
struct TransferOptions {
  ObjectiveOptions objective = {};
  std::int64_t iterations = 500;
  double learning_rate = 0.01;
  std::int64_t lr_decay_every = 200;  ///< iterations after which the learning rate is multiplied …
  double lr_decay = 0.1;              ///< … by this
  optim::AdamForm adam_form = optim::AdamForm::kPaper;
  /// Whether the picture is painted larger, to sides that the network can halve at every pooling,
  /// and cut off. The losses that are told are always those of the picture that comes out: where it
  /// is cut, they take a forward pass of their own, a third more time for an iteration that has
  /// them. Only of pictures too small for the layers (deepest_pixel()) are they the larger one's.
  Borders borders = Borders::kExtend;
  /// Iterations between two whose losses are told; the first one's and the last one's always are.
  std::int64_t losses_every = 1;
  bool record = true;  ///< on a device that can, record a step once and repeat the recording
};

/// The losses of one iteration, before its step: weighted and summed over layers.
struct Iteration {
  std::int64_t number = 0;  ///< from 1
  bool has_losses = true;   ///< false: those of the last iteration that had; see losses_every
  double content = 0.0;
  double style = 0.0;
  double tv = 0.0;
  double total = 0.0;
  double seconds = 0.0;  ///< since the first iteration began, at the end of this one
};

/// A picture and how it came about.
template <class T, class Device = Cpu>
struct TransferResult {
  Tensor<T, Device> image;         ///< normalised, (1, 3, h, w)
  std::vector<Iteration> history;  ///< every iteration that has losses
  bool stopped = false;            ///< whether the progress callback ended it early
};

/// A loss or a gradient that is not finite: the run has left the numbers that there are,
/// and no later iteration would bring it back.
template <class T, class Device = Cpu>
class DivergenceError : public Error {
 public:
  DivergenceError(const std::string& what, TransferResult<T, Device> until_then)
      : Error(what), result(std::move(until_then)) {}

  /// The last picture whose loss was finite (or else the initial one), and the iterations whose
  /// losses were.
  TransferResult<T, Device> result;
};

/// Is told of every iteration; returns false to stop.
using Progress = std::function<bool(const Iteration&)>;

/// Neural style transfer (Gatys, Ecker and Bethge, 2016): a picture with the content of one image
/// and the style of another, found by Adam from `initial`. All are normalised images (1, 3, h, w)
/// (see preprocess.hpp); `initial` has the content's size. Freezes the network, whose element type
/// may be another one; see Objective.
/// Throws ShapeError or ValueError for images or layers that do not fit, and DivergenceError, which
/// has the last good picture, at the first loss or gradient that is not finite.
///
///     auto result = style::transfer(network, content, painting, content);
///     io::write_image("out.png", style::denormalize(result.image));
template <class Stored, class T, class Device>
TransferResult<T, Device> transfer(nn::Vgg<Stored, Device>& network,
                                   const Tensor<T, Device>& content, const Tensor<T, Device>& style,
                                   const Tensor<T, Device>& initial,
                                   const TransferOptions& options = {},
                                   const Progress& progress = {}) {
  if (initial.shape() != content.shape()) {
    throw ShapeError(message("style transfer: the initial image ", initial.shape(),
                             " must have the content's shape ", content.shape()));
  }
  if (options.iterations < 0 || options.lr_decay_every < 1) {
    throw ValueError(message("style transfer: ", options.iterations,
                             " iterations with decay every ", options.lr_decay_every,
                             "; they must be at least 0 and 1"));
  }
  if (options.losses_every < 1) {
    throw ValueError(message("style transfer: losses every ", options.losses_every,
                             " iterations; it must be at least 1"));
  }
  network.freeze();
  const std::int64_t pixel = deepest_pixel(network, options.objective);
  const bool extends =
      options.borders == Borders::kExtend && needs_extension(content.shape(), pixel);
  const auto extended = [&](const Tensor<T, Device>& picture) {
    return extends ? extend_borders(Variable<T, Device>(picture), pixel).value() : picture;
  };
  using Terms = Objective<T, Device, Stored>;
  const Terms objective(network, extended(content), style, options.objective);
  Variable<T, Device> image(extends ? extended(initial) : initial.clone(), true);
  const auto cropped = [&](const Tensor<T, Device>& picture) {
    const Variable<T, Device> whole(picture);
    return extends ? crop_borders(whole, content.shape()[2], content.shape()[3]) : whole;
  };
  // What is told of the picture where it is not what is minimised.
  std::optional<Terms> told;
  if (extends && std::min(content.shape()[2], content.shape()[3]) >= pixel) {
    told.emplace(network, content, style, options.objective);
  }
  optim::Adam<T, Device> adam({image},
                              {.learning_rate = options.learning_rate, .form = options.adam_form});
  const optim::StepDecay schedule{options.learning_rate, options.lr_decay_every, options.lr_decay};

  // One step, in a form that can be recorded: what it reports stays on the device.
  const std::size_t content_terms = options.objective.content_layers.size();
  const std::size_t style_terms = options.objective.style_layers.size();
  const auto report_of = [&](std::int64_t more) {
    const auto terms = static_cast<std::int64_t>(content_terms + style_terms);
    return Tensor<T, Device>::empty({terms + more});
  };
  // Of the picture that is painted: its losses, their total, and the square of the gradient.
  auto report = report_of(3);
  auto told_report = report_of(2);  // of the picture that comes out: its losses and their total
  const auto keep_losses = [&](const Losses<T, Device>& losses, Tensor<T, Device>& kept) {
    T* place = kept.data();
    const auto keep = [&](const Variable<T, Device>& loss) {
      Device::copy(place++, loss.value().data(), sizeof(T));
    };
    for (const auto& loss : losses.content) keep(loss);
    for (const auto& loss : losses.style) keep(loss);
    keep(losses.tv);
    keep(losses.total);
  };
  Repeat<Device> step(
      [&] {
        adam.zero_grad();
        const Losses<T, Device> losses = objective(image);
        backward(losses.total);
        adam.apply_gradients();
        keep_losses(losses, report);
        // Adam would take no step at all with a gradient whose square is infinite.
        const Variable<T, Device> gradient(image.grad().value());
        const auto square = no_grad([&] { return ops::sum(ops::square(gradient)); });
        Device::copy(report.data() + report.elements() - 1, square.value().data(), sizeof(T));
      },
      options.record);
  Repeat<Device> tell(
      [&] { no_grad([&] { keep_losses((*told)(cropped(image.value())), told_report); }); },
      options.record);

  TransferResult<T, Device> result;
  Iteration iteration;
  detail::LastPictures<T, Device> pictures;
  const auto diverged = [&](const char* what, T value, const Tensor<T, Device>& last) {
    result.image = cropped(last).value();
    const std::int64_t number = adam.steps();
    return DivergenceError<T, Device>(
        detail::divergence_text(what, static_cast<double>(value), number, adam.learning_rate()),
        result);
  };
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < options.iterations && !result.stopped; ++i) {
    iteration.number = i + 1;
    iteration.has_losses = i == 0 || iteration.number % options.losses_every == 0 ||
                           iteration.number == options.iterations;
    adam.set_learning_rate(schedule(i));
    adam.begin_step();
    pictures.keep(image.value());
    if (told && iteration.has_losses) tell();
    step();
    const std::vector<T> painted = report.to_vector();
    const T total = painted[painted.size() - 2];
    if (!std::isfinite(static_cast<double>(total))) {
      throw diverged("the loss", total, pictures.before());
    }
    if (!std::isfinite(static_cast<double>(painted.back()))) {
      throw diverged("the gradient", painted.back(), pictures.now());
    }
    if (iteration.has_losses) {
      const std::vector<T> losses = told ? told_report.to_vector() : painted;
      const auto sum = [&](std::size_t first, std::size_t count) {
        const auto begin = losses.begin() + static_cast<std::ptrdiff_t>(first);
        return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(count), 0.0);
      };
      iteration.content = sum(0, content_terms);
      iteration.style = sum(content_terms, style_terms);
      iteration.tv = static_cast<double>(losses[content_terms + style_terms]);
      iteration.total = static_cast<double>(losses[content_terms + style_terms + 1]);
      if (!std::isfinite(iteration.total)) {
        throw diverged("the loss", losses[content_terms + style_terms + 1], pictures.before());
      }
    }
    iteration.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (iteration.has_losses) result.history.push_back(iteration);
    result.stopped = progress && !progress(iteration);
  }
  result.image = cropped(image.value()).value();
  return result;
}

}  // namespace sfumato::style
