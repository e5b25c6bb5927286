// vector_kernels() for sfumato::kernels. Apart from the Cpu device's functions, so that a program
// may bring kernels of its own.

#ifndef SFUMATO_COMPILED_KERNELS
#define SFUMATO_COMPILED_KERNELS
#endif

#include "sfumato/cpu/kernels/choose_kernels.hpp"
#include "sfumato/cpu/kernels/kernels.hpp"

const sfumato::cpu::VectorKernels* sfumato::cpu::vector_kernels() {
  return chosen_kernels();
}
