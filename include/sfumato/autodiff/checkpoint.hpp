#pragma once

#include <cstddef>
#include <initializer_list>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"

namespace sfumato {

/// function(inputs), of which only the inputs are kept: what its gradient needs is computed again
/// when it is asked for, which takes time and saves memory (Chen et al., "Training deep nets with
/// sublinear memory cost", 2016).
///
/// `function` takes a vector of Variables and returns one. It is called again in every backward
/// sweep and must do the same then. Gradients reach `inputs` alone, not what else it uses.
///
///     auto y = checkpoint([&](const auto& in) { return block(in[0]); }, {x});
template <class T, class Device, class Function>
Variable<T, Device> checkpoint(const Function& function,
                               const std::vector<Variable<T, Device>>& inputs) {
  const Variable<T, Device> result = no_grad([&] { return function(inputs); });
  return record(
      "checkpoint", result.value(), inputs, [function, inputs](const Backward<T, Device>& at) {
        // A sweep that is itself recorded goes on from here to what the inputs came from.
        const bool create_graph = grad_enabled();
        const GradMode recording(true);
        std::vector<Variable<T, Device>> again;
        std::vector<Variable<T, Device>> wanted;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          again.push_back(create_graph ? inputs[i] : Variable(inputs[i].value(), at.needs(i)));
          if (at.needs(i)) wanted.push_back(again.back());
        }
        const auto found =
            grad({function(again)}, wanted, {.create_graph = create_graph}, {at.gradient()});
        Gradients<T, Device> gradients(inputs.size());
        for (std::size_t i = 0, next = 0; i < inputs.size(); ++i) {
          if (at.needs(i)) gradients[i] = found[next++];
        }
        return gradients;
      });
}

template <class T, class Device, class Function>
Variable<T, Device> checkpoint(const Function& function,
                               std::initializer_list<Variable<T, Device>> inputs) {
  return checkpoint(function, std::vector<Variable<T, Device>>(inputs));
}

}  // namespace sfumato
