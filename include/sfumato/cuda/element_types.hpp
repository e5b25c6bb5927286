#pragma once

#include <cublas_v2.h>
#include <cudnn.h>

#include <concepts>

#include "sfumato/core/half.hpp"

/// What NVIDIA's libraries call our element types, and what sums of them are computed in.
namespace sfumato::cuda {

template <Real T>
inline constexpr cudnnDataType_t kCudnnType = std::same_as<T, double>  ? CUDNN_DATA_DOUBLE
                                              : std::same_as<T, Half>  ? CUDNN_DATA_HALF
                                              : std::same_as<T, float> ? CUDNN_DATA_FLOAT
                                                                       : CUDNN_DATA_BFLOAT16;

template <Real T>
inline constexpr cudaDataType_t kCublasType = std::same_as<T, double>  ? CUDA_R_64F
                                              : std::same_as<T, Half>  ? CUDA_R_16F
                                              : std::same_as<T, float> ? CUDA_R_32F
                                                                       : CUDA_R_16BF;

/// Whether cuDNN's type has 16 bits: it may go to tensor cores, which lose nothing of it.
constexpr bool has_sixteen_bits(cudnnDataType_t type) {
  return type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16;
}

/// cuDNN's type for sums of that type.
constexpr cudnnDataType_t compute_type(cudnnDataType_t type) {
  return type == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
}

}  // namespace sfumato::cuda
