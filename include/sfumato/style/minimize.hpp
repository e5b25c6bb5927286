#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/repeat.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/sum.hpp"
#include "sfumato/optim/adam.hpp"
#include "sfumato/optim/schedules.hpp"
#include "sfumato/style/divergence.hpp"
#include "sfumato/style/objective.hpp"
#include "sfumato/style/options.hpp"

namespace sfumato::style {

/// The losses of one iteration, before its step.
struct Iteration {
  std::int64_t number = 0;  ///< from 1
  bool has_losses = true;   ///< false: those of the last iteration that had; see losses_every
  std::map<std::string, double> losses;  ///< weighted, summed over the terms of each kind
  double total = 0.0;
  double seconds = 0.0;  ///< since the first iteration began, at the end of this one

  /// The loss of one kind; 0 where there is none.
  double loss(const std::string& kind) const {
    const auto found = losses.find(kind);
    return found == losses.end() ? 0.0 : found->second;
  }
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

/// What is shown of a picture that is painted with more than that.
template <class Network, class T>
struct View {
  using Device = typename Network::device_type;
  /// The picture that comes out; the whole one when null.
  std::function<Variable<T, Device>(const Variable<T, Device>&)> crop;
  /// Whose losses of that are reported; when null, those that are minimised.
  const Objective<Network, T>* objective = nullptr;
};

namespace detail {

/// Losses on the device: those of the terms, the total, and what else there is room for.
template <class T, class Device>
class Report {
 public:
  Report(const std::vector<std::string>& kinds, std::int64_t more)
      : kinds_(kinds),
        values_(Tensor<T, Device>::empty({static_cast<std::int64_t>(kinds.size()) + 1 + more})) {}

  void keep(const Losses<T, Device>& losses) {
    for (std::size_t i = 0; i < losses.terms.size(); ++i) keep(i, losses.terms[i]);
    keep(kinds_.size(), losses.total);
  }
  void keep_last(const Variable<T, Device>& value) {
    keep(static_cast<std::size_t>(values_.numel()) - 1, value);
  }

  void read() { read_ = values_.to_vector(); }
  T total() const { return read_[kinds_.size()]; }
  T last() const { return read_.back(); }
  void write_to(Iteration& iteration) const {
    iteration.losses.clear();
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      iteration.losses[kinds_[i]] += static_cast<double>(read_[i]);
    }
    iteration.total = static_cast<double>(total());
  }

 private:
  void keep(std::size_t i, const Variable<T, Device>& value) {
    Device::copy(values_.data() + i, value.value().data(), sizeof(T));
  }

  std::vector<std::string> kinds_;
  Tensor<T, Device> values_;
  std::vector<T> read_;
};

inline void check(const TransferOptions& options) {
  if (options.iterations < 0 || options.lr_decay_every < 1) {
    throw ValueError(message("style transfer: ", options.iterations,
                             " iterations with decay every ", options.lr_decay_every,
                             "; they must be at least 0 and 1"));
  }
  if (options.losses_every < 1) {
    throw ValueError(message("style transfer: losses every ", options.losses_every,
                             " iterations; it must be at least 1"));
  }
}

}  // namespace detail

/// The picture, found by Adam from `initial`, whose loss is least. `initial` is a normalised image
/// (1, 3, h, w); of the options, `objective` and `borders` don't matter here. Throws ValueError for
/// options out of range, and DivergenceError, which has the last
/// good picture, at the first loss or gradient that is not finite.
///
///     auto result = style::minimize(objective, content, {.iterations = 200});
template <class Network, class T, class Device>
TransferResult<T, Device> minimize(const Objective<Network, T>& objective,
                                   const Tensor<T, Device>& initial,
                                   const TransferOptions& options = {},
                                   const Progress& progress = {},
                                   const View<Network, T>& view = {}) {
  detail::check(options);
  Variable<T, Device> image(initial.clone(), true);
  const auto shown = [&](const Tensor<T, Device>& picture) {
    const Variable<T, Device> whole(picture);
    return view.crop == nullptr ? whole : view.crop(whole);
  };
  optim::Adam<T, Device> adam({image},
                              {.learning_rate = options.learning_rate, .form = options.adam_form});
  const optim::StepDecay schedule{options.learning_rate, options.lr_decay_every, options.lr_decay};

  // Of the picture that is painted: its losses, and the square of the gradient.
  detail::Report<T, Device> painted(objective.kinds(), 1);
  // Of the picture that comes out, where its losses are others.
  detail::Report<T, Device> seen((view.objective == nullptr ? objective : *view.objective).kinds(),
                                 0);
  // One step, in a form that can be captured: what it reports stays on the device.
  Repeat<Device> step(
      [&] {
        adam.zero_grad();
        const Losses<T, Device> losses = objective(image);
        backward(losses.total);
        adam.apply_gradients();
        painted.keep(losses);
        // Adam would take no step at all with a gradient whose square is infinite.
        const Variable<T, Device> gradient(image.grad().value());
        painted.keep_last(no_grad([&] { return ops::sum(ops::square(gradient)); }));
      },
      options.capture);
  Repeat<Device> look([&] { no_grad([&] { seen.keep((*view.objective)(shown(image.value()))); }); },
                      options.capture);

  TransferResult<T, Device> result;
  Iteration iteration;
  detail::LastPictures<T, Device> pictures;
  const auto diverged = [&](const char* what, T value, const Tensor<T, Device>& last) {
    result.image = shown(last).value();
    return DivergenceError<T, Device>(detail::divergence_text(what, static_cast<double>(value),
                                                              adam.steps(), adam.learning_rate()),
                                      result);
  };
  const auto is_finite = [](T value) { return std::isfinite(static_cast<double>(value)); };
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < options.iterations && !result.stopped; ++i) {
    iteration.number = i + 1;
    iteration.has_losses = i == 0 || iteration.number % options.losses_every == 0 ||
                           iteration.number == options.iterations;
    adam.set_learning_rate(schedule(i));
    adam.begin_step();
    pictures.keep(image.value());
    if (view.objective != nullptr && iteration.has_losses) look();
    step();
    painted.read();
    if (!is_finite(painted.total())) {
      throw diverged("the loss", painted.total(), pictures.before());
    }
    if (!is_finite(painted.last())) throw diverged("the gradient", painted.last(), pictures.now());
    if (iteration.has_losses) {
      if (view.objective == nullptr) {
        painted.write_to(iteration);
      } else {
        seen.read();
        if (!is_finite(seen.total())) throw diverged("the loss", seen.total(), pictures.before());
        seen.write_to(iteration);
      }
    }
    iteration.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (iteration.has_losses) result.history.push_back(iteration);
    result.stopped = progress && !progress(iteration);
  }
  result.image = shown(image.value()).value();
  return result;
}

}  // namespace sfumato::style
