#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "sfumato/core/error.hpp"
#include "sfumato/core/geometry.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/matrix_view.hpp"
#include "sfumato/cpu/vectors/avx2.hpp"
#include "sfumato/cpu/vectors/avx512.hpp"
#include "sfumato/cpu/winograd_points.hpp"
#include "sfumato/cpu/winograd_tiling.hpp"

namespace sfumato::cpu {

inline constexpr std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// What is computed faster for float where the processor has vectors; each function does what the
/// portable one of the same name does.
struct VectorKernels {
  const char* name;    ///< of the instruction set
  std::int64_t lanes;  ///< floats of a vector
  void (*multiply_block)(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const float> a,
                         MatrixView<const float> b, MatrixView<float> c, bool accumulate,
                         bool symmetric);
  void (*relu_run)(std::int64_t count, const float* x, float* y, std::uint8_t* bits);
  void (*gate_run)(std::int64_t count, const float* x, const std::uint8_t* bits, float* y);
  void (*max_pool2d_row)(const Pool2dGeometry& g, std::int64_t out_row, const float* plane,
                         float* y, std::int32_t* indices);
  void (*max_pool2d_scatter_row)(const Pool2dGeometry& g, std::int64_t out_row, const float* dy,
                                 const std::int32_t* indices, float* plane);
  /// A 3 × 3 convolution by Winograd's algorithm.
  void (*convolve)(const Convolution& task, const WinogradPlan& plan);
};

}  // namespace sfumato::cpu

#ifdef SFUMATO_VECTORS
#define SFUMATO_NAMESPACE avx2
#define SFUMATO_TARGET SFUMATO_AVX2
#include "sfumato/cpu/vectors/kernels.inc"
#undef SFUMATO_NAMESPACE
#undef SFUMATO_TARGET
#define SFUMATO_NAMESPACE avx512
#define SFUMATO_TARGET SFUMATO_AVX512
#include "sfumato/cpu/vectors/kernels.inc"
#undef SFUMATO_NAMESPACE
#undef SFUMATO_TARGET
#endif

namespace sfumato::cpu {

/// The kernels for this processor's best vectors, or null where there are none. The environment
/// variable SFUMATO_VECTORS, "avx2" or "none", lowers the choice.
inline const VectorKernels* vector_kernels() {
#ifdef SFUMATO_VECTORS
  static const VectorKernels* const kernels = []() -> const VectorKernels* {
    const char* const variable = std::getenv("SFUMATO_VECTORS");
    const std::string_view most = variable == nullptr ? "avx512" : variable;
    if (most == "avx512" && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      return &avx512::kKernels;
    }
    if (most != "none" && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      return &avx2::kKernels;
    }
    return nullptr;
  }();
  return kernels;
#else
  return nullptr;
#endif
}

}  // namespace sfumato::cpu
