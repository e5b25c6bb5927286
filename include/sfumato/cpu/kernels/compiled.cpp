// kernels() for sfumato::kernels. Apart from the Cpu device's functions, so that a program may
// bring kernels of its own.

#ifndef SFUMATO_COMPILED_KERNELS
#define SFUMATO_COMPILED_KERNELS
#endif

#include "sfumato/core/half.hpp"
#include "sfumato/cpu/kernels/choose_kernels.hpp"
#include "sfumato/cpu/kernels/kernels.hpp"

namespace sfumato::cpu {

template <class Table>
const Table& kernels() {
  return chosen_kernels<Table>();
}

template const MatrixKernels& kernels();
template const ElementKernels<float>& kernels();
template const ElementKernels<BFloat16>& kernels();
template const ConvolutionKernels<float>& kernels();
template const ConvolutionKernels<BFloat16>& kernels();
template const WeightGradientKernels& kernels();

}  // namespace sfumato::cpu
