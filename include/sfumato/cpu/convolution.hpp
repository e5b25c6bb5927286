#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/im2col.hpp"
#include "sfumato/cpu/winograd.hpp"

namespace sfumato {

namespace cpu {

enum class ConvolutionAlgorithm { kIm2col, kWinograd };

/// Which algorithm computes a convolution. Winograd's saves three quarters of the multiplications
/// but moves every value more often, which pays when each is used for enough channels; benchmarks/
/// measures both for the shapes of VGG-19.
inline ConvolutionAlgorithm choose_convolution(const Conv2dGeometry& g) {
  constexpr std::int64_t kEnoughChannels = 16;
  constexpr std::int64_t kEnoughPixels = 256;  // to be worth transforming the filters
  const bool pays = g.in_channels >= kEnoughChannels && g.out_channels >= kEnoughChannels &&
                    g.batch * g.out_h * g.out_w >= kEnoughPixels;
  return winograd_applies(g) && pays ? ConvolutionAlgorithm::kWinograd
                                     : ConvolutionAlgorithm::kIm2col;
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

}  // namespace cpu

template <class T>
void Cpu::conv2d(const Conv2dGeometry& geometry, const T* x, const T* weight, const T* bias, T* y) {
  switch (cpu::choose_convolution(geometry)) {
    case cpu::ConvolutionAlgorithm::kWinograd:
      return cpu::conv2d_winograd(geometry, x, weight, bias, y);
    case cpu::ConvolutionAlgorithm::kIm2col:
      return cpu::conv2d_im2col(geometry, x, weight, bias, y);
  }
}

template <class T>
void Cpu::conv2d_input_gradient(const Conv2dGeometry& geometry, const T* dy, const T* weight,
                                T* dx) {
  // With few input channels the gradient has few rows, and gathering patches of the many output
  // channels would cost more than the product.
  constexpr std::int64_t kFewChannels = 16;
  if (cpu::convolves_backwards(geometry) && geometry.in_channels >= kFewChannels) {
    const Tensor<T, Cpu> turned = cpu::turned_filters(geometry, weight);
    Cpu::conv2d<T>(cpu::backwards(geometry), dy, turned.data(), nullptr, dx);
  } else {
    cpu::conv2d_input_gradient_im2col(geometry, dy, weight, dx);
  }
}

template <class T>
void Cpu::conv2d_weight_gradient(const Conv2dGeometry& geometry, const T* x, const T* dy,
                                 T* dweight) {
  cpu::conv2d_weight_gradient_im2col(geometry, x, dy, dweight);
}

}  // namespace sfumato
