#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/checkpoint.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/apply.hpp"
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

namespace detail {

// What a channel's mean and the like are combined with; each is a pass over memory.
struct SquaredDeviation {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x, T mean) const {
    return static_cast<T>((x - mean) * (x - mean));
  }
};
struct ScaledDeviation {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x, T mean, T scale, T shift) const {
    return static_cast<T>((x - mean) * scale + shift);
  }
};
struct DeviationProduct {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T gradient, T x, T mean) const {
    return static_cast<T>(gradient * (x - mean));
  }
};
struct BatchNormGradient {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T gradient, T x, T mean, T scale, T slope, T shift) const {
    return static_cast<T>(gradient * scale - (x - mean) * slope - shift);
  }
};

/// A mean and a variance for each channel, (1, c, 1, 1).
template <class T, class Device>
struct ChannelMoments {
  Tensor<T, Device> mean;
  Tensor<T, Device> variance;
};

/// Those of images, without a correction. Nothing is recorded.
template <Real T, class Device>
ChannelMoments<T, Device> channel_moments(const Variable<T, Device>& x) {
  const NoGrad guard;
  const auto mean = ops::mean(x, {0, 2, 3}, true).value();
  if constexpr (SixteenBits<T>) {
    return {mean, ops::var(x, {0, 2, 3}, true, 0).value()};
  } else {
    const Variable squares(apply("batch_norm", SquaredDeviation{}, x.value(), mean));
    return {mean, ops::mean(squares, {0, 2, 3}, true).value()};
  }
}

/// batch_norm(x, mean(x), var(x), weight, bias, epsilon) of images, whose moments are given, in as
/// few passes over memory as that takes.
template <Real T, class Device>
Variable<T, Device> batch_norm_in_training(const Variable<T, Device>& x,
                                           const ChannelMoments<T, Device>& moments,
                                           const Variable<T, Device>& weight,
                                           const Variable<T, Device>& bias, double epsilon) {
  const auto mean = moments.mean;
  const auto by_rows = [&](const Variable<T, Device>& factor) {
    return factor.value().reshape(mean.shape());
  };
  const auto deviation =
      apply("batch_norm", Affine<T>{1, static_cast<T>(epsilon)}, moments.variance);
  const auto inverse = apply("batch_norm", Rsqrt{}, deviation);
  const auto scale = apply("batch_norm", Multiply{}, by_rows(weight), inverse);
  auto y = apply("batch_norm", ScaledDeviation{}, x.value(), mean, scale, by_rows(bias));
  return record(
      "batch_norm", std::move(y), {x, weight, bias},
      [x, weight, bias, epsilon, mean, inverse, scale](const Backward<T, Device>& ctx) {
        Gradients<T, Device> gradients(3);
        if (grad_enabled()) {  // to be differentiated again: the gradients of the definition
          std::vector<Variable<T, Device>> in{x, weight, bias};
          std::vector<Variable<T, Device>> needed;
          for (std::size_t i = 0; i < in.size(); ++i) {
            in[i] = sfumato::detail::handle_to(in[i]);
            if (ctx.needs(i)) needed.push_back(in[i]);
          }
          const auto again =
              ops::batch_norm(in[0], ops::mean(in[0], {0, 2, 3}),
                              ops::var(in[0], {0, 2, 3}, false, 0), in[1], in[2], epsilon);
          auto found = grad({again}, needed, {.create_graph = true}, {ctx.gradient()});
          for (std::size_t i = 0, next = 0; i < in.size(); ++i) {
            if (ctx.needs(i)) gradients[i] = found[next++];
          }
          return gradients;
        }
        const auto dy = ctx.gradient();
        const auto count = static_cast<T>(x.numel() / mean.numel());
        const Variable product(
            apply("batch_norm", DeviationProduct{}, dy.value(), x.value(), mean));
        const auto shift_gradient = sum(dy, {0, 2, 3}, true);
        const auto scale_gradient = mul(sum(product, {0, 2, 3}, true), Variable(inverse));
        if (ctx.needs(0)) {
          const Variable share(apply("batch_norm", DivideBy<T, T>{count}, scale));
          const auto slope = mul(mul(share, Variable(inverse)), scale_gradient);
          const auto shift = mul(share, shift_gradient);
          gradients[0] = Variable(apply("batch_norm", BatchNormGradient{}, dy.value(), x.value(),
                                        mean, scale, slope.value(), shift.value()));
        }
        if (ctx.needs(1)) gradients[1] = reshape(scale_gradient, weight.shape());
        if (ctx.needs(2)) gradients[2] = reshape(shift_gradient, bias.shape());
        return gradients;
      });
}

}  // namespace detail

}  // namespace sfumato::ops
