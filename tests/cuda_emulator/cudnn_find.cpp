// cuDNN: which algorithms there are for a convolution. All of them compute the same here; they
// differ in what they promise and what they need, so that whoever chooses has a choice.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cudnn.hpp"
#include "memory.hpp"

namespace emulator {

namespace {

constexpr Algorithm kUnsupported{false, 0, true};

bool winograd_supports(const Described& d) {
  const Convolution& g = d.geometry;
  const bool has_type = d.type == Number::kFloat || d.type == Number::kHalf;
  return has_type && g.kernel_h == 3 && g.kernel_w == 3 && g.stride_h == 1 && g.stride_w == 1 &&
         g.dilation_h == 1 && g.dilation_w == 1 && g.groups == 1;
}

std::size_t winograd_bytes(const Described& d) {
  const Convolution& g = d.geometry;  // every 4 x 4 tile holds 2 x 2 results
  return static_cast<std::size_t>(4 * g.n * g.out_h * g.out_w * (g.c + g.k)) * d.element();
}

std::size_t offsets_bytes(const Described& d) {
  const Convolution& g = d.geometry;
  return static_cast<std::size_t>(g.c / g.groups * g.kernel_h * g.kernel_w) * sizeof(std::int32_t);
}

std::size_t partial_bytes(const Described& d) {
  return static_cast<std::size_t>(d.geometry.filter_count()) * d.element();
}

cudnnMathType_t math_of(cudnnConvolutionDescriptor_t convolution) {
  return convolution->math == CUDNN_DEFAULT_MATH ? CUDNN_TENSOR_OP_MATH : convolution->math;
}

/// Runs every algorithm, so to say: what it would have written into the result is nonsense.
template <class Result, class Code>
cudnnStatus_t find(const char* call, cudnnHandle_t handle, const Described& d,
                   const std::vector<Code>& fastest_first, cudnnMathType_t math,
                   const std::vector<Access>& inputs, const Access& output, void* workspace,
                   std::size_t workspace_bytes, int requested, int* returned, Result* results) {
  if (requested < 1 || returned == nullptr || results == nullptr) {
    return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": nowhere to put results"));
  }
  if (spoils(call, capture_of(handle->stream)) || spoils(call, capture_in_the_way())) {
    return CUDNN_STATUS_EXECUTION_FAILED;
  }
  Work work;
  work.name = call;
  work.kind = Work::Kind::kMark;
  // What the inputs hold is nothing to it, but they must be there, as must be the result.
  work.accesses = inputs;
  for (Access& input : work.accesses) input.writes = true;
  work.accesses.push_back(output);
  if (workspace_bytes > 0) work.accesses.push_back(writes(workspace, workspace_bytes));
  Timeline& timeline = ready_timeline(handle->stream);
  if (perform(timeline, work) != cudaSuccess) return CUDNN_STATUS_EXECUTION_FAILED;
  mark_unwritten(reinterpret_cast<void*>(output.address), output.end - output.address);
  host_waited(timeline.clock);

  std::vector<Result> all;
  float time = 0.01f;
  for (const Code code : fastest_first) {
    const Algorithm algorithm = about(d, code);
    Result result{};
    result.algo = code;
    result.memory = algorithm.workspace;
    result.determinism = algorithm.deterministic ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
    result.mathType = math;
    const bool fits = algorithm.workspace <= workspace_bytes;
    result.status = !algorithm.supported ? CUDNN_STATUS_NOT_SUPPORTED
                    : !fits              ? CUDNN_STATUS_ALLOC_FAILED
                                         : CUDNN_STATUS_SUCCESS;
    result.time = result.status == CUDNN_STATUS_SUCCESS ? (time *= 2.0f) : -1.0f;
    all.push_back(result);
  }
  std::stable_partition(all.begin(), all.end(),
                        [](const Result& result) { return result.status == CUDNN_STATUS_SUCCESS; });
  *returned = std::min(requested, static_cast<int>(all.size()));
  std::copy(all.begin(), all.begin() + *returned, results);
  return CUDNN_STATUS_SUCCESS;
}

Access tensor(const void* data, std::int64_t count, const Described& d, bool written = false) {
  return Access::make(data, static_cast<std::size_t>(count) * d.element(), {}, written);
}

template <class Code>
cudnnStatus_t workspace_size(const char* call, const Described& d, Code algorithm,
                             std::size_t* bytes) {
  if (bytes == nullptr) return refuse(CUDNN_STATUS_BAD_PARAM, text(call, ": bytes is null"));
  const Algorithm known = about(d, algorithm);
  *bytes = known.workspace;
  return known.supported ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

}  // namespace

Algorithm about(const Described& d, cudnnConvolutionFwdAlgo_t algorithm) {
  switch (algorithm) {
    case CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM:
      return {true, 0, true};
    case CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM:
      return {true, offsets_bytes(d), true};
    case CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED:
      return {winograd_supports(d), winograd_bytes(d), true};
    default:
      return kUnsupported;
  }
}

Algorithm about(const Described& d, cudnnConvolutionBwdDataAlgo_t algorithm) {
  switch (algorithm) {
    case CUDNN_CONVOLUTION_BWD_DATA_ALGO_0:
      return {true, 0, false};
    case CUDNN_CONVOLUTION_BWD_DATA_ALGO_1:
      return {true, offsets_bytes(d), true};
    case CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED:
      return {winograd_supports(d), winograd_bytes(d), true};
    default:
      return kUnsupported;
  }
}

Algorithm about(const Described& d, cudnnConvolutionBwdFilterAlgo_t algorithm) {
  switch (algorithm) {
    case CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0:
      return {true, 0, false};
    case CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1:
      return {true, offsets_bytes(d), true};
    case CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3:
      return {true, partial_bytes(d), false};
    case CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED:
      return {winograd_supports(d), winograd_bytes(d), true};
    default:
      return kUnsupported;
  }
}

}  // namespace emulator

using namespace emulator;

cudnnStatus_t cudnnFindConvolutionForwardAlgorithmEx(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x_descriptor, const void* x,
    cudnnFilterDescriptor_t filters_descriptor, const void* filters,
    cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y_descriptor, void* y,
    int requested, int* returned, cudnnConvolutionFwdAlgoPerf_t* results, void* workspace,
    size_t workspace_bytes) {
  const char* const call = "cudnnFindConvolutionForwardAlgorithmEx";
  return cudnn_call(call, handle, [&] {
    Described d{};
    const cudnnStatus_t status =
        describe(call, x_descriptor, filters_descriptor, convolution, y_descriptor, d);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    const Convolution& g = d.geometry;
    const std::vector<cudnnConvolutionFwdAlgo_t> all{
        CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED,
        CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
        CUDNN_CONVOLUTION_FWD_ALGO_FFT, CUDNN_CONVOLUTION_FWD_ALGO_DIRECT};
    return find(call, handle, d, all, math_of(convolution),
                {tensor(x, g.x_count(), d), tensor(filters, g.filter_count(), d)},
                tensor(y, g.y_count(), d, true), workspace, workspace_bytes, requested, returned,
                results);
  });
}

cudnnStatus_t cudnnFindConvolutionBackwardDataAlgorithmEx(
    cudnnHandle_t handle, cudnnFilterDescriptor_t filters_descriptor, const void* filters,
    cudnnTensorDescriptor_t dy_descriptor, const void* dy, cudnnConvolutionDescriptor_t convolution,
    cudnnTensorDescriptor_t dx_descriptor, void* dx, int requested, int* returned,
    cudnnConvolutionBwdDataAlgoPerf_t* results, void* workspace, size_t workspace_bytes) {
  const char* const call = "cudnnFindConvolutionBackwardDataAlgorithmEx";
  return cudnn_call(call, handle, [&] {
    Described d{};
    const cudnnStatus_t status =
        describe(call, dx_descriptor, filters_descriptor, convolution, dy_descriptor, d);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    const Convolution& g = d.geometry;
    const std::vector<cudnnConvolutionBwdDataAlgo_t> all{
        CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED,
        CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT};
    return find(call, handle, d, all, math_of(convolution),
                {tensor(filters, g.filter_count(), d), tensor(dy, g.y_count(), d)},
                tensor(dx, g.x_count(), d, true), workspace, workspace_bytes, requested, returned,
                results);
  });
}

cudnnStatus_t cudnnFindConvolutionBackwardFilterAlgorithmEx(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x_descriptor, const void* x,
    cudnnTensorDescriptor_t dy_descriptor, const void* dy, cudnnConvolutionDescriptor_t convolution,
    cudnnFilterDescriptor_t dfilters_descriptor, void* dfilters, int requested, int* returned,
    cudnnConvolutionBwdFilterAlgoPerf_t* results, void* workspace, size_t workspace_bytes) {
  const char* const call = "cudnnFindConvolutionBackwardFilterAlgorithmEx";
  return cudnn_call(call, handle, [&] {
    Described d{};
    const cudnnStatus_t status =
        describe(call, x_descriptor, dfilters_descriptor, convolution, dy_descriptor, d);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    const Convolution& g = d.geometry;
    const std::vector<cudnnConvolutionBwdFilterAlgo_t> all{
        CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3,
        CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1,
        CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT};
    return find(call, handle, d, all, math_of(convolution),
                {tensor(x, g.x_count(), d), tensor(dy, g.y_count(), d)},
                tensor(dfilters, g.filter_count(), d, true), workspace, workspace_bytes, requested,
                returned, results);
  });
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t filters,
    cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y,
    cudnnConvolutionFwdAlgo_t algorithm, size_t* bytes) {
  const char* const call = "cudnnGetConvolutionForwardWorkspaceSize";
  return cudnn_call(call, handle, [&] {
    Described d{};
    const cudnnStatus_t status = describe(call, x, filters, convolution, y, d);
    return status == CUDNN_STATUS_SUCCESS ? workspace_size(call, d, algorithm, bytes) : status;
  });
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t handle, cudnnFilterDescriptor_t filters, cudnnTensorDescriptor_t dy,
    cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t dx,
    cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) {
  const char* const call = "cudnnGetConvolutionBackwardDataWorkspaceSize";
  return cudnn_call(call, handle, [&] {
    Described d{};
    const cudnnStatus_t status = describe(call, dx, filters, convolution, dy, d);
    return status == CUDNN_STATUS_SUCCESS ? workspace_size(call, d, algorithm, bytes) : status;
  });
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnTensorDescriptor_t dy,
    cudnnConvolutionDescriptor_t convolution, cudnnFilterDescriptor_t dfilters,
    cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) {
  const char* const call = "cudnnGetConvolutionBackwardFilterWorkspaceSize";
  return cudnn_call(call, handle, [&] {
    Described d{};
    const cudnnStatus_t status = describe(call, x, dfilters, convolution, dy, d);
    return status == CUDNN_STATUS_SUCCESS ? workspace_size(call, d, algorithm, bytes) : status;
  });
}
