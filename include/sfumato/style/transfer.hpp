#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/optim/adam.hpp"
#include "sfumato/optim/schedules.hpp"
#include "sfumato/style/objective.hpp"

namespace sfumato::style {

/// How a picture is made: the objective, and how it is minimised.
struct TransferOptions {
  ObjectiveOptions objective = {};
  std::int64_t iterations = 500;
  double learning_rate = 0.01;
  std::int64_t lr_decay_every = 200;  ///< iterations after which the learning rate is multiplied …
  double lr_decay = 0.1;              ///< … by this
};

/// The losses of one iteration, before its step: weighted and summed over layers.
struct Iteration {
  std::int64_t number = 0;  ///< from 1
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
  std::vector<Iteration> history;  ///< every iteration
  bool stopped = false;            ///< whether the progress callback ended it early
};

/// Is told of every iteration; returns false to stop.
using Progress = std::function<bool(const Iteration&)>;

/// Neural style transfer (Gatys, Ecker and Bethge, 2016): a picture with the content of one image
/// and the style of another, found by Adam from `initial`. All are normalised images (1, 3, h, w)
/// (see preprocess.hpp); `initial` has the content's size. Freezes the network.
/// Throws ShapeError or ValueError for images or layers that do not fit.
///
///     auto result = style::transfer(network, content, painting, content);
///     io::write_image("out.png", style::denormalize(result.image));
template <class T, class Device>
TransferResult<T, Device> transfer(nn::Vgg<T, Device>& network, const Tensor<T, Device>& content,
                                   const Tensor<T, Device>& style, const Tensor<T, Device>& initial,
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
  network.freeze();
  const Objective<T, Device> objective(network, content, style, options.objective);
  Variable<T, Device> image(initial.clone(), true);
  optim::Adam<T, Device> adam({image}, {.learning_rate = options.learning_rate});
  const optim::StepDecay schedule{options.learning_rate, options.lr_decay_every, options.lr_decay};
  const auto sum = [](const std::vector<Variable<T, Device>>& losses) {
    double total = 0.0;
    for (const auto& loss : losses) total += static_cast<double>(loss.item());
    return total;
  };

  TransferResult<T, Device> result;
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < options.iterations && !result.stopped; ++i) {
    adam.set_learning_rate(schedule(i));
    adam.zero_grad();
    const Losses<T, Device> losses = objective(image);
    backward(losses.total);
    adam.step();
    const Iteration iteration{
        i + 1,
        sum(losses.content),
        sum(losses.style),
        static_cast<double>(losses.tv.item()),
        static_cast<double>(losses.total.item()),
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
    result.history.push_back(iteration);
    result.stopped = progress && !progress(iteration);
  }
  result.image = image.value();
  return result;
}

}  // namespace sfumato::style
