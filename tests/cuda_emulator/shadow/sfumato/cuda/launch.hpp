#pragma once

// Found before the library's header of this name: launch() for tests without a GPU. Kernels run on
// the host, and what they say that they touch is checked.

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "access.hpp"
#include "sfumato/core/loops.hpp"
#include "sfumato/core/pool.hpp"
#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/error.hpp"

namespace sfumato {

struct Cuda;

namespace cuda {

/// Calls body(kernel, 0, count), now or whenever the graph that is being captured is run, and
/// checks the accesses.
cudaError_t emulator_launch(const char* name, cudaStream_t stream, std::int64_t count,
                            void (*body)(const void* kernel, std::int64_t begin, std::int64_t end),
                            const void* kernel, std::size_t kernel_bytes,
                            const std::vector<emulator::Access>& accesses);
/// What the memory holds means nothing any more.
void emulator_recycled(void* memory, std::size_t bytes);

/// What kernels tell what they touch: `count` elements side by side, or those of loops.
struct Touched {
  using Places = std::vector<emulator::Access::Dimension>;

  template <class T>
  void reads(const T* first, std::int64_t count) {
    add(first, {{count, sizeof(T)}}, false);
  }
  template <class T>
  void writes(const T* first, std::int64_t count) {
    add(first, {{count, sizeof(T)}}, true);
  }
  template <class T, std::size_t Operands>
  void reads(const T* first, const detail::StridedLoops<Operands>& loops, std::size_t operand) {
    add(first, places<T>(loops, operand), false);
  }
  template <class T, std::size_t Operands>
  void writes(const T* first, const detail::StridedLoops<Operands>& loops, std::size_t operand) {
    add(first, places<T>(loops, operand), true);
  }
  /// The elements of both loops together.
  template <class T>
  void reads(const T* first, const detail::StridedLoops<1>& outer,
             const detail::StridedLoops<1>& inner) {
    Places all = places<T>(outer, 0);
    for (const auto& place : places<T>(inner, 0)) all.push_back(place);
    add(first, all, false);
  }

  std::vector<emulator::Access> accesses;

 private:
  template <class T, std::size_t Operands>
  static Places places(const detail::StridedLoops<Operands>& loops, std::size_t operand) {
    Places places;
    for (std::size_t level = 0; level < loops.levels(); ++level) {
      const auto bytes = static_cast<std::int64_t>(sizeof(T));
      places.push_back({loops.extent(level), loops.strides(level)[operand] * bytes});
    }
    return places;
  }
  template <class T>
  void add(const T* first, const Places& places, bool writes) {
    if (first == nullptr) return;
    accesses.push_back(emulator::Access::make(first, sizeof(T), places, writes));
  }
};

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
                        touched.accesses),
        "launch", " of ", name, " in ", count, " parts");
}

}  // namespace cuda

template <>
struct PoolListener<Cuda> {
  static void returned(void* memory, std::size_t bytes) { cuda::emulator_recycled(memory, bytes); }
};

}  // namespace sfumato
