#pragma once

#include <cmath>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::optim {

/// Scales the gradients of all parameters down together, so that the root of the sum of all their
/// squares is at most `most`; returns what it was. Parameters without a gradient count nothing.
/// Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013).
/// Throws ValueError for a `most` that is negative or NaN, and for gradients that are not finite.
template <class T, class Device>
double clip_grad_norm(const std::vector<Variable<T, Device>>& parameters, double most) {
  if (!(most >= 0.0)) {
    throw ValueError(message("clip_grad_norm: ", most, " must be a number that is not negative"));
  }
  const NoGrad off;
  double squares = 0.0;
  for (const auto& parameter : parameters) {
    if (!parameter.grad().defined()) continue;
    const auto gradient = ops::cast<Compute<T>>(parameter.grad());
    squares += ops::detail::wide_sum((gradient * gradient).value());
  }
  const double norm = std::sqrt(squares);
  if (!std::isfinite(norm)) {
    throw ValueError("clip_grad_norm: a gradient is not finite, or its square is not");
  }
  if (norm <= most) return norm;
  for (auto parameter : parameters) {
    const auto gradient = parameter.grad();
    if (gradient.defined()) parameter.set_grad(gradient * static_cast<Compute<T>>(most / norm));
  }
  return norm;
}

}  // namespace sfumato::optim
