#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/nn/module.hpp"

namespace sfumato::nn {

/// Modules one after the other, named "0", "1", ….
///
///     Sequential<float> model{std::make_shared<Linear<float>>(784, 100, random),
///                             std::make_shared<ReLU<float>>(),
///                             std::make_shared<Linear<float>>(100, 10, random)};
template <class T, class Device = Cpu>
class Sequential : public Module<T, Device> {
 public:
  using Layer = std::shared_ptr<Module<T, Device>>;

  Sequential() = default;
  Sequential(std::initializer_list<Layer> layers) {
    for (const Layer& layer : layers) push_back(layer);
  }

  /// Throws ValueError for a null pointer.
  void push_back(Layer layer) {
    if (layer == nullptr) throw ValueError(message("Sequential: layer ", size(), " is null"));
    layers_.push_back(this->add_part(std::to_string(layers_.size()), std::move(layer)));
  }

  std::size_t size() const { return layers_.size(); }
  /// Throws ValueError out of range.
  Module<T, Device>& operator[](std::size_t index) {
    if (index >= size()) {
      throw ValueError(message("Sequential: there is no layer ", index, " among ", size()));
    }
    return *layers_[index];
  }

  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    Variable<T, Device> y = x;
    for (const Layer& layer : layers_) y = layer->forward(y);
    return y;
  }

 private:
  std::vector<Layer> layers_;
};

}  // namespace sfumato::nn
