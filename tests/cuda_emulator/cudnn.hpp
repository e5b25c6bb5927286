#pragma once

// What cuDNN's handles and descriptors are made of.

#include <cudnn.h>

#include <cstdint>
#include <optional>

#include "call.hpp"
#include "convolution.hpp"
#include "numbers.hpp"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

struct cudnnTensorStruct {
  bool set = false;
  cudnnDataType_t type{};
  std::int64_t n = 0, c = 0, h = 0, w = 0;
  std::int64_t count() const { return n * c * h * w; }
};

struct cudnnFilterStruct {
  bool set = false;
  cudnnDataType_t type{};
  std::int64_t k = 0, c = 0, h = 0, w = 0;
  std::int64_t count() const { return k * c * h * w; }
};

struct cudnnConvolutionStruct {
  bool set = false;
  std::int64_t padding_h = 0, padding_w = 0, stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1, groups = 1;
  cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

struct cudnnActivationStruct {
  bool set = false;
  cudnnActivationMode_t mode = CUDNN_ACTIVATION_RELU;
  cudnnNanPropagation_t nan = CUDNN_NOT_PROPAGATE_NAN;
};

namespace emulator {

inline constexpr const char* kCudnnHandle = "cuDNN handle";
inline constexpr const char* kTensorDescriptor = "cuDNN tensor descriptor";
inline constexpr const char* kFilterDescriptor = "cuDNN filter descriptor";
inline constexpr const char* kConvolutionDescriptor = "cuDNN convolution descriptor";
inline constexpr const char* kActivationDescriptor = "cuDNN activation descriptor";

/// Records the violation, keeps it for cudnnGetLastErrorString, and is the status.
cudnnStatus_t refuse(cudnnStatus_t status, const std::string& why);

template <class Body>
cudnnStatus_t cudnn_call(const char* call, cudnnHandle_t handle, const Body& body) {
  return library_call(call, CUDNN_STATUS_EXECUTION_FAILED, [&] {
    if (!handle_alive(call, handle, kCudnnHandle)) return CUDNN_STATUS_NOT_INITIALIZED;
    return body();
  });
}

/// Whether the descriptor lives and was given its values; if not, records a violation.
template <class Descriptor>
bool described(const char* call, const Descriptor* descriptor, const char* kind) {
  if (!handle_alive(call, descriptor, kind)) return false;
  if (descriptor->set) return true;
  violation(call, ": the ", kind, " was never set");
  return false;
}

/// The type of a tensor's elements, if it is emulated.
std::optional<Number> number_of(cudnnDataType_t type);

/// A convolution with its operands, as three calls describe it each in its way.
struct Described {
  Convolution geometry;
  Number type;
  bool tf32 = false;  ///< inputs are rounded as tensor cores do
  std::size_t element() const { return bytes_of(type); }
};

/// Checks that the descriptors fit together.
cudnnStatus_t describe(const char* call, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t filters,
                       cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y,
                       Described& described);

/// What there is to know of an algorithm for a convolution.
struct Algorithm {
  bool supported;
  std::size_t workspace;
  bool deterministic;
};
Algorithm about(const Described& d, cudnnConvolutionFwdAlgo_t algorithm);
Algorithm about(const Described& d, cudnnConvolutionBwdDataAlgo_t algorithm);
Algorithm about(const Described& d, cudnnConvolutionBwdFilterAlgo_t algorithm);

}  // namespace emulator
