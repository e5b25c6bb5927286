#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/optim/check_parameters.hpp"
#include "sfumato/optim/number_parts.hpp"

namespace sfumato::optim {

namespace detail {
/// a + scale · b.
template <class T>
struct AddScaled {
  T scale;
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const { return a + scale * b; }
};
/// Moves a running mean towards x; `rest` is 1 - decay, which as a float of its own is exacter than
/// the difference of floats.
template <class T>
struct Average {
  T decay;
  T rest;
  SFUMATO_HOST_DEVICE T operator()(T mean, T x) const { return mean * decay + x * rest; }
};
template <class T>
struct AverageSquare {
  T decay;
  T rest;
  SFUMATO_HOST_DEVICE T operator()(T mean, T x) const { return mean * decay + x * rest * x; }
};
struct Increment {
  SFUMATO_HOST_DEVICE double operator()(double count) const { return count + 1.0; }
};
}  // namespace detail

/// What is different for some of the parameters; the optimiser's own where nothing is said.
struct ParameterGroupOptions {
  std::optional<double> learning_rate = {};
  std::optional<double> weight_decay = {};
};

/// Changes parameters along their gradients. What differs between optimisers is update().
///
///     optim::Adam<float> adam(model.parameters(), {.learning_rate = 1e-3});
///     for (…) {
///       adam.zero_grad();
///       backward(loss(model(x)));
///       adam.step();
///     }
///
/// Other parameters may have a learning rate and a weight decay of their own: see
/// add_param_group().
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
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const double rate = learning_rate(i);
      Device::copy_from_host(groups_[i].rate.data(), &rate, sizeof(rate));
    }
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

  /// Of all parameters, or of those that add_param_group() has added: group 1 and so on.
  double learning_rate(std::size_t group = 0) const {
    if (group < groups_.size()) return learning_rate_ * groups_[group].factor;
    throw ValueError(message("optimizer: there is no group ", group, " of parameters, but 0 to ",
                             groups_.size() - 1));
  }
  /// Takes effect with the next step; see schedules.hpp. Groups with a learning rate of their own
  /// keep its ratio to this one. Throws ValueError for one that is negative or not finite.
  void set_learning_rate(double learning_rate) {
    detail::check_not_negative("optimizer", "learning rate", learning_rate);
    learning_rate_ = learning_rate;
  }
  /// Takes on more parameters, with a learning rate and a weight decay of their own. Throws as the
  /// constructor does, and ValueError where the ratio of the learning rates is no number.
  ///
  ///     optim::SGD<float> sgd(body.parameters(), {.learning_rate = 1e-3, .weight_decay = 1e-4});
  ///     sgd.add_param_group(head.parameters(), {.learning_rate = 1e-2});
  void add_param_group(const std::vector<Variable<T, Device>>& parameters,
                       const ParameterGroupOptions& options = {}) {
    const double rate = options.learning_rate.value_or(learning_rate_);
    const double factor = rate == learning_rate_ ? 1.0 : rate / learning_rate_;
    const double decay = options.weight_decay.value_or(groups_[0].weight_decay);
    detail::check_not_negative("optimizer", "a group's learning rate", rate);
    detail::check_not_negative("optimizer", "a group's ratio of learning rates", factor);
    detail::check_not_negative("optimizer", "a group's weight decay", decay);
    auto all = parameters_;
    all.insert(all.end(), parameters.begin(), parameters.end());
    detail::check_parameters(all);
    parameters_ = std::move(all);
    for (auto& [name, tensors] : buffers_) tensors.resize(parameters_.size());
    if (!counts_.empty()) counts_.resize(parameters_.size());
    group_of_.resize(parameters_.size(), groups_.size());
    groups_.push_back({factor, decay});
  }

  /// How often step() has been called.
  std::int64_t steps() const { return steps_; }

  /// All that is needed to go on as if never interrupted: copies, by name.
  State state_dict() const {
    State state = shared_state();
    for (auto& [name, tensor] : state) tensor = tensor.clone();
    return state;
  }

  /// The same in the optimiser's own memory, for who has none to spare: the next step changes it.
  State shared_state() const {
    State state;
    const auto put = [&](const std::string& name, double number) {
      state.emplace(name, detail::to_parts<Compute<T>, Device>(number));
    };
    put("steps", static_cast<double>(steps_));
    put("learning_rate", learning_rate_);
    for (std::size_t i = 1; i < groups_.size(); ++i) {
      put(message("learning_rate_factor.", i), groups_[i].factor);
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      for (const auto& [name, tensors] : buffers_) {
        if (tensors[i].defined()) state.emplace(message(name, ".", i), tensors[i]);
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
    std::vector<double> factors{1.0};
    for (std::size_t i = 1; i < groups_.size(); ++i) {
      const std::string key = message("learning_rate_factor.", i);
      factors.push_back(detail::from_parts(key, take(key)));
      detail::check_not_negative("optimizer", key.c_str(), factors[i]);
    }

    Memory restored;
    for (const auto& [name, tensors] : buffers_) restored[name].resize(parameters_.size());
    std::vector<double> counts(parameters_.size(), 0.0);
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
      const std::string key = message("count.", i);
      const auto count = counts_.empty() ? Tensor<Compute<T>, Device>() : take(key);
      if (count.defined()) counts[i] = detail::to_count(key, count, steps);
      if (missing.size() == restored.size() && counts[i] == 0.0) continue;
      if (!missing.empty()) {
        throw ValueError(message("load_state_dict: the optimiser's state has no ", missing[0],
                                 ", but more of the same parameter"));
      }
      if (!counts_.empty() && !count.defined()) counts[i] = steps;
    }
    if (!state.empty()) {
      throw ValueError(message("load_state_dict: this optimiser has no ", state.begin()->first));
    }

    steps_ = static_cast<std::int64_t>(steps);
    learning_rate_ = learning_rate;
    for (std::size_t i = 0; i < groups_.size(); ++i) groups_[i].factor = factors[i];
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
  /// learning rate or a weight decay that is negative or not finite.
  Optimizer(const char* optimizer, std::vector<Variable<T, Device>> parameters,
            double learning_rate, double weight_decay, const std::vector<std::string>& buffer_names,
            bool counts = false)
      : name_(optimizer),
        parameters_(std::move(parameters)),
        group_of_(parameters_.size(), 0),
        groups_{{1.0, weight_decay}},
        counts_(counts ? parameters_.size() : 0) {
    detail::check_parameters(parameters_);
    set_learning_rate(learning_rate);
    detail::check_not_negative(optimizer, "weight decay", weight_decay);
    for (const std::string& name : buffer_names) buffers_[name].resize(parameters_.size());
  }

  /// Changes one parameter.
  virtual void update(std::size_t index, Tensor<T, Device>& parameter,
                      const Tensor<T, Device>& gradient) = 0;

  /// A parameter's learning rate in the device's memory, where a captured step finds the present
  /// one.
  const double* rate(std::size_t index) const { return groups_[group_of_[index]].rate.data(); }
  double weight_decay(std::size_t index) const { return groups_[group_of_[index]].weight_decay; }

  /// gradient + weight decay · parameter.
  Tensor<Compute<T>, Device> decayed(std::size_t index, const Tensor<T, Device>& parameter,
                                     const Tensor<T, Device>& gradient) const {
    const auto slope = gradient.template cast<Compute<T>>();
    if (weight_decay(index) == 0.0) return slope;
    const auto scale = static_cast<Compute<T>>(weight_decay(index));
    return ops::apply(name_, detail::AddScaled<Compute<T>>{scale}, slope, parameter);
  }

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
  struct Group {
    double factor;  ///< its learning rate / learning_rate_
    double weight_decay;
    Tensor<double, Device> rate = Tensor<double, Device>::zeros({1});
  };

  Tensor<Compute<T>, Device> zeros(std::size_t index) const {
    return Tensor<Compute<T>, Device>::zeros(parameters_[index].shape());
  }

  const char* name_;
  std::vector<Variable<T, Device>> parameters_;
  std::vector<std::size_t> group_of_;  // each of them
  std::vector<Group> groups_;
  double learning_rate_ = 0.0;
  std::int64_t steps_ = 0;
  Memory buffers_;
  std::vector<Tensor<double, Device>> counts_;
};

}  // namespace sfumato::optim
