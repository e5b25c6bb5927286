#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"

namespace sfumato::nn {

/// Tensors by name, in the order of their names: what a model or an optimiser saves and restores.
template <class T = float, class Device = Cpu>
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

/// A part of a network: named parameters, which are trained; named buffers, which are not; modules
/// of its own; and a function of them and an input. What belongs to a module inside is named
/// "module.parameter", as in PyTorch.
template <class T = float, class Device = Cpu>
class Module {
 public:
  using value_type = T;
  using device_type = Device;
  using Named = std::vector<std::pair<std::string, Variable<T, Device>>>;

  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;
  /// A layer may be moved into a Sequential. Throws ValueError for a module that has others as
  /// members, whose addresses it has been given.
  Module(Module&& other)  // NOLINT(performance-noexcept-move-constructor)
      : values_(std::move(other.values_)),
        modules_(std::move(other.modules_)),
        training_(other.training_) {
    if (other.has_members_) {
      throw ValueError(
          "module: one that has modules as members can't be moved; make it shared, by "
          "std::make_shared");
    }
  }
  Module& operator=(Module&&) = delete;

  virtual Variable<T, Device> forward(const Variable<T, Device>& x) = 0;
  Variable<T, Device> operator()(const Variable<T, Device>& x) { return forward(x); }
  /// next.forward(forward(x)), for layers that compute both at once faster; undefined for others.
  virtual Variable<T, Device> forward_fused(const Variable<T, Device>& /*x*/,
                                            const Module& /*next*/) {
    return {};
  }

  /// Every parameter once, its own first, then those of its modules in order; one that is used in
  /// several places has the name of the first. They are handles: what is done to them is done to
  /// the module's.
  Named named_parameters() const { return once(true); }
  /// The same for buffers.
  Named named_buffers() const { return once(false); }

  std::vector<Variable<T, Device>> parameters() const {
    std::vector<Variable<T, Device>> all;
    for (auto& [name, parameter] : named_parameters()) all.push_back(std::move(parameter));
    return all;
  }

  /// The parameter of this name, such as "0.weight". Throws ValueError where there is none.
  Variable<T, Device> get_parameter(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& [known, parameter] : named_parameters()) {
      if (known == name) return parameter;
      names.push_back(known);
    }
    throw ValueError(message("get_parameter: there is no ", excerpt(name), " among ",
                             names.empty() ? "no parameters" : detail::join(names)));
  }

  /// Makes all parameters constants: they get no gradients and leave no trace on the tape.
  void freeze() { set_requires_grad(false); }
  void unfreeze() { set_requires_grad(true); }

  void zero_grad() {
    for (auto& parameter : parameters()) parameter.zero_grad();
  }

  /// From now on it learns, where that makes a difference (Dropout, BatchNorm2d); as at first.
  void train(bool training = true) {
    training_ = training;
    for (const auto& [name, module] : modules_) module->train(training);
  }
  /// From now on it is used.
  void eval() { train(false); }
  bool training() const { return training_; }

  /// Copies of all parameters and buffers by name; one that is used in several places has all of
  /// its names, as in PyTorch.
  StateDict<T, Device> state_dict() const {
    StateDict<T, Device> state;
    for (const auto& [name, value] : state_names()) state.emplace(name, value.value().clone());
    return state;
  }

  /// Sets all parameters and buffers; of the names of one that is used in several places, one is
  /// enough. Throws ValueError, before it has changed anything, when one is missing, has another
  /// shape, would be given two values, or, unless not `strict`, when there is one too many.
  void load_state_dict(const StateDict<T, Device>& state, bool strict = true) {
    std::vector<std::string> missing;
    std::vector<std::string> surplus;
    const Named named = state_names();
    const std::map<std::string, Variable<T, Device>> own(named.begin(), named.end());
    std::map<Identity, std::string> sources;  // the names that values are taken from
    for (const auto& [name, parameter] : own) {
      const auto found = state.find(name);
      if (found == state.end()) continue;
      if (found->second.shape() != parameter.shape()) {
        throw ValueError(message("load_state_dict: ", name, " has the shape ",
                                 found->second.shape(), " but the module's is ",
                                 parameter.shape()));
      }
      const auto [first, is_new] = sources.emplace(identity(parameter), name);
      if (!is_new && !detail::same_bits(state.at(first->second), found->second)) {
        throw ValueError(message("load_state_dict: ", first->second, " and ", name,
                                 " are one parameter of the module, but have different values"));
      }
    }
    for (const auto& [name, parameter] : own) {
      if (!sources.contains(identity(parameter))) missing.push_back(name);
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
    Named targets = named_parameters();
    for (auto& buffer : named_buffers()) targets.push_back(std::move(buffer));
    // Where parameters are to change places, all are read before any is written.
    std::vector<Tensor<T, Device>> values;
    for (const auto& [name, target] : targets) {
      const Tensor<T, Device>& source = state.at(sources.at(identity(target)));
      const bool is_own = std::any_of(own.begin(), own.end(), [&](const auto& entry) {
        return entry.second.value().shares_storage_with(source);
      });
      values.push_back(is_own ? source.clone() : source);
    }
    for (std::size_t i = 0; i < values.size(); ++i) targets[i].second.mutable_value() = values[i];
  }

 protected:
  /// Makes a tensor one of the parameters and returns the handle to compute with.
  /// Throws ValueError for an undefined one, and for a name that is empty, taken or has a dot.
  Variable<T, Device> add_parameter(std::string name, Tensor<T, Device> value) {
    return add_value("parameter", std::move(name), std::move(value), true);
  }

  /// Makes a tensor a part of the state that is no parameter: a constant, which forward() may
  /// change by mutable_value(). Throws as add_parameter() does.
  Variable<T, Device> add_buffer(std::string name, Tensor<T, Device> value) {
    return add_value("buffer", std::move(name), std::move(value), false);
  }

  /// Puts another module into this one, which it then shares; in a module that is not in training
  /// it no longer is either. Throws ValueError for a null pointer, for a module that would contain
  /// itself, and for a name that is empty, taken or has a dot.
  template <class Child>
  std::shared_ptr<Child> add_module(std::string name, std::shared_ptr<Child> child) {
    check_name(name);
    if (child == nullptr) throw ValueError(message("module: the module ", name, " is null"));
    if (child->contains(*this)) {
      throw ValueError(
          message("module: the module ", name, " is or contains the one it is put in"));
    }
    if (!training_) child->eval();
    modules_.emplace_back(std::move(name), child);
    return child;
  }
  /// The same for a member of this one.
  void add_module(std::string name, Module& child) {
    has_members_ = true;
    add_module(std::move(name), std::shared_ptr<Module>(std::shared_ptr<Module>(), &child));
  }
  /// Takes off the child of this name, if there is one.
  void remove_module(std::string_view name) {
    std::erase_if(modules_, [&](const auto& entry) { return entry.first == name; });
  }

 private:
  /// Every name of every parameter and buffer, those that are used in several places again and
  /// again.
  Named state_names() const {
    Named all = values_;
    for (const auto& [name, module] : modules_) {
      for (auto& [inner, value] : module->state_names()) {
        all.emplace_back(message(name, ".", inner), std::move(value));
      }
    }
    return all;
  }

  /// What two handles to one parameter, or to one buffer, have in common: its node, or its memory
  /// and how long that is.
  using Identity = std::pair<const void*, std::int64_t>;
  static Identity identity(const Variable<T, Device>& value) {
    if (value.node() != nullptr) return {value.node().get(), 0};
    return {std::as_const(value.value()).data(), value.numel()};
  }

  /// The parameters or the buffers, each under its first name.
  Named once(bool parameters) const {
    Named found;
    std::set<Identity> seen;
    for (auto& [name, value] : state_names()) {
      if ((value.node() != nullptr) == parameters && seen.insert(identity(value)).second) {
        found.emplace_back(name, value);
      }
    }
    return found;
  }

  Variable<T, Device> add_value(const char* kind, std::string name, Tensor<T, Device> value,
                                bool requires_grad) {
    check_name(name);
    if (!value.defined())
      throw ValueError(message("module: the ", kind, " ", name, " is undefined"));
    return values_
        .emplace_back(std::move(name), Variable<T, Device>(std::move(value), requires_grad))
        .second;
  }

  /// Two values under one name would be one in a state dict.
  void check_name(const std::string& name) const {
    const auto is_taken = [&](const auto& entry) { return entry.first == name; };
    if (name.empty() || name.find('.') != std::string::npos ||
        std::any_of(values_.begin(), values_.end(), is_taken) ||
        std::any_of(modules_.begin(), modules_.end(), is_taken)) {
      throw ValueError(message("module: a parameter, buffer or module can't be called '", name,
                               "': names are unique, not empty and without dots"));
    }
  }

  bool contains(const Module& other) const {
    return this == &other || std::any_of(modules_.begin(), modules_.end(), [&](const auto& entry) {
             return entry.second->contains(other);
           });
  }

  void set_requires_grad(bool requires_grad) {
    for (auto& parameter : parameters()) parameter.set_requires_grad(requires_grad);
  }

  Named values_;  // parameters and buffers
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> modules_;
  bool training_ = true;
  bool has_members_ = false;
};

}  // namespace sfumato::nn
