#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/relu.hpp"

namespace sfumato::nn {

/// Tensors by name, in the order of their names: what a model or an optimiser saves and restores.
template <class T, class Device = Cpu>
using StateDict = std::map<std::string, Tensor<T, Device>>;

namespace detail {
inline std::string join(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 8;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kMost; ++i) {
    if (i > 0) text += ", ";
    text += names[i];
  }
  return names.size() > kMost ? text + message(" and ", names.size() - kMost, " more") : text;
}
}  // namespace detail

/// A part of a network: named parameters, parts of its own, and a function of them and an input.
/// Parameters of parts are named "part.parameter", as PyTorch does.
template <class T, class Device = Cpu>
class Module {
 public:
  using Named = std::vector<std::pair<std::string, Variable<T, Device>>>;

  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  virtual Variable<T, Device> forward(const Variable<T, Device>& x) = 0;
  /// ops::relu(forward(x)), for layers that compute both at once faster.
  virtual Variable<T, Device> forward_then_relu(const Variable<T, Device>& x) {
    return ops::relu(forward(x));
  }
  /// Whether forward() is ops::relu, so that the layer before may take it over.
  virtual bool is_relu() const { return false; }
  Variable<T, Device> operator()(const Variable<T, Device>& x) { return forward(x); }

  /// Every parameter, its own first, then those of its parts in order. They are handles: what is
  /// done to them is done to the module's.
  Named named_parameters() const {
    Named all = parameters_;
    for (const auto& [name, part] : parts_) {
      for (auto& [inner, parameter] : part->named_parameters()) {
        all.emplace_back(message(name, ".", inner), std::move(parameter));
      }
    }
    return all;
  }

  std::vector<Variable<T, Device>> parameters() const {
    std::vector<Variable<T, Device>> all;
    for (auto& [name, parameter] : named_parameters()) all.push_back(std::move(parameter));
    return all;
  }

  /// Makes all parameters constants: they get no gradients and leave no trace on the tape.
  void freeze() { set_requires_grad(false); }
  void unfreeze() { set_requires_grad(true); }

  void zero_grad() {
    for (auto& parameter : parameters()) parameter.zero_grad();
  }

  /// Chooses between training and use, where they differ (Dropout).
  void set_training(bool training) {
    training_ = training;
    for (const auto& [name, part] : parts_) part->set_training(training);
  }
  bool training() const { return training_; }

  /// Copies of all parameters by name.
  StateDict<T, Device> state_dict() const {
    StateDict<T, Device> state;
    for (const auto& [name, parameter] : named_parameters()) {
      state.emplace(name, parameter.value().clone());
    }
    return state;
  }

  /// Sets all parameters. Throws ValueError, before it has changed anything, when one is missing,
  /// has another shape, or, unless not `strict`, when there is one too many.
  void load_state_dict(const StateDict<T, Device>& state, bool strict = true) {
    std::vector<std::string> missing;
    std::vector<std::string> surplus;
    Named named = named_parameters();
    std::map<std::string, Variable<T, Device>> own(named.begin(), named.end());
    for (const auto& [name, parameter] : own) {
      const auto found = state.find(name);
      if (found == state.end()) {
        missing.push_back(name);
      } else if (found->second.shape() != parameter.shape()) {
        throw ValueError(message("load_state_dict: ", name, " has the shape ",
                                 found->second.shape(), " but the module's is ",
                                 parameter.shape()));
      }
    }
    for (const auto& [name, tensor] : state) {
      if (!own.contains(name)) surplus.push_back(name);
    }
    if (!missing.empty()) {
      throw ValueError(message("load_state_dict: missing ", detail::join(missing)));
    }
    if (strict && !surplus.empty()) {
      throw ValueError(message("load_state_dict: the module has no ", detail::join(surplus)));
    }
    for (auto& [name, parameter] : own) parameter.mutable_value().copy_from(state.at(name));
  }

 protected:
  /// Makes a tensor one of the parameters and returns the handle to compute with.
  Variable<T, Device> add_parameter(std::string name, Tensor<T, Device> value) {
    return parameters_.emplace_back(std::move(name), Variable<T, Device>(std::move(value), true))
        .second;
  }

  /// Makes another module a part of this one.
  template <class Part>
  std::shared_ptr<Part> add_part(std::string name, std::shared_ptr<Part> part) {
    parts_.emplace_back(std::move(name), part);
    return part;
  }

 private:
  void set_requires_grad(bool requires_grad) {
    for (auto& parameter : parameters()) parameter.set_requires_grad(requires_grad);
  }

  Named parameters_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> parts_;
  bool training_ = true;
};

}  // namespace sfumato::nn
