// Matrix products against plain sums, and calls that cuBLAS would refuse.

#include <cublas_v2.h>

#include "support.hpp"

using namespace emulator_tests;

namespace {

struct Cublas {
  cublasHandle_t handle = nullptr;
  explicit Cublas(const Device& device) {
    REQUIRE(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasSetStream(handle, device.stream) == CUBLAS_STATUS_SUCCESS);
  }
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;
  ~Cublas() { cublasDestroy(handle); }
};

/// The arguments of one call; what a test does not change is right.
template <class T>
struct Product {
  bool transpose_a = false, transpose_b = false;
  int m = 3, n = 4, k = 5, batch = 2;
  int leading_a = 6, leading_b = 7, leading_c = 5;
  long long stride_a = 40, stride_b = 50, stride_c = 30;
  double alpha = 1.0, beta = 0.0;
  cublasComputeType_t compute = std::is_same_v<T, double> ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F;
  cudaDataType type = sfumato::cuda::kCublasType<T>;
  cudaDataType type_b = type;

  cublasStatus_t call(const Cublas& cublas, const T* a, const T* b, T* c) const {
    const auto one = static_cast<sfumato::Compute<T>>(alpha);
    const auto zero = static_cast<sfumato::Compute<T>>(beta);
    return cublasGemmStridedBatchedEx(cublas.handle, transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N,
                                      transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k, &one, a,
                                      type, leading_a, stride_a, b, type_b, leading_b, stride_b,
                                      &zero, c, type, leading_c, stride_c, batch, compute,
                                      CUBLAS_GEMM_DEFAULT);
  }

  double expected(const std::vector<T>& a, const std::vector<T>& b, const std::vector<T>& c, int i,
                  int row, int column) const {
    double sum = 0.0;
    for (int l = 0; l < k; ++l) {
      const long long in_a = transpose_a ? l + row * leading_a : row + l * leading_a;
      const long long in_b = transpose_b ? column + l * leading_b : l + column * leading_b;
      sum += static_cast<double>(a[static_cast<std::size_t>(i * stride_a + in_a)]) *
             static_cast<double>(b[static_cast<std::size_t>(i * stride_b + in_b)]);
    }
    const auto before = static_cast<std::size_t>(i * stride_c + row + column * leading_c);
    return alpha * sum + (beta == 0.0 ? 0.0 : beta * static_cast<double>(c[before]));
  }
};

}  // namespace

TEST_CASE_TEMPLATE("products of all kinds are what plain sums are", T, float, double, sfumato::Half,
                   sfumato::BFloat16) {
  Device device;
  const Cublas cublas(device);
  for (int kind = 0; kind < 16; ++kind) {
    CAPTURE(kind);
    Product<T> product;
    product.transpose_a = (kind & 1) != 0;
    product.transpose_b = (kind & 2) != 0;
    if ((kind & 4) != 0) {
      product.alpha = 0.5;
      product.beta = -2.0;
    }
    if ((kind & 8) != 0) product.stride_a = 0;  // one A for all
    const std::vector<T> a = numbers<T>(100, 1);
    const std::vector<T> b = numbers<T>(100, 2);
    const std::vector<T> c = numbers<T>(100, 3);
    const Buffer<T> device_a(device, a);
    const Buffer<T> device_b(device, b);
    const Buffer<T> device_c(device, c);
    REQUIRE(product.call(cublas, device_a.data, device_b.data, device_c.data) ==
            CUBLAS_STATUS_SUCCESS);
    std::vector<T> result = device_c.values();
    for (int i = 0; i < product.batch; ++i) {
      for (int row = 0; row < product.m; ++row) {
        for (int column = 0; column < product.n; ++column) {
          const auto at =
              static_cast<std::size_t>(i * product.stride_c + row + column * product.leading_c);
          const double error =
              static_cast<double>(result[at]) - product.expected(a, b, c, i, row, column);
          CHECK(std::abs(error) < 5.0 * kRounding<T>);
          result[at] = c[at];
        }
      }
    }
    CHECK(result == c);  // and nothing else is touched
  }
}

TEST_CASE("TF32 rounds the inputs to ten bits, where it was asked for") {
  Device device;
  const Cublas cublas(device);
  const Buffer<float> a(device, std::vector<float>{1.0f + 1.0f / 4096.0f});
  const Buffer<float> b(device, std::vector<float>{3.0f});
  const Buffer<float> c(device, 1);
  Product<float> product;
  product.m = product.n = product.k = product.batch = 1;
  product.call(cublas, a.data, b.data, c.data);
  CHECK(c.values()[0] == 3.0f + 3.0f / 4096.0f);
  product.compute = CUBLAS_COMPUTE_32F_FAST_TF32;
  product.call(cublas, a.data, b.data, c.data);
  CHECK(c.values()[0] == 3.0f);
  product.compute = CUBLAS_COMPUTE_32F;
  cublasSetMathMode(cublas.handle, CUBLAS_TF32_TENSOR_OP_MATH);
  product.call(cublas, a.data, b.data, c.data);
  CHECK(c.values()[0] == 3.0f);
}

TEST_CASE("wrong products are refused, and say what is wrong") {
  Device device;
  const Cublas cublas(device);
  const Buffer<float> a(device, numbers<float>(100, 1));
  const Buffer<float> b(device, numbers<float>(100, 2));
  const Buffer<float> c(device, 100);
  std::vector<float> host(100);
  const auto refused = [&](const Product<float>& product, const float* x, const float* y, float* z,
                           const char* why) {
    CHECK(product.call(cublas, x, y, z) != CUBLAS_STATUS_SUCCESS);
    CHECK(caught(why));
  };
  const Product<float> good;
  refused({.leading_a = 2}, a.data, b.data, c.data, "A has a leading dimension below");
  refused({.transpose_a = true, .leading_a = 4}, a.data, b.data, c.data, "A has a leading");
  refused({.leading_c = 2}, a.data, b.data, c.data, "C has a leading dimension below");
  refused({.stride_c = 10}, a.data, b.data, c.data, "overlap in C");
  refused({.stride_b = 90}, a.data, b.data, c.data, "behind the end of block");
  refused({.compute = CUBLAS_COMPUTE_64F}, a.data, b.data, c.data, "compute type");
  refused({.type = CUDA_R_64F}, a.data, b.data, c.data, "compute type");
  refused({.compute = CUBLAS_COMPUTE_16F, .type = CUDA_R_16F}, a.data, b.data, c.data,
          "compute type");
  refused({.type_b = CUDA_R_16F}, a.data, b.data, c.data, "types differ");
  refused({.type = CUDA_R_8I}, a.data, b.data, c.data, "not emulated");
  refused({.m = -1}, a.data, b.data, c.data, "negative");
  refused(good, nullptr, b.data, c.data, "A is null");
  refused(good, a.data, host.data(), c.data, "host memory");
  refused(good, a.data, b.data, host.data(), "host memory");
  refused(good, a.data, b.data, b.data, "overlaps with an input");
  // Only a product that keeps some of C reads it.
  const Product<float> keeps{.beta = 1.0};
  CHECK(keeps.call(cublas, a.data, b.data, c.data) ==
        CUBLAS_STATUS_SUCCESS);  // as on a real device
  CHECK(caught("never written"));
}

TEST_CASE("handles and workspaces of cuBLAS are watched") {
  Device device;
  const Buffer<float> a(device, numbers<float>(100, 1));
  const Buffer<float> c(device, 100);
  const Buffer<char> workspace(device, 1024);
  const Product<float> product;
  cublasHandle_t dead = nullptr;
  {
    const Cublas cublas(device);
    dead = cublas.handle;
    CHECK(cublasSetWorkspace(cublas.handle, workspace.data, 2048) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(caught("behind the end"));
    CHECK(cublasSetWorkspace(cublas.handle, workspace.data + 8, 8) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(caught("not aligned"));

    // In a capture there must be a workspace: the library's own is not there when graphs run.
    REQUIRE(cudaStreamBeginCapture(device.stream, cudaStreamCaptureModeRelaxed) == cudaSuccess);
    CHECK(product.call(cublas, a.data, a.data, c.data) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(caught("must have a workspace"));
    CHECK(cublasSetWorkspace(cublas.handle, workspace.data, 1024) == CUBLAS_STATUS_SUCCESS);
    CHECK(product.call(cublas, a.data, a.data, c.data) == CUBLAS_STATUS_SUCCESS);
    cudaGraph_t graph = nullptr;
    REQUIRE(cudaStreamEndCapture(device.stream, &graph) == cudaSuccess);
    cudaGraphExec_t exec = nullptr;
    REQUIRE(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
    emulator::reset_counters();
    REQUIRE(cudaGraphLaunch(exec, device.stream) == cudaSuccess);
    const emulator::Traffic traffic = emulator::counters().traffic.at("cublasGemmStridedBatchedEx");
    CHECK(traffic.read == (2 * 3 * 5 + 2 * 5 * 4) * sizeof(float));
    CHECK(traffic.written == 2 * 3 * 4 * sizeof(float));  // the workspace does not count
    CHECK(cudaGraphExecDestroy(exec) == cudaSuccess);
    CHECK(cudaGraphDestroy(graph) == cudaSuccess);

    // Two streams, one workspace.
    CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
    CHECK(product.call(cublas, a.data, a.data, c.data) == CUBLAS_STATUS_SUCCESS);
    const Cublas second(device);
    const Buffer<float> other(device, 100);
    CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
    CHECK(product.call(cublas, a.data, a.data, c.data) == CUBLAS_STATUS_SUCCESS);
    CHECK(cublasSetStream(second.handle, device.other) == CUBLAS_STATUS_SUCCESS);
    CHECK(cublasSetWorkspace(second.handle, workspace.data, 1024) == CUBLAS_STATUS_SUCCESS);
    CHECK(product.call(second, a.data, a.data, other.data) == CUBLAS_STATUS_SUCCESS);
    CHECK(caught("writes block"));
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
  }
  CHECK(cublasSetStream(dead, device.stream) == CUBLAS_STATUS_NOT_INITIALIZED);
  CHECK(caught("was destroyed"));
}
