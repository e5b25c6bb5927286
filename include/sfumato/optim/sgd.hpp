#pragma once

#include <utility>
#include <vector>

#include "sfumato/ops/apply.hpp"
#include "sfumato/optim/optimizer.hpp"

namespace sfumato::optim {

struct SgdOptions {
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
}  // namespace detail

/// Stochastic gradient descent, with momentum as PyTorch counts it: v ← momentum · v + gradient,
/// parameter ← parameter - rate · v; Nesterov's variant steps along gradient + momentum · v.
/// Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).
template <class T, class Device = Cpu>
class Sgd : public Optimizer<T, Device> {
 public:
  explicit Sgd(std::vector<Variable<T, Device>> parameters, const SgdOptions& options = {})
      : Optimizer<T, Device>(std::move(parameters), options.learning_rate, {"velocity"}),
        options_(options) {
    if (options.nesterov && options.momentum <= 0.0) {
      throw ValueError("Sgd: Nesterov's variant needs a momentum above 0");
    }
  }

 protected:
  void update(std::size_t index, Tensor<T, Device>& parameter,
              const Tensor<T, Device>& gradient) override {
    const auto scaled = [](double scale) { return detail::AddScaled<T>{static_cast<T>(scale)}; };
    Tensor<T, Device> slope = gradient;
    if (options_.weight_decay != 0.0) {
      slope = ops::apply("Sgd", scaled(options_.weight_decay), slope, parameter);
    }
    if (options_.momentum != 0.0) {
      Tensor<T, Device>& velocity = this->buffer("velocity", index);
      ops::apply_into("Sgd", detail::Velocity<T>{static_cast<T>(options_.momentum)}, velocity,
                      velocity, slope);
      slope = options_.nesterov ? ops::apply("Sgd", scaled(options_.momentum), slope, velocity)
                                : velocity;
    }
    ops::apply_into("Sgd", scaled(-this->learning_rate()), parameter, parameter, slope);
  }

 private:
  SgdOptions options_;
};

}  // namespace sfumato::optim
