#pragma once

// Found before the library's header of this name: launch() for tests without a GPU. Kernels run on
// the host, and what they say that they touch is checked.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "sfumato/core/loops.hpp"
#include "sfumato/core/pool.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/error.hpp"

namespace sfumato {

struct Cuda;

namespace cuda {

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

/// What kernels tell what they touch.
struct Touched {
  template <class T, class... Where>
  void reads(const T* first, const Where&... where) {
    read.push_back(access(first, where...));
  }
  template <class T, class... Where>
  void writes(const T* first, const Where&... where) {
    written.push_back(access(first, where...));
  }
  template <class T>
  static Access access(const T* first, std::int64_t count) {
    return dense(first, first == nullptr ? 0 : count);
  }
  template <class T, std::size_t Operands>
  static Access access(const T* first, const detail::StridedLoops<Operands>& loops,
                       std::size_t operand) {
    return strided(first, loops, operand);
  }
  /// The elements of both loops together.
  template <class T>
  static Access access(const T* first, const detail::StridedLoops<1>& outer,
                       const detail::StridedLoops<1>& inner) {
    Access access{first, sizeof(T), 0, {}, {}};
    for (const auto* loops : {&outer, &inner}) {
      for (std::size_t level = 0; level < loops->levels(); ++level) {
        if (loops->extent(level) == 1) continue;
        const auto own = static_cast<std::size_t>(access.levels++);
        access.extents[own] = loops->extent(level);
        access.strides[own] = loops->strides(level)[0];
      }
    }
    return access;
  }

  std::vector<Access> read;
  std::vector<Access> written;
};

/// Calls body(kernel, 0, count), now or whenever the graph that is being recorded is run, and
/// checks the accesses.
cudaError_t emulator_launch(const char* name, cudaStream_t stream, std::int64_t count,
                            void (*body)(const void* kernel, std::int64_t begin, std::int64_t end),
                            const void* kernel, std::size_t kernel_bytes, Accesses reads,
                            Accesses writes);
/// What the memory holds means nothing any more.
void emulator_recycled(void* memory, std::size_t bytes);

template <class Kernel>
void launch(const char* name, const Kernel& kernel, std::int64_t count) {
  static_assert(std::is_trivially_copyable_v<Kernel>, "a kernel's bytes are copied to the GPU");
  if (count == 0) return;
  Touched touched;
  kernel.touch(touched, count);
  const auto body = [](const void* functor, std::int64_t begin, std::int64_t end) {
    const Kernel& function = *static_cast<const Kernel*>(functor);
    for (std::int64_t index = begin; index < end; ++index) function(index);
  };
  check(emulator_launch(name, Context::current().stream(), count, body, &kernel, sizeof(Kernel),
                        touched.read, touched.written),
        "launch", " of ", name, " in ", count, " parts");
}

}  // namespace cuda

template <>
struct PoolListener<Cuda> {
  static void returned(void* memory, std::size_t bytes) { cuda::emulator_recycled(memory, bytes); }
};

}  // namespace sfumato
