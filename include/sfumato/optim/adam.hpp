#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "sfumato/ops/apply.hpp"
#include "sfumato/optim/optimizer.hpp"

namespace sfumato::optim {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;    ///< decay of the mean of the gradients
  double beta2 = 0.999;  ///< decay of the mean of their squares
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  /// Adds weight_decay · parameter to the gradient (false: Adam) or takes learning rate ·
  /// weight_decay · parameter off the parameter itself (true: AdamW).
  bool decoupled_weight_decay = false;
};

namespace detail {
/// Moves a running mean towards x.
template <class T>
struct Average {
  T decay;
  SFUMATO_HOST_DEVICE T operator()(T mean, T x) const { return mean * decay + x * (T{1} - decay); }
};
template <class T>
struct AverageSquare {
  T decay;
  SFUMATO_HOST_DEVICE T operator()(T mean, T x) const {
    return mean * decay + x * x * (T{1} - decay);
  }
};
template <class T>
struct AdamStep {
  T step_size;
  T correction;  ///< 1 / √(1 - beta2^t)
  T epsilon;
  T shrink;  ///< 1 - learning rate · weight decay, when decoupled
  SFUMATO_HOST_DEVICE T operator()(T parameter, T mean, T mean_square) const {
    using std::sqrt;
    return parameter * shrink - step_size * mean / (sqrt(mean_square) * correction + epsilon);
  }
};
}  // namespace detail

/// Kingma and Ba, "Adam" (2014); with decoupled_weight_decay, Loshchilov and Hutter, "Decoupled
/// weight decay regularization" (2017).
template <class T, class Device = Cpu>
class Adam : public Optimizer<T, Device> {
 public:
  explicit Adam(std::vector<Variable<T, Device>> parameters, const AdamOptions& options = {})
      : Optimizer<T, Device>(std::move(parameters), options.learning_rate,
                             {"first_moment", "second_moment"}),
        options_(options) {
    if (!(options.beta1 >= 0.0 && options.beta1 < 1.0 && options.beta2 >= 0.0 &&
          options.beta2 < 1.0)) {
      throw ValueError(message("Adam: betas ", options.beta1, " and ", options.beta2,
                               " must be at least 0 and less than 1"));
    }
  }

 protected:
  void update(std::size_t index, Tensor<T, Device>& parameter,
              const Tensor<T, Device>& gradient) override {
    const double rate = this->learning_rate();
    const auto steps = static_cast<double>(this->steps());
    const bool decoupled = options_.decoupled_weight_decay;
    Tensor<T, Device> slope = gradient;
    if (options_.weight_decay != 0.0 && !decoupled) {
      slope = ops::apply("Adam", detail::AddScaled<T>{static_cast<T>(options_.weight_decay)},
                         gradient, parameter);
    }
    Tensor<T, Device>& mean = this->buffer("first_moment", index);
    Tensor<T, Device>& square = this->buffer("second_moment", index);
    ops::apply_into("Adam", detail::Average<T>{static_cast<T>(options_.beta1)}, mean, mean, slope);
    ops::apply_into("Adam", detail::AverageSquare<T>{static_cast<T>(options_.beta2)}, square,
                    square, slope);
    const detail::AdamStep<T> step{
        static_cast<T>(rate / (1.0 - std::pow(options_.beta1, steps))),
        static_cast<T>(1.0 / std::sqrt(1.0 - std::pow(options_.beta2, steps))),
        static_cast<T>(options_.epsilon),
        static_cast<T>(decoupled ? 1.0 - rate * options_.weight_decay : 1.0)};
    ops::apply_into("Adam", step, parameter, parameter, mean, square);
  }

 private:
  AdamOptions options_;
};

}  // namespace sfumato::optim
