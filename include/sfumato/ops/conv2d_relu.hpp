#pragma once

#include <utility>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/convolution.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/relu.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

namespace detail {

/// conv2d_input_gradient(gate(dy)) in one pass over memory.
template <class T, class Device>
Variable<T, Device> conv2d_relu_input_gradient(const Conv2dGeometry& g,
                                               const Variable<T, Device>& dy,
                                               const Positive<Device>& positive,
                                               const Variable<T, Device>& weight) {
  auto dx = Tensor<T, Device>::empty(input_shape(g));
  Device::conv2d_relu_input_gradient(g, dy.value().data(), positive.bits.data(),
                                     weight.value().data(), dx.data());
  return record("conv2d_relu_input_gradient", std::move(dx), {dy, weight},
                [g, positive, dy = keep_if(weight.requires_grad(), dy),
                 weight = keep_if(dy.requires_grad(), weight)](const Backward<T, Device>& ctx) {
                  Gradients<T, Device> gradients(2);
                  if (ctx.needs(0)) {
                    gradients[0] =
                        gate(conv2d(g, ctx.gradient(), weight, Variable<T, Device>()), positive);
                  }
                  if (ctx.needs(1)) {
                    gradients[1] = conv2d_weight_gradient(g, ctx.gradient(), gate(dy, positive));
                  }
                  return gradients;
                });
}

}  // namespace detail

/// relu(conv2d(input, weight, bias, options)) without the result between the two, which saves a
/// quarter to a half of the memory and the time of moving it. See conv2d.
template <class T, class Device>
Variable<T, Device> conv2d_relu(const Variable<T, Device>& input, const Variable<T, Device>& weight,
                                const std::type_identity_t<Variable<T, Device>>& bias = {},
                                const Conv2dOptions& options = {}) {
  if (options.padding_mode != PaddingMode::kZeros) {
    return relu(conv2d(input, weight, bias, options));
  }
  if (input.rank() == 3) return squeeze(conv2d_relu(unsqueeze(input, 0), weight, bias, options), 0);
  const Conv2dGeometry g =
      detail::conv2d_geometry("conv2d_relu", input.shape(), weight.shape(), options);
  detail::check_bias("conv2d_relu", bias, g.out_channels);
  if (detail::is_empty(g)) return relu(detail::conv2d(g, input, weight, bias));
  auto y = Tensor<T, Device>::empty(detail::output_shape(g));
  detail::Positive<Device> positive(y.shape());
  Device::conv2d_relu(g, input.value().data(), weight.value().data(),
                      bias.defined() ? bias.value().data() : nullptr, y.data(),
                      positive.bits.data());
  return record(
      "conv2d_relu", std::move(y), {input, weight, bias},
      [g, positive, x = detail::keep_if(weight.requires_grad(), input),
       weight = detail::keep_if(input.requires_grad(), weight)](const Backward<T, Device>& ctx) {
        Gradients<T, Device> gradients(3);
        if (ctx.needs(0)) {
          gradients[0] = detail::conv2d_relu_input_gradient(g, ctx.gradient(), positive, weight);
        }
        if (ctx.needs(1) || ctx.needs(2)) {
          const auto passed = detail::gate(ctx.gradient(), positive);
          if (ctx.needs(1)) gradients[1] = detail::conv2d_weight_gradient(g, x, passed);
          if (ctx.needs(2)) gradients[2] = sum(passed, {0, 2, 3});
        }
        return gradients;
      });
}

}  // namespace sfumato::ops
