#pragma once

#include "sfumato/cpu/convolution.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/gemm.hpp"
#include "sfumato/cpu/pooling.hpp"
#include "sfumato/cpu/rectify.hpp"

// The functions of the Cpu device that take a compiler long, for elements of type T: declared where
// Extern is `extern`, compiled where it is nothing.
#define SFUMATO_CPU_INSTANCES(Extern, T)                                                           \
  Extern template void Cpu::gemm(const GemmGeometry&, const T*, const T*, T*);                     \
  Extern template void Cpu::conv2d(const Conv2dGeometry&, const T*, const T*, const T*, T*);       \
  Extern template void Cpu::conv2d_input_gradient(const Conv2dGeometry&, const T*, const T*, T*);  \
  Extern template void Cpu::conv2d_weight_gradient(const Conv2dGeometry&, const T*, const T*, T*); \
  Extern template void Cpu::relu(const BitRows&, const T*, T*, std::uint8_t*);                     \
  Extern template void Cpu::gate(const BitRows&, const T*, const std::uint8_t*, T*);               \
  Extern template void Cpu::conv2d_relu(const Conv2dGeometry&, const T*, const T*, const T*, T*,   \
                                        std::uint8_t*);                                            \
  Extern template void Cpu::conv2d_relu_input_gradient(const Conv2dGeometry&, const T*,            \
                                                       const std::uint8_t*, const T*, T*);         \
  Extern template void Cpu::max_pool2d(const Pool2dGeometry&, const T*, T*, std::uint8_t*);        \
  Extern template void Cpu::max_pool2d_scatter(const Pool2dGeometry&, const T*,                    \
                                               const std::uint8_t*, T*);                           \
  Extern template void Cpu::max_pool2d_gather(const Pool2dGeometry&, const T*,                     \
                                              const std::uint8_t*, T*);                            \
  Extern template void Cpu::avg_pool2d(const Pool2dGeometry&, const T*, T*);                       \
  Extern template void Cpu::avg_pool2d_gradient(const Pool2dGeometry&, const T*, T*);
