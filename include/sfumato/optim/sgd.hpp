#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "sfumato/ops/apply.hpp"
#include "sfumato/optim/optimizer.hpp"

namespace sfumato::optim {

/// How SGD steps; by default plainly along the gradient.
struct SGDOptions {
  double learning_rate = 1e-2;
  double momentum = 0.0;
  bool nesterov = false;
  double weight_decay = 0.0;
};

namespace detail {
/// The velocity v · momentum + slope.
template <class T>
struct Velocity {
  T momentum;
  SFUMATO_HOST_DEVICE T operator()(T velocity, T slope) const {
    return velocity * momentum + slope;
  }
};
template <class T>
struct Descend {
  const double* rate;
  SFUMATO_HOST_DEVICE T operator()(T parameter, T slope) const {
    return parameter - static_cast<T>(*rate) * slope;
  }
  template <class Memory>
  void touch(Memory& memory) const {
    memory.reads(rate, 1);
  }
};
}  // namespace detail

/// Stochastic gradient descent, with momentum as PyTorch counts it: v ← momentum · v + gradient,
/// parameter ← parameter - rate · v; Nesterov's variant steps along gradient + momentum · v.
/// Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).
template <class T, class Device = Cpu>
class SGD : public Optimizer<T, Device> {
 public:
  /// Throws ValueError for options out of range; see also Optimizer.
  explicit SGD(std::vector<Variable<T, Device>> parameters, const SGDOptions& options = {})
      : Optimizer<T, Device>("SGD", std::move(parameters), options.learning_rate,
                             options.weight_decay, {"velocity"}),
        options_(options) {
    detail::check_not_negative("SGD", "momentum", options.momentum);
    if (options.nesterov && options.momentum == 0.0) {
      throw ValueError("SGD: Nesterov's variant needs a momentum above 0");
    }
  }

 protected:
  void update(std::size_t index, Tensor<T, Device>& parameter,
              const Tensor<T, Device>& gradient) override {
    using Number = Compute<T>;
    const auto momentum = static_cast<Number>(options_.momentum);
    Tensor<Number, Device> slope = this->decayed(index, parameter, gradient);
    if (options_.momentum != 0.0) {
      Tensor<Number, Device>& velocity = this->buffer("velocity", index);
      ops::apply_into("SGD", detail::Velocity<Number>{momentum}, velocity, velocity, slope);
      slope = options_.nesterov
                  ? ops::apply("SGD", detail::AddScaled<Number>{momentum}, slope, velocity)
                  : velocity;
    }
    ops::apply_into("SGD", detail::Descend<Number>{this->rate(index)}, parameter, parameter, slope);
  }

 private:
  SGDOptions options_;
};

}  // namespace sfumato::optim
