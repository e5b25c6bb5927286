#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/optim/optimizer.hpp"

namespace sfumato::optim {

/// Where epsilon stands.
enum class AdamForm {
  kPaper,  ///< beside the root of the corrected mean of squares: Algorithm 1 of the paper, PyTorch
  /// Beside the root of the uncorrected one, where it weighs 1 / √(1 - beta2^t) times as much, as
  /// at the end of the paper's section 2 and in MXNet 1.x; and as there, the step size, betas and
  /// epsilon are rounded to float whatever the parameters are.
  kMxnet,
};

/// Adam's numbers, by default those of the paper.
struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;    ///< decay of the mean of the gradients
  double beta2 = 0.999;  ///< decay of the mean of their squares
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  /// Adds weight_decay · parameter to the gradient (false: Adam) or takes learning rate ·
  /// weight_decay · parameter off the parameter itself (true: AdamW).
  bool decoupled_weight_decay = false;
  AdamForm form = AdamForm::kPaper;
  /// Divides by the root of the largest mean square so far: Reddi, Kale and Kumar, "On the
  /// convergence of Adam and beyond" (2018).
  bool amsgrad = false;
};

namespace detail {
/// The numbers of a step that depend on how often the parameter was updated: the step size, epsilon
/// and 1 - learning rate · weight decay, by `which`. In the step, both are times √(1 - beta2^t): so
/// the root of the mean square need not be divided by it. In double, as differences from 1 are.
template <class T>
struct AdamRates {
  const double* learning_rate;
  double beta1;
  double beta2;
  double epsilon;
  double weight_decay;
  AdamForm form;

  SFUMATO_HOST_DEVICE T operator()(double which, double count) const {
    using std::pow;
    using std::sqrt;
    const double root = sqrt(1.0 - pow(beta2, count));
    if (which == 0.0) return number(*learning_rate * root / (1.0 - pow(beta1, count)));
    if (which == 1.0) return number(form == AdamForm::kMxnet ? epsilon : epsilon * root);
    return static_cast<T>(1.0 - *learning_rate * weight_decay);
  }
  /// A number that MXNet keeps as a float.
  SFUMATO_HOST_DEVICE T number(double x) const {
    return form == AdamForm::kMxnet ? static_cast<T>(static_cast<float>(x)) : static_cast<T>(x);
  }
  template <class Memory>
  void touch(Memory& memory) const {
    memory.reads(learning_rate, 1);
  }
};
template <class T>
struct AdamStep {
  const T* rates;  ///< see AdamRates
  SFUMATO_HOST_DEVICE T operator()(T parameter, T mean, T mean_square) const {
    using std::sqrt;
    return parameter * rates[2] - rates[0] * mean / (sqrt(mean_square) + rates[1]);
  }
  template <class Memory>
  void touch(Memory& memory) const {
    memory.reads(rates, 3);
  }
};
}  // namespace detail

/// Kingma and Ba, "Adam" (2014); with decoupled_weight_decay, Loshchilov and Hutter, "Decoupled
/// weight decay regularization" (2017). The correction of the means' start at zero goes by how
/// often the parameter at hand was updated, not by the optimiser's steps.
template <class T, class Device = Cpu>
class Adam : public Optimizer<T, Device> {
 public:
  /// Throws ValueError for options out of range; see also Optimizer.
  explicit Adam(std::vector<Variable<T, Device>> parameters, const AdamOptions& options = {})
      : Optimizer<T, Device>("Adam", std::move(parameters), options.learning_rate,
                             options.weight_decay, buffer_names(options), true),
        options_(options) {
    if (!(options.beta1 >= 0.0 && options.beta1 < 1.0 && options.beta2 >= 0.0 &&
          options.beta2 < 1.0)) {
      throw ValueError(message("Adam: betas ", options.beta1, " and ", options.beta2,
                               " must be at least 0 and less than 1"));
    }
    detail::check_not_negative("Adam", "epsilon", options.epsilon);
    if (rates(0).number(options.epsilon * std::sqrt(1.0 - options.beta2)) == Number{0}) {
      throw ValueError(
          message("Adam: epsilon ", options.epsilon,
                  " is 0 in the parameters' precision, and 0 / 0 is what a gradient of "
                  "0 would change them by"));
    }
  }

 protected:
  void update(std::size_t index, Tensor<T, Device>& parameter,
              const Tensor<T, Device>& gradient) override {
    const Tensor<Number, Device> slope = options_.decoupled_weight_decay
                                             ? gradient.template cast<Number>()
                                             : this->decayed(index, parameter, gradient);
    Tensor<double, Device>& count = this->count(index);
    Tensor<Number, Device>& mean = this->buffer("first_moment", index);
    Tensor<Number, Device>& square = this->buffer("second_moment", index);
    Tensor<Number, Device>& largest =
        options_.amsgrad ? this->buffer("largest_second_moment", index) : square;
    ops::apply_into("Adam", detail::Increment{}, count, count);
    ops::apply_into("Adam", average<detail::Average<Number>>(options_.beta1), mean, mean, slope);
    ops::apply_into("Adam", average<detail::AverageSquare<Number>>(options_.beta2), square, square,
                    slope);
    if (options_.amsgrad) {
      ops::apply_into("Adam", ops::detail::Maximum{}, largest, largest, square);
    }
    const Tensor<Number, Device> rates = ops::apply("Adam", this->rates(index), which_, count);
    ops::apply_into("Adam", detail::AdamStep<Number>{rates.data()}, parameter, parameter, mean,
                    largest);
  }

 private:
  using Number = Compute<T>;

  static std::vector<std::string> buffer_names(const AdamOptions& options) {
    std::vector<std::string> names{"first_moment", "second_moment"};
    if (options.amsgrad) names.push_back("largest_second_moment");
    return names;
  }

  detail::AdamRates<Number> rates(std::size_t index) const {
    const double decay = options_.decoupled_weight_decay ? this->weight_decay(index) : 0.0;
    return {this->rate(index), options_.beta1, options_.beta2,
            options_.epsilon,  decay,          options_.form};
  }

  template <class Mean>
  Mean average(double beta) const {
    const Number decay = rates(0).number(beta);
    const bool rounded = options_.form == AdamForm::kMxnet;
    return {decay, static_cast<Number>(1.0 - (rounded ? static_cast<double>(decay) : beta))};
  }

  AdamOptions options_;
  Tensor<double, Device> which_ = Tensor<double, Device>::arange(3.0);
};

/// Those of Adam that AdamW has, with PyTorch's weight decay.
struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  bool amsgrad = false;
};

/// Adam with decoupled weight decay: Loshchilov and Hutter (2017).
template <class T, class Device = Cpu>
class AdamW : public Adam<T, Device> {
 public:
  explicit AdamW(std::vector<Variable<T, Device>> parameters, const AdamWOptions& options = {})
      : Adam<T, Device>(std::move(parameters), {.learning_rate = options.learning_rate,
                                                .beta1 = options.beta1,
                                                .beta2 = options.beta2,
                                                .epsilon = options.epsilon,
                                                .weight_decay = options.weight_decay,
                                                .decoupled_weight_decay = true,
                                                .amsgrad = options.amsgrad}) {}
};

}  // namespace sfumato::optim
