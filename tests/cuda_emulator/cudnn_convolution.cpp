// cuDNN: convolutions forwards, backwards to the input and to the filters, and fused with a bias
// and an activation.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "cudnn.hpp"
#include "memory.hpp"

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
  const bool types_fit = x->type == filters->type && x->type == y->type && x->type == how.compute;
  if (!types_fit) return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": types differ"));
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
  d.doubles = x->type == CUDNN_DATA_DOUBLE;
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
                !d.doubles && how.math != CUDNN_FMA_MATH,
                how.mode == CUDNN_CONVOLUTION};
  return CUDNN_STATUS_SUCCESS;
}

namespace {

/// A number given by pointer, of the type that scales tensors of this type.
double scale(const void* value, const Described& d) {
  return d.doubles ? *static_cast<const double*>(value) : *static_cast<const float*>(value);
}

/// Sums in another order each time are off by rounding, each time another.
template <class T>
void disturb(T* values, std::int64_t count) {
  static std::uint32_t state = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    if (state >> 31 == 0 || !std::isfinite(values[i]) || values[i] == T{0}) continue;
    values[i] = std::nextafter(values[i], T{0});
  }
}

/// One convolution in any direction, to be checked and submitted.
struct Request {
  const char* call;
  cudnnHandle_t handle;
  Described d;
  Algorithm algorithm;
  const void* first;  // inputs and result, each with its number of elements
  const void* second;
  void* result;
  std::int64_t first_count, second_count, result_count;
  void* workspace;
  std::size_t workspace_bytes;
  const void* alpha;
  const void* beta;
};

cudnnStatus_t check(const Request& r, Work& work) {
  const auto bad = [&](const auto&... why) {
    return refuse(CUDNN_STATUS_BAD_PARAM, text(r.call, ": ", why...));
  };
  if (r.alpha == nullptr || r.beta == nullptr) return bad("alpha or beta is null");
  if (is_device_address(r.alpha) || is_device_address(r.beta)) {
    return bad("alpha and beta must be in host memory");
  }
  if (!r.algorithm.supported) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED,
                  text(r.call, ": the algorithm does not support this convolution"));
  }
  for (const void* const operand : {r.first, r.second, static_cast<const void*>(r.result)}) {
    if (operand == nullptr) return bad("an operand is null");
    if (reinterpret_cast<std::uintptr_t>(operand) % r.d.element() != 0) {
      return bad("an operand is misaligned");
    }
  }
  if (r.workspace_bytes < r.algorithm.workspace) {
    return bad("the workspace has ", r.workspace_bytes, " bytes, but the algorithm needs ",
               r.algorithm.workspace);
  }
  if (r.algorithm.workspace > 0 && r.workspace == nullptr) return bad("the workspace is null");
  work.name = r.call;
  const auto bytes = [&](std::int64_t count) {
    return static_cast<std::size_t>(count) * r.d.element();
  };
  work.accesses = {reads(r.first, bytes(r.first_count)), reads(r.second, bytes(r.second_count)),
                   writes(r.result, bytes(r.result_count))};
  if (r.algorithm.workspace > 0)
    work.accesses.push_back(writes(r.workspace, r.algorithm.workspace));
  for (std::size_t i = 0; i < work.accesses.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Access& a = work.accesses[i];
      const Access& b = work.accesses[j];
      if ((a.writes || b.writes) && a.address < b.end && b.address < a.end) {
        return bad("operands overlap with the result or the workspace");
      }
    }
  }
  if (scale(r.beta, r.d) != 0.0) work.accesses.push_back(reads(r.result, bytes(r.result_count)));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t submit_to(cudnnHandle_t handle, Work work) {
  return submit(handle->stream, std::move(work)) == cudaSuccess ? CUDNN_STATUS_SUCCESS
                                                                : CUDNN_STATUS_EXECUTION_FAILED;
}

/// result = alpha · compute(first, second) + beta · result, in its turn.
template <class T, class Compute>
std::function<void()> scaled(const Request& r, const Compute& compute) {
  const T alpha = static_cast<T>(scale(r.alpha, r.d));
  const T beta = static_cast<T>(scale(r.beta, r.d));
  return [r, alpha, beta, compute] {
    const auto* const first = static_cast<const T*>(alias_of(r.first));
    const auto* const second = static_cast<const T*>(alias_of(r.second));
    auto* const result = static_cast<T*>(alias_of(r.result));
    constexpr std::size_t kEnough = 1 << 16;  // for whoever takes it for its own to notice
    if (r.algorithm.workspace > 0) {
      std::memset(alias_of(r.workspace), 0xff, std::min(r.algorithm.workspace, kEnough));
    }
    if (alpha == T{1} && beta == T{0}) {
      compute(r.d.geometry, first, second, result);
    } else {
      std::vector<T> values(static_cast<std::size_t>(r.result_count));
      compute(r.d.geometry, first, second, values.data());
      for (std::int64_t i = 0; i < r.result_count; ++i) {
        const T value = alpha * values[static_cast<std::size_t>(i)];
        result[i] = beta == T{0} ? value : value + beta * result[i];
      }
    }
    if (!r.algorithm.deterministic) disturb(result, r.result_count);
  };
}

/// `compute` is a generic function object (geometry, first, second, result).
template <class Compute>
cudnnStatus_t run(const Request& r, const Compute& compute) {
  Work work;
  if (const cudnnStatus_t status = check(r, work); status != CUDNN_STATUS_SUCCESS) return status;
  work.run = r.d.doubles ? scaled<double>(r, compute) : scaled<float>(r, compute);
  return submit_to(r.handle, std::move(work));
}

/// What follows a convolution in the fused call: y = act(y + alpha2 · z + bias of the channel).
struct Epilogue {
  const void* bias;
  const void* z;
  double alpha2;
  bool relu, keep_nan;

  template <class T>
  void run(const Convolution& g, void* device_y) const {
    T* const y = static_cast<T*>(alias_of(device_y));
    const T* const biases = static_cast<const T*>(alias_of(bias));
    const T* const added = static_cast<const T*>(alias_of(z));
    const std::int64_t plane = g.out_h * g.out_w;
    for (std::int64_t i = 0; i < g.y_count(); ++i) {
      T value = y[i] + biases[i / plane % g.k];
      if (alpha2 != 0.0) value += static_cast<T>(alpha2) * added[i];
      const bool passes = !relu || value > T{0} || (keep_nan && std::isnan(value));
      y[i] = passes ? value : T{0};
    }
  }
};

cudnnStatus_t run_fused(const Request& r, const Epilogue& epilogue) {
  Work work;
  if (const cudnnStatus_t status = check(r, work); status != CUDNN_STATUS_SUCCESS) return status;
  const auto k = static_cast<std::size_t>(r.d.geometry.k);
  work.accesses.push_back(reads(epilogue.bias, k * r.d.element()));
  if (epilogue.alpha2 != 0.0) {
    work.accesses.push_back(
        reads(epilogue.z, static_cast<std::size_t>(r.result_count) * r.d.element()));
  }
  const auto compute = [](const auto&... operands) { convolve(operands...); };
  work.run = [r, epilogue,
              product = r.d.doubles ? scaled<double>(r, compute) : scaled<float>(r, compute)] {
    product();
    if (r.d.doubles) {
      epilogue.run<double>(r.d.geometry, r.result);
    } else {
      epilogue.run<float>(r.d.geometry, r.result);
    }
  };
  return submit_to(r.handle, std::move(work));
}

}  // namespace

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
               [](const auto&... operands) { convolve(operands...); });
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
               [](const auto&... operands) { convolve_back_to_input(operands...); });
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
               [](const auto&... operands) { convolve_back_to_filters(operands...); });
  });
}

cudnnStatus_t cudnnConvolutionBiasActivationForward(
    cudnnHandle_t handle, const void* alpha1, cudnnTensorDescriptor_t x_descriptor, const void* x,
    cudnnFilterDescriptor_t filters_descriptor, const void* filters,
    cudnnConvolutionDescriptor_t convolution, cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
    size_t workspace_bytes, const void* alpha2, cudnnTensorDescriptor_t z_descriptor, const void* z,
    cudnnTensorDescriptor_t bias_descriptor, const void* bias,
    cudnnActivationDescriptor_t activation, cudnnTensorDescriptor_t y_descriptor, void* y) {
  const char* const call = "cudnnConvolutionBiasActivationForward";
  return cudnn_call(call, handle, [&] {
    const auto bad = [&](const char* why) {
      return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": ", why));
    };
    Described d{};
    const cudnnStatus_t status =
        describe(call, x_descriptor, filters_descriptor, convolution, y_descriptor, d);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    if (!described(call, z_descriptor, kTensorDescriptor) ||
        !described(call, bias_descriptor, kTensorDescriptor) ||
        !described(call, activation, kActivationDescriptor)) {
      return CUDNN_STATUS_BAD_PARAM;
    }
    const cudnnTensorStruct& b = *bias_descriptor;
    const cudnnTensorStruct& added = *z_descriptor;
    const Convolution& g = d.geometry;
    if (b.type != x_descriptor->type || b.n != 1 || b.c != g.k || b.h != 1 || b.w != 1) {
      return bad("the bias is not (1, k, 1, 1) of the type of the rest");
    }
    if (added.type != y_descriptor->type || added.n != g.n || added.c != g.k ||
        added.h != g.out_h || added.w != g.out_w) {
      return bad("z does not have the shape of y");
    }
    if (z == nullptr || bias == nullptr || alpha2 == nullptr) return bad("a pointer is null");
    const bool relu = activation->mode == CUDNN_ACTIVATION_RELU;
    if (!relu && activation->mode != CUDNN_ACTIVATION_IDENTITY) {
      return bad("the activation is neither relu nor the identity");
    }
    if (!relu && algorithm != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
      return bad("without an activation the algorithm must be IMPLICIT_PRECOMP_GEMM");
    }
    static constexpr double kZero = 0.0;  // as a float it is zero too
    return run_fused({call, handle, d, about(d, algorithm), x, filters, y, g.x_count(),
                      g.filter_count(), g.y_count(), workspace, workspace_bytes, alpha1, &kZero},
                     {bias, z, scale(alpha2, d), relu, activation->nan == CUDNN_PROPAGATE_NAN});
  });
}
