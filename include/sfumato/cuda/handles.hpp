#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <utility>

#include "sfumato/cuda/error.hpp"

namespace sfumato::cuda {

/// Owns something that CUDA makes and destroys by a handle. Empty by default.
template <class T, auto Destroy>
class Handle {
 public:
  using value_type = T;

  Handle() = default;
  explicit Handle(T handle) : handle_(handle) {}
  Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, T{})) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Handle() {
    // A failure to destroy leaves nothing to do: it repeats an error that a call before it
    // reported.
    if (handle_ != T{}) (void)Destroy(handle_);
  }

  T get() const { return handle_; }

 private:
  T handle_{};
};

using Stream = Handle<cudaStream_t, cudaStreamDestroy>;
using Event = Handle<cudaEvent_t, cudaEventDestroy>;
using MemoryPool = Handle<cudaMemPool_t, cudaMemPoolDestroy>;
using Graph = Handle<cudaGraph_t, cudaGraphDestroy>;
using GraphExecutable = Handle<cudaGraphExec_t, cudaGraphExecDestroy>;
using Cublas = Handle<cublasHandle_t, cublasDestroy>;
using Cudnn = Handle<cudnnHandle_t, cudnnDestroy>;
using TensorDescriptor = Handle<cudnnTensorDescriptor_t, cudnnDestroyTensorDescriptor>;
using FilterDescriptor = Handle<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor>;
using ConvolutionDescriptor =
    Handle<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor>;
using ActivationDescriptor = Handle<cudnnActivationDescriptor_t, cudnnDestroyActivationDescriptor>;

/// A handle made by `create(&handle, arguments...)`. Throws CudaError, naming `call`.
template <class Owner, class Create, class... Arguments>
Owner make(const char* call, Create create, Arguments... arguments) {
  typename Owner::value_type handle{};
  check(create(&handle, arguments...), call);
  return Owner(handle);
}

}  // namespace sfumato::cuda
