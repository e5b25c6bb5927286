#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
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
struct Increment {
  SFUMATO_HOST_DEVICE double operator()(double count) const { return count + 1.0; }
};

/// Throws ValueError for a number that is negative or not finite.
inline void check_not_negative(const char* optimizer, const char* name, double value) {
  constexpr double kMost = 1e30;
  if (!(value >= 0.0 && value <= kMost)) {
    throw ValueError(
        message(optimizer, ": ", name, " ", value, " must be a number that is not negative"));
  }
}

/// Throws unless every parameter can be trained, and once a step: GraphError for one that is
/// undefined, computed or a constant, ValueError for two that are one.
template <class T, class Device>
void check_parameters(const std::vector<Variable<T, Device>>& parameters) {
  if (parameters.empty()) throw ValueError("optimizer: there are no parameters to change");
  std::map<const void*, std::size_t> positions;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Variable<T, Device>& parameter = parameters[i];
    if (!parameter.defined())
      throw GraphError(message("optimizer: parameter ", i, " is undefined"));
    if (!parameter.is_leaf()) {
      throw GraphError(message("optimizer: parameter ", i, " ", parameter.shape(),
                               " is the result of ", parameter.node()->name(),
                               "; give the parameters that it was computed from, or detach() it"));
    }
    if (parameter.node() == nullptr) {
      throw GraphError(message("optimizer: parameter ", i, " ", parameter.shape(),
                               " is a constant, which gets no gradient; make it a parameter with "
                               "Variable(value, true)"));
    }
    const auto [first, is_new] = positions.emplace(parameter.node().get(), i);
    if (!is_new) {
      throw ValueError(message("optimizer: parameters ", first->second, " and ", i,
                               " are one, which would be changed twice a step; give it once"));
    }
    if (parameter.numel() == 0) continue;
    const auto [sharer, shares_nothing] = positions.emplace(parameter.value().data(), i);
    if (!shares_nothing) {
      throw ValueError(message("optimizer: parameters ", sharer->second, " and ", i,
                               " share their memory, which would be changed twice a step; use one "
                               "Variable in both places, or clone() the value of one"));
    }
  }
}

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
double from_parts(const std::string& name, const Tensor<T, Device>& parts) {
  if (!parts.defined()) {
    throw ValueError(message("load_state_dict: the optimiser's state has no ", name));
  }
  if (parts.shape() != Shape{3}) {
    throw ValueError(message("load_state_dict: the optimiser's ", name, " has the shape ",
                             parts.shape(), " and not (3,)"));
  }
  double value = 0.0;
  for (const T part : parts.to_vector()) value += static_cast<double>(part);
  return value;
}
/// The same, of a whole number up to `most`.
template <class T, class Device>
double to_count(const std::string& name, const Tensor<T, Device>& parts, double most) {
  const double count = from_parts(name, parts);
  if (!(count >= 0.0 && count <= most && count == std::floor(count))) {
    throw ValueError(message("load_state_dict: the optimiser's ", name, " can't be ", count));
  }
  return count;
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
///
/// Parameters may be frozen and unfrozen on the way: frozen ones stay as they are, as do those
/// without a gradient, and what is remembered of them, too. Whatever is computed with parameters of
/// 16 bits and remembered of them is float; the parameter itself is rounded once a step, so that
/// changes of less than half of its last bit are lost.
template <class T, class Device = Cpu>
class Optimizer {
 public:
  /// Tensors by name: what an optimiser saves and restores.
  using State = std::map<std::string, Tensor<Compute<T>, Device>>;

  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// Updates every parameter that has a gradient and is not frozen, in place.
  void step() {
    begin_step();
    apply_gradients();
  }

  /// The part of step() that differs from step to step: counts, and puts the learning rate where
  /// apply_gradients() finds it.
  void begin_step() {
    ++steps_;
    Device::copy_from_host(rate_.data(), &learning_rate_, sizeof(learning_rate_));
  }

  /// The rest of step(), which on the device is the same every time and so may be part of a Repeat.
  void apply_gradients() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const Variable<T, Device> gradient = parameters_[i].grad();
      if (!gradient.defined() || !parameters_[i].requires_grad()) continue;
      auto parameter = parameters_[i].mutable_value();
      update(i, parameter, gradient.value());
    }
  }

  void zero_grad() {
    for (auto& parameter : parameters_) parameter.zero_grad();
  }

  double learning_rate() const { return learning_rate_; }
  /// Takes effect with the next step; see schedules.hpp. Throws ValueError for a learning rate that
  /// is negative or not finite.
  void set_learning_rate(double learning_rate) {
    detail::check_not_negative("optimizer", "learning rate", learning_rate);
    learning_rate_ = learning_rate;
  }
  /// How often step() has been called.
  std::int64_t steps() const { return steps_; }

  /// All that is needed to go on as if never interrupted: copies, by name.
  State state_dict() const {
    State state;
    const auto put = [&](const std::string& name, double number) {
      state.emplace(name, detail::to_parts<Compute<T>, Device>(number));
    };
    put("steps", static_cast<double>(steps_));
    put("learning_rate", learning_rate_);
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      for (const auto& [name, tensors] : buffers_) {
        if (tensors[i].defined()) state.emplace(message(name, ".", i), tensors[i].clone());
      }
    }
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i].defined()) put(message("count.", i), counts_[i].item());
    }
    return state;
  }

  /// Restores what state_dict() gave, in place, so that a captured step goes on from there, too.
  /// Where counts of updates are missing, as in states of earlier versions, all parameters are
  /// taken to have been updated in every step. Throws ValueError, before it has changed anything,
  /// for a state that does not belong to an optimiser of this kind with these parameters.
  void load_state_dict(State state) {
    const auto take = [&](const std::string& name) {
      const auto found = state.extract(name);
      return found.empty() ? Tensor<Compute<T>, Device>() : found.mapped();
    };
    constexpr double kMostSteps = 0x1p53;
    const double steps = detail::to_count("steps", take("steps"), kMostSteps);
    const double learning_rate = detail::from_parts("learning_rate", take("learning_rate"));
    detail::check_not_negative("optimizer", "learning rate", learning_rate);

    Memory restored;
    for (const auto& [name, tensors] : buffers_) restored[name].resize(parameters_.size());
    std::vector<double> counts(counts_.size(), 0.0);
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      std::vector<std::string> missing;
      for (auto& [name, tensors] : restored) {
        const std::string key = message(name, ".", i);
        tensors[i] = take(key);
        if (!tensors[i].defined()) {
          missing.push_back(key);
        } else if (tensors[i].shape() != parameters_[i].shape()) {
          throw ValueError(message("load_state_dict: ", key, " has the shape ", tensors[i].shape(),
                                   " but the parameter's is ", parameters_[i].shape()));
        }
      }
      if (missing.size() == restored.size()) continue;
      if (!missing.empty()) {
        throw ValueError(message("load_state_dict: the optimiser's state has no ", missing[0],
                                 ", but more of the same parameter"));
      }
      if (counts_.empty()) continue;
      const std::string key = message("count.", i);
      const auto count = take(key);
      counts[i] = count.defined() ? detail::to_count(key, count, steps) : steps;
    }
    if (!state.empty()) {
      throw ValueError(message("load_state_dict: this optimiser has no ", state.begin()->first));
    }

    steps_ = static_cast<std::int64_t>(steps);
    learning_rate_ = learning_rate;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      for (auto& [name, tensors] : restored) {
        if (!tensors[i].defined() && !buffers_.at(name)[i].defined()) continue;
        Tensor<Compute<T>, Device>& target = buffer(name, i);
        target.copy_from(tensors[i].defined() ? tensors[i] : zeros(i));
      }
      if (!counts_.empty()) count(i).copy_from(Tensor<double, Device>::full({1}, counts[i]));
    }
  }

 protected:
  /// Remembers tensors of the parameters' shapes under the names given and, if it `counts`, how
  /// often each has been updated. Throws GraphError for parameters that are undefined, computed or
  /// constants, and ValueError for none, for two that are one or share their memory, and for a
  /// learning rate that is negative or not finite.
  Optimizer(std::vector<Variable<T, Device>> parameters, double learning_rate,
            const std::vector<std::string>& buffer_names, bool counts = false)
      : parameters_(std::move(parameters)), counts_(counts ? parameters_.size() : 0) {
    detail::check_parameters(parameters_);
    set_learning_rate(learning_rate);
    for (const std::string& name : buffer_names) buffers_[name].resize(parameters_.size());
  }

  /// Changes one parameter.
  virtual void update(std::size_t index, Tensor<T, Device>& parameter,
                      const Tensor<T, Device>& gradient) = 0;

  /// The learning rate in the device's memory, where a captured step finds the present one.
  const double* rate() const { return rate_.data(); }

  /// What the optimiser remembers of a parameter under a name; zeros at first.
  Tensor<Compute<T>, Device>& buffer(const std::string& name, std::size_t index) {
    Tensor<Compute<T>, Device>& kept = buffers_.at(name)[index];
    if (!kept.defined()) kept = zeros(index);
    return kept;
  }

  /// How often a parameter has been updated, in the device's memory: (1,), zero at first.
  Tensor<double, Device>& count(std::size_t index) {
    if (!counts_[index].defined()) counts_[index] = Tensor<double, Device>::zeros({1});
    return counts_[index];
  }

 private:
  using Memory = std::map<std::string, std::vector<Tensor<Compute<T>, Device>>>;

  Tensor<Compute<T>, Device> zeros(std::size_t index) const {
    return Tensor<Compute<T>, Device>::zeros(parameters_[index].shape());
  }

  std::vector<Variable<T, Device>> parameters_;
  double learning_rate_ = 0.0;
  Tensor<double, Device> rate_ = Tensor<double, Device>::zeros({1});
  std::int64_t steps_ = 0;
  Memory buffers_;
  std::vector<Tensor<double, Device>> counts_;
};

}  // namespace sfumato::optim
