#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "sfumato/core/geometry.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/element_types.hpp"
#include "sfumato/cuda/gemm.hpp"
#include "sfumato/cuda/handles.hpp"

namespace sfumato::cuda {

/// For messages.
struct ConvolutionShapes {
  const Conv2dGeometry& g;
  std::string to_string() const {
    return message(" for input ", Shape{g.batch, g.in_channels, g.in_h, g.in_w}, ", weight ",
                   Shape{g.out_channels, g.in_channels / g.groups, g.kernel_h, g.kernel_w},
                   ", output ", Shape{g.batch, g.out_channels, g.out_h, g.out_w}, ", stride ",
                   Shape{g.stride_h, g.stride_w}, ", padding ", Shape{g.padding_h, g.padding_w},
                   ", dilation ", Shape{g.dilation_h, g.dilation_w}, ", groups ", g.groups);
  }
};

/// What cuDNN is told of a convolution.
struct ConvolutionDescriptors {
  TensorDescriptor x;
  FilterDescriptor weight;
  TensorDescriptor y;
  TensorDescriptor bias;
  ConvolutionDescriptor convolution;
  ActivationDescriptor relu;

  ConvolutionDescriptors(const Conv2dGeometry& g, cudnnDataType_t type);
};

inline ConvolutionDescriptors::ConvolutionDescriptors(const Conv2dGeometry& g, cudnnDataType_t type)
    : x(make<TensorDescriptor>("cudnnCreateTensorDescriptor", cudnnCreateTensorDescriptor)),
      weight(make<FilterDescriptor>("cudnnCreateFilterDescriptor", cudnnCreateFilterDescriptor)),
      y(make<TensorDescriptor>("cudnnCreateTensorDescriptor", cudnnCreateTensorDescriptor)),
      bias(make<TensorDescriptor>("cudnnCreateTensorDescriptor", cudnnCreateTensorDescriptor)),
      convolution(make<ConvolutionDescriptor>("cudnnCreateConvolutionDescriptor",
                                              cudnnCreateConvolutionDescriptor)),
      relu(make<ActivationDescriptor>("cudnnCreateActivationDescriptor",
                                      cudnnCreateActivationDescriptor)) {
  const ConvolutionShapes shapes{g};
  const auto describe = [&](const TensorDescriptor& tensor, std::int64_t n, std::int64_t c,
                            std::int64_t h, std::int64_t w) {
    constexpr const char* kCall = "cudnnSetTensor4dDescriptor";
    const auto to_int = [&](std::int64_t value) { return cuda::to_int(value, kCall, shapes); };
    check(cudnnSetTensor4dDescriptor(tensor.get(), CUDNN_TENSOR_NCHW, type, to_int(n), to_int(c),
                                     to_int(h), to_int(w)),
          kCall, shapes);
  };
  describe(x, g.batch, g.in_channels, g.in_h, g.in_w);
  describe(y, g.batch, g.out_channels, g.out_h, g.out_w);
  describe(bias, 1, g.out_channels, 1, 1);
  const auto to_int = [&](std::int64_t value) {
    return cuda::to_int(value, "cudnnSetConvolution2dDescriptor", shapes);
  };
  check(cudnnSetFilter4dDescriptor(weight.get(), type, CUDNN_TENSOR_NCHW, to_int(g.out_channels),
                                   to_int(g.in_channels / g.groups), to_int(g.kernel_h),
                                   to_int(g.kernel_w)),
        "cudnnSetFilter4dDescriptor", shapes);
  check(cudnnSetConvolution2dDescriptor(convolution.get(), to_int(g.padding_h), to_int(g.padding_w),
                                        to_int(g.stride_h), to_int(g.stride_w),
                                        to_int(g.dilation_h), to_int(g.dilation_w),
                                        CUDNN_CROSS_CORRELATION, compute_type(type)),
        "cudnnSetConvolution2dDescriptor", shapes);
  check(cudnnSetConvolutionGroupCount(convolution.get(), to_int(g.groups)),
        "cudnnSetConvolutionGroupCount", shapes);
  // By default, cuDNN would take TF32 for granted.
  const auto math = has_sixteen_bits(type) ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH;
  check(cudnnSetConvolutionMathType(convolution.get(), math), "cudnnSetConvolutionMathType",
        shapes);
  check(cudnnSetActivationDescriptor(relu.get(), CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0.0),
        "cudnnSetActivationDescriptor", shapes);
}

/// One of the three convolutions with all that cuDNN needs to run it again and again.
template <class Algorithm>
struct ConvolutionPlan {
  ConvolutionDescriptors descriptors;
  Algorithm algorithm{};
  std::size_t workspace_bytes = 0;
  bool fuses = true;  ///< whether bias and rectifier can be part of it, as far as is known
};

using ForwardPlan = ConvolutionPlan<cudnnConvolutionFwdAlgo_t>;
using InputGradientPlan = ConvolutionPlan<cudnnConvolutionBwdDataAlgo_t>;
using WeightGradientPlan = ConvolutionPlan<cudnnConvolutionBwdFilterAlgo_t>;

using Workspace = Tensor<std::uint8_t, Cuda>;

/// Memory for cuDNN to try algorithms in: as much as there is, up to a limit. It goes back to CUDA
/// and not to the pool, as nothing else needs so much.
class TrialRoom {
 public:
  TrialRoom(Context& context, std::size_t limit) : context_(context), bytes_(limit) {
    while (bytes_ > 0 && (data_ = context.allocate(bytes_)) == nullptr) bytes_ /= 2;
  }
  TrialRoom(const TrialRoom&) = delete;
  TrialRoom& operator=(const TrialRoom&) = delete;
  ~TrialRoom() {
    if (data_ != nullptr) context_.free(data_);
  }
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Context& context_;
  std::size_t bytes_;
  void* data_ = nullptr;
};

/// All plans that a program has needed so far. Each is made once for its shapes, from what cuDNN
/// finds fastest within the limit on workspace.
class ConvolutionPlans {
 public:
  template <class T>
  ForwardPlan& forward(Context& context, const Conv2dGeometry& g, const T* x, const T* weight,
                       T* y) {
    const auto time = [&](ForwardPlan& plan, const TrialRoom& room,
                          std::span<cudnnConvolutionFwdAlgoPerf_t> found, int* count) {
      const ConvolutionDescriptors& d = plan.descriptors;
      return cudnnFindConvolutionForwardAlgorithmEx(
          context.cudnn(), d.x.get(), x, d.weight.get(), weight, d.convolution.get(), d.y.get(), y,
          static_cast<int>(found.size()), count, found.data(), room.data(), room.bytes());
    };
    const auto measure = [&](ForwardPlan& plan, cudnnConvolutionFwdAlgo_t algorithm) {
      const ConvolutionDescriptors& d = plan.descriptors;
      return cudnnGetConvolutionForwardWorkspaceSize(context.cudnn(), d.x.get(), d.weight.get(),
                                                     d.convolution.get(), d.y.get(), algorithm,
                                                     &plan.workspace_bytes);
    };
    return find<cudnnConvolutionFwdAlgoPerf_t>(
        "cudnnFindConvolutionForwardAlgorithmEx", forward_, context, g, kCudnnType<T>, time,
        measure,
        std::array<cudnnConvolutionFwdAlgo_t, 2>{CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
                                                 CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM});
  }

  template <class T>
  InputGradientPlan& input_gradient(Context& context, const Conv2dGeometry& g, const T* dy,
                                    const T* weight, T* dx) {
    const auto time = [&](InputGradientPlan& plan, const TrialRoom& room,
                          std::span<cudnnConvolutionBwdDataAlgoPerf_t> found, int* count) {
      const ConvolutionDescriptors& d = plan.descriptors;
      return cudnnFindConvolutionBackwardDataAlgorithmEx(
          context.cudnn(), d.weight.get(), weight, d.y.get(), dy, d.convolution.get(), d.x.get(),
          dx, static_cast<int>(found.size()), count, found.data(), room.data(), room.bytes());
    };
    const auto measure = [&](InputGradientPlan& plan, cudnnConvolutionBwdDataAlgo_t algorithm) {
      const ConvolutionDescriptors& d = plan.descriptors;
      return cudnnGetConvolutionBackwardDataWorkspaceSize(context.cudnn(), d.weight.get(),
                                                          d.y.get(), d.convolution.get(), d.x.get(),
                                                          algorithm, &plan.workspace_bytes);
    };
    return find<cudnnConvolutionBwdDataAlgoPerf_t>(
        "cudnnFindConvolutionBackwardDataAlgorithmEx", input_gradient_, context, g, kCudnnType<T>,
        time, measure,
        std::array<cudnnConvolutionBwdDataAlgo_t, 1>{CUDNN_CONVOLUTION_BWD_DATA_ALGO_1});
  }

  template <class T>
  WeightGradientPlan& weight_gradient(Context& context, const Conv2dGeometry& g, const T* x,
                                      const T* dy, T* dweight) {
    const auto time = [&](WeightGradientPlan& plan, const TrialRoom& room,
                          std::span<cudnnConvolutionBwdFilterAlgoPerf_t> found, int* count) {
      const ConvolutionDescriptors& d = plan.descriptors;
      return cudnnFindConvolutionBackwardFilterAlgorithmEx(
          context.cudnn(), d.x.get(), x, d.y.get(), dy, d.convolution.get(), d.weight.get(),
          dweight, static_cast<int>(found.size()), count, found.data(), room.data(), room.bytes());
    };
    const auto measure = [&](WeightGradientPlan& plan, cudnnConvolutionBwdFilterAlgo_t algorithm) {
      const ConvolutionDescriptors& d = plan.descriptors;
      return cudnnGetConvolutionBackwardFilterWorkspaceSize(context.cudnn(), d.x.get(), d.y.get(),
                                                            d.convolution.get(), d.weight.get(),
                                                            algorithm, &plan.workspace_bytes);
    };
    return find<cudnnConvolutionBwdFilterAlgoPerf_t>(
        "cudnnFindConvolutionBackwardFilterAlgorithmEx", weight_gradient_, context, g,
        kCudnnType<T>, time, measure,
        std::array<cudnnConvolutionBwdFilterAlgo_t, 1>{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1});
  }

 private:
  /// Everything that a plan depends on.
  struct Key {
    std::array<std::int64_t, 16> extents;
    cudnnDataType_t type;
    bool allow_tf32;
    bool deterministic;
    std::size_t workspace_limit;
    auto operator<=>(const Key&) const = default;  // NOLINT(modernize-use-nullptr): none here

    Key(const Conv2dGeometry& g, cudnnDataType_t data_type, const Options& options)
        : extents{g.batch,     g.in_channels, g.in_h,       g.in_w,     g.out_channels, g.out_h,
                  g.out_w,     g.kernel_h,    g.kernel_w,   g.stride_h, g.stride_w,     g.padding_h,
                  g.padding_w, g.dilation_h,  g.dilation_w, g.groups},
          type(data_type),
          allow_tf32(options.allow_tf32),
          deterministic(options.deterministic),
          workspace_limit(options.workspace_limit) {}
  };
  template <class Algorithm>
  using Cache = std::map<Key, ConvolutionPlan<Algorithm>>;

  /// The plan for these shapes: what `time` finds fastest, or else the first of the plain
  /// algorithms that works and whose workspace, as `measure` says, is within the limit.
  template <class Found, class Algorithm, class Time, class Measure, std::size_t Plain>
  static ConvolutionPlan<Algorithm>& find(const char* call, Cache<Algorithm>& cache,
                                          Context& context, const Conv2dGeometry& g,
                                          cudnnDataType_t type, const Time& time,
                                          const Measure& measure,
                                          const std::array<Algorithm, Plain>& plain) {
    const Options& options = context.options();
    const Key key(g, type, options);
    if (const auto known = cache.find(key); known != cache.end()) return known->second;
    context.forbid_in_capture("plan of a convolution");
    const ConvolutionShapes shapes{g};
    ConvolutionPlan<Algorithm> plan{ConvolutionDescriptors(g, type)};
    const auto allow = [&](cudnnMathType_t math) {
      check(cudnnSetConvolutionMathType(plan.descriptors.convolution.get(), math),
            "cudnnSetConvolutionMathType", shapes);
    };
    const bool tf32 = options.allow_tf32 && type == CUDNN_DATA_FLOAT;
    if (!options.deterministic) {
      if (tf32) allow(CUDNN_DEFAULT_MATH);
      const TrialRoom room(context, options.workspace_limit);
      std::array<Found, 16> found{};
      int count = 0;
      if (time(plan, room, found, &count) == CUDNN_STATUS_SUCCESS) {
        for (const Found& result : std::span(found).first(static_cast<std::size_t>(count))) {
          if (result.status != CUDNN_STATUS_SUCCESS || result.memory > options.workspace_limit) {
            continue;
          }
          plan.algorithm = result.algo;
          plan.workspace_bytes = result.memory;
          if (tf32 || has_sixteen_bits(type)) allow(result.mathType);
          return cache.emplace(key, std::move(plan)).first->second;
        }
      }
    }
    cudnnStatus_t status = CUDNN_STATUS_NOT_SUPPORTED;
    for (const Algorithm algorithm : plain) {
      status = measure(plan, algorithm);
      if (status == CUDNN_STATUS_SUCCESS && plan.workspace_bytes <= options.workspace_limit) {
        plan.algorithm = algorithm;
        return cache.emplace(key, std::move(plan)).first->second;
      }
    }
    if (status == CUDNN_STATUS_SUCCESS) {
      throw CudaError(message(call, ": no algorithm gets along with a workspace of ",
                              options.workspace_limit, " bytes; the plainest needs ",
                              plan.workspace_bytes, shapes,
                              "; raise cuda::options().workspace_limit"));
    }
    check(status, call, shapes);
    throw CudaError(message(call, ": cuDNN found nothing", shapes));
  }

  Cache<cudnnConvolutionFwdAlgo_t> forward_;
  Cache<cudnnConvolutionBwdDataAlgo_t> input_gradient_;
  Cache<cudnnConvolutionBwdFilterAlgo_t> weight_gradient_;
};

}  // namespace sfumato::cuda
