#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

#include "sfumato/nn/module_list.hpp"

namespace sfumato::nn {

/// Modules one after the other, named "0", "1", ….
///
///     Sequential<float> model{Linear<float>(784, 100, random), ReLU<float>(),
///                             Linear<float>(100, 10, random)};
template <class T = float, class Device = Cpu>
class Sequential : public ModuleList<T, Device> {
 public:
  using ModuleList<T, Device>::ModuleList;
  using ModuleList<T, Device>::size;

  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    return size() == 0 ? x : features(x, {size() - 1})[0];
  }

  /// The results of the given layers, in the order asked for; nothing beyond the last of them is
  /// computed. Throws ValueError for a layer that there isn't.
  std::vector<Variable<T, Device>> features(const Variable<T, Device>& x,
                                            const std::vector<std::size_t>& layers) {
    std::vector<Variable<T, Device>> found(layers.size());
    visit_features(x, layers, [&](std::size_t i, const Variable<T, Device>& y) { found[i] = y; });
    return found;
  }

  /// Calls `visit(i, result)` with the result of layers[i] as soon as it is computed. What is done
  /// with it there comes after the layers behind it in a backward pass, so that the memory of one
  /// gradient is free again when the next one's is needed. A layer that is not visited may
  /// compute the one behind it along with its own work. `x` is the input of layer `first`.
  template <class Visit>
  void visit_features(const Variable<T, Device>& x, const std::vector<std::size_t>& layers,
                      const Visit& visit, std::size_t first = 0) {
    std::size_t end = 0;  // of the layers that are computed
    for (const std::size_t layer : layers) {
      (*this)[layer];
      end = std::max(end, layer + 1);
    }
    const auto is_visited = [&](std::size_t layer) {
      return std::find(layers.begin(), layers.end(), layer) != layers.end();
    };
    Variable<T, Device> y = x;
    for (std::size_t i = first; i < end; ++i) {
      Variable<T, Device> both;
      if (!is_visited(i) && i + 1 < end) both = (*this)[i].forward_fused(y, (*this)[i + 1]);
      y = both.defined() ? both : (*this)[i].forward(y);
      if (both.defined()) ++i;
      for (std::size_t j = 0; j < layers.size(); ++j) {
        if (layers[j] == i) visit(j, y);
      }
    }
  }
};

// Of what the first layer is of.
template <class First, class... Rest>
Sequential(First&&, Rest&&...) -> Sequential<typename std::remove_cvref_t<First>::value_type,
                                             typename std::remove_cvref_t<First>::device_type>;
template <class First, class... Rest>
Sequential(std::shared_ptr<First>, Rest&&...)
    -> Sequential<typename First::value_type, typename First::device_type>;

}  // namespace sfumato::nn
