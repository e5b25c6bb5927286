#pragma once

// What the emulator's own tests need to use a device by hand, rightly or wrongly.

#include <cuda_runtime_api.h>
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <string>
#include <type_traits>
#include <vector>

#include "emulator.hpp"
#include "sfumato/cuda/element_types.hpp"
#include "sfumato/cuda/launch.hpp"

namespace emulator_tests {

/// Whether there is exactly one violation, and it has `part` in it. Takes all of them.
inline bool caught(const std::string& part) {
  const std::vector<std::string> violations = emulator::take_violations();
  for (const std::string& violation : violations) INFO(violation);
  if (violations.size() == 1 && violations[0].find(part) != std::string::npos) return true;
  for (const std::string& violation : violations) MESSAGE(violation);
  return false;
}

inline cudaMemPool_t new_pool() {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  cudaMemPool_t pool = nullptr;
  REQUIRE(cudaMemPoolCreate(&pool, &properties) == cudaSuccess);
  return pool;
}

/// A pool, and streams that do not wait for one another.
struct Device {
  cudaMemPool_t pool = new_pool();
  cudaStream_t stream = new_stream();
  cudaStream_t other = new_stream();

  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() {
    cudaStreamDestroy(stream);
    cudaStreamDestroy(other);
    cudaMemPoolDestroy(pool);
  }

  static cudaStream_t new_stream() {
    cudaStream_t stream = nullptr;
    REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    return stream;
  }
};

struct Event {
  cudaEvent_t event = nullptr;
  Event() { REQUIRE(cudaEventCreateWithFlags(&event, cudaEventDisableTiming) == cudaSuccess); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event); }
};

/// Device memory in the order of the device's first stream.
template <class T>
struct Buffer {
  Device& device;
  T* data = nullptr;
  std::size_t count;

  Buffer(Device& on, std::size_t elements) : device(on), count(elements) {
    void* memory = nullptr;
    REQUIRE(cudaMallocFromPoolAsync(&memory, bytes(), device.pool, device.stream) == cudaSuccess);
    data = static_cast<T*>(memory);
  }
  Buffer(Device& on, const std::vector<T>& values) : Buffer(on, values.size()) {
    REQUIRE(cudaMemcpyAsync(data, values.data(), bytes(), cudaMemcpyHostToDevice, device.stream) ==
            cudaSuccess);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (data != nullptr) cudaFreeAsync(data, device.stream);
  }

  std::size_t bytes() const { return count * sizeof(T); }
  void free() {
    REQUIRE(cudaFreeAsync(std::exchange(data, nullptr), device.stream) == cudaSuccess);
  }
  std::vector<T> values() const {
    std::vector<T> result(count);
    REQUIRE(cudaMemcpyAsync(result.data(), data, bytes(), cudaMemcpyDeviceToHost, device.stream) ==
            cudaSuccess);
    return result;
  }
};

/// Numbers between -1 and 1.
template <class T>
std::vector<T> numbers(std::size_t count, int seed) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<T>(std::sin(static_cast<double>(i * 7 + 1) + seed));
  }
  return values;
}

/// How far results below 1 may be off: by rounding, and by the step more that algorithms without
/// determinism take.
template <class T>
constexpr double kRounding = std::is_same_v<T, double>          ? 1e-13
                             : std::is_same_v<T, float>         ? 1e-6
                             : std::is_same_v<T, sfumato::Half> ? 1.5 * 0x1p-10
                                                                : 1.5 * 0x1p-7;

/// The elements first + Σ i · strides, of places {extent, stride}.
template <class T>
emulator::Access elements(const T* first, std::vector<emulator::Access::Dimension> places) {
  for (auto& place : places) place.stride *= static_cast<std::int64_t>(sizeof(T));
  return emulator::Access::make(first, sizeof(T), std::move(places), false);
}
template <class T>
emulator::Access all_of(const Buffer<T>& buffer) {
  return elements(buffer.data, {{static_cast<std::int64_t>(buffer.count), 1}});
}

/// Launches kernel(index) for every index, as the library does.
template <class Kernel>
cudaError_t launch(cudaStream_t stream, const Kernel& kernel, std::size_t count,
                   std::vector<emulator::Access> reads, std::vector<emulator::Access> writes) {
  const auto body = [](const void* functor, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) (*static_cast<const Kernel*>(functor))(i);
  };
  for (auto& access : writes) {
    access.writes = true;
    reads.push_back(access);
  }
  return sfumato::cuda::emulator_launch("test kernel", stream, static_cast<std::int64_t>(count),
                                        body, &kernel, sizeof(Kernel), reads);
}

/// y[i] = 2 x[i]
inline cudaError_t double_up(cudaStream_t stream, const Buffer<float>& x, const Buffer<float>& y) {
  const auto kernel = [from = x.data, to = y.data](std::int64_t i) { to[i] = 2.0f * from[i]; };
  return launch(stream, kernel, x.count, {all_of(x)}, {all_of(y)});
}

/// The signal that a process dies of when it does this, or 0.
template <class Deed>
int death(const Deed& deed) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);  // not doctest's business
    std::signal(SIGBUS, SIG_DFL);
    deed();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace emulator_tests
