#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

/// (x - mean) / √(variance + ε) · weight + bias, which differ in what the mean and variance are of.
/// Computed in float where x has 16 bits; weight and bias may be left undefined.
namespace sfumato::ops {

namespace detail {

inline constexpr double kNormalizationEpsilon = 1e-5;

/// normal(inputs) · weight + bias, of shapes that broadcast together as they are.
template <Real T, class Device, class Normal>
Variable<T, Device> scaled(const char* op, std::vector<Variable<T, Device>> inputs,
                           const Variable<T, Device>& weight, const Variable<T, Device>& bias,
                           const Normal& normal) {
  const std::size_t own = inputs.size();
  for (const auto& factor : {weight, bias}) {
    if (factor.defined()) inputs.push_back(factor);
  }
  const bool has_weight = weight.defined();
  const bool has_bias = bias.defined();
  return in_float<T, Device>(op, inputs, [=](const auto& in) {
    auto y = normal(in);
    if (has_weight) y = mul(y, in[own]);
    return has_bias ? add(y, in.back()) : y;
  });
}

/// Mean 0 and variance 1 over `axes` of x seen as `grouped`; then weight and bias.
template <Real T, class Device>
Variable<T, Device> normalize(const char* op, const Variable<T, Device>& x, const Shape& grouped,
                              const Axes& axes, const Variable<T, Device>& weight,
                              const Variable<T, Device>& bias, double epsilon) {
  return scaled<T, Device>(op, {x}, weight, bias, [=, shape = x.shape()](const auto& in) {
    if (in[0].numel() == 0) return in[0];  // nothing has no variance
    const auto values = reshape(in[0], grouped);
    const auto deviation = var(values, axes, true, 0) + static_cast<Compute<T>>(epsilon);
    return reshape(div(sub(values, mean(values, axes, true)), sqrt(deviation)), shape);
  });
}

/// A weight or bias (c,) as (c, 1, …), to broadcast to x (n, c, …). Throws ShapeError for another.
template <class T, class Device>
Variable<T, Device> by_channel(const char* op, const Variable<T, Device>& x,
                               const Variable<T, Device>& factor) {
  if (!factor.defined()) return factor;
  if (factor.shape() != Shape{x.size(1)}) {
    throw ShapeError(message(op, ": ", factor.shape(), " must be one value for each of the ",
                             x.size(1), " channels of ", x.shape()));
  }
  Shape shape{x.size(1)};
  for (int i = 2; i < x.rank(); ++i) shape.push_back(1);
  return reshape(factor, shape);
}

}  // namespace detail

/// Each of the last axes that `normalized_shape` names, together: Ba, Kiros and Hinton, "Layer
/// normalization" (2016). Weight and bias have that shape. Throws ShapeError where x does not end
/// in it.
template <Real T, class Device>
Variable<T, Device> layer_norm(const Variable<T, Device>& x, const Shape& normalized_shape,
                               const Variable<T, Device>& weight = {},
                               const Variable<T, Device>& bias = {},
                               double epsilon = detail::kNormalizationEpsilon) {
  const int rank = normalized_shape.rank();
  bool fits = rank > 0 && rank <= x.rank();
  Axes axes;
  for (int i = -rank; fits && i < 0; ++i) {
    fits = x.size(i) == normalized_shape[i];
    axes.push_back(i);
  }
  for (const auto& factor : {weight, bias}) {
    fits = fits && (!factor.defined() || factor.shape() == normalized_shape);
  }
  if (!fits) {
    throw ShapeError(message("layer_norm: ", x.shape(), ", or a weight or bias, does not end in ",
                             normalized_shape));
  }
  return detail::normalize("layer_norm", x, x.shape(), axes, weight, bias, epsilon);
}

/// The channels of each example of x (n, c, …), in `groups` of neighbours: Wu and He, "Group
/// normalization" (2018). Weight and bias have the shape (c,). Throws ShapeError for other shapes,
/// and ValueError unless the groups divide the channels.
template <Real T, class Device>
Variable<T, Device> group_norm(const Variable<T, Device>& x, std::int64_t groups,
                               const Variable<T, Device>& weight = {},
                               const Variable<T, Device>& bias = {},
                               double epsilon = detail::kNormalizationEpsilon) {
  if (x.rank() < 2) throw ShapeError(message("group_norm: ", x.shape(), " must be (n, c, …)"));
  if (groups < 1 || x.size(1) % groups != 0) {
    throw ValueError(message("group_norm: ", groups, " groups do not divide the ", x.size(1),
                             " channels of ", x.shape()));
  }
  const auto own_weight = detail::by_channel("group_norm", x, weight);
  const auto own_bias = detail::by_channel("group_norm", x, bias);
  const std::int64_t examples = std::max<std::int64_t>(x.size(0), 1);
  const Shape grouped{x.size(0), groups, x.numel() / examples / groups};
  return detail::normalize("group_norm", x, grouped, {2}, own_weight, own_bias, epsilon);
}

/// Each channel of each example of x (n, c, …): Ulyanov et al., "Instance normalization" (2016).
/// Otherwise as group_norm, with as many groups as channels.
template <Real T, class Device>
Variable<T, Device> instance_norm(const Variable<T, Device>& x,
                                  const Variable<T, Device>& weight = {},
                                  const Variable<T, Device>& bias = {},
                                  double epsilon = detail::kNormalizationEpsilon) {
  if (x.rank() < 3) throw ShapeError(message("instance_norm: ", x.shape(), " must be (n, c, …)"));
  return group_norm(x, std::max<std::int64_t>(x.size(1), 1), weight, bias, epsilon);
}

/// Each channel of x (n, c, …), over all examples, whose mean and variance are given, as what a
/// network has learnt: Ioffe and Szegedy, "Batch normalization" (2015). All have the shape (c,).
/// nn::BatchNorm2d learns them. Throws ShapeError for other shapes.
template <Real T, class Device>
Variable<T, Device> batch_norm(const Variable<T, Device>& x, const Variable<T, Device>& mean,
                               const Variable<T, Device>& variance,
                               const Variable<T, Device>& weight = {},
                               const Variable<T, Device>& bias = {},
                               double epsilon = detail::kNormalizationEpsilon) {
  if (x.rank() < 2) throw ShapeError(message("batch_norm: ", x.shape(), " must be (n, c, …)"));
  const auto along = [&](const Variable<T, Device>& factor) {
    return detail::by_channel("batch_norm", x, factor);
  };
  return detail::scaled<T, Device>("batch_norm", {x, along(mean), along(variance)}, along(weight),
                                   along(bias), [epsilon](const auto& in) {
                                     return div(sub(in[0], in[1]),
                                                sqrt(in[2] + static_cast<Compute<T>>(epsilon)));
                                   });
}

}  // namespace sfumato::ops
