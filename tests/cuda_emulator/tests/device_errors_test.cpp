// The Cuda device when CUDA fails: what the errors say, and that the library can be used
// afterwards.

#include "sfumato/cuda.hpp"
#include "sfumato/sfumato.hpp"
#include "support.hpp"

using namespace sfumato;
using emulator_tests::caught;
using emulator_tests::death;

namespace {

using DeviceTensor = Tensor<float, Cuda>;
using DeviceVariable = Variable<float, Cuda>;

/// The message of the Error that `deed` throws; with "nothing was thrown" if none is.
template <class Error, class Deed>
std::string complaint(const Deed& deed) {
  try {
    deed();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

bool holds(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* const part : parts) {
    if (text.find(part) == std::string::npos) {
      MESSAGE("'" << text << "' lacks '" << part << "'");
      return false;
    }
  }
  return true;
}

/// A small network with everything in it that runs on the device, and an optimiser.
class Training {
 public:
  Training() : random_(7) {}

  /// One step from the beginning: the loss, and an updated parameter.
  std::vector<float> step() {
    const auto parameter = [&](const Shape& shape) {
      return DeviceVariable(Tensor<float>::normal(shape, random_).to<Cuda>(), true);
    };
    random_ = Random(7);
    const DeviceVariable x(Tensor<float>::normal({2, 3, 8, 8}, random_).to<Cuda>());
    const DeviceVariable filters = parameter({4, 3, 3, 3});
    const DeviceVariable bias = parameter({4});
    const DeviceVariable weight = parameter({64, 5});
    optim::Adam<float, Cuda> adam({filters, bias, weight}, {.learning_rate = 0.1});
    const DeviceVariable features =
        ops::max_pool2d(ops::relu(ops::conv2d(x, filters, bias, {.padding = 1})), {.kernel = 2});
    const DeviceVariable loss =
        ops::mean(ops::square(ops::matmul(ops::reshape(features, {2, 64}), weight)));
    backward(loss);
    adam.step();
    std::vector<float> result = filters.value().to_vector();
    result.push_back(loss.item());
    return result;
  }

 private:
  Random random_;
};

/// Whether a call that fails leaves something behind for want of another way to free it.
bool frees(const std::string& call) {
  return call.find("Destroy") != std::string::npos || call.find("Free") != std::string::npos;
}

}  // namespace

TEST_CASE("errors name the call, the code and the shapes") {
  const auto x = DeviceTensor::ones({1, 2, 6, 5});
  const auto filters = DeviceTensor::ones({3, 2, 3, 3});
  const DeviceVariable image(x);
  const DeviceVariable weight(filters);

  emulator::fail_next("cudaLaunchKernel", cudaErrorLaunchOutOfResources);
  CHECK(holds(complaint<CudaError>([&] { ops::exp(image); }),
              {"launch", "cudaErrorLaunchOutOfResources", "too many resources requested for launch",
               "map", "60"}));
  emulator::fail_next("cudnnConvolutionForward", CUDNN_STATUS_EXECUTION_FAILED);
  CHECK(holds(complaint<CudaError>([&] { ops::conv2d(image, weight); }),
              {"cudnnConvolutionForward", "CUDNN_STATUS_EXECUTION_FAILED", "(1, 2, 6, 5)",
               "(3, 2, 3, 3)", "(1, 3, 4, 3)"}));
  emulator::fail_next("cublasGemmStridedBatchedEx", CUBLAS_STATUS_INTERNAL_ERROR);
  const DeviceVariable a(DeviceTensor::ones({4, 7}));
  const DeviceVariable b(DeviceTensor::ones({7, 9}));
  CHECK(holds(complaint<CudaError>([&] { ops::matmul(a, b); }),
              {"cublasGemmStridedBatchedEx", "CUBLAS_STATUS_INTERNAL_ERROR", "4 × 7", "7 × 9"}));
  emulator::fail_next("cudaMemcpyAsync", cudaErrorUnknown);
  CHECK(holds(complaint<CudaError>([&] { x.to_vector(); }),
              {"cudaMemcpyAsync", "cudaErrorUnknown", "240 bytes"}));
  CHECK(emulator::stop_failing());
  CHECK(cudaGetLastError() == cudaSuccess);  // what was reported is not reported again
  CHECK(x.to_vector() == std::vector<float>(60, 1.0f));
}

TEST_CASE("out of memory says how much was asked for, held and free") {
  cuda::shutdown();
  emulator::set_memory_limit(std::size_t{64} << 20);
  {
    const auto kept = DeviceTensor::ones({1 << 20});
    CHECK(holds(complaint<ResourceError>([] { DeviceTensor::ones({1 << 26}); }),
                {"268435456 bytes", "4194304 bytes are in use", "bytes held", "67108864 bytes"}));
    CHECK(kept.to_vector()[5] == 1.0f);
    CHECK(DeviceTensor::ones({1 << 20}).to_vector()[7] == 1.0f);
  }
  emulator::set_memory_limit(std::size_t{8} << 30);
}

TEST_CASE("without a device, with an old driver, with a wrong number: one clear line") {
  cuda::shutdown();
  emulator::set_device_count(0);
  CHECK(holds(complaint<CudaError>([] { DeviceTensor::ones({1}); }), {"cuda:0", "no NVIDIA GPU"}));
  emulator::set_device_count(1);
  emulator::fail_next("cudaGetDeviceCount", cudaErrorInsufficientDriver);
  CHECK(holds(complaint<CudaError>([] { DeviceTensor::ones({1}); }),
              {"cuda:0", "CUDA driver version is insufficient"}));
  CHECK(holds(complaint<CudaError>([] { cuda::select_device(1); }), {"cuda:1", "1 GPU"}));
  CHECK(DeviceTensor::ones({3}).to_vector() == std::vector<float>(3, 1.0f));
  cudaGetLastError();
}

TEST_CASE("whichever call fails, there is an error, and afterwards all is as before") {
  cuda::shutdown();
  Training training;
  emulator::reset_counters();
  const std::vector<float> expected = training.step();
  cuda::shutdown();
  std::uint64_t calls = 0;
  for (const auto& [name, count] : emulator::counters().calls) calls += count;
  REQUIRE(calls > 50);
  REQUIRE(emulator::live_objects().empty());

  std::uint64_t errors = 0;
  for (std::uint64_t k = 0; k < calls; ++k) {
    emulator::fail_next("*", cudaErrorLaunchFailure, k);
    std::vector<float> result;
    try {
      result = training.step();
      cuda::shutdown();
    } catch (const Error&) {
      ++errors;
    }
    emulator::stop_failing();
    const std::string call = emulator::failed_call();
    CAPTURE(call);
    if (!result.empty()) CHECK(result.size() == expected.size());
    // The library goes on: with the device as it is, and from the beginning.
    const std::vector<float> after = training.step();
    CHECK(after.back() == doctest::Approx(expected.back()));
    cuda::shutdown();
    if (frees(call)) emulator::forgive_live_objects();
    for (const std::string& object : emulator::live_objects()) {
      FAIL_CHECK(call << " failed, and left behind: " << object);
    }
    emulator::forgive_live_objects();
    for (const std::string& violation : emulator::take_violations()) {
      FAIL_CHECK(call << " failed, and then: " << violation);
    }
  }
  CHECK(errors > calls / 2);
}

TEST_CASE("out of memory at any place in a step leaves the library usable") {
  cuda::shutdown();
  Training training;
  emulator::reset_counters();
  const std::vector<float> expected = training.step();
  const std::size_t peak = emulator::counters().peak_bytes_in_use;
  const std::size_t base = std::size_t{32} << 20;  // what cuBLAS gets
  REQUIRE(peak > base);
  int errors = 0;
  for (std::size_t room = 0; room <= 64; ++room) {
    cuda::shutdown();
    emulator::set_memory_limit(base + room * 1024);
    try {
      training.step();
    } catch (const ResourceError&) {
      ++errors;
    }
    emulator::set_memory_limit(std::size_t{8} << 30);
    CHECK(training.step().back() == doctest::Approx(expected.back()));
  }
  CHECK(errors > 5);
  cuda::shutdown();
  CHECK(emulator::live_objects().empty());
}

TEST_CASE("host code does not reach the values of a device's tensor") {
  const auto x = DeviceTensor::ones({4});
  CHECK(x.to_vector()[0] == 1.0f);
  CHECK(death([&] { (void)*static_cast<const volatile float*>(x.data()); }) == SIGSEGV);
}

TEST_CASE("a tensor that was not filled is not read") {
  const auto x = DeviceTensor::empty({4});
  CHECK(x.to_vector().size() == 4);
  CHECK(caught("never written"));
  { const auto filled = DeviceTensor::ones({4}); }
  const auto again = DeviceTensor::empty({4});  // the same place in the pool
  CHECK(again.to_vector().size() == 4);
  CHECK(caught("never written"));
}
