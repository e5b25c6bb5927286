// Calls that fail on demand, devices without memory or without being there, and what is counted.

#include <cublas_v2.h>
#include <cudnn.h>

#include "support.hpp"

using namespace emulator_tests;

TEST_CASE("a call fails once, when and how it was asked to") {
  Device device;
  const Buffer<float> x(device, 4);
  const auto fill = [&] { return cudaMemsetAsync(x.data, 0, 16, device.stream); };
  emulator::fail_next("cudaMemsetAsync", cudaErrorLaunchFailure, 2);
  CHECK(fill() == cudaSuccess);
  CHECK(fill() == cudaSuccess);
  CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);  // another call
  CHECK_FALSE(emulator::stop_failing());                       // it has not failed yet
  emulator::fail_next("cudaMemsetAsync", cudaErrorLaunchFailure);
  CHECK(fill() == cudaErrorLaunchFailure);
  CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(fill() == cudaSuccess);
  CHECK(emulator::stop_failing());
}

TEST_CASE("every n-th call fails") {
  emulator::fail_every("cudaDeviceSynchronize", cudaErrorUnknown, 3);
  std::string outcome;
  for (int i = 0; i < 7; ++i) outcome += cudaDeviceSynchronize() == cudaSuccess ? '.' : 'x';
  CHECK(outcome == "..x..x.");
  emulator::stop_failing();
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("a failure may hit any call of any library") {
  cublasHandle_t cublas = nullptr;
  cudnnHandle_t cudnn = nullptr;
  emulator::fail_next("*", cudaErrorLaunchFailure);
  CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
  emulator::fail_next("*", cudaErrorLaunchFailure);
  CHECK(cublasCreate(&cublas) == CUBLAS_STATUS_ALLOC_FAILED);
  emulator::fail_next("cudnnCreate", CUDNN_STATUS_NOT_INITIALIZED);
  CHECK(cudnnCreate(&cudnn) == CUDNN_STATUS_NOT_INITIALIZED);
  CHECK(cublas == nullptr);
  CHECK(cudnn == nullptr);
  CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
}

TEST_CASE("memory has a limit") {
  Device device;
  const std::size_t used = emulator::counters().bytes_in_use;  // by tests before this one
  emulator::set_memory_limit(used + (1 << 20));
  std::size_t free = 0;
  std::size_t total = 0;
  {
    const Buffer<char> one(device, 1 << 19);
    CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess);
    CHECK(free == 1 << 19);
    CHECK(total == used + (1 << 20));
    void* more = nullptr;
    CHECK(cudaMallocFromPoolAsync(&more, (1 << 19) + 1, device.pool, device.stream) ==
          cudaErrorMemoryAllocation);
    CHECK(more == nullptr);
    const Buffer<char> two(device, 1 << 19);
    CHECK(emulator::counters().bytes_in_use == used + (1 << 20));
  }
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess);
  CHECK(free == 1 << 20);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
}

TEST_CASE("a pool keeps what its threshold allows, until it is trimmed") {
  Device device;
  std::uint64_t threshold = 1000;
  CHECK(cudaMemPoolSetAttribute(device.pool, cudaMemPoolAttrReleaseThreshold, &threshold) ==
        cudaSuccess);
  { const Buffer<char> block(device, 3000); }
  const auto reserved = [&] {
    std::uint64_t bytes = 0;
    CHECK(cudaMemPoolGetAttribute(device.pool, cudaMemPoolAttrReservedMemCurrent, &bytes) ==
          cudaSuccess);
    return bytes;
  };
  CHECK(reserved() == 1000);
  CHECK(cudaMemPoolTrimTo(device.pool, 400) == cudaSuccess);
  CHECK(reserved() == 400);
}

TEST_CASE("without a device nothing works, and says why") {
  emulator::set_device_count(0);
  int value = 0;
  CHECK(cudaGetDeviceCount(&value) == cudaErrorNoDevice);
  CHECK(cudaSetDevice(0) == cudaErrorNoDevice);
  emulator::set_device_count(2);
  CHECK(cudaGetDeviceCount(&value) == cudaSuccess);
  CHECK(value == 2);
  CHECK(cudaSetDevice(1) == cudaSuccess);
  CHECK(cudaGetDevice(&value) == cudaSuccess);
  CHECK(value == 1);
  CHECK(cudaSetDevice(2) == cudaErrorInvalidDevice);
  CHECK(cudaSetDevice(-1) == cudaErrorInvalidDevice);
  CHECK(cudaSetDevice(0) == cudaSuccess);
  CHECK(std::string(cudaGetErrorName(cudaErrorNoDevice)) == "cudaErrorNoDevice");
  cudaGetLastError();
}

TEST_CASE("what is done is counted") {
  Device device;
  const std::size_t used = emulator::counters().bytes_in_use;
  const Buffer<float> x(device, std::vector<float>(10, 1.0f));
  const Buffer<float> y(device, 10);
  emulator::reset_counters();
  CHECK(double_up(device.stream, x, y) == cudaSuccess);
  CHECK(y.values()[0] == 2.0f);
  CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
  const emulator::Counters counters = emulator::counters();
  CHECK(counters.kernel_launches == 1);
  CHECK(counters.launches.at("test kernel") == 1);
  CHECK(counters.calls.at("cudaMemcpyAsync") == 1);
  CHECK(counters.synchronizations == 1);
  CHECK(counters.bytes_read == 40);
  CHECK(counters.bytes_written == 40);
  CHECK(counters.bytes_to_host == 40);
  CHECK(counters.bytes_to_device == 0);
  CHECK(counters.bytes_in_use == used + 80);
  CHECK(counters.peak_bytes_in_use == used + 80);
  { const Buffer<float> z(device, 5); }
  CHECK(emulator::counters().peak_bytes_in_use == used + 100);
  CHECK(emulator::counters().bytes_in_use == used + 80);
}
