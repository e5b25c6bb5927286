#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sfumato/core/backend.hpp"
#include "sfumato/core/pool.hpp"
#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/launch.hpp"

namespace sfumato {

namespace cuda {
class CapturedStep;
}

/// An NVIDIA GPU, through cuDNN, cuBLAS and kernels of our own. Everything runs in one stream, in
/// the order of the calls, and no call waits for it but copy_to_host. The functions are defined by
/// family in map.hpp, reduce.hpp, gemm.hpp, rectify.hpp, convolution.hpp and pooling.hpp beside
/// this file; core/backend.hpp says what each must do. Failures throw CudaError.
struct Cuda {
  static constexpr const char* kName = "cuda";
  static constexpr bool kHostAccessible = false;

  /// How work is captured and run again; see core/repeat.hpp.
  using CapturedStep = cuda::CapturedStep;

  static void* allocate(std::size_t bytes) { return cuda::Context::current().allocate(bytes); }
  static void free(void* memory) { cuda::Context::current().free(memory); }
  static void copy(void* target, const void* source, std::size_t bytes) {
    copy_memory(target, source, bytes, cudaMemcpyDeviceToDevice);
  }
  /// The source may be changed as soon as this returns, as CUDA has taken a copy of it, unless its
  /// memory is page-locked or managed: then after synchronize().
  static void copy_from_host(void* target, const void* source, std::size_t bytes) {
    cuda::Context::current().forbid_in_capture("copy from the host");
    copy_memory(target, source, bytes, cudaMemcpyHostToDevice);
  }
  /// Waits for all that has been launched before.
  static void copy_to_host(void* target, const void* source, std::size_t bytes) {
    cuda::Context::current().forbid_in_capture("copy to the host");
    copy_memory(target, source, bytes, cudaMemcpyDeviceToHost);
    cuda::Context::current().synchronize();
  }

  /// What the pool's message about too little memory adds.
  static std::string memory_note() { return cuda::Context::current().memory_note(); }

  template <class Function, class Result, class... T>
  static void map(const Function& function, const Shape& shape, Strided<Result> target,
                  Strided<const T>... inputs);

  template <class Reduction, class T, class Out>
  static void reduce(const Reduction& reduction, const Shape& kept, const Shape& reduced, Out* out,
                     const T* in, const Strides& kept_strides, const Strides& reduced_strides);

  template <class T>
  static void gemm(const GemmGeometry& geometry, const T* a, const T* b, T* c);

  template <class T>
  static void conv2d(const Conv2dGeometry& geometry, const T* x, const T* weight, const T* bias,
                     T* y);
  template <class T>
  static void conv2d_input_gradient(const Conv2dGeometry& geometry, const T* dy, const T* weight,
                                    T* dx);
  template <class T>
  static void conv2d_weight_gradient(const Conv2dGeometry& geometry, const T* x, const T* dy,
                                     T* dweight);

  template <class T>
  static void relu(const BitRows& rows, const T* x, T* y, std::uint8_t* bits);
  template <class T>
  static void gate(const BitRows& rows, const T* x, const std::uint8_t* bits, T* y);

  template <class T>
  static void conv2d_relu(const Conv2dGeometry& geometry, const T* x, const T* weight,
                          const T* bias, T* y, std::uint8_t* bits);
  template <class T>
  static void conv2d_relu_input_gradient(const Conv2dGeometry& geometry, const T* dy,
                                         const std::uint8_t* bits, const T* weight, T* dx);

  template <class T, class Place>
  static void max_pool2d(const Pool2dGeometry& geometry, const T* x, T* y, Place* places);
  template <class T, class Place>
  static void max_pool2d_scatter(const Pool2dGeometry& geometry, const T* dy, const Place* places,
                                 T* dx);
  template <class T, class Place>
  static void max_pool2d_gather(const Pool2dGeometry& geometry, const T* x, const Place* places,
                                T* y);
  template <class T>
  static void avg_pool2d(const Pool2dGeometry& geometry, const T* x, T* y);
  template <class T>
  static void avg_pool2d_gradient(const Pool2dGeometry& geometry, const T* dy, T* dx);

 private:
  static void copy_memory(void* target, const void* source, std::size_t bytes,
                          cudaMemcpyKind kind) {
    if (bytes == 0) return;
    cuda::check(cudaMemcpyAsync(target, source, bytes, kind, cuda::Context::current().stream()),
                "cudaMemcpyAsync", " of ", bytes, " bytes");
  }
};

}  // namespace sfumato
