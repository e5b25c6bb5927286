#pragma once

#include <concepts>
#include <cstdint>

#include "sfumato/core/geometry.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/cpu/kernels/convolution_task.hpp"
#include "sfumato/cpu/kernels/matrix_view.hpp"
#include "sfumato/cpu/kernels/winograd_tiling.hpp"

namespace sfumato::cpu {

// Tables of kernels, each apart, so that a program compiles what it uses. S is what tensors are
// stored in, float or BFloat16.

/// Products of matrices of floats.
struct MatrixKernels {
  void (*multiply_block)(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const float> a,
                         MatrixView<const float> b, MatrixView<float> c, bool accumulate,
                         bool symmetric);
};

template <class S>
struct ElementKernels {
  void (*relu_run)(std::int64_t count, const S* x, S* y, std::uint8_t* bits);
  void (*gate_run)(std::int64_t count, const S* x, const std::uint8_t* bits, S* y);
  void (*max_pool2d_row)(const Pool2dGeometry& g, std::int64_t out_row, const S* plane, S* y,
                         std::uint8_t* places);
  void (*max_pool2d_scatter_row)(const Pool2dGeometry& g, std::int64_t out_row, const S* dy,
                                 const std::uint8_t* places, S* plane);
};

template <class S>
struct ConvolutionKernels {
  std::int64_t lanes;  ///< floats of a vector
  /// A 3 × 3 convolution by Winograd's algorithm.
  void (*convolve_by_winograd)(const Convolution<S>& task, const WinogradPlan& plan);
  /// The same by sums of products.
  void (*convolve_directly)(const Convolution<S>& task);
  /// The same by the processor's matrix instructions; null unless it has any.
  void (*convolve_by_matrices)(const Convolution<S>& task);
};

/// Gradients of convolutions with respect to their filters.
struct WeightGradientKernels {
  /// dweight from x and dy, by Winograd's algorithm, where winograd_applies().
  void (*by_winograd)(const Conv2dGeometry& g, const float* x, const float* dy, float* dweight);
};

/// The element types that there are kernels for.
template <class T>
concept HasKernels = std::same_as<T, float> || std::same_as<T, BFloat16>;

}  // namespace sfumato::cpu
