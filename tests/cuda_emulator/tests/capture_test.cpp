// Graphs: captured work runs when they are launched, as it would have run at once; and what must
// not be done while a stream is captured.

#include <functional>

#include "support.hpp"

using namespace emulator_tests;

namespace {

struct Graph {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;

  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() {
    if (exec != nullptr) cudaGraphExecDestroy(exec);
    if (graph != nullptr) cudaGraphDestroy(graph);
  }

  void begin(cudaStream_t stream, cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal) {
    REQUIRE(cudaStreamBeginCapture(stream, mode) == cudaSuccess);
  }
  void end(cudaStream_t stream) {
    REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
    REQUIRE(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
  }
};

}  // namespace

TEST_CASE("a graph does when launched what was captured, and as often as it is launched") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(10, 1.0f));
  const Buffer<float> y(device, 10);
  const Buffer<float> z(device, 10);
  Graph graph;
  graph.begin(device.stream);
  cudaStreamCaptureStatus status{};
  CHECK(cudaStreamIsCapturing(device.stream, &status) == cudaSuccess);
  CHECK(status == cudaStreamCaptureStatusActive);
  CHECK(double_up(device.stream, x, y) == cudaSuccess);
  CHECK(cudaMemcpyAsync(z.data, y.data, y.bytes(), cudaMemcpyDeviceToDevice, device.stream) ==
        cudaSuccess);
  CHECK(double_up(device.stream, y, x) == cudaSuccess);
  graph.end(device.stream);
  CHECK(cudaStreamIsCapturing(device.stream, &status) == cudaSuccess);
  CHECK(status == cudaStreamCaptureStatusNone);
  CHECK(x.values()[0] == 1.0f);  // nothing has happened yet
  std::size_t nodes = 0;
  CHECK(cudaGraphGetNodes(graph.graph, nullptr, &nodes) == cudaSuccess);
  CHECK(nodes == 3);

  emulator::reset_counters();
  for (int i = 0; i < 3; ++i) CHECK(cudaGraphLaunch(graph.exec, device.stream) == cudaSuccess);
  CHECK(x.values() == std::vector<float>(10, 64.0f));
  CHECK(z.values() == std::vector<float>(10, 32.0f));
  CHECK(emulator::counters().graph_launches == 3);
  CHECK(emulator::counters().launches.at("test kernel") == 6);
  CHECK(emulator::counters().bytes_on_device == 3 * 40);
}

TEST_CASE("work in a graph is checked whenever it runs") {
  Device device;
  Buffer<float> x(device, std::vector<float>(10, 1.0f));
  const Buffer<float> y(device, 10);
  const Buffer<float> z(device, 10);
  Graph graph;
  graph.begin(device.stream);
  CHECK(double_up(device.stream, x, y) == cudaSuccess);
  sfumato::cuda::emulator_recycled(y.data, y.bytes());  // its contents end here, in the graph
  CHECK(double_up(device.stream, y, z) == cudaSuccess);
  graph.end(device.stream);
  CHECK(cudaGraphLaunch(graph.exec, device.stream) == cudaSuccess);
  CHECK(caught("reads byte 0 of block"));
  x.free();
  CHECK(cudaGraphLaunch(graph.exec, device.stream) == cudaErrorIllegalAddress);
  CHECK(caught("which was freed"));
}

TEST_CASE("graphs on one stream are ordered, on two they are not") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(10, 1.0f));
  const Buffer<float> y(device, 10);
  Graph graph;
  graph.begin(device.stream);
  CHECK(double_up(device.stream, x, y) == cudaSuccess);
  graph.end(device.stream);
  CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
  CHECK(cudaGraphLaunch(graph.exec, device.other) == cudaSuccess);
  CHECK(double_up(device.stream, x, y) == cudaSuccess);
  CHECK(caught("writes block"));
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("branches of a graph are ordered by its events alone") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(10, 1.0f));
  const Buffer<float> y(device, 10);
  const Buffer<float> z(device, 10);
  const Event fork;
  const Event join;
  Graph graph;
  graph.begin(device.stream);
  CHECK(cudaEventRecord(fork.event, device.stream) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(device.other, fork.event, 0) == cudaSuccess);  // joins the capture
  CHECK(double_up(device.other, x, y) == cudaSuccess);

  SUBCASE("the event is waited for") {
    CHECK(cudaEventRecord(join.event, device.other) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(device.stream, join.event, 0) == cudaSuccess);
    CHECK(double_up(device.stream, y, z) == cudaSuccess);
    graph.end(device.stream);
    CHECK(cudaGraphLaunch(graph.exec, device.stream) == cudaSuccess);
    CHECK(cudaGraphLaunch(graph.exec, device.stream) == cudaSuccess);
    CHECK(z.values() == std::vector<float>(10, 4.0f));
  }
  SUBCASE("the event is waited for too late") {
    CHECK(double_up(device.stream, y, z) == cudaSuccess);
    CHECK(cudaEventRecord(join.event, device.other) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(device.stream, join.event, 0) == cudaSuccess);
    graph.end(device.stream);
    CHECK(cudaGraphLaunch(graph.exec, device.stream) == cudaSuccess);
    CHECK(caught("reads block"));
  }
  SUBCASE("the event is not waited for") {
    CHECK(cudaStreamEndCapture(device.stream, &graph.graph) == cudaErrorStreamCaptureUnjoined);
    CHECK(graph.graph == nullptr);
    CHECK(caught("was not waited for"));
  }
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("what is illegal while a stream is captured is refused and spoils the capture") {
  Device device;
  const Buffer<float> x(device, std::vector<float>(64, 1.0f));
  const Event outside;
  CHECK(cudaEventRecord(outside.event, device.other) == cudaSuccess);
  std::vector<float> host(64);
  void* memory = nullptr;
  struct Deed {
    const char* name;
    std::function<cudaError_t()> call;
    bool in_relaxed_capture;  // whether it is illegal there too
  };
  const std::vector<Deed> deeds{
      {"waiting for the stream", [&] { return cudaStreamSynchronize(device.stream); }, true},
      {"waiting for another stream", [&] { return cudaStreamSynchronize(device.other); }, false},
      {"waiting for the device", [] { return cudaDeviceSynchronize(); }, true},
      {"waiting for an event", [&] { return cudaEventSynchronize(outside.event); }, false},
      {"reading back",
       [&] {
         return cudaMemcpyAsync(host.data(), x.data, 64, cudaMemcpyDeviceToHost, device.stream);
       },
       true},
      {"copying from pageable memory",
       [&] {
         return cudaMemcpyAsync(x.data, host.data(), 64, cudaMemcpyHostToDevice, device.stream);
       },
       true},
      {"allocating",
       [&] { return cudaMallocFromPoolAsync(&memory, 8, device.pool, device.stream); }, true},
      {"freeing", [&] { return cudaFreeAsync(x.data, device.stream); }, true},
      {"waiting for an event of outside",
       [&] { return cudaStreamWaitEvent(device.stream, outside.event, 0); }, true},
  };
  for (const auto mode : {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal,
                          cudaStreamCaptureModeRelaxed}) {
    for (const Deed& deed : deeds) {
      CAPTURE(mode);
      CAPTURE(deed.name);
      Graph graph;
      graph.begin(device.stream, mode);
      CHECK(cudaMemsetAsync(x.data, 0, 64, device.stream) == cudaSuccess);
      if (mode == cudaStreamCaptureModeRelaxed && !deed.in_relaxed_capture) {
        CHECK(deed.call() == cudaSuccess);
        graph.end(device.stream);
        continue;
      }
      CHECK(deed.call() != cudaSuccess);
      CHECK(cudaGetLastError() != cudaSuccess);
      CHECK(emulator::take_violations().size() == 1);
      cudaStreamCaptureStatus status{};
      CHECK(cudaStreamIsCapturing(device.stream, &status) == cudaSuccess);
      CHECK(status == cudaStreamCaptureStatusInvalidated);
      CHECK(cudaMemsetAsync(x.data, 0, 64, device.stream) == cudaErrorStreamCaptureInvalidated);
      CHECK(cudaStreamEndCapture(device.stream, &graph.graph) == cudaErrorStreamCaptureInvalidated);
      CHECK(graph.graph == nullptr);
    }
  }
  CHECK(x.values() == std::vector<float>(64, 1.0f));  // none of it has happened
}

TEST_CASE("the legacy stream is in the way of a capture only where it would wait for it") {
  Device device;
  const Buffer<float> x(device, 10);
  CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
  Graph graph;
  graph.begin(device.stream);
  CHECK(cudaMemsetAsync(x.data, 0, 8, nullptr) == cudaSuccess);
  graph.end(device.stream);

  cudaStream_t blocking = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&blocking, cudaStreamDefault) == cudaSuccess);
  REQUIRE(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeGlobal) == cudaSuccess);
  CHECK(cudaMemsetAsync(x.data, 0, 8, nullptr) == cudaErrorStreamCaptureImplicit);
  CHECK(caught("uses the legacy stream"));
  cudaGraph_t none = nullptr;
  CHECK(cudaStreamEndCapture(blocking, &none) == cudaErrorStreamCaptureInvalidated);
  CHECK(cudaStreamDestroy(blocking) == cudaSuccess);
  CHECK(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal) ==
        cudaErrorStreamCaptureUnsupported);
  CHECK(caught("can't be captured"));
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("captures begin and end in pairs") {
  Device device;
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamEndCapture(device.stream, &graph) == cudaErrorIllegalState);
  CHECK(caught("is not being captured"));
  CHECK(cudaStreamBeginCapture(device.stream, cudaStreamCaptureModeRelaxed) == cudaSuccess);
  CHECK(cudaStreamBeginCapture(device.stream, cudaStreamCaptureModeRelaxed) ==
        cudaErrorIllegalState);
  CHECK(caught("already"));
  CHECK(cudaStreamEndCapture(device.stream, &graph) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaErrorInvalidValue);
  CHECK(caught("was destroyed"));
}
