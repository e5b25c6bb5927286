#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <utility>

#include "sfumato/core/division.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/half.hpp"
#include "sfumato/cpu/im2col.hpp"
#include "sfumato/cpu/kernels/kernels.hpp"
#include "sfumato/cpu/options.hpp"
#include "sfumato/cpu/rectify.hpp"

namespace sfumato {

namespace cpu {

enum class ConvolutionAlgorithm { kIm2col, kWinograd, kDirect, kMatrixInstructions };

/// Whether matrix instructions may be used and have enough to do. In float they take 64 channels at
/// a time of 16 neighbouring pixels, and their whole numbers have room for the sums of so many
/// channels.
template <class T>
bool suits_matrices(const Conv2dGeometry& g) {
  constexpr std::int64_t kMostChannels = 8192;
  return SixteenBits<T> || (!options().exact && std::min(g.in_channels, g.out_channels) >= 64 &&
                            g.out_w >= 12 && g.in_channels <= kMostChannels);
}

inline constexpr std::int64_t kFewChannels = 8;  ///< on either side of a convolution

/// Whether Winograd's algorithm is faster than one product. It saves three quarters of the
/// multiplications but moves every value more often, which pays when each is used for enough
/// channels, and transforms the filters in every call, which pays when there are enough pixels, in
/// images that are not much smaller than its tiles.
inline bool suits_winograd(const Conv2dGeometry& g) {
  constexpr std::int64_t kFewPixels = 64;
  constexpr std::int64_t kFilterTiles = 3;  // whose products take as long as preparing filters
  const std::int64_t pixels = g.batch * g.out_h * g.out_w;
  const std::int64_t tiles = g.batch * ceil_div(g.out_h, 4) * ceil_div(g.out_w, 4);
  return winograd_applies(g) && std::min(g.in_channels, g.out_channels) > kFewChannels &&
         pixels >= kFewPixels && 4 * (tiles + kFilterTiles) < pixels;
}

/// Which algorithm computes a convolution of elements of type T. With few channels plain sums of
/// vectors are faster than Winograd's, and with many, matrix instructions. benchmarks/ measures all
/// of them for the shapes of VGG-19.
template <class T>
ConvolutionAlgorithm choose_convolution(const Conv2dGeometry& g) {
  if constexpr (HasKernels<T>) {
    if (!winograd_applies(g)) return ConvolutionAlgorithm::kIm2col;
    if (std::min(g.in_channels, g.out_channels) <= kFewChannels) {
      return ConvolutionAlgorithm::kDirect;
    }
    if (kernels<ConvolutionKernels<T>>().convolve_by_matrices != nullptr && suits_matrices<T>(g)) {
      return ConvolutionAlgorithm::kMatrixInstructions;
    }
    if (suits_winograd(g)) return ConvolutionAlgorithm::kWinograd;
  }
  return ConvolutionAlgorithm::kIm2col;
}

/// The convolution whose forward pass is the input gradient of `g`: outputs and inputs change
/// places. Valid where convolves_backwards() is true.
inline Conv2dGeometry backwards(const Conv2dGeometry& g) {
  Conv2dGeometry b = g;
  std::swap(b.in_channels, b.out_channels);
  std::swap(b.in_h, b.out_h);
  std::swap(b.in_w, b.out_w);
  b.padding_h = g.dilation_h * (g.kernel_h - 1) - g.padding_h;
  b.padding_w = g.dilation_w * (g.kernel_w - 1) - g.padding_w;
  return b;
}

/// With a stride of one, the input gradient is a convolution with the filters turned by 180°.
inline bool convolves_backwards(const Conv2dGeometry& g) {
  const Conv2dGeometry b = backwards(g);
  return g.stride_h == 1 && g.stride_w == 1 && b.padding_h >= 0 && b.padding_w >= 0;
}

/// The filters with input and output channels exchanged (within groups) and turned by 180°.
template <class T>
Tensor<T, Cpu> turned_filters(const Conv2dGeometry& g, const T* weight) {
  const GroupSizes sizes(g);
  const std::int64_t taps = g.kernel_h * g.kernel_w;
  auto turned = Tensor<T, Cpu>::empty({g.in_channels * sizes.out_channels * taps});
  parallel_for(g.in_channels, 8, [&](std::int64_t begin, std::int64_t end) {
    T* out = turned.data() + begin * sizes.out_channels * taps;
    for (std::int64_t channel = begin; channel < end; ++channel) {
      const std::int64_t group = channel / sizes.in_channels;
      for (std::int64_t o = 0; o < sizes.out_channels; ++o, out += taps) {
        const T* filter = weight + ((group * sizes.out_channels + o) * sizes.in_channels +
                                    channel % sizes.in_channels) *
                                       taps;
        std::reverse_copy(filter, filter + taps, out);
      }
    }
  });
  return turned;
}

/// Calls `function(weights)` with the filters in what T is computed in.
template <class T, class Function>
void with_wide_filters(const Conv2dGeometry& g, const T* weight, const Function& function) {
  if constexpr (SixteenBits<T>) {
    const auto wide = in_float(g.weight_elements(), weight);
    function(wide.data());
  } else {
    function(weight);
  }
}

/// Computes `task` by the vector kernels, if `algorithm` is one of theirs, and says whether it is.
template <class T>
bool convolve_in_vectors(ConvolutionAlgorithm algorithm, const Convolution<T>& task) {
  switch (algorithm) {
    case ConvolutionAlgorithm::kMatrixInstructions:
      kernels<ConvolutionKernels<T>>().convolve_by_matrices(task);
      return true;
    case ConvolutionAlgorithm::kDirect:
      kernels<ConvolutionKernels<T>>().convolve_directly(task);
      return true;
    case ConvolutionAlgorithm::kWinograd:
      kernels<ConvolutionKernels<T>>().convolve_by_winograd(
          task, plan_winograd(task.g, kernels<ConvolutionKernels<T>>().lanes));
      return true;
    default:
      return false;
  }
}

/// y, and where it is positive if `relu`: conv2d and conv2d_relu.
template <class T>
void convolve(const Conv2dGeometry& g, const T* x, const T* weight, const T* bias, T* y, bool relu,
              std::uint8_t* positive) {
  if constexpr (HasKernels<T>) {
    if (convolve_in_vectors<T>(choose_convolution<T>(g), {.g = g,
                                                          .x = x,
                                                          .filters = forward_filters(g, weight),
                                                          .bias = bias,
                                                          .y = y,
                                                          .relu = relu,
                                                          .positive = positive})) {
      return;
    }
  }
  with_wide_filters(g, weight,
                    [&](const Compute<T>* filters) { conv2d_im2col(g, x, filters, bias, y); });
  if (relu) Cpu::relu(output_rows(g), y, y, positive);
}

/// dx of dy, or of dy where the bits of `mask` are set: conv2d_input_gradient and its companion.
template <class T>
void convolve_backwards(const Conv2dGeometry& g, const T* dy, const std::uint8_t* mask,
                        const T* weight, T* dx) {
  // With few input channels the gradient has few rows, and gathering patches of the many output
  // channels would cost more than the product; with few pixels, turning the filters would.
  constexpr std::int64_t kEnoughRows = 16;
  const bool backwards_pays = convolves_backwards(g) && g.in_channels >= kEnoughRows &&
                              g.batch * g.out_h * g.out_w > g.out_channels / g.groups;
  if constexpr (HasKernels<T>) {
    const Conv2dGeometry b = backwards(g);
    if (convolves_backwards(g) &&
        convolve_in_vectors<T>(
            choose_convolution<T>(b),
            {.g = b, .x = dy, .mask = mask, .filters = backward_filters(g, weight), .y = dx})) {
      return;
    }
  }
  Tensor<T, Cpu> passed;
  if (mask != nullptr) {
    passed = Tensor<T, Cpu>::empty({g.batch, g.out_channels, g.out_h, g.out_w});
    Cpu::gate(output_rows(g), dy, mask, passed.data());
    dy = passed.data();
  }
  if (backwards_pays) {
    const Tensor<T, Cpu> turned = turned_filters(g, weight);
    convolve<T>(backwards(g), dy, turned.data(), nullptr, dx, false, nullptr);
  } else {
    with_wide_filters(g, weight, [&](const Compute<T>* filters) {
      if constexpr (SixteenBits<T>) {
        store_rounded(g.batch * g.in_channels * g.in_h * g.in_w, dx,
                      [&](float* out) { conv2d_input_gradient_im2col(g, dy, filters, out); });
      } else {
        conv2d_input_gradient_im2col(g, dy, filters, dx);
      }
    });
  }
}

}  // namespace cpu

template <class T>
void Cpu::conv2d(const Conv2dGeometry& geometry, const T* x, const T* weight, const T* bias, T* y) {
  cpu::convolve(geometry, x, weight, bias, y, false, nullptr);
}

template <class T>
void Cpu::conv2d_relu(const Conv2dGeometry& geometry, const T* x, const T* weight, const T* bias,
                      T* y, std::uint8_t* bits) {
  cpu::convolve(geometry, x, weight, bias, y, true, bits);
}

template <class T>
void Cpu::conv2d_input_gradient(const Conv2dGeometry& geometry, const T* dy, const T* weight,
                                T* dx) {
  cpu::convolve_backwards(geometry, dy, nullptr, weight, dx);
}

template <class T>
void Cpu::conv2d_relu_input_gradient(const Conv2dGeometry& geometry, const T* dy,
                                     const std::uint8_t* bits, const T* weight, T* dx) {
  cpu::convolve_backwards(geometry, dy, bits, weight, dx);
}

template <class T>
void Cpu::conv2d_weight_gradient(const Conv2dGeometry& geometry, const T* x, const T* dy,
                                 T* dweight) {
  if constexpr (SixteenBits<T>) {
    const Conv2dGeometry& g = geometry;
    const auto wide_x = cpu::in_float(g.batch * g.in_channels * g.in_h * g.in_w, x);
    const auto wide_dy = cpu::in_float(g.batch * g.out_channels * g.out_h * g.out_w, dy);
    cpu::store_rounded(g.weight_elements(), dweight, [&](float* out) {
      conv2d_weight_gradient(g, wide_x.data(), wide_dy.data(), out);
    });
  } else {
    if constexpr (std::same_as<T, float>) {
      if (cpu::suits_winograd(geometry)) {
        return cpu::kernels<cpu::WeightGradientKernels>().by_winograd(geometry, x, dy, dweight);
      }
    }
    cpu::conv2d_weight_gradient_im2col(geometry, x, dy, dweight);
  }
}

}  // namespace sfumato
