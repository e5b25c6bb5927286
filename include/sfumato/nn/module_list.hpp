#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sfumato/nn/module.hpp"

namespace sfumato::nn {

/// Modules named "0", "1", …, for a module that calls them in a way of its own: a list has no
/// forward() but one that throws GraphError.
///
///     for (const auto& layer : list) x = (*layer)(x);
template <class T = float, class Device = Cpu>
class ModuleList : public Module<T, Device> {
 public:
  using Layer = std::shared_ptr<Module<T, Device>>;

  ModuleList() = default;
  ModuleList(std::initializer_list<Layer> layers) {
    for (const Layer& layer : layers) push_back(layer);
  }

  /// Layers by value. In braces they are made in order, so that random weights are the same
  /// everywhere.
  template <class... Layers>
  requires(sizeof...(Layers) > 1 ||
           !(std::same_as<std::remove_cvref_t<Layers>, ModuleList> && ...)) &&
      (sizeof...(Layers) > 0) explicit ModuleList(Layers&&... layers) {
    constexpr bool kFit = (std::derived_from<Layers, Module<T, Device>> && ...);
    static_assert(kFit,
                  "a list takes new layers of its own element type, as nn::ReLU(), "
                  "std::move(layer) for one with a name, or std::make_shared<…>(…) for all");
    if constexpr (kFit) (push_back(std::move(layers)), ...);
  }

  /// Throws ValueError for a null pointer.
  void push_back(Layer layer) {
    if (layer == nullptr) throw ValueError(message("module: layer ", size(), " is null"));
    layers_.push_back(this->add_module(std::to_string(layers_.size()), std::move(layer)));
  }
  /// A layer by value.
  template <std::derived_from<Module<T, Device>> ByValue>
  void push_back(ByValue layer) {
    push_back(std::make_shared<ByValue>(std::move(layer)));
  }

  /// Takes off the last layer. Throws ValueError where there is none.
  void pop_back() {
    if (layers_.empty()) throw ValueError("module: an empty list has no last layer");
    layers_.pop_back();
    this->remove_module(std::to_string(layers_.size()));
  }

  std::size_t size() const { return layers_.size(); }
  /// Throws ValueError out of range.
  Module<T, Device>& operator[](std::size_t index) {
    if (index >= size()) {
      throw ValueError(message("module: there is no layer ", index, " among ", size()));
    }
    return *layers_[index];
  }
  auto begin() const { return layers_.begin(); }
  auto end() const { return layers_.end(); }

  Variable<T, Device> forward(const Variable<T, Device>& /*x*/) override {
    throw GraphError("ModuleList: a list has no forward; call its modules, or use a Sequential");
  }

 private:
  std::vector<Layer> layers_;
};

}  // namespace sfumato::nn
