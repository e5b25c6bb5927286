#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/repeat.hpp"
#include "sfumato/optim/adam.hpp"
#include "sfumato/optim/lbfgs.hpp"
#include "sfumato/optim/schedules.hpp"
#include "sfumato/style/divergence.hpp"
#include "sfumato/style/frequency_scale.hpp"
#include "sfumato/style/iteration.hpp"
#include "sfumato/style/laplacian.hpp"
#include "sfumato/style/objective.hpp"
#include "sfumato/style/options.hpp"
#include "sfumato/style/pixels.hpp"
#include "sfumato/style/report.hpp"

namespace sfumato::style {

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

/// One run of an optimiser.
template <class Network, class T>
class Minimization {
 public:
  using Device = typename Network::device_type;

  Minimization(const Objective<Network, T>& objective, Tensor<T, Device> initial,
               const TransferOptions& options, const Progress<T, Device>& progress,
               const View<Network, T>& view, const MinimizerState<T, Device>& from)
      : objective_(objective),
        options_(options),
        progress_(progress),
        view_(view),
        scale_(options.pixels),
        image_((from.pixels.defined() ? from.pixels
                                      : scale_.pixels(Variable<T, Device>(initial)).value())
                   .clone(),
               true),
        painted_(objective, 1),
        seen_(view.objective == nullptr ? objective : *view.objective, 0),
        look_([this] { no_grad([&] { seen_.keep((*view_.objective)(shown(image_.value()))); }); },
              options.capture) {
    iteration_.picture = [this] { return shown(result()).value(); };
    restore(from, initial.shape());
    iteration_.number = from.iterations;
    initial = {};  // a parameter may live as long as the run
    if (options.average_decay == 0.0) return;
    average_ = {options.average_decay, from.average.count, from.average.sum.clone()};
    if (average_.count > 0) return;
    average_.sum = Tensor<T, Device>::zeros(image_.shape());
    add_to_average();
  }

  TransferResult<T, Device> run(std::map<std::string, Tensor<T, Device>> optimizer) {
    if (options_.optimizer == Optimizer::kAdam) {
      run_adam(std::move(optimizer));
    } else {
      run_lbfgs(std::move(optimizer));
    }
    result_.image = shown(result()).value();
    result_.state.iterations = iteration_.number;
    result_.state.pixels = image_.value();
    result_.state.average = average_;
    return std::move(result_);
  }

 private:
  struct Finished {};  ///< ends the line search in which it is thrown

  void run_adam(std::map<std::string, Tensor<T, Device>> state) {
    PictureParameters<T, Device> parameters(image_, options_.pyramid_levels);
    optim::Adam<T, Device> adam(parameters.all(), {.learning_rate = options_.learning_rate,
                                                   .beta1 = options_.beta1,
                                                   .beta2 = options_.beta2,
                                                   .form = options_.adam_form});
    if (!state.empty()) adam.load_state_dict(std::move(state));
    iteration_.state = [&] {
      auto now = this->state();
      now.optimizer = adam.shared_state();
      return now;
    };
    const optim::StepDecay schedule{options_.learning_rate, options_.lr_decay_every,
                                    options_.lr_decay};
    // Both in a form that can be captured: what is reported stays on the device.
    Repeat<Device> evaluation([&] { evaluate(); }, options_.capture);
    Repeat<Device> step(
        [&] {
          parameters.take_gradient();
          adam.apply_gradients();
          auto pixels = parameters.put();
          if (options_.clip) scale_.clip(pixels);
          if (average_.sum.defined()) average_.add(pixels);
        },
        options_.capture);
    while (!is_done()) {
      adam.set_learning_rate(schedule(iteration_.number));
      steps_ = message("of the learning rate ", adam.learning_rate());
      begin_iteration();
      evaluation();
      check_losses();
      adam.begin_step();
      step();
      ++average_.count;
      end_iteration();
    }
    result_.state.optimizer = adam.shared_state();
  }

  void run_lbfgs(std::map<std::string, Tensor<T, Device>> state) {
    steps_ = "without a line search";
    searches_ = options_.lbfgs.line_search != optim::LineSearch::kNone;
    typename optim::LBFGS<T, Device>::Preconditioner scale;
    if (options_.optimizer == Optimizer::kScaledLbfgs) {
      scale = FrequencyScale<T, Device>(image_.shape()[2], image_.shape()[3]);
    }
    optim::LBFGS<T, Device> lbfgs({image_}, options_.lbfgs, scale);
    if (!state.empty()) lbfgs.load_state_dict(std::move(state));
    MinimizerState<T, Device> last;  // before the step at hand, as L-BFGS itself is till its end
    std::size_t rows = 0;            // of the history then
    iteration_.state = [&] {
      auto then = last;
      if (then.iterations > 0) then.optimizer = lbfgs.state_dict();  // else it is as new
      const auto& history = result_.history;
      then.history.assign(history.begin(), history.begin() + static_cast<std::ptrdiff_t>(rows));
      return then;
    };
    Repeat<Device> evaluation([&] { evaluate(); }, options_.capture);
    const auto loss = [&] {
      if (is_done()) throw Finished{};
      begin_iteration();
      evaluation();
      check_losses();
      end_iteration();
      return static_cast<double>(painted_.total());
    };
    try {
      while (!is_done() && !result_.converged) {
        last = state_without_history();
        for (auto* const tensor : {&last.pixels, &last.before, &last.average.sum}) {
          *tensor = tensor->clone();
        }
        rows = result_.history.size();
        result_.converged = !lbfgs.step_by(loss);
        if (average_.sum.defined()) add_to_average();
      }
    } catch (const Finished&) {
    }
  }

  MinimizerState<T, Device> state_without_history() const {
    MinimizerState<T, Device> state{iteration_.number, image_.value(), {}, average_};
    state.before = last_;
    state.best = best_;
    state.least = least_;
    state.reached = result_.reached;
    return state;
  }
  MinimizerState<T, Device> state() const {
    auto now = state_without_history();
    now.history = result_.history;
    return now;
  }

  /// Takes over what the constructor has not. Throws ValueError for a state that can't be.
  void restore(const MinimizerState<T, Device>& from, const Shape& shape) {
    if (!from.pixels.defined()) return;
    for (const auto* const tensor : {&from.pixels, &from.before, &from.best, &from.average.sum}) {
      if (!tensor->defined() || tensor->shape() == shape) continue;
      throw ValueError(message("style transfer: the state to go on from is of pictures ",
                               tensor->shape(), ", and not ", shape));
    }
    const bool averaged = from.average.sum.defined() && from.average.count > 0;
    if (from.iterations < 0 || from.iterations > options_.iterations ||
        averaged != (options_.average_decay > 0.0)) {
      throw ValueError(message("style transfer: the state to go on from, after iteration ",
                               from.iterations, averaged ? ", with" : ", without",
                               " an average, is not of these options"));
    }
    if (from.before.defined()) last_ = from.before;
    best_ = from.best;
    least_ = from.least;
    result_.reached = from.reached;
    result_.history = from.history;
    if (!from.history.empty()) static_cast<Iteration&>(iteration_) = from.history.back();
    seconds_before_ = iteration_.seconds;
  }

  /// The losses of the picture and their gradient; what is reported of them stays on the device.
  void evaluate() {
    image_.zero_grad();
    const Losses<T, Device> losses = objective_(scale_.normalized(image_));
    painted_.keep(losses);
    forget_last();
    backward(losses.total);
    // Adam would take no step at all with a gradient whose square is infinite.
    painted_.keep_last(sum_of_squares(image_.grad().value()));
  }

  /// A picture whose losses are finite is the last good one itself: the memory of the one before it
  /// is there for the gradient. On a device that repeats a captured step nothing is read so early.
  void forget_last() {
    if (Capturable<Device> && options_.capture) return;
    painted_.read();
    const bool looked = view_.objective != nullptr && iteration_.has_losses;
    if (looked) seen_.read();
    if (is_finite(painted_.total()) && (!looked || is_finite(seen_.total()))) last_ = {};
  }

  bool is_done() const {
    return iteration_.number >= options_.iterations || result_.stopped || result_.reached;
  }

  void begin_iteration() {
    ++iteration_.number;
    iteration_.has_losses = iteration_.number == 1 || options_.until_loss ||
                            iteration_.number % options_.losses_every == 0 ||
                            iteration_.number == options_.iterations;
    if (view_.objective != nullptr && iteration_.has_losses) look_();
  }

  /// While the picture is still the one that the losses are of; then that is the last good one.
  void check_losses() {
    painted_.read();
    const bool is_trial = searches_ && iteration_.number > 1;  // which may go too far
    const Tensor<T, Device>& before = last_.defined() ? last_ : image_.value();
    check_finite("the loss", painted_.total(), before, is_trial);
    check_finite("the gradient", painted_.last(), image_.value(), is_trial);
    if (iteration_.has_losses) {
      if (view_.objective == nullptr) {
        painted_.write_to(iteration_);
      } else {
        seen_.read();
        check_finite("the loss", seen_.total(), before, is_trial);
        if (iteration_.has_losses) seen_.write_to(iteration_);
      }
    }
    last_ = {};  // so that its memory is there for the next one
    last_ = image_.value().clone();
  }

  void end_iteration() {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
    iteration_.seconds = seconds_before_ + seconds.count();
    if (iteration_.has_losses) result_.history.push_back(iteration_);
    result_.reached =
        options_.until_loss && iteration_.has_losses && iteration_.total <= *options_.until_loss;
    result_.stopped = progress_ && !progress_(iteration_);
    if (static_cast<double>(painted_.total()) < least_) {
      least_ = static_cast<double>(painted_.total());
      if (searches_) best_ = last_.clone();
    }
  }

  void check_finite(const char* what, T value, const Tensor<T, Device>& last, bool is_trial) {
    if (is_finite(value)) return;
    if (is_trial) return void(iteration_.has_losses = false);
    result_.image = shown(last).value();
    throw DivergenceError<T, Device>(
        divergence_text(what, static_cast<double>(value), iteration_.number, steps_), result_);
  }

  /// What comes out, in pixels.
  Tensor<T, Device> result() const {
    if (average_.sum.defined()) return average_.mean();
    if (result_.reached) return last_;
    return searches_ && best_.defined() ? best_ : image_.value();
  }
  /// Pixels as a normalised picture, of which only what is to be seen.
  Variable<T, Device> shown(const Tensor<T, Device>& pixels) const {
    const Variable<T, Device> whole = scale_.normalized(Variable<T, Device>(pixels));
    return view_.crop == nullptr ? whole : view_.crop(whole);
  }
  void add_to_average() {
    average_.add(image_.value());
    ++average_.count;
  }

  const Objective<Network, T>& objective_;
  const TransferOptions& options_;
  const Progress<T, Device>& progress_;
  const View<Network, T>& view_;
  PixelScale<T, Device> scale_;
  Variable<T, Device> image_;  // in pixels
  AveragePicture<T, Device> average_;
  Report<T, Device> painted_;  // of the picture that is painted: its losses, the gradient's square
  Report<T, Device> seen_;     // of the picture that comes out, where its losses are others
  Repeat<Device> look_;
  Tensor<T, Device> last_;  // the picture of the last losses, in pixels
  Moment<T, Device> iteration_;
  TransferResult<T, Device> result_;
  std::string steps_;                                       // of which kind they are, for messages
  bool searches_ = false;                                   // along lines
  double least_ = std::numeric_limits<double>::infinity();  // total so far …
  Tensor<T, Device> best_;                                  // … and where it was
  double seconds_before_ = 0.0;                             // in the run that this one goes on with
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace detail

/// The picture, found from `initial`, whose loss is least. `initial` is a normalised image
/// (1, 3, h, w); of the options, `objective` and `borders` don't matter here. `from` is where
/// another run ended, with as much as there is of it: it goes on with what the optimiser has
/// learnt, and without an `optimizer` begins that anew. Throws ValueError for options out of range,
/// or, of strips, L-BFGS or a pyramid; and DivergenceError, which has the last good picture, at the
/// first loss or gradient that is not finite.
///
///     auto result = style::minimize(objective, content, {.iterations = 200});
template <class Network, class T, class Device>
TransferResult<T, Device> minimize(const Objective<Network, T>& objective,
                                   Tensor<T, Device> initial, const TransferOptions& options = {},
                                   const std::type_identity_t<Progress<T, Device>>& progress = {},
                                   const View<Network, T>& view = {},
                                   MinimizerState<T, Device> from = {}) {
  detail::check(options);
  const bool by_pixels = options.optimizer == Optimizer::kAdam && options.pyramid_levels == 0;
  if (objective.of_strips() && !by_pixels) {
    throw ValueError(
        "style transfer: L-BFGS and pyramids need a whole picture; paint strips of one by Adam");
  }
  TransferOptions own = options;
  own.capture = own.capture && !objective.of_strips();  // whose messages go by the processor
  detail::Minimization<Network, T> run(objective, std::move(initial), own, progress, view, from);
  auto optimizer = std::move(from.optimizer);
  from = {};  // it may live as long as the run, which has copies
  return run.run(std::move(optimizer));
}

}  // namespace sfumato::style
