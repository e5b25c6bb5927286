// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_ALL_KERNELS) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_ALL_KERNELS
#undef SFUMATO_CPU_KERNELS_ALL_KERNELS
#else
#define SFUMATO_CPU_KERNELS_ALL_KERNELS
#endif

#include <type_traits>

#include "sfumato/cpu/kernels/direct.hpp"
#include "sfumato/cpu/kernels/gemm.hpp"
#include "sfumato/cpu/kernels/kernel_table.hpp"
#include "sfumato/cpu/kernels/pooling.hpp"
#include "sfumato/cpu/kernels/rectify.hpp"
#include "sfumato/cpu/kernels/target.hpp"
#include "sfumato/cpu/kernels/winograd.hpp"
#include "sfumato/cpu/kernels/winograd_gradient.hpp"

/// The kernels of a target.
namespace sfumato::cpu::SFUMATO_NAMESPACE {

constexpr MatrixKernels make(std::type_identity<MatrixKernels>) {
  return {.multiply_block = multiply_block};
}
template <class S>
constexpr ElementKernels<S> make(std::type_identity<ElementKernels<S>>) {
  return {.relu_run = relu_run<S>,
          .gate_run = gate_run<S>,
          .max_pool2d_row = max_pool2d_row<S>,
          .max_pool2d_scatter_row = max_pool2d_scatter_row<S>};
}
template <class S>
constexpr ConvolutionKernels<S> make(std::type_identity<ConvolutionKernels<S>>) {
  return {.lanes = kLanes,
          .convolve_by_winograd = convolve_by_winograd<S>,
          .convolve_directly = convolve_directly<S>,
          .convolve_by_matrices = nullptr};
}
constexpr WeightGradientKernels make(std::type_identity<WeightGradientKernels>) {
  return {.by_winograd = weight_gradient_by_winograd};
}

template <class Table>
inline constexpr Table kKernels = make(std::type_identity<Table>());

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
