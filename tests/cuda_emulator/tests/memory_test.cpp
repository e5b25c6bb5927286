// Wrong uses of device memory, each of which must be noticed.

#include <cstring>

#include "support.hpp"

using namespace emulator_tests;

TEST_CASE("host code that dereferences a device pointer dies") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(100, 1.0f));
  CHECK(x.values()[0] == 1.0f);
  CHECK(death([&] { (void)*static_cast<volatile float*>(x.data); }) == SIGSEGV);
  CHECK(death([&] { *static_cast<volatile float*>(x.data) = 2.0f; }) == SIGSEGV);
  CHECK(death([] {}) == 0);
}

TEST_CASE("a kernel reaches what it declared, and nothing else") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(5000, 1.5f));
  const Buffer<float> y(device, 5000);
  CHECK(double_up(device.stream, x, y) == cudaSuccess);
  CHECK(y.values() == std::vector<float>(5000, 3.0f));
  const auto copy = [from = x.data, to = y.data](std::int64_t i) { to[i] = from[i]; };
  CHECK(death([&] { launch(device.stream, copy, 5000, {}, {all_of(y)}); }) == SIGSEGV);
  CHECK(death([&] { launch(device.stream, copy, 5000, {all_of(x)}, {}); }) == SIGSEGV);
  CHECK(death([&] { launch(device.stream, copy, 5000, {all_of(x), all_of(y)}, {}); }) == SIGSEGV);
  // And no more of it when the kernel is done.
  CHECK(death([&] { *static_cast<volatile float*>(y.data) = 2.0f; }) == SIGSEGV);
}

TEST_CASE("a kernel that runs over the end of a block dies") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(64, 1.0f));
  const auto overrun = [to = x.data](std::int64_t i) { to[i + 64] = 0.0f; };
  CHECK(death([&] { launch(device.stream, overrun, 64, {}, {all_of(x)}); }) == SIGSEGV);
}

TEST_CASE("what was never written is not read") {
  Device device;
  std::vector<float> host(16);
  const Buffer<float> x(device, 16);

  SUBCASE("by a copy") {
    cudaMemcpyAsync(host.data(), x.data, x.bytes(), cudaMemcpyDeviceToHost, device.stream);
    CHECK(caught("reads byte 0 of block"));
  }
  SUBCASE("by a kernel, whose first unwritten byte is named") {
    cudaMemsetAsync(x.data, 0, 40, device.stream);
    const Buffer<float> y(device, 16);
    CHECK(double_up(device.stream, x, y) == cudaSuccess);  // as on a real device
    CHECK(caught("test kernel: reads byte 40 of block"));
  }
  SUBCASE("in a gap between written rows") {
    const Buffer<float> y(device, 16);
    const auto columns = [&](std::int64_t count) {  // the first of four rows of four
      return elements(x.data, {{count, 1}, {4, 4}});
    };
    const auto fill = [to = x.data](std::int64_t i) { to[i / 2 * 4 + i % 2] = 1.0f; };
    CHECK(launch(device.stream, fill, 8, {}, {columns(2)}) == cudaSuccess);
    const auto nothing = [](std::int64_t) {};
    CHECK(launch(device.stream, nothing, 1, {columns(2)}, {}) == cudaSuccess);
    CHECK(emulator::violation_count() == 0);
    CHECK(launch(device.stream, nothing, 1, {columns(3)}, {}) == cudaSuccess);
    CHECK(caught("reads byte 8 of block"));
  }
  SUBCASE("after it was given back to the library's pool") {
    cudaMemsetAsync(x.data, 0, x.bytes(), device.stream);
    CHECK(x.values() == std::vector<float>(16, 0.0f));
    sfumato::cuda::emulator_recycled(x.data + 4, 16);
    CHECK(double_up(device.stream, x, x) == cudaSuccess);
    CHECK(caught("reads byte 16 of block"));
  }
}

TEST_CASE("strides of zero and below are followed") {
  Device device;
  const Buffer<float> x(device, std::vector<float>{1, 2, 3, 4});
  const Buffer<float> y(device, 8);
  const auto backwards = elements(x.data + 3, {{4, -1}, {2, 0}});
  const auto kernel = [from = x.data, to = y.data](std::int64_t i) { to[i] = from[3 - i % 4]; };
  emulator::reset_counters();
  CHECK(launch(device.stream, kernel, 8, {backwards}, {all_of(y)}) == cudaSuccess);
  CHECK(emulator::counters().bytes_read == 16);
  CHECK(emulator::counters().bytes_written == 32);
  CHECK(y.values() == std::vector<float>{4, 3, 2, 1, 4, 3, 2, 1});
}

TEST_CASE("freed memory") {
  Device device;
  Buffer<float> x(device, std::vector<float>(100, 1.0f));
  const Buffer<float> y(device, 100);
  float* const address = x.data;
  x.free();

  SUBCASE("is not used") {
    x.data = address;
    CHECK(double_up(device.stream, x, y) == cudaErrorIllegalAddress);
    CHECK(caught("which was freed"));
    CHECK(double_up(device.stream, y, x) == cudaErrorIllegalAddress);
    CHECK(caught("which was freed"));
    x.data = nullptr;
  }
  SUBCASE("is not freed again") {
    CHECK(cudaFreeAsync(address, device.stream) == cudaErrorInvalidValue);
    CHECK(caught("freed for the second time"));
  }
  SUBCASE("does not come back with its values") {
    const Buffer<float> z(device, 100);
    CHECK(z.data != address);  // so that whoever still uses the old one is caught
    CHECK(double_up(device.stream, z, y) == cudaSuccess);
    CHECK(caught("never written"));
  }
}

TEST_CASE("pointers that are not what they should be") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(100, 1.0f));
  std::vector<float> host(100);

  CHECK(cudaFreeAsync(x.data + 1, device.stream) == cudaErrorInvalidValue);
  CHECK(caught("not where an allocation begins"));
  CHECK(cudaMemcpyAsync(x.data, host.data(), 404, cudaMemcpyHostToDevice, device.stream) ==
        cudaErrorIllegalAddress);
  CHECK(caught("4 bytes behind the end of block"));
  CHECK(cudaMemcpyAsync(host.data(), host.data(), 8, cudaMemcpyHostToDevice, device.stream) ==
        cudaErrorInvalidValue);
  CHECK(caught("the target"));
  CHECK(cudaMemcpyAsync(host.data(), nullptr, 8, cudaMemcpyDeviceToHost, device.stream) ==
        cudaErrorInvalidValue);
  CHECK(caught("is null"));
  CHECK(cudaMemcpyAsync(x.data, x.data + 1, 8, cudaMemcpyDeviceToDevice, device.stream) ==
        cudaErrorInvalidValue);
  CHECK(caught("overlap"));
  CHECK(cudaMemcpyAsync(x.data, host.data(), 8, cudaMemcpyDefault, device.stream) ==
        cudaErrorInvalidMemcpyDirection);
  CHECK(caught("kind of copy"));
  CHECK(cudaMemsetAsync(host.data(), 0, 8, device.stream) == cudaErrorIllegalAddress);
  CHECK(caught("host memory"));
  const auto on_host = elements(host.data(), {{100, 1}});
  CHECK(launch(device.stream, [](std::int64_t) {}, 1, {on_host}, {}) == cudaErrorIllegalAddress);
  CHECK(caught("host memory"));
}

TEST_CASE("leaks are found, and what was destroyed is not used") {
  auto* const device = new Device();
  const std::size_t before = emulator::live_objects().size();
  auto* const x = new Buffer<float>(*device, 10);
  CHECK(emulator::live_objects().size() == before + 1);
  emulator::check_leaks();
  CHECK(emulator::take_violations().size() == before + 1);
  delete x;
  const cudaStream_t stream = device->stream;
  const cudaMemPool_t pool = device->pool;
  delete device;
  CHECK(emulator::live_objects().size() == before - 3);

  CHECK(cudaStreamSynchronize(stream) == cudaErrorInvalidResourceHandle);
  CHECK(caught("was destroyed"));
  CHECK(cudaStreamDestroy(stream) == cudaErrorInvalidResourceHandle);
  CHECK(caught("was destroyed"));
  void* memory = nullptr;
  CHECK(cudaMallocFromPoolAsync(&memory, 8, pool, nullptr) == cudaErrorInvalidValue);
  CHECK(caught("was destroyed"));
  int not_a_stream = 0;
  CHECK(cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(&not_a_stream)) ==
        cudaErrorInvalidResourceHandle);
  CHECK(caught("is no stream"));
}

TEST_CASE("indices of a kernel do not depend on one another") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(16, 1.0f));
  const auto nothing = [](std::int64_t) {};
  const auto rows = elements(x.data, {{4, 4}, {4, 1}});
  const auto columns = elements(x.data, {{4, 1}, {4, 4}});
  CHECK(launch(device.stream, nothing, 16, {rows}, {rows}) == cudaSuccess);  // in place
  CHECK(emulator::violation_count() == 0);
  CHECK(launch(device.stream, nothing, 16, {columns}, {rows}) == cudaSuccess);
  CHECK(caught("reads what other indices write"));
  const auto repeated = elements(x.data, {{4, 4}, {4, 0}});
  CHECK(launch(device.stream, nothing, 16, {}, {repeated}) == cudaSuccess);
  CHECK(caught("writes the same place for several indices"));
  CHECK(launch(device.stream, nothing, 16, {}, {rows, columns}) == cudaSuccess);
  CHECK(emulator::take_violations().size() == 2);

  // Even and odd columns are no business of each other's.
  const auto even = elements(x.data, {{4, 4}, {2, 2}});
  const auto odd = elements(x.data + 1, {{4, 4}, {2, 2}});
  CHECK(launch(device.stream, nothing, 8, {even}, {odd}) == cudaSuccess);
}
