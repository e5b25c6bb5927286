#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/ops/apply.hpp"
#include "sfumato/optim/optimizer.hpp"
#include "sfumato/optim/sgd.hpp"

namespace sfumato::optim {

/// RMSprop's numbers, by default PyTorch's.
struct RMSpropOptions {
  double learning_rate = 1e-2;
  double alpha = 0.99;  ///< decay of the mean of the gradients' squares
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  double momentum = 0.0;
  bool centered = false;  ///< divides by the deviation from the gradients' mean
};

namespace detail {
/// slope / (√(mean square - mean²) + ε).
template <class T>
struct Normalized {
  T epsilon;
  SFUMATO_HOST_DEVICE T operator()(T slope, T mean_square, T mean) const {
    using std::sqrt;
    const T variance = mean_square - mean * mean;
    return slope / (sqrt(variance < T{0} ? T{0} : variance) + epsilon);
  }
};
}  // namespace detail

/// Gradients divided by the root of the running mean of their squares: Hinton, "Neural networks for
/// machine learning", lecture 6 (2012); centered as in Graves, "Generating sequences with recurrent
/// neural networks" (2013). Momentum and numbers are PyTorch's.
template <class T, class Device = Cpu>
class RMSprop : public Optimizer<T, Device> {
 public:
  /// Throws ValueError for options out of range; see also Optimizer.
  explicit RMSprop(std::vector<Variable<T, Device>> parameters, const RMSpropOptions& options = {})
      : Optimizer<T, Device>("RMSprop", std::move(parameters), options.learning_rate,
                             options.weight_decay, buffer_names(options)),
        options_(options) {
    if (!(options.alpha >= 0.0 && options.alpha < 1.0)) {
      throw ValueError(
          message("RMSprop: alpha ", options.alpha, " must be at least 0 and less than 1"));
    }
    detail::check_not_negative("RMSprop", "momentum", options.momentum);
    detail::check_not_negative("RMSprop", "epsilon", options.epsilon);
    if (static_cast<Number>(options.epsilon) == Number{0}) {
      throw ValueError(message("RMSprop: epsilon ", options.epsilon,
                               " is 0 in the parameters' precision, and 0 / 0 is what a gradient "
                               "of 0 would change them by"));
    }
  }

 protected:
  void update(std::size_t index, Tensor<T, Device>& parameter,
              const Tensor<T, Device>& gradient) override {
    const auto decay = static_cast<Number>(options_.alpha);
    const auto rest = static_cast<Number>(1.0 - options_.alpha);
    Tensor<Number, Device> slope = this->decayed(index, parameter, gradient);
    Tensor<Number, Device>& square = this->buffer("mean_square", index);
    ops::apply_into("RMSprop", detail::AverageSquare<Number>{decay, rest}, square, square, slope);
    Tensor<Number, Device>& mean = options_.centered ? this->buffer("mean", index) : zero_;
    if (options_.centered) {
      ops::apply_into("RMSprop", detail::Average<Number>{decay, rest}, mean, mean, slope);
    }
    const detail::Normalized<Number> normalized{static_cast<Number>(options_.epsilon)};
    slope = ops::apply("RMSprop", normalized, slope, square, mean);
    if (options_.momentum != 0.0) {
      const detail::Velocity<Number> follow{static_cast<Number>(options_.momentum)};
      Tensor<Number, Device>& velocity = this->buffer("velocity", index);
      ops::apply_into("RMSprop", follow, velocity, velocity, slope);
      slope = velocity;
    }
    ops::apply_into("RMSprop", detail::Descend<Number>{this->rate(index)}, parameter, parameter,
                    slope);
  }

 private:
  using Number = Compute<T>;

  static std::vector<std::string> buffer_names(const RMSpropOptions& options) {
    std::vector<std::string> names{"mean_square"};
    if (options.centered) names.push_back("mean");
    if (options.momentum != 0.0) names.push_back("velocity");
    return names;
  }

  RMSpropOptions options_;
  Tensor<Number, Device> zero_ = Tensor<Number, Device>::zeros({});
};

}  // namespace sfumato::optim
