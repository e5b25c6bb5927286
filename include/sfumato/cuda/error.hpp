#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <cstdint>
#include <limits>
#include <string>

#include "sfumato/core/error.hpp"

namespace sfumato {

/// Something that CUDA, cuBLAS or cuDNN refused: the call, the code's name and the shapes.
class CudaError : public Error {
 public:
  using Error::Error;
};

namespace cuda {

/// Throws CudaError unless the call went well. `details` are joined only then: what it was about,
/// in words and shapes.
template <class... Details>
void check(cudaError_t status, const char* call, const Details&... details) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // or the next call would report this error again
  throw CudaError(
      message(call, ": ", cudaGetErrorName(status), ", ", cudaGetErrorString(status), details...));
}

template <class... Details>
void check(cublasStatus_t status, const char* call, const Details&... details) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw CudaError(message(call, ": ", cublasGetStatusName(status), ", ",
                          cublasGetStatusString(status), details...));
}

template <class... Details>
void check(cudnnStatus_t status, const char* call, const Details&... details) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw CudaError(message(call, ": ", cudnnGetErrorString(status), " from cuDNN ",
                          cudnnGetVersion(), details...));
}

/// A number that cuBLAS or cuDNN takes as an int. Throws CudaError when it is too large for one.
template <class... Details>
int to_int(std::int64_t value, const char* call, const Details&... details) {
  if (value > std::numeric_limits<int>::max()) {
    throw CudaError(message(call, ": ", value, " is more than the library can count to", details...,
                            "; split the work into smaller parts"));
  }
  return static_cast<int>(value);
}

}  // namespace cuda
}  // namespace sfumato
