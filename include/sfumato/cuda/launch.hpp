#pragma once

#include <cstdint>
#include <type_traits>

#include "sfumato/core/division.hpp"
#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/error.hpp"

namespace sfumato::cuda {

#if defined(__CUDACC__)
inline constexpr int kThreadsPerBlock = 256;

template <class Kernel>
__global__ void __launch_bounds__(kThreadsPerBlock)
    run_kernel(const __grid_constant__ Kernel kernel, const std::int64_t count) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreadsPerBlock;
  std::int64_t index = std::int64_t{blockIdx.x} * kThreadsPerBlock + threadIdx.x;
  for (; index < count; index += step) kernel(index);
}
#endif

/// Calls kernel(index) for every index in [0, count) on the GPU, in any order and all at once,
/// after everything launched before. All of our own kernels run through this function. A kernel is
/// a trivially copyable object; its `touch(memory, count)` says which memory it reads and writes.
///
/// Defined where nvcc compiles; other files link with the kernels that kernels_*.cu compiled. What
/// can't be found when linking is not listed there.
/// Throws CudaError, naming the kernel.
template <class Kernel>
void launch(const char* name, const Kernel& kernel, std::int64_t count)
#if !defined(__CUDACC__)
    ;
#else
{
  static_assert(std::is_trivially_copyable_v<Kernel>, "a kernel's bytes are copied to the GPU");
  if (count == 0) return;
  const Context& context = Context::current();
  constexpr std::int64_t kBlocksPerMultiprocessor = 32;
  const std::int64_t blocks = ceil_div(count, kThreadsPerBlock);
  const std::int64_t most = context.multiprocessors() * kBlocksPerMultiprocessor;
  void* arguments[] = {const_cast<Kernel*>(&kernel), &count};
  const cudaError_t status =
      cudaLaunchKernel(reinterpret_cast<const void*>(&run_kernel<Kernel>),
                       dim3(static_cast<unsigned>(blocks < most ? blocks : most)),
                       dim3(kThreadsPerBlock), arguments, 0, context.stream());
  check(status, "launch", " of ", name, " in ", count, " parts");
}
#endif

}  // namespace sfumato::cuda
