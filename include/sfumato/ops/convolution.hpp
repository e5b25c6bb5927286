#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/geometry.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/padding.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

/// A number of rows and of columns; one number means both.
///
///     Size2d{2}      // 2 × 2
///     Size2d{3, 5}   // 3 rows, 5 columns
struct Size2d {
  Size2d(std::int64_t both) : h(both), w(both) {}  // NOLINT: a number is a size
  Size2d(std::int64_t rows, std::int64_t columns) : h(rows), w(columns) {}
  std::int64_t h;
  std::int64_t w;
  std::string to_string() const { return message("(", h, ", ", w, ")"); }
};

/// How a filter moves over its input.
struct Conv2dOptions {
  Size2d stride = 1;
  Size2d padding = 0;
  Size2d dilation = 1;
  std::int64_t groups = 1;
  PaddingMode padding_mode = PaddingMode::kZeros;
};

namespace detail {

/// Strides, paddings and kernels beyond this would overflow the arithmetic of positions.
inline constexpr std::int64_t kLargestStep = std::int64_t{1} << 30;

inline void check_conv2d_options(const char* op, const Conv2dOptions& options) {
  const auto check = [&](const char* name, Size2d size, std::int64_t least) {
    if (size.h < least || size.w < least) {
      throw ValueError(message(op, ": ", name, " ", size, " must be at least ", least));
    }
    if (size.h > kLargestStep || size.w > kLargestStep) {
      throw ValueError(message(op, ": ", name, " ", size, " must be at most ", kLargestStep));
    }
  };
  check("stride", options.stride, 1);
  check("padding", options.padding, 0);
  check("dilation", options.dilation, 1);
  if (options.groups < 1 || options.groups > kLargestStep) {
    throw ValueError(message(op, ": groups ", options.groups, " must be at least 1",
                             options.groups < 1 ? "" : " and at most 2^30"));
  }
}

/// Checks that images and filters fit and says how they are convolved.
inline Conv2dGeometry conv2d_geometry(const char* op, const Shape& input, const Shape& weight,
                                      const Conv2dOptions& options) {
  check_conv2d_options(op, options);
  if (input.rank() != 4 || weight.rank() != 4) {
    throw ShapeError(
        message(op, ": input ", input, " and weight ", weight,
                " must have four dimensions: (n, c, h, w) and (out, in / groups, h, w)"));
  }
  if (*std::max_element(weight.begin(), weight.end()) > kLargestStep) {
    throw ShapeError(message(op, ": the weight ", weight, " has an extent above ", kLargestStep));
  }
  if (input[1] != weight[1] * options.groups) {
    throw ShapeError(message(op, ": input has ", input[1], " channels but the weight ", weight,
                             " expects ", weight[1] * options.groups));
  }
  if (weight[0] % options.groups != 0) {
    throw ShapeError(message(op, ": the ", weight[0], " output channels of the weight ", weight,
                             " do not divide into ", options.groups, " groups"));
  }
  Conv2dGeometry g{.batch = input[0],
                   .in_channels = input[1],
                   .in_h = input[2],
                   .in_w = input[3],
                   .out_channels = weight[0],
                   .out_h = 0,
                   .out_w = 0,
                   .kernel_h = weight[2],
                   .kernel_w = weight[3],
                   .stride_h = options.stride.h,
                   .stride_w = options.stride.w,
                   .padding_h = options.padding.h,
                   .padding_w = options.padding.w,
                   .dilation_h = options.dilation.h,
                   .dilation_w = options.dilation.w,
                   .groups = options.groups};
  g.out_h = window_count(g.in_h, g.kernel_h, g.stride_h, g.padding_h, g.dilation_h);
  g.out_w = window_count(g.in_w, g.kernel_w, g.stride_w, g.padding_w, g.dilation_w);
  if (g.kernel_h < 1 || g.kernel_w < 1 || g.out_h < 1 || g.out_w < 1) {
    throw ShapeError(message(op, ": the weight ", weight, " with dilation ", options.dilation,
                             " does not fit into the input ", input, " with padding ",
                             options.padding));
  }
  return g;
}

inline Shape input_shape(const Conv2dGeometry& g) {
  return {g.batch, g.in_channels, g.in_h, g.in_w};
}
inline Shape weight_shape(const Conv2dGeometry& g) {
  return {g.out_channels, g.in_channels / g.groups, g.kernel_h, g.kernel_w};
}
inline Shape output_shape(const Conv2dGeometry& g) {
  return {g.batch, g.out_channels, g.out_h, g.out_w};
}

/// Whether there is nothing to multiply: no image, channel or pixel. Devices are not asked then.
inline bool is_empty(const Conv2dGeometry& g) {
  return g.batch == 0 || g.in_channels == 0 || g.in_h == 0 || g.in_w == 0 || g.out_channels == 0;
}

/// Where a convolution puts its result, or, when there is nothing to multiply, what that is: the
/// bias, or zeros.
template <class T, class Device>
Tensor<T, Device> result_of(const Conv2dGeometry& g, const Shape& shape,
                            const Variable<T, Device>& bias = {}) {
  if (is_empty(g) && !bias.defined()) return Tensor<T, Device>::zeros(shape);
  auto result = Tensor<T, Device>::empty(shape);
  if (is_empty(g)) {
    Device::map(sfumato::detail::Identity{}, shape,
                Strided<T>{result.data(), row_major_strides(shape)},
                Strided<const T>{bias.value().data(), Strides{0, 1, 0, 0}});
  }
  return result;
}

// The three convolutions are linear in both arguments, and each one's gradients are the other two.
template <class T, class Device>
Variable<T, Device> conv2d(const Conv2dGeometry& g, const Variable<T, Device>& x,
                           const Variable<T, Device>& weight, const Variable<T, Device>& bias);
template <class T, class Device>
Variable<T, Device> conv2d_input_gradient(const Conv2dGeometry& g, const Variable<T, Device>& dy,
                                          const Variable<T, Device>& weight);
template <class T, class Device>
Variable<T, Device> conv2d_weight_gradient(const Conv2dGeometry& g, const Variable<T, Device>& x,
                                           const Variable<T, Device>& dy);

/// What a function bilinear in a and b keeps: each factor only if the other needs a gradient.
template <class T, class Device>
Variable<T, Device> keep_if(bool needed, const Variable<T, Device>& x) {
  return needed ? x : Variable<T, Device>();
}

template <class T, class Device>
Variable<T, Device> conv2d(const Conv2dGeometry& g, const Variable<T, Device>& x,
                           const Variable<T, Device>& weight, const Variable<T, Device>& bias) {
  auto y = result_of(g, output_shape(g), bias);
  if (!is_empty(g)) {
    Device::conv2d(g, x.value().data(), weight.value().data(),
                   bias.defined() ? bias.value().data() : nullptr, y.data());
  }
  return record("conv2d", std::move(y), {x, weight, bias},
                [g, x = keep_if(weight.requires_grad(), x),
                 weight = keep_if(x.requires_grad(), weight)](const Backward<T, Device>& ctx) {
                  Gradients<T, Device> gradients(3);
                  if (ctx.needs(0)) gradients[0] = conv2d_input_gradient(g, ctx.gradient(), weight);
                  if (ctx.needs(1)) gradients[1] = conv2d_weight_gradient(g, x, ctx.gradient());
                  if (ctx.needs(2)) gradients[2] = sum(ctx.gradient(), {0, 2, 3});
                  return gradients;
                });
}

template <class T, class Device>
Variable<T, Device> conv2d_input_gradient(const Conv2dGeometry& g, const Variable<T, Device>& dy,
                                          const Variable<T, Device>& weight) {
  auto dx = result_of<T, Device>(g, input_shape(g));
  if (!is_empty(g)) {
    Device::conv2d_input_gradient(g, dy.value().data(), weight.value().data(), dx.data());
  }
  return record("conv2d_input_gradient", std::move(dx), {dy, weight},
                [g, dy = keep_if(weight.requires_grad(), dy),
                 weight = keep_if(dy.requires_grad(), weight)](const Backward<T, Device>& ctx) {
                  Gradients<T, Device> gradients(2);
                  if (ctx.needs(0)) {
                    gradients[0] = conv2d(g, ctx.gradient(), weight, Variable<T, Device>());
                  }
                  if (ctx.needs(1)) gradients[1] = conv2d_weight_gradient(g, ctx.gradient(), dy);
                  return gradients;
                });
}

template <class T, class Device>
Variable<T, Device> conv2d_weight_gradient(const Conv2dGeometry& g, const Variable<T, Device>& x,
                                           const Variable<T, Device>& dy) {
  auto dweight = result_of<T, Device>(g, weight_shape(g));
  if (!is_empty(g)) {
    Device::conv2d_weight_gradient(g, x.value().data(), dy.value().data(), dweight.data());
  }
  return record("conv2d_weight_gradient", std::move(dweight), {x, dy},
                [g, x = keep_if(dy.requires_grad(), x),
                 dy = keep_if(x.requires_grad(), dy)](const Backward<T, Device>& ctx) {
                  Gradients<T, Device> gradients(2);
                  if (ctx.needs(0)) gradients[0] = conv2d_input_gradient(g, dy, ctx.gradient());
                  if (ctx.needs(1)) {
                    gradients[1] = conv2d(g, x, ctx.gradient(), Variable<T, Device>());
                  }
                  return gradients;
                });
}

template <class T, class Device>
void check_bias(const char* op, const Variable<T, Device>& bias, std::int64_t channels) {
  if (bias.defined() && bias.shape() != Shape{channels}) {
    throw ShapeError(message(op, ": bias ", bias.shape(), " must have the shape ", Shape{channels},
                             ", one value for each output channel"));
  }
}

}  // namespace detail

/// The two-dimensional cross-correlation that networks call convolution:
/// y[n, o, i, j] = bias[o] + Σ x[n, c, i·stride + a·dilation, j·stride + b·dilation] · w[o, c, a,
/// b] over the padded input. Input (n, c, h, w) or (c, h, w), weight (out, c / groups, kernel h,
/// kernel w), bias (out,) or undefined. Keeps the input only if the weight needs a gradient.
/// Without channels or pixels to sum over, the result is the bias.
///
/// Infinity or NaN in the input spreads farther than this sum says where it is computed in tiles,
/// on the Cpu to six rows and columns, or to four rows at full width; see docs/design.md. Throws
/// ShapeError or ValueError when they do not fit together.
///
///     auto y = conv2d(x, weight, bias, {.stride = 2, .padding = 1});
template <class T, class Device>
Variable<T, Device> conv2d(const Variable<T, Device>& input, const Variable<T, Device>& weight,
                           const std::type_identity_t<Variable<T, Device>>& bias = {},
                           const Conv2dOptions& options = {}) {
  detail::check_conv2d_options("conv2d", options);
  if (input.rank() == 3) return squeeze(conv2d(unsqueeze(input, 0), weight, bias, options), 0);
  if (options.padding_mode != PaddingMode::kZeros && input.rank() == 4) {
    Conv2dOptions padded = options;
    padded.padding = 0;
    padded.padding_mode = PaddingMode::kZeros;
    const auto [rows, columns] = options.padding;
    return conv2d(pad(input, {columns, columns, rows, rows}, options.padding_mode), weight, bias,
                  padded);
  }
  const Conv2dGeometry g =
      detail::conv2d_geometry("conv2d", input.shape(), weight.shape(), options);
  detail::check_bias("conv2d", bias, g.out_channels);
  return detail::conv2d(g, input, weight, bias);
}

/// The transpose of conv2d, sometimes called deconvolution: what conv2d with the same options does
/// to a gradient. Input (n, c, h, w), weight (c, out / groups, kernel h, kernel w), bias (out,) or
/// undefined; the output has (h - 1) · stride - 2 · padding + dilation · (kernel - 1) + 1 +
/// output_padding rows. Padding is with zeros. output_padding must be less than the stride.
template <class T, class Device>
Variable<T, Device> conv_transpose2d(const Variable<T, Device>& input,
                                     const Variable<T, Device>& weight,
                                     const std::type_identity_t<Variable<T, Device>>& bias = {},
                                     const Conv2dOptions& options = {}, Size2d output_padding = 0) {
  const char* const op = "conv_transpose2d";
  if (input.rank() == 3) {
    return squeeze(conv_transpose2d(unsqueeze(input, 0), weight, bias, options, output_padding), 0);
  }
  if constexpr (SixteenBits<T>) {
    if (bias.defined()) {  // which is added before the sum is rounded
      return detail::in_float<T, Device>(
          op, {input, weight, bias}, [options, output_padding](const auto& in) {
            return conv_transpose2d(in[0], in[1], in[2], options, output_padding);
          });
    }
  }
  detail::check_conv2d_options(op, options);
  if (input.rank() != 4 || weight.rank() != 4) {
    throw ShapeError(message(op, ": input ", input.shape(), " and weight ", weight.shape(),
                             " must have four dimensions"));
  }
  if (input.shape()[1] != weight.shape()[0]) {
    throw ShapeError(message(op, ": input has ", input.shape()[1], " channels but the weight ",
                             weight.shape(), " expects ", weight.shape()[0]));
  }
  if (options.padding_mode != PaddingMode::kZeros) {
    throw ValueError(message(op, ": only padding with zeros has a transpose here"));
  }
  if (output_padding.h < 0 || output_padding.w < 0 || output_padding.h >= options.stride.h ||
      output_padding.w >= options.stride.w) {
    throw ValueError(message(op, ": output_padding ", output_padding,
                             " must be less than the stride ", options.stride));
  }
  if (std::max(input.shape()[2], input.shape()[3]) > detail::kLargestStep ||
      *std::max_element(weight.shape().begin(), weight.shape().end()) > detail::kLargestStep) {
    throw ShapeError(message(op, ": input ", input.shape(), " or weight ", weight.shape(),
                             " has an extent above ", detail::kLargestStep));
  }
  const auto extent = [](std::int64_t size, std::int64_t stride, std::int64_t padding,
                         std::int64_t dilation, std::int64_t kernel, std::int64_t more) {
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + more;
  };
  const std::int64_t h = extent(input.shape()[2], options.stride.h, options.padding.h,
                                options.dilation.h, weight.shape()[2], output_padding.h);
  const std::int64_t w = extent(input.shape()[3], options.stride.w, options.padding.w,
                                options.dilation.w, weight.shape()[3], output_padding.w);
  if (h < 1 || w < 1) {
    throw ShapeError(message(op, ": the output of ", input.shape(), " with padding ",
                             options.padding, " would be empty"));
  }
  const std::int64_t channels = weight.shape()[1] * options.groups;
  const Conv2dGeometry g =
      detail::conv2d_geometry(op, {input.shape()[0], channels, h, w}, weight.shape(), options);
  detail::check_bias(op, bias, channels);
  const auto y = detail::conv2d_input_gradient(g, input, weight);
  return bias.defined() ? add(y, reshape(bias, {channels, 1, 1})) : y;
}

}  // namespace sfumato::ops
