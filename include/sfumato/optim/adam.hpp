#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
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
/// The numbers that change from step to step are in the device's memory, where a recorded step
/// finds them: the step size, 1 / √(1 - beta2^t), and 1 - learning rate · weight decay when
/// decoupled.
template <class T>
struct AdamStep {
  static constexpr std::size_t kRates = 3;
  const T* rates;
  T epsilon;
  SFUMATO_HOST_DEVICE T operator()(T parameter, T mean, T mean_square) const {
    using std::sqrt;
    return parameter * rates[2] - rates[0] * mean / (sqrt(mean_square) * rates[1] + epsilon);
  }
  /// What it reads beside its operands; devices that keep account ask.
  std::span<const T> reads() const { return {rates, kRates}; }
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
  void prepare() override {
    const double rate = this->learning_rate();
    const auto steps = static_cast<double>(this->steps());
    const double decay = options_.decoupled_weight_decay ? options_.weight_decay : 0.0;
    const std::array<T, Step::kRates> rates{
        static_cast<T>(rate / (1.0 - std::pow(options_.beta1, steps))),
        static_cast<T>(1.0 / std::sqrt(1.0 - std::pow(options_.beta2, steps))),
        static_cast<T>(1.0 - rate * decay)};
    Device::copy_from_host(rates_.data(), rates.data(), sizeof(rates));
  }

  void update(std::size_t index, Tensor<T, Device>& parameter,
              const Tensor<T, Device>& gradient) override {
    Tensor<T, Device> slope = gradient;
    if (options_.weight_decay != 0.0 && !options_.decoupled_weight_decay) {
      slope = ops::apply("Adam", detail::AddScaled<T>{static_cast<T>(options_.weight_decay)},
                         gradient, parameter);
    }
    Tensor<T, Device>& mean = this->buffer("first_moment", index);
    Tensor<T, Device>& square = this->buffer("second_moment", index);
    ops::apply_into("Adam", detail::Average<T>{static_cast<T>(options_.beta1)}, mean, mean, slope);
    ops::apply_into("Adam", detail::AverageSquare<T>{static_cast<T>(options_.beta2)}, square,
                    square, slope);
    const Step step{rates_.data(), static_cast<T>(options_.epsilon)};
    ops::apply_into("Adam", step, parameter, parameter, mean, square);
  }

 private:
  using Step = detail::AdamStep<T>;

  AdamOptions options_;
  Tensor<T, Device> rates_ = Tensor<T, Device>::empty({Step::kRates});
};

}  // namespace sfumato::optim
