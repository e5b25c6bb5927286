// cuDNN: convolutions forwards, backwards to the input and to the filters.

#include "cudnn_request.hpp"

namespace emulator {

cudnnStatus_t describe(const char* call, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t filters,
                       cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y,
                       Described& d) {
  if (!described(call, x, kTensorDescriptor) || !described(call, filters, kFilterDescriptor) ||
      !described(call, convolution, kConvolutionDescriptor) ||
      !described(call, y, kTensorDescriptor)) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  const cudnnConvolutionStruct& how = *convolution;
  const auto windows = [](std::int64_t size, std::int64_t kernel, std::int64_t padding,
                          std::int64_t stride, std::int64_t dilation) {
    const std::int64_t reach = size + 2 * padding - (kernel - 1) * dilation - 1;
    return reach < 0 ? 0 : reach / stride + 1;
  };
  if (x->type != filters->type || x->type != y->type) {
    return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": types differ"));
  }
  // Halves can be summed up in halves too, which nobody here should want.
  const bool doubles = x->type == CUDNN_DATA_DOUBLE;
  if (how.compute != (doubles ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT)) {
    return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": data of type ", x->type,
                                               " are not summed up in type ", how.compute));
  }
  const bool shapes_fit =
      x->c == filters->c * how.groups && filters->k % how.groups == 0 && y->n == x->n &&
      y->c == filters->k &&
      y->h == windows(x->h, filters->h, how.padding_h, how.stride_h, how.dilation_h) &&
      y->w == windows(x->w, filters->w, how.padding_w, how.stride_w, how.dilation_w);
  if (!shapes_fit) {
    return refuse(
        CUDNN_STATUS_BAD_PARAM,
        text(call, ": (", x->n, ", ", x->c, ", ", x->h, ", ", x->w, ") convolved with (",
             filters->k, ", ", filters->c, ", ", filters->h, ", ", filters->w, ") in ", how.groups,
             " groups is not (", y->n, ", ", y->c, ", ", y->h, ", ", y->w, ")"));
  }
  d.type = *number_of(x->type);
  d.tf32 = d.type == Number::kFloat && how.math != CUDNN_FMA_MATH;
  d.geometry = {x->n,
                x->c,
                x->h,
                x->w,
                filters->k,
                filters->h,
                filters->w,
                y->h,
                y->w,
                how.padding_h,
                how.padding_w,
                how.stride_h,
                how.stride_w,
                how.dilation_h,
                how.dilation_w,
                how.groups,
                how.mode == CUDNN_CONVOLUTION};
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace emulator

using namespace emulator;

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      cudnnTensorDescriptor_t x_descriptor, const void* x,
                                      cudnnFilterDescriptor_t filters_descriptor,
                                      const void* filters, cudnnConvolutionDescriptor_t convolution,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                                      size_t workspace_bytes, const void* beta,
                                      cudnnTensorDescriptor_t y_descriptor, void* y) {
  const char* const call = "cudnnConvolutionForward";
  return cudnn_call(call, handle, [&] {
    Described d{};
    const cudnnStatus_t status =
        describe(call, x_descriptor, filters_descriptor, convolution, y_descriptor, d);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    const Convolution& g = d.geometry;
    return run({call, handle, d, about(d, algorithm), x, filters, y, g.x_count(), g.filter_count(),
                g.y_count(), workspace, workspace_bytes, alpha, beta},
               convolve);
  });
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           cudnnFilterDescriptor_t filters_descriptor,
                                           const void* filters,
                                           cudnnTensorDescriptor_t dy_descriptor, const void* dy,
                                           cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           size_t workspace_bytes, const void* beta,
                                           cudnnTensorDescriptor_t dx_descriptor, void* dx) {
  const char* const call = "cudnnConvolutionBackwardData";
  return cudnn_call(call, handle, [&] {
    Described d{};
    const cudnnStatus_t status =
        describe(call, dx_descriptor, filters_descriptor, convolution, dy_descriptor, d);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    const Convolution& g = d.geometry;
    return run({call, handle, d, about(d, algorithm), filters, dy, dx, g.filter_count(),
                g.y_count(), g.x_count(), workspace, workspace_bytes, alpha, beta},
               convolve_back_to_input);
  });
}

cudnnStatus_t cudnnConvolutionBackwardFilter(
    cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t x_descriptor, const void* x,
    cudnnTensorDescriptor_t dy_descriptor, const void* dy, cudnnConvolutionDescriptor_t convolution,
    cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace, size_t workspace_bytes,
    const void* beta, cudnnFilterDescriptor_t dfilters_descriptor, void* dfilters) {
  const char* const call = "cudnnConvolutionBackwardFilter";
  return cudnn_call(call, handle, [&] {
    Described d{};
    const cudnnStatus_t status =
        describe(call, x_descriptor, dfilters_descriptor, convolution, dy_descriptor, d);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    const Convolution& g = d.geometry;
    return run({call, handle, d, about(d, algorithm), x, dy, dfilters, g.x_count(), g.y_count(),
                g.filter_count(), workspace, workspace_bytes, alpha, beta},
               convolve_back_to_filters);
  });
}
