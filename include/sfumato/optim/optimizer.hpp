#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"

namespace sfumato::optim {

namespace detail {
/// a + scale · b.
template <class T>
struct AddScaled {
  T scale;
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const { return a + scale * b; }
};

/// A double as a sum of three numbers that together hold all of its bits, even when T is float.
template <class T, class Device>
Tensor<T, Device> to_parts(double value) {
  const T high = static_cast<T>(value);
  const double rest = value - static_cast<double>(high);
  const T middle = static_cast<T>(rest);
  const T low = static_cast<T>(rest - static_cast<double>(middle));
  return Tensor<T, Device>::from({high, middle, low}, {3});
}
template <class T, class Device>
double from_parts(const char* name, const Tensor<T, Device>& parts) {
  if (parts.shape() != Shape{3}) {
    throw ValueError(message("load_state_dict: the optimiser's ", name, " has the shape ",
                             parts.shape(), " and not (3,)"));
  }
  double value = 0.0;
  for (const T part : parts.to_vector()) value += static_cast<double>(part);
  return value;
}
}  // namespace detail

/// Changes parameters along their gradients. What differs between optimisers is update().
///
///     optim::Adam<float> adam(model.parameters(), {.learning_rate = 1e-3});
///     for (…) {
///       adam.zero_grad();
///       backward(loss(model(x)));
///       adam.step();
///     }
template <class T, class Device = Cpu>
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// Updates every parameter that has a gradient, in place.
  void step() {
    begin_step();
    apply_gradients();
  }

  /// The part of step() that differs from step to step: counts, and puts numbers that depend on the
  /// count and the learning rate where apply_gradients() finds them.
  void begin_step() {
    ++steps_;
    prepare();
  }

  /// The rest of step(), which on the device is the same every time and so may be part of a Repeat
  /// (Adam's only: other optimisers' learning rate is fixed in the recording).
  void apply_gradients() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const Variable<T, Device> gradient = parameters_[i].grad();
      if (!gradient.defined()) continue;
      auto parameter = parameters_[i].mutable_value();
      update(i, parameter, gradient.value());
    }
  }

  void zero_grad() {
    for (auto& parameter : parameters_) parameter.zero_grad();
  }

  double learning_rate() const { return learning_rate_; }
  /// Takes effect with the next step; see schedules.hpp.
  void set_learning_rate(double learning_rate) { learning_rate_ = learning_rate; }
  /// How often step() has been called.
  std::int64_t steps() const { return steps_; }

  /// All that is needed to go on as if never interrupted: copies, by name.
  std::map<std::string, Tensor<T, Device>> state_dict() const {
    std::map<std::string, Tensor<T, Device>> state;
    state.emplace("steps", detail::to_parts<T, Device>(static_cast<double>(steps_)));
    state.emplace("learning_rate", detail::to_parts<T, Device>(learning_rate_));
    for (const auto& [name, buffers] : buffers_) {
      for (std::size_t i = 0; i < buffers.size(); ++i) {
        if (buffers[i].defined()) state.emplace(message(name, ".", i), buffers[i].clone());
      }
    }
    return state;
  }

  /// Restores what state_dict() gave. Throws ValueError, before it has changed anything, for a
  /// state that does not belong to an optimiser of this kind with these parameters.
  void load_state_dict(const std::map<std::string, Tensor<T, Device>>& state) {
    for (const char* const name : {"steps", "learning_rate"}) {
      if (!state.contains(name)) {
        throw ValueError(message("load_state_dict: the optimiser's state has no ", name));
      }
    }
    std::map<std::string, std::vector<Tensor<T, Device>>> restored = buffers_;
    for (auto& [name, buffers] : restored) buffers.assign(parameters_.size(), {});
    for (const auto& [name, tensor] : state) {
      if (name == "steps" || name == "learning_rate") continue;
      find_buffer(restored, name, tensor.shape()) = tensor.clone();
    }
    const double steps = detail::from_parts("steps", state.at("steps"));
    const double learning_rate = detail::from_parts("learning_rate", state.at("learning_rate"));
    constexpr double kMostSteps = 0x1p53;
    if (!(steps >= 0.0 && steps <= kMostSteps)) {
      throw ValueError(message("load_state_dict: the optimiser can't have made ", steps, " steps"));
    }
    check_learning_rate(learning_rate);
    steps_ = static_cast<std::int64_t>(steps);
    learning_rate_ = learning_rate;
    buffers_ = std::move(restored);
  }

 protected:
  /// Throws ValueError for a learning rate that is negative or not finite.
  Optimizer(std::vector<Variable<T, Device>> parameters, double learning_rate,
            const std::vector<std::string>& buffer_names)
      : parameters_(std::move(parameters)), learning_rate_(learning_rate) {
    check_learning_rate(learning_rate);
    for (const std::string& name : buffer_names) buffers_[name].resize(parameters_.size());
  }

  /// Called before the parameters are changed, once a step.
  virtual void prepare() {}

  /// Changes one parameter.
  virtual void update(std::size_t index, Tensor<T, Device>& parameter,
                      const Tensor<T, Device>& gradient) = 0;

  /// What the optimiser remembers of a parameter under a name; zeros at first.
  Tensor<T, Device>& buffer(const std::string& name, std::size_t index) {
    Tensor<T, Device>& place = buffers_.at(name)[index];
    if (!place.defined()) place = Tensor<T, Device>::zeros(parameters_[index].shape());
    return place;
  }

 private:
  static void check_learning_rate(double learning_rate) {
    if (!(learning_rate >= 0.0 && learning_rate <= 1e30)) {
      throw ValueError(message("optimizer: learning rate ", learning_rate,
                               " must be a number that is not negative"));
    }
  }

  Tensor<T, Device>& find_buffer(std::map<std::string, std::vector<Tensor<T, Device>>>& buffers,
                                 const std::string& name, const Shape& shape) const {
    for (auto& [kind, tensors] : buffers) {
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (name != message(kind, ".", i)) continue;
        if (shape != parameters_[i].shape()) {
          throw ValueError(message("load_state_dict: ", name, " has the shape ", shape,
                                   " but the parameter's is ", parameters_[i].shape()));
        }
        return tensors[i];
      }
    }
    throw ValueError(message("load_state_dict: this optimiser has no ", name));
  }

  std::vector<Variable<T, Device>> parameters_;
  double learning_rate_;
  std::int64_t steps_ = 0;
  std::map<std::string, std::vector<Tensor<T, Device>>> buffers_;
};

}  // namespace sfumato::optim
