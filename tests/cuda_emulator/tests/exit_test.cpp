// How a program ends that used the device wrongly, and no test took notice.

#include <cublas_v2.h>
#include <cudnn.h>

#include <array>
#include <cstdlib>
#include <string>

#include "support.hpp"

using namespace emulator_tests;

namespace {

constexpr const char* kLeaked = "SFUMATO_TEST_LEAK";

struct Ending {
  int status;
  std::string output;
};

/// How this program ends when it runs that test case only, with what is leaked there, and all that
/// it prints.
Ending ending_of(const char* test_case, const char* leaked = "") {
  int ends[2] = {};
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    setenv(kLeaked, leaked, 1);
    const std::string filter = std::string("--test-case=") + test_case;
    execl("/proc/self/exe", "program", "--no-skip", filter.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  close(ends[1]);
  Ending ending{-1, {}};
  std::array<char, 4096> piece{};
  for (ssize_t count = 0; (count = read(ends[0], piece.data(), piece.size())) > 0;) {
    ending.output.append(piece.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status)) ending.status = WEXITSTATUS(status);
  return ending;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Makes one object of the kind that nobody destroys.
void leak(const std::string& kind) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaStream_t stream = nullptr;
  cudaEvent_t event = nullptr;
  cublasHandle_t cublas = nullptr;
  cudnnHandle_t cudnn = nullptr;
  cudnnTensorDescriptor_t tensor = nullptr;
  cudnnFilterDescriptor_t filter = nullptr;
  cudnnConvolutionDescriptor_t convolution = nullptr;
  cudnnActivationDescriptor_t activation = nullptr;
  if (kind == "memory pool") new_pool();
  if (kind == "stream") cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (kind == "event") cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  if (kind == "cuBLAS handle") cublasCreate(&cublas);
  if (kind == "cuDNN handle") cudnnCreate(&cudnn);
  if (kind == "cuDNN tensor descriptor") cudnnCreateTensorDescriptor(&tensor);
  if (kind == "cuDNN filter descriptor") cudnnCreateFilterDescriptor(&filter);
  if (kind == "cuDNN convolution descriptor") cudnnCreateConvolutionDescriptor(&convolution);
  if (kind == "cuDNN activation descriptor") cudnnCreateActivationDescriptor(&activation);
  if (kind == "device memory") {
    Device device;
    Buffer<float> forgotten(device, 100);
    forgotten.data = nullptr;
  }
  if (kind == "graph" || kind == "executable graph") {
    Device device;
    cudaStreamBeginCapture(device.stream, cudaStreamCaptureModeRelaxed);
    cudaStreamEndCapture(device.stream, &graph);
    if (kind == "graph") return;
    cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
  }
}

}  // namespace

// Run by the test below alone.
TEST_CASE("deed: nothing wrong" * doctest::skip()) {
  const Device device;
  CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
}
TEST_CASE("deed: a wrong handle" * doctest::skip()) {
  CHECK(cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(8)) != cudaSuccess);
}
TEST_CASE("deed: a leak" * doctest::skip()) {
  const char* const kind = std::getenv(kLeaked);
  REQUIRE(kind != nullptr);
  leak(kind);
}

TEST_CASE("a program that used the device wrongly fails, though its tests pass") {
  const Ending good = ending_of("deed: nothing wrong");
  CHECK(good.status == 0);
  CHECK(contains(good.output,
                 "cuda emulator: no leaks; made and destroyed were: memory block: 0, memory "
                 "pool: 1, stream: 2"));
  CHECK(ending_of("deed: a wrong handle").status == emulator::kUntakenExit);
}

TEST_CASE("whatever is still alive when a program ends fails it, and is named") {
  for (const std::string kind :
       {"device memory", "memory pool", "stream", "event", "graph", "executable graph",
        "cuBLAS handle", "cuDNN handle", "cuDNN tensor descriptor", "cuDNN filter descriptor",
        "cuDNN convolution descriptor", "cuDNN activation descriptor"}) {
    CAPTURE(kind);
    const Ending ending = ending_of("deed: a leak", kind.c_str());
    CHECK(ending.status == emulator::kUntakenExit);
    CHECK(contains(ending.output, "cuda emulator: leak: " + kind));
    CHECK_FALSE(contains(ending.output, "no leaks"));
  }
}
