#pragma once

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/comparison.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

namespace detail {

template <Real T, class Device>
Variable<T, Device> plain_softmax(const Variable<T, Device>& logits, int axis) {
  const Tensor<T, Device> y = no_grad([&] {
    const auto powers = exp(sub(logits, max(logits, {axis}, true)));
    return div(powers, sum(powers, {axis}, true)).value();
  });
  return record("softmax", y, {logits}, [y, axis](const Backward<T, Device>& ctx) {
    const auto weighted = mul(ctx.gradient(), ctx.result(y));
    return sub(weighted, mul(ctx.result(y), sum(weighted, {axis}, true)));
  });
}

template <Real T, class Device>
Variable<T, Device> plain_log_softmax(const Variable<T, Device>& logits, int axis) {
  const Tensor<T, Device> y = no_grad([&] {
    const auto shifted = sub(logits, max(logits, {axis}, true));
    return sub(shifted, log(sum(exp(shifted), {axis}, true))).value();
  });
  return record("log_softmax", y, {logits}, [y, axis](const Backward<T, Device>& ctx) {
    return sub(ctx.gradient(), mul(exp(ctx.result(y)), sum(ctx.gradient(), {axis}, true)));
  });
}

}  // namespace detail

/// e^x / Σ e^x along one axis; the largest logit is subtracted first, so nothing overflows. Of
/// nothing it is nothing. Computed in float where x has 16 bits.
template <Real T, class Device>
Variable<T, Device> softmax(const Variable<T, Device>& logits, int axis = -1) {
  const int normalized = logits.shape().normalize_axis(axis);
  if (logits.numel() == 0) return logits;
  return detail::in_float<T, Device>("softmax", {logits}, [normalized](const auto& in) {
    return detail::plain_softmax(in[0], normalized);
  });
}

/// x - log Σ e^x along one axis, without overflow; otherwise as softmax.
template <Real T, class Device>
Variable<T, Device> log_softmax(const Variable<T, Device>& logits, int axis = -1) {
  const int normalized = logits.shape().normalize_axis(axis);
  if (logits.numel() == 0) return logits;
  return detail::in_float<T, Device>("log_softmax", {logits}, [normalized](const auto& in) {
    return detail::plain_log_softmax(in[0], normalized);
  });
}

/// log Σ e^x over `axes`, without overflow; its gradient is the softmax. Computed in float where x
/// has 16 bits. -∞ of nothing.
template <Real T, class Device>
Variable<T, Device> logsumexp(const Variable<T, Device>& x, const Axes& axes = {},
                              bool keepdim = false) {
  if (detail::ReducedAxes("logsumexp", x.shape(), axes).reduced.numel() == 0) {
    return log(sum(x, axes, keepdim));
  }
  return detail::in_float<T, Device>("logsumexp", {x}, [=](const auto& in) {
    using Number = Compute<T>;
    const Variable<Number, Device> largest = max(in[0].detach(), axes, true);
    // Where the largest is infinite, so is the result, and a difference would be no number.
    const auto shift =
        where(isfinite(largest), largest, detail::as_variable<Number, Device>(Number{0}));
    const auto total = log(sum(exp(sub(in[0], shift)), axes, keepdim));
    return add(total, reshape(shift, total.shape()));
  });
}

}  // namespace sfumato::ops
