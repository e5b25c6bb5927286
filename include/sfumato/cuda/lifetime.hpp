#pragma once

#include <cstddef>
#include <memory>

#include "sfumato/core/pool.hpp"
#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/convolution_plans.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/error.hpp"
#include "sfumato/cuda/handles.hpp"

/// How the program's use of a GPU begins and ends.
namespace sfumato::cuda {

inline Context::Context(int device) : device_(device) {
  check_device(device);
  check(cudaSetDevice(device), "cudaSetDevice", " for cuda:", device);
  const auto attribute = [&](cudaDeviceAttr which) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute",
          " of cuda:", device);
    return value;
  };
  if (attribute(cudaDevAttrMemoryPoolsSupported) == 0) {
    throw CudaError(message("cuda:", device,
                            ": this GPU or its driver has no memory pools; a "
                            "driver for CUDA 11.2 or newer is needed"));
  }
  multiprocessors_ = attribute(cudaDevAttrMultiProcessorCount);
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = device;
  memory_pool_ = make<MemoryPool>("cudaMemPoolCreate", cudaMemPoolCreate, &properties);
  constexpr unsigned kNonBlocking = cudaStreamNonBlocking;
  stream_ = make<Stream>("cudaStreamCreate", cudaStreamCreateWithFlags, kNonBlocking);
  side_stream_ = make<Stream>("cudaStreamCreate", cudaStreamCreateWithFlags, kNonBlocking);
  cublas_ = make<Cublas>("cublasCreate", cublasCreate);
  check(cublasSetStream(cublas_.get(), stream_.get()), "cublasSetStream");
  // Or parts of sums of 16-bit products may be rounded to 16 bits before they are added up.
  constexpr auto kMath = static_cast<cublasMath_t>(
      CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  check(cublasSetMathMode(cublas_.get(), kMath), "cublasSetMathMode");
  cudnn_ = make<Cudnn>("cudnnCreate", cudnnCreate);
  check(cudnnSetStream(cudnn_.get(), stream_.get()), "cudnnSetStream");
  plans_ = std::make_unique<ConvolutionPlans>();
  // Memory of its own, or cuBLAS would ask for some while a graph is being recorded.
  constexpr std::size_t kWorkspace = std::size_t{32} << 20;
  cublas_workspace_ = allocate(kWorkspace);
  if (cublas_workspace_ == nullptr) {
    throw ResourceError(
        message("cuda:", device, ": no ", kWorkspace, " bytes for cuBLAS", memory_note()));
  }
  const cublasStatus_t status = cublasSetWorkspace(cublas_.get(), cublas_workspace_, kWorkspace);
  if (status != CUBLAS_STATUS_SUCCESS) free(cublas_workspace_);  // there will be no destructor
  check(status, "cublasSetWorkspace");
}

inline Context::~Context() {
  plans_.reset();
  cublas_ = {};
  cudnn_ = {};
  if (cublas_workspace_ != nullptr) cudaFreeAsync(cublas_workspace_, stream_.get());
  cudaStreamSynchronize(stream_.get());
}

/// Gives back all that this program holds of the GPU: memory, streams, handles. The next use begins
/// anew. Throws CudaError, and does nothing, while there are tensors on it.
inline void shutdown() {
  if (!Context::exists()) return;
  Pool<Cuda>& pool = Pool<Cuda>::shared();
  pool.trim();
  if (const std::size_t bytes = pool.statistics().bytes_in_use; bytes > 0) {
    throw CudaError(message("shutdown: tensors still hold ", bytes, " bytes of the GPU's memory"));
  }
  Context::destroy();
}

}  // namespace sfumato::cuda
