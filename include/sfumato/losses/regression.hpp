#pragma once

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/losses/mse_loss.hpp"
#include "sfumato/ops/activation.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/select.hpp"

/// Losses that compare numbers one by one: means over all elements, scalars, computed in float
/// where they have 16 bits. Throw ShapeError unless the shapes are equal.
namespace sfumato::losses {

/// mean |prediction - target|; the gradient where they are equal is 0.
template <Real T, class Device>
Variable<T, Device> l1_loss(const Variable<T, Device>& prediction,
                            const Variable<T, Device>& target) {
  detail::check_same_shape("l1_loss", prediction, target);
  return ops::detail::in_float<T, Device>("l1_loss", {prediction, target}, [](const auto& in) {
    return ops::mean(ops::abs(in[0] - in[1]));
  });
}

/// The mean of d² / 2 where d = |prediction - target| is at most delta, of delta (d - delta / 2)
/// beyond: Huber, "Robust estimation of a location parameter" (1964). Throws ValueError unless
/// delta is positive.
template <Real T, class Device>
Variable<T, Device> huber_loss(const Variable<T, Device>& prediction,
                               const Variable<T, Device>& target, double delta = 1.0) {
  detail::check_same_shape("huber_loss", prediction, target);
  if (!(delta > 0.0)) throw ValueError(message("huber_loss: delta ", delta, " must be positive"));
  return ops::detail::in_float<T, Device>(
      "huber_loss", {prediction, target}, [delta](const auto& in) {
        using Number = Compute<T>;
        const auto distance = ops::abs(in[0] - in[1]);
        const auto near = ops::clamp(distance, Number{0}, static_cast<Number>(delta));
        return ops::mean(near * (distance - near / Number{2}));
      });
}

/// The mean of -t log σ(x) - (1 - t) log(1 - σ(x)) for logits x and targets t from 0 to 1, without
/// overflow.
template <Real T, class Device>
Variable<T, Device> binary_cross_entropy_with_logits(const Variable<T, Device>& logits,
                                                     const Variable<T, Device>& target) {
  detail::check_same_shape("binary_cross_entropy_with_logits", logits, target);
  return ops::detail::in_float<T, Device>(
      "binary_cross_entropy_with_logits", {logits, target},
      [](const auto& in) { return ops::mean(ops::softplus(in[0]) - in[0] * in[1]); });
}

}  // namespace sfumato::losses
