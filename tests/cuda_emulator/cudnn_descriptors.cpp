// cuDNN: its handle, its descriptors, its errors.

#include <algorithm>
#include <cstring>

#include "cudnn.hpp"

using namespace emulator;

namespace {

std::string& last_error() {
  static auto* const text = new std::string();
  return *text;
}

template <class Descriptor>
cudnnStatus_t create(const char* call, Descriptor** descriptor, const char* kind) {
  return library_call(call, CUDNN_STATUS_INTERNAL_ERROR, [&] {
    if (descriptor == nullptr) return CUDNN_STATUS_BAD_PARAM;
    *descriptor = new Descriptor();
    handle_created(*descriptor, kind);
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t destroy(const char* call, const void* descriptor, const char* kind) {
  return library_call(call, CUDNN_STATUS_INTERNAL_ERROR, [&] {
    return handle_destroyed(call, descriptor, kind) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
  });
}

/// body() with a live descriptor.
template <class Body>
cudnnStatus_t set(const char* call, const void* descriptor, const char* kind, const Body& body) {
  return library_call(call, CUDNN_STATUS_INTERNAL_ERROR, [&] {
    if (!handle_alive(call, descriptor, kind)) return CUDNN_STATUS_BAD_PARAM;
    return body();
  });
}

cudnnStatus_t check_sizes(const char* call, cudnnTensorFormat_t format, cudnnDataType_t type,
                          std::initializer_list<std::int64_t> sizes) {
  if (format != CUDNN_TENSOR_NCHW) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, text(call, ": only NCHW is emulated"));
  }
  if (!number_of(type)) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, text(call, ": data type ", type, " is not emulated"));
  }
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) {
    if (size < 1) return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": an extent is ", size));
    count *= size;
    if (count >= std::int64_t{1} << 31) {
      // Not the caller's fault: the library has this limit.
      return CUDNN_STATUS_NOT_SUPPORTED;
    }
  }
  return CUDNN_STATUS_SUCCESS;
}

struct StatusName {
  cudnnStatus_t status;
  const char* name;
};
constexpr StatusName kStatuses[] = {
    {CUDNN_STATUS_SUCCESS, "CUDNN_STATUS_SUCCESS"},
    {CUDNN_STATUS_NOT_INITIALIZED, "CUDNN_STATUS_NOT_INITIALIZED"},
    {CUDNN_STATUS_BAD_PARAM, "CUDNN_STATUS_BAD_PARAM"},
    {CUDNN_STATUS_NOT_SUPPORTED, "CUDNN_STATUS_NOT_SUPPORTED"},
    {CUDNN_STATUS_INTERNAL_ERROR, "CUDNN_STATUS_INTERNAL_ERROR"},
    {CUDNN_STATUS_ALLOC_FAILED, "CUDNN_STATUS_ALLOC_FAILED"},
    {CUDNN_STATUS_EXECUTION_FAILED, "CUDNN_STATUS_EXECUTION_FAILED"},
};

}  // namespace

namespace emulator {

std::optional<Number> number_of(cudnnDataType_t type) {
  switch (type) {
    case CUDNN_DATA_FLOAT:
      return Number::kFloat;
    case CUDNN_DATA_DOUBLE:
      return Number::kDouble;
    case CUDNN_DATA_HALF:
      return Number::kHalf;
    case CUDNN_DATA_BFLOAT16:
      return Number::kBFloat16;
    default:
      return std::nullopt;
  }
}

cudnnStatus_t refuse(cudnnStatus_t status, const std::string& why) {
  violation(why);
  last_error() = why;
  return status;
}

}  // namespace emulator

const char* cudnnGetErrorString(cudnnStatus_t status) {
  const auto* const found =
      std::find_if(std::begin(kStatuses), std::end(kStatuses),
                   [&](const StatusName& entry) { return entry.status == status; });
  return found == std::end(kStatuses) ? "CUDNN_UNKNOWN_STATUS" : found->name;
}

void cudnnGetLastErrorString(char* message, size_t size) {
  const std::lock_guard lock(big_lock());
  if (message == nullptr || size == 0) return;
  const std::size_t length = std::min(size - 1, last_error().size());
  std::memcpy(message, last_error().data(), length);
  message[length] = '\0';
}

size_t cudnnGetVersion() {
  return CUDNN_VERSION;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  return library_call("cudnnCreate", CUDNN_STATUS_INTERNAL_ERROR, [&] {
    if (handle == nullptr) return CUDNN_STATUS_BAD_PARAM;
    if (device_count() == 0 || spoils("cudnnCreate", capture_of_this_thread())) {
      return CUDNN_STATUS_NOT_INITIALIZED;
    }
    *handle = new cudnnContext();
    handle_created(*handle, kCudnnHandle);
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  return destroy("cudnnDestroy", handle, kCudnnHandle);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  return cudnn_call("cudnnSetStream", handle, [&] {
    if (!stream_alive("cudnnSetStream", stream)) return CUDNN_STATUS_BAD_PARAM;
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) {
  return create("cudnnCreateTensorDescriptor", descriptor, kTensorDescriptor);
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  return destroy("cudnnDestroyTensorDescriptor", descriptor, kTensorDescriptor);
}
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor,
                                         cudnnTensorFormat_t format, cudnnDataType_t type, int n,
                                         int c, int h, int w) {
  const char* const call = "cudnnSetTensor4dDescriptor";
  return set(call, descriptor, kTensorDescriptor, [&] {
    const cudnnStatus_t status = check_sizes(call, format, type, {n, c, h, w});
    if (status == CUDNN_STATUS_SUCCESS) *descriptor = {true, type, n, c, h, w};
    return status;
  });
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* descriptor) {
  return create("cudnnCreateFilterDescriptor", descriptor, kFilterDescriptor);
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor) {
  return destroy("cudnnDestroyFilterDescriptor", descriptor, kFilterDescriptor);
}
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  const char* const call = "cudnnSetFilter4dDescriptor";
  return set(call, descriptor, kFilterDescriptor, [&] {
    const cudnnStatus_t status = check_sizes(call, format, type, {k, c, h, w});
    if (status == CUDNN_STATUS_SUCCESS) *descriptor = {true, type, k, c, h, w};
    return status;
  });
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* descriptor) {
  return create("cudnnCreateConvolutionDescriptor", descriptor, kConvolutionDescriptor);
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor) {
  return destroy("cudnnDestroyConvolutionDescriptor", descriptor, kConvolutionDescriptor);
}
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t descriptor,
                                              int padding_h, int padding_w, int stride_h,
                                              int stride_w, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute) {
  const char* const call = "cudnnSetConvolution2dDescriptor";
  return set(call, descriptor, kConvolutionDescriptor, [&] {
    if (padding_h < 0 || padding_w < 0 || stride_h < 1 || stride_w < 1 || dilation_h < 1 ||
        dilation_w < 1) {
      return refuse(CUDNN_STATUS_BAD_PARAM,
                    text(call, ": negative padding, or a stride or dilation below 1"));
    }
    descriptor->set = true;
    descriptor->padding_h = padding_h;
    descriptor->padding_w = padding_w;
    descriptor->stride_h = stride_h;
    descriptor->stride_w = stride_w;
    descriptor->dilation_h = dilation_h;
    descriptor->dilation_w = dilation_w;
    descriptor->mode = mode;
    descriptor->compute = compute;
    return CUDNN_STATUS_SUCCESS;
  });
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups) {
  const char* const call = "cudnnSetConvolutionGroupCount";
  return set(call, descriptor, kConvolutionDescriptor, [&] {
    if (groups < 1) return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": ", groups, " groups"));
    descriptor->groups = groups;
    return CUDNN_STATUS_SUCCESS;
  });
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor,
                                          cudnnMathType_t math) {
  const char* const call = "cudnnSetConvolutionMathType";
  return set(call, descriptor, kConvolutionDescriptor, [&] {
    if (math < CUDNN_DEFAULT_MATH || math > CUDNN_FMA_MATH) {
      return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": there is no math type ", math));
    }
    descriptor->math = math;
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t* descriptor) {
  return create("cudnnCreateActivationDescriptor", descriptor, kActivationDescriptor);
}
cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t descriptor) {
  return destroy("cudnnDestroyActivationDescriptor", descriptor, kActivationDescriptor);
}
cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t descriptor,
                                           cudnnActivationMode_t mode, cudnnNanPropagation_t nan,
                                           double /*coefficient*/) {
  return set("cudnnSetActivationDescriptor", descriptor, kActivationDescriptor, [&] {
    *descriptor = {true, mode, nan};
    return CUDNN_STATUS_SUCCESS;
  });
}
