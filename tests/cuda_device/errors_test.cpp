// The Cuda device when CUDA fails: what the errors say, and that the library can be used
// afterwards.

#include "cuda_emulator/tests/support.hpp"
#include "sfumato/cuda.hpp"
#include "sfumato/sfumato.hpp"

namespace sfumato::errors_test {
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

}  // namespace

TEST_CASE("errors name the call, the code and the shapes") {
  const auto x = DeviceTensor::ones({1, 2, 6, 5});
  const auto filters = DeviceTensor::ones({3, 2, 3, 3});
  const DeviceVariable image(x);
  const DeviceVariable weight(filters);

  emulator::fail_next("cudaLaunchKernel", cudaErrorLaunchOutOfResources);
  CHECK(holds(complaint<CudaError>([&] { ops::exp(image); }),
              {"launch", "cudaErrorLaunchOutOfResources", "too many resources requested for launch",
               "map in 8 parts"}));
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

}  // namespace sfumato::errors_test
