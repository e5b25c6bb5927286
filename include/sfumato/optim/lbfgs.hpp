#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/optim/number_parts.hpp"
#include "sfumato/optim/optimizer.hpp"
#include "sfumato/optim/tensor_lists.hpp"
#include "sfumato/optim/wolfe_search.hpp"

namespace sfumato::optim {

/// How far a step goes along its direction.
enum class LineSearch {
  kStrongWolfe,  ///< to where the loss is lower: wolfe_search()
  kNone,         ///< 1, and the first one min(1, 1 / Σ |gradient|): PyTorch without a line search
};

/// How much LBFGS remembers, and how it searches along its directions.
struct LBFGSOptions {
  std::size_t history = 20;  ///< steps whose curvature is remembered
  WolfeOptions search = {};
  LineSearch line_search = LineSearch::kStrongWolfe;
};

/// The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno with a strong Wolfe search:
/// Nocedal and Wright, "Numerical optimization" (2006), algorithm 7.5. Takes fewer evaluations than
/// Adam where the loss is smooth and the same every time; not for batches drawn at random. No
/// threshold depends on the scale of the loss or of the parameters, but for LineSearch::kNone,
/// which evaluates once a step and may go uphill.
///
///     optim::LBFGS<float> lbfgs({image});
///     while (lbfgs.step([&] { return objective(image).total; })) {}
template <class T, class Device = Cpu>
class LBFGS {
 public:
  using Loss = std::function<Variable<T, Device>()>;
  /// The loss, having left its gradient alone in the parameters' grad().
  using Evaluation = std::function<double()>;
  /// What is known of the inverse Hessian matrix of one parameter, up to a factor: a positive
  /// definite linear map.
  using Preconditioner = std::function<Tensor<T, Device>(const Tensor<T, Device>&)>;

  /// `preconditioner` is where the estimate of the inverse Hessian matrix begins, for each
  /// parameter; without one, the identity. Throws as Optimizer does for parameters that can't be
  /// trained.
  explicit LBFGS(std::vector<Variable<T, Device>> parameters, const LBFGSOptions& options = {},
                 Preconditioner preconditioner = {})
      : parameters_(std::move(parameters)),
        options_(options),
        preconditioner_(std::move(preconditioner)) {
    detail::check_parameters(parameters_);
  }

  /// Goes on to parameters with a smaller loss, which it evaluates some times, and leaves their
  /// gradients in grad(). False, with the parameters as they were, where it finds none: at a
  /// minimum as far as T can tell. Without a line search it evaluates once, and then goes on to
  /// whatever loss there is. Throws ValueError where the loss is not finite before the step.
  bool step(const Loss& loss) {
    return step_by([&] {
      for (auto& parameter : parameters_) parameter.zero_grad();
      const Variable<T, Device> value = loss();
      backward(value);
      return static_cast<double>(value.item());
    });
  }

  /// The same for who computes gradients in a way of one's own. What `loss` throws goes on, and
  /// leaves the parameters where they were evaluated.
  bool step_by(const Evaluation& loss) {
    if (options_.line_search == LineSearch::kNone) return step_without_search(loss);
    if (gradient_.empty()) start(loss);
    std::vector<Tensor<T, Device>> direction = descent_direction();
    double slope = detail::dot(direction, gradient_);
    if (!(slope < 0.0)) {  // rounding has made the history useless
      history_.clear();
      direction = descent_direction();
      slope = detail::dot(direction, gradient_);
      if (!(slope < 0.0)) return false;
    }
    const std::vector<Tensor<T, Device>> from = values();
    const auto evaluate = [&](double step) {
      move(from, direction, step);
      const double now = evaluate_loss(loss);
      auto gradient = gradients();
      const double slope_now = detail::dot(direction, gradient);
      last_ = std::move(gradient);
      last_step_ = step;
      return LinePoint{step, now, slope_now};
    };
    const auto found =
        wolfe_search({0.0, loss_, slope}, first_step(from, direction), options_.search, evaluate);
    if (!found || !(found->loss < loss_)) {
      move(from, direction, 0.0);
      return false;
    }
    if (last_step_ != found->step) {
      move(from, direction, found->step);
      evaluate_loss(loss);
      last_ = gradients();
    }
    remember(direction, found->step);
    loss_ = found->loss;
    return true;
  }

  /// Tensors by name: what is saved and restored.
  using State = std::map<std::string, Tensor<T, Device>>;

  /// All that is needed, besides the parameters, to go on as if never interrupted: copies, by name.
  State state_dict() const {
    State state;
    const auto put = [&](const std::string& name, const Tensors& tensors) {
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        state.emplace(message(name, ".", i), tensors[i].clone());
      }
    };
    put("gradient", gradient_);
    put("direction", direction_);
    for (std::size_t k = 0; k < history_.size(); ++k) {
      put(message("step.", k), history_[k].step);
      put(message("change.", k), history_[k].change);
    }
    state.emplace("loss", detail::to_parts<T, Device>(loss_));
    state.emplace("last_step", detail::to_parts<T, Device>(last_step_));
    state.emplace("evaluations", detail::to_parts<T, Device>(static_cast<double>(evaluations_)));
    return state;
  }

  /// Restores what state_dict() gave, where the parameters are what they were then. Throws
  /// ValueError, before it has changed anything, for a state that does not belong to an L-BFGS of
  /// these options with these parameters.
  void load_state_dict(State state) {
    const auto take = [&](const std::string& name) {
      const auto found = state.extract(name);
      return found.empty() ? Tensor<T, Device>() : found.mapped();
    };
    const auto take_all = [&](const std::string& name, bool required) {
      Tensors all;
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const std::string key = message(name, ".", i);
        const auto tensor = take(key);
        if (!tensor.defined() && i == 0 && !required) return all;
        if (!tensor.defined() || tensor.shape() != parameters_[i].shape()) {
          throw ValueError(message("load_state_dict: L-BFGS needs ", key, " of the shape ",
                                   parameters_[i].shape()));
        }
        all.push_back(tensor.clone());
      }
      return all;
    };
    const Tensors gradient = take_all("gradient", false);
    const Tensors direction = take_all("direction", false);
    std::deque<Curvature> history;
    while (history.size() < options_.history) {
      Curvature kept{take_all(message("step.", history.size()), false), {}, 0.0};
      if (kept.step.empty()) break;
      kept.change = take_all(message("change.", history.size()), true);
      kept.product = detail::dot(kept.step, kept.change);
      history.push_back(std::move(kept));
    }
    const double loss = detail::from_parts("loss", take("loss"));
    const double last_step = detail::from_parts("last_step", take("last_step"));
    constexpr double kMost = 0x1p53;
    const double evaluations = detail::to_count("evaluations", take("evaluations"), kMost);
    if (!state.empty()) {
      throw ValueError(message("load_state_dict: L-BFGS has no ", excerpt(state.begin()->first)));
    }
    gradient_ = gradient;
    direction_ = direction;
    history_ = std::move(history);
    loss_ = loss;
    last_step_ = last_step;
    evaluations_ = static_cast<std::int64_t>(evaluations);
  }

  /// The loss at the parameters as they are now; NaN before the first step.
  double loss() const { return loss_; }
  /// How often the loss was computed.
  std::int64_t evaluations() const { return evaluations_; }

 private:
  using Tensors = detail::Tensors<T, Device>;

  /// What a step was long, and how much the gradient changed by it.
  struct Curvature {
    Tensors step;
    Tensors change;
    double product;  ///< of the two
  };

  void start(const Evaluation& loss) {
    loss_ = evaluate_loss(loss);
    gradient_ = gradients();
    if (!std::isfinite(loss_) || !std::isfinite(detail::dot(gradient_, gradient_))) {
      gradient_.clear();
      throw ValueError(message("lbfgs: the loss ", loss_, " or its gradient is not finite"));
    }
  }

  bool step_without_search(const Evaluation& loss) {
    const Tensors before = gradient_;
    start(loss);
    if (!before.empty()) {
      last_ = std::exchange(gradient_, before);
      remember(direction_, last_step_);
    }
    direction_ = descent_direction();
    last_step_ = history_.empty() ? std::min(1.0, 1.0 / detail::sum_of_sizes(gradient_)) : 1.0;
    if (!(detail::dot(direction_, gradient_) < 0.0)) return false;
    move(values(), direction_, last_step_);
    return true;
  }

  double evaluate_loss(const Evaluation& loss) {
    const double value = loss();
    ++evaluations_;
    return value;
  }
  Tensors gradients() const {
    Tensors all;
    for (const auto& parameter : parameters_) {
      const Variable<T, Device> gradient = parameter.grad();
      all.push_back(gradient.defined() ? gradient.value().clone()
                                       : Tensor<T, Device>::zeros(parameter.shape()));
    }
    return all;
  }
  Tensors values() const {
    Tensors all;
    for (const auto& parameter : parameters_) all.push_back(parameter.value().clone());
    return all;
  }
  void move(const Tensors& from, const Tensors& direction, double step) {
    const Tensors to = step == 0.0 ? from : detail::sum(from, direction, step);
    for (std::size_t i = 0; i < to.size(); ++i) parameters_[i].mutable_value() = to[i];
  }

  Tensors preconditioned(Tensors x) const {
    if (preconditioner_ == nullptr) return x;
    for (auto& each : x) each = preconditioner_(each);
    return x;
  }

  /// The gradient times an estimate of the inverse Hessian matrix, by the two loops of algorithm
  /// 7.4; downhill.
  Tensors descent_direction() const {
    Tensors q = detail::scaled(gradient_, -1.0);
    std::vector<double> factors(history_.size());
    for (std::size_t i = history_.size(); i-- > 0;) {
      factors[i] = detail::dot(history_[i].step, q) / history_[i].product;
      q = detail::sum(q, history_[i].change, -factors[i]);
    }
    q = preconditioned(q);
    if (!history_.empty()) {
      const Curvature& last = history_.back();
      q = detail::scaled(q, last.product / detail::dot(last.change, preconditioned(last.change)));
    }
    for (std::size_t i = 0; i < history_.size(); ++i) {
      const double other = detail::dot(history_[i].change, q) / history_[i].product;
      q = detail::sum(q, history_[i].step, factors[i] - other);
    }
    return q;
  }

  /// 1, as the estimate has the right scale; where there is none, a hundredth of the parameters'
  /// own size.
  double first_step(const Tensors& from, const Tensors& direction) const {
    if (!history_.empty()) return 1.0;
    const double size = std::sqrt(detail::dot(from, from));
    return 0.01 * (size > 0.0 ? size : 1.0) / std::sqrt(detail::dot(direction, direction));
  }

  void remember(const Tensors& direction, double step) {
    Curvature latest{detail::scaled(direction, step), detail::sum(last_, gradient_, -1.0), 0.0};
    latest.product = detail::dot(latest.step, latest.change);
    const double sizes = std::sqrt(detail::dot(latest.step, latest.step) *
                                   detail::dot(latest.change, latest.change));
    constexpr double kRightAngle = 1e-10;  // as far as rounding can tell
    if (latest.product > kRightAngle * sizes) history_.push_back(std::move(latest));
    if (history_.size() > options_.history) history_.pop_front();
    gradient_ = last_;
  }

  std::vector<Variable<T, Device>> parameters_;
  LBFGSOptions options_;
  Preconditioner preconditioner_;
  std::deque<Curvature> history_;
  Tensors gradient_;   // at the parameters; empty before the first step
  Tensors last_;       // at the step that was evaluated last
  Tensors direction_;  // of the last step without a line search
  double last_step_ = 0.0;
  double loss_ = std::numeric_limits<double>::quiet_NaN();
  std::int64_t evaluations_ = 0;
};

}  // namespace sfumato::optim
