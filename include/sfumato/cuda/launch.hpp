#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "sfumato/core/loops.hpp"
#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/error.hpp"

namespace sfumato::cuda {

/// The elements of device memory that a kernel may touch: `first` and what lies the sum of
/// index[l] * strides[l] elements from it, for all 0 <= index[l] < extents[l].
struct Access {
  const void* first = nullptr;
  std::size_t element_bytes = 0;
  int levels = 0;
  std::array<std::int64_t, kMaxRank + 1> extents{};
  std::array<std::int64_t, kMaxRank + 1> strides{};
};
using Accesses = std::span<const Access>;

/// a / b of numbers that are not negative; GPUs divide 32 bits several times faster than 64.
SFUMATO_HOST_DEVICE inline std::int64_t quotient(std::int64_t a, std::int64_t b) {
  if ((a | b) >> 32 == 0) return static_cast<std::uint32_t>(a) / static_cast<std::uint32_t>(b);
  return a / b;
}

/// `count` elements side by side.
template <class T>
Access dense(const T* first, std::int64_t count) {
  Access access{first, sizeof(T), 1, {}, {}};
  access.extents[0] = count;
  access.strides[0] = 1;
  return access;
}

/// What operand number `operand` of the loops is.
template <class T, std::size_t Operands>
Access strided(const T* first, const detail::StridedLoops<Operands>& loops, std::size_t operand) {
  Access access{first, sizeof(T), static_cast<int>(loops.levels()), {}, {}};
  for (std::size_t level = 0; level < loops.levels(); ++level) {
    access.extents[level] = loops.extent(level);
    access.strides[level] = loops.strides(level)[operand];
  }
  return access;
}

#if defined(SFUMATO_CUDA_EMULATED)
/// The emulator's part of launch(), for tests on machines without a GPU: calls body(kernel, 0,
/// count), now or whenever the graph that is being recorded is run, and checks the accesses.
cudaError_t emulator_launch(const char* name, cudaStream_t stream, std::int64_t count,
                            void (*body)(const void* kernel, std::int64_t begin, std::int64_t end),
                            const void* kernel, std::size_t kernel_bytes, Accesses reads,
                            Accesses writes);
/// Tells the emulator that what the memory holds means nothing any more.
void emulator_recycled(void* memory, std::size_t bytes);
#endif

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
/// a trivially copyable object; `reads` and `writes` say which memory it touches.
///
/// Defined where nvcc compiles; other files link with the kernels that kernels_*.cu compiled. What
/// can't be found when linking is not listed there.
/// Throws CudaError, naming the kernel.
template <class Kernel>
void launch(const char* name, const Kernel& kernel, std::int64_t count, Accesses reads,
            Accesses writes)
#if !defined(__CUDACC__) && !defined(SFUMATO_CUDA_EMULATED)
    ;
#else
{
  static_assert(std::is_trivially_copyable_v<Kernel>, "a kernel's bytes are copied to the GPU");
  if (count == 0) return;
  const Context& context = Context::current();
#if defined(SFUMATO_CUDA_EMULATED)
  const auto body = [](const void* functor, std::int64_t begin, std::int64_t end) {
    const Kernel& function = *static_cast<const Kernel*>(functor);
    for (std::int64_t index = begin; index < end; ++index) function(index);
  };
  const cudaError_t status =
      emulator_launch(name, context.stream(), count, body, &kernel, sizeof(Kernel), reads, writes);
#else
  (void)reads;
  (void)writes;
  constexpr std::int64_t kBlocksPerMultiprocessor = 32;
  const std::int64_t blocks = (count + kThreadsPerBlock - 1) / kThreadsPerBlock;
  const std::int64_t most = context.multiprocessors() * kBlocksPerMultiprocessor;
  void* arguments[] = {const_cast<Kernel*>(&kernel), &count};
  const cudaError_t status =
      cudaLaunchKernel(reinterpret_cast<const void*>(&run_kernel<Kernel>),
                       dim3(static_cast<unsigned>(blocks < most ? blocks : most)),
                       dim3(kThreadsPerBlock), arguments, 0, context.stream());
#endif
  check(status, "launch", " of ", name, " in ", count, " parts");
}
#endif

}  // namespace sfumato::cuda
