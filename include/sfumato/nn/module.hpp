#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
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
    text += excerpt(names[i]);
  }
  return names.size() > kMost ? text + message(" and ", names.size() - kMost, " more") : text;
}
template <class T, class Device>
bool same_bits(const Tensor<T, Device>& a, const Tensor<T, Device>& b) {
  const std::vector<T> values = a.to_vector();
  const std::vector<T> others = b.to_vector();
  return values.empty() ||
         std::memcmp(values.data(), others.data(), values.size() * sizeof(T)) == 0;
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

  /// Every parameter once, its own first, then those of its parts in order; one that is used in
  /// several places has the name of the first. They are handles: what is done to them is done to
  /// the module's.
  Named named_parameters() const {
    Named once;
    std::unordered_set<const void*> seen;
    for (auto& [name, parameter] : names_of_parameters()) {
      if (seen.insert(parameter.node().get()).second) once.emplace_back(name, parameter);
    }
    return once;
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

  /// Copies of all parameters by name; one that is used in several places has all of its names, as
  /// in PyTorch.
  StateDict<T, Device> state_dict() const {
    StateDict<T, Device> state;
    for (const auto& [name, parameter] : names_of_parameters()) {
      state.emplace(name, parameter.value().clone());
    }
    return state;
  }

  /// Sets all parameters; of the names of one that is used in several places, one is enough. Throws
  /// ValueError, before it has changed anything, when one is missing, has another shape, would be
  /// given two values, or, unless not `strict`, when there is one too many.
  void load_state_dict(const StateDict<T, Device>& state, bool strict = true) {
    std::vector<std::string> missing;
    std::vector<std::string> surplus;
    const Named named = names_of_parameters();
    const std::map<std::string, Variable<T, Device>> own(named.begin(), named.end());
    std::map<const void*, std::string> sources;  // the names that values are taken from
    for (const auto& [name, parameter] : own) {
      const auto found = state.find(name);
      if (found == state.end()) continue;
      if (found->second.shape() != parameter.shape()) {
        throw ValueError(message("load_state_dict: ", name, " has the shape ",
                                 found->second.shape(), " but the module's is ",
                                 parameter.shape()));
      }
      const auto [first, is_new] = sources.emplace(parameter.node().get(), name);
      if (!is_new && !detail::same_bits(state.at(first->second), found->second)) {
        throw ValueError(message("load_state_dict: ", first->second, " and ", name,
                                 " are one parameter of the module, but have different values"));
      }
    }
    for (const auto& [name, parameter] : own) {
      if (!sources.contains(parameter.node().get())) missing.push_back(name);
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
    auto parameters = named_parameters();
    // Where parameters are to change places, all are read before any is written.
    std::vector<Tensor<T, Device>> values;
    for (const auto& [name, parameter] : parameters) {
      const Tensor<T, Device>& source = state.at(sources.at(parameter.node().get()));
      const bool is_own = std::any_of(own.begin(), own.end(), [&](const auto& entry) {
        return entry.second.value().shares_storage_with(source);
      });
      values.push_back(is_own ? source.clone() : source);
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      parameters[i].second.mutable_value() = values[i];
    }
  }

 protected:
  /// Makes a tensor one of the parameters and returns the handle to compute with.
  /// Throws ValueError for an undefined one, and for a name that is empty, taken or has a dot.
  Variable<T, Device> add_parameter(std::string name, Tensor<T, Device> value) {
    check_name(name);
    if (!value.defined())
      throw ValueError(message("module: the parameter ", name, " is undefined"));
    return parameters_.emplace_back(std::move(name), Variable<T, Device>(std::move(value), true))
        .second;
  }

  /// Makes another module a part of this one; in a module that is not in training it no longer is
  /// either. Throws ValueError for a null pointer, for a module that would contain itself, and for
  /// a name that is empty, taken or has a dot.
  template <class Part>
  std::shared_ptr<Part> add_part(std::string name, std::shared_ptr<Part> part) {
    check_name(name);
    if (part == nullptr) throw ValueError(message("module: the part ", name, " is null"));
    if (part->contains(*this)) {
      throw ValueError(message("module: the part ", name, " is or contains the module itself"));
    }
    if (!training_) part->set_training(false);
    parts_.emplace_back(std::move(name), part);
    return part;
  }

 private:
  /// Every name of every parameter, those that are used in several places again and again.
  Named names_of_parameters() const {
    Named all = parameters_;
    for (const auto& [name, part] : parts_) {
      for (auto& [inner, parameter] : part->names_of_parameters()) {
        all.emplace_back(message(name, ".", inner), std::move(parameter));
      }
    }
    return all;
  }

  /// Two parameters under one name would be one in a state dict.
  void check_name(const std::string& name) const {
    const auto is_taken = [&](const auto& entry) { return entry.first == name; };
    if (name.empty() || name.find('.') != std::string::npos ||
        std::any_of(parameters_.begin(), parameters_.end(), is_taken) ||
        std::any_of(parts_.begin(), parts_.end(), is_taken)) {
      throw ValueError(message("module: a parameter or part can't be called '", name,
                               "': names are unique, not empty and without dots"));
    }
  }

  bool contains(const Module& other) const {
    return this == &other || std::any_of(parts_.begin(), parts_.end(), [&](const auto& part) {
             return part.second->contains(other);
           });
  }

  void set_requires_grad(bool requires_grad) {
    for (auto& parameter : parameters()) parameter.set_requires_grad(requires_grad);
  }

  Named parameters_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> parts_;
  bool training_ = true;
};

}  // namespace sfumato::nn
