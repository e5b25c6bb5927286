#pragma once

#include <cstdint>

#include "sfumato/core/geometry.hpp"
#include "sfumato/cpu/matrix_view.hpp"
#include "sfumato/cpu/winograd_tiling.hpp"

namespace sfumato::cpu {

/// What is computed faster for float where the processor has vectors; each function does what the
/// portable one of the same name does.
struct VectorKernels {
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
