// Work on several streams that nothing orders, and what does order it.

#include "support.hpp"

using namespace emulator_tests;

TEST_CASE("a stream reads what another writes only after an event or a wait") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(10, 1.0f));
  const Buffer<float> y(device, 10);
  CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
  CHECK(double_up(device.stream, x, y) == cudaSuccess);
  const auto read = [&] { return launch(device.other, [](std::int64_t) {}, 1, {all_of(y)}, {}); };

  SUBCASE("without either") {
    CHECK(read() == cudaSuccess);  // as on a real device
    CHECK(caught("test kernel: reads block"));
  }
  SUBCASE("after an event of before") {
    const Event event;
    CHECK(cudaEventRecord(event.event, device.stream) == cudaSuccess);
    CHECK(double_up(device.stream, x, y) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(device.other, event.event, 0) == cudaSuccess);
    read();
    CHECK(caught("while another stream may still be using it"));
  }
  SUBCASE("after an event that was never recorded") {
    const Event event;
    CHECK(cudaStreamWaitEvent(device.other, event.event, 0) == cudaSuccess);
    read();
    CHECK(caught("while another stream may still be using it"));
  }
  SUBCASE("after a wait of the host for the wrong stream") {
    CHECK(cudaStreamSynchronize(device.other) == cudaSuccess);
    read();
    CHECK(caught("while another stream may still be using it"));
  }
  SUBCASE("after an event") {
    const Event event;
    CHECK(cudaEventRecord(event.event, device.stream) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(device.other, event.event, 0) == cudaSuccess);
    read();
  }
  SUBCASE("after the host has waited for an event") {
    const Event event;
    CHECK(cudaEventRecord(event.event, device.stream) == cudaSuccess);
    CHECK(cudaEventSynchronize(event.event) == cudaSuccess);
    read();
  }
  SUBCASE("after the host has waited for the stream") {
    CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
    read();
  }
  SUBCASE("after the host has waited for the device") {
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    read();
  }
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("nothing is written or freed under another stream's hands") {
  Device device;
  Buffer<float> x(device, std::vector<float>(10, 1.0f));
  const Buffer<float> y(device, 10);
  CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
  CHECK(double_up(device.other, x, y) == cudaSuccess);

  SUBCASE("written while it is read") {
    cudaMemsetAsync(x.data, 0, x.bytes(), device.stream);
    CHECK(caught("cudaMemsetAsync: writes block"));
  }
  SUBCASE("written while it is written") {
    cudaMemsetAsync(y.data, 0, y.bytes(), device.stream);
    CHECK(caught("cudaMemsetAsync: writes block"));
  }
  SUBCASE("freed while it is read") {
    x.free();
    CHECK(caught("cudaFreeAsync: writes block"));
  }
  SUBCASE("other parts of a block are another matter") {
    const Buffer<float> z(device, 20);
    CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
    CHECK(cudaMemsetAsync(z.data, 0, 40, device.stream) == cudaSuccess);
    CHECK(cudaMemsetAsync(z.data + 10, 0, 40, device.other) == cudaSuccess);
    CHECK(emulator::violation_count() == 0);
    CHECK(cudaMemsetAsync(z.data + 9, 0, 8, device.other) == cudaSuccess);
    CHECK(caught("writes block"));
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
  }
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("memory is used by other streams only after the one that allocated it") {
  Device device;
  const Buffer<float> x(device, 10);
  CHECK(cudaMemsetAsync(x.data, 0, x.bytes(), device.other) == cudaSuccess);
  CHECK(caught("writes block"));
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("the legacy stream waits for blocking streams, and they for it") {
  Device device;
  cudaStream_t blocking = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&blocking, cudaStreamDefault) == cudaSuccess);
  {
    const Buffer<float> x(device, 10);
    CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
    CHECK(cudaMemsetAsync(x.data, 0, x.bytes(), blocking) == cudaSuccess);
    CHECK(cudaMemsetAsync(x.data, 1, x.bytes(), nullptr) == cudaSuccess);
    CHECK(cudaMemsetAsync(x.data, 0, x.bytes(), blocking) == cudaSuccess);
    CHECK(emulator::violation_count() == 0);
    CHECK(cudaMemsetAsync(x.data, 0, x.bytes(), device.stream) == cudaSuccess);
    CHECK(caught("writes block"));
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
  }
  CHECK(cudaStreamDestroy(blocking) == cudaSuccess);
}
