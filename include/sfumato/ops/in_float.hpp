#pragma once

#include <utility>
#include <vector>

#include "sfumato/autodiff/checkpoint.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/cast.hpp"

namespace sfumato::ops::detail {

/// function(inputs), where T has 16 bits computed in float and rounded once at the end, and so are
/// its gradients of every order: intermediate sums and squares neither overflow nor lose bits. What
/// is computed is not kept, but computed again for the gradient.
template <class T, class Device, class Function>
Variable<T, Device> in_float(const char* op, const std::vector<Variable<T, Device>>& inputs,
                             const Function& function) {
  if constexpr (!SixteenBits<T>) {
    return function(inputs);
  } else {
    const auto computed = [function](const std::vector<Variable<T, Device>>& narrow) {
      std::vector<Variable<Compute<T>, Device>> wide;
      for (const auto& input : narrow) wide.push_back(cast<Compute<T>>(input));
      return cast<T>(function(wide));
    };
    return sfumato::detail::checkpoint(op, computed, inputs);
  }
}

}  // namespace sfumato::ops::detail
