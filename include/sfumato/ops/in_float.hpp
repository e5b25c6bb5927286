#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"

namespace sfumato::ops::detail {

template <class T, class Device>
using Wider = Variable<Compute<T>, Device>;

/// A function of Variables of what T is computed in.
template <class T, class Device>
using WiderFunction = std::function<Wider<T, Device>(const std::vector<Wider<T, Device>>&)>;

/// The gradient of function(inputs) with respect to input number `place`; the last of `all` is the
/// gradient of the result, the others are the inputs.
template <class Number, class Device, class Function>
Variable<Number, Device> gradient_of(const Function& function, std::size_t place,
                                     std::vector<Variable<Number, Device>> all) {
  const bool create_graph = grad_enabled();
  const GradMode recorded(true);
  const std::vector<Variable<Number, Device>> seed{std::move(all.back())};
  all.pop_back();
  auto& input = all[place];
  if (!input.requires_grad()) input = Variable<Number, Device>(input.value(), true);
  const auto result = function(all);
  if (!result.requires_grad()) {  // as the gradient of what is linear in the input
    return Variable<Number, Device>(Tensor<Number, Device>::zeros(input.shape()));
  }
  return grad(std::vector{result}, std::vector{input}, {.create_graph = create_graph}, seed)[0];
}

/// function(inputs), where T has 16 bits computed in float and rounded once at the end, and so are
/// its gradients of every order: intermediate sums and squares neither overflow nor lose bits. What
/// is computed is not kept, but computed again for the gradient.
template <class T, class Device>
Variable<T, Device> in_float(const char* op, const std::vector<Variable<T, Device>>& inputs,
                             const WiderFunction<T, Device>& function) {
  if constexpr (!SixteenBits<T>) {
    return function(inputs);
  } else {
    const auto value = no_grad([&] {
      std::vector<Wider<T, Device>> wider;
      for (const auto& input : inputs)
        wider.emplace_back(input.value().template cast<Compute<T>>());
      return function(wider).value().template cast<T>();
    });
    return record(op, value, inputs, [op, inputs, function](const Backward<T, Device>& at) {
      std::vector<Variable<T, Device>> all = inputs;
      all.push_back(at.gradient());
      Gradients<T, Device> gradients(inputs.size());
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!at.needs(i)) continue;
        gradients[i] = in_float<T, Device>(
            op, all, [function, i](const auto& wider) { return gradient_of(function, i, wider); });
      }
      return gradients;
    });
  }
}

}  // namespace sfumato::ops::detail
