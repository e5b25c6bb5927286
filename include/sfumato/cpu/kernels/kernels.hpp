#pragma once

#include "sfumato/cpu/kernels/kernel_table.hpp"

// The kernels take a compiler some seconds. A program of many files may have them compiled once, by
// linking sfumato::kernels, which defines this macro.
#ifndef SFUMATO_COMPILED_KERNELS
#include "sfumato/cpu/kernels/choose_kernels.hpp"
#endif

namespace sfumato::cpu {

/// The kernels for the best vectors that this processor has and options() allow.
#ifdef SFUMATO_COMPILED_KERNELS
const VectorKernels* vector_kernels();
#else
inline const VectorKernels* vector_kernels() {
  return chosen_kernels();
}
#endif

/// The same for tensors of T.
template <class T>
const TensorKernels<T>* tensor_kernels() requires HasTensorKernels<T> {
  if constexpr (std::same_as<T, float>) {
    return &vector_kernels()->float32;
  } else {
    return &vector_kernels()->bfloat16;
  }
}

}  // namespace sfumato::cpu
