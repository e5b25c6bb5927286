// Convolutions against plain sums, and calls that cuDNN would refuse.

#include <cudnn.h>

#include <algorithm>
#include <array>

#include "support.hpp"

using namespace emulator_tests;

namespace {

struct Case {
  int n, c, h, w, k, kernel_h, kernel_w, padding, stride, dilation, groups;
  int out(int size, int kernel) const {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
  int out_h() const { return out(h, kernel_h); }
  int out_w() const { return out(w, kernel_w); }
  std::size_t x_count() const { return static_cast<std::size_t>(n * c * h * w); }
  std::size_t y_count() const { return static_cast<std::size_t>(n * k * out_h() * out_w()); }
  std::size_t filter_count() const {
    return static_cast<std::size_t>(k * c / groups * kernel_h * kernel_w);
  }

  /// Calls visit(y, x, filter) with the places of every product in the sum.
  template <class Visit>
  void for_each_product(const Visit& visit) const {
    const int in_group = c / groups;
    const int out_group = k / groups;
    for (int image = 0; image < n; ++image)
      for (int o = 0; o < k; ++o)
        for (int i = 0; i < out_h(); ++i)
          for (int j = 0; j < out_w(); ++j)
            for (int channel = 0; channel < in_group; ++channel)
              for (int a = 0; a < kernel_h; ++a)
                for (int b = 0; b < kernel_w; ++b) {
                  const int row = i * stride + a * dilation - padding;
                  const int column = j * stride + b * dilation - padding;
                  if (row < 0 || row >= h || column < 0 || column >= w) continue;
                  const int in = o / out_group * in_group + channel;
                  visit(static_cast<std::size_t>(((image * k + o) * out_h() + i) * out_w() + j),
                        static_cast<std::size_t>(((image * c + in) * h + row) * w + column),
                        static_cast<std::size_t>(
                            ((o * in_group + channel) * kernel_h + a) * kernel_w + b));
                }
  }
};

const std::array kCases{
    Case{2, 3, 7, 9, 4, 3, 3, 1, 1, 1, 1},   Case{1, 4, 8, 5, 6, 3, 2, 0, 2, 1, 2},
    Case{1, 20, 6, 6, 3, 1, 1, 0, 1, 1, 1},  Case{2, 6, 11, 10, 9, 3, 3, 2, 1, 2, 3},
    Case{1, 9, 70, 50, 8, 3, 3, 1, 1, 1, 1}, Case{1, 32, 44, 42, 32, 3, 3, 1, 1, 1, 1}};

template <class T>
struct Cudnn {
  cudnnHandle_t handle = nullptr;
  cudnnTensorDescriptor_t x = nullptr, y = nullptr, bias = nullptr;
  cudnnFilterDescriptor_t filters = nullptr;
  cudnnConvolutionDescriptor_t convolution = nullptr;
  cudnnActivationDescriptor_t relu = nullptr;
  static constexpr cudnnDataType_t kType = sfumato::cuda::kCudnnType<T>;
  static constexpr sfumato::Compute<T> kOne = 1;
  static constexpr sfumato::Compute<T> kZero = 0;

  Cudnn(const Device& device, const Case& c) {
    REQUIRE(cudnnCreate(&handle) == CUDNN_STATUS_SUCCESS);
    REQUIRE(cudnnSetStream(handle, device.stream) == CUDNN_STATUS_SUCCESS);
    for (cudnnTensorDescriptor_t* const descriptor : {&x, &y, &bias}) {
      REQUIRE(cudnnCreateTensorDescriptor(descriptor) == CUDNN_STATUS_SUCCESS);
    }
    REQUIRE(cudnnCreateFilterDescriptor(&filters) == CUDNN_STATUS_SUCCESS);
    REQUIRE(cudnnCreateConvolutionDescriptor(&convolution) == CUDNN_STATUS_SUCCESS);
    REQUIRE(cudnnCreateActivationDescriptor(&relu) == CUDNN_STATUS_SUCCESS);
    describe(x, c.n, c.c, c.h, c.w);
    describe(y, c.n, c.k, c.out_h(), c.out_w());
    describe(bias, 1, c.k, 1, 1);
    REQUIRE(cudnnSetFilter4dDescriptor(filters, kType, CUDNN_TENSOR_NCHW, c.k, c.c / c.groups,
                                       c.kernel_h, c.kernel_w) == CUDNN_STATUS_SUCCESS);
    REQUIRE(cudnnSetConvolution2dDescriptor(convolution, c.padding, c.padding, c.stride, c.stride,
                                            c.dilation, c.dilation, CUDNN_CROSS_CORRELATION,
                                            sfumato::cuda::compute_type(kType)) ==
            CUDNN_STATUS_SUCCESS);
    REQUIRE(cudnnSetConvolutionGroupCount(convolution, c.groups) == CUDNN_STATUS_SUCCESS);
    REQUIRE(cudnnSetConvolutionMathType(convolution, CUDNN_FMA_MATH) == CUDNN_STATUS_SUCCESS);
    REQUIRE(cudnnSetActivationDescriptor(relu, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0.0) ==
            CUDNN_STATUS_SUCCESS);
  }
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;
  ~Cudnn() {
    cudnnDestroyTensorDescriptor(x);
    cudnnDestroyTensorDescriptor(y);
    cudnnDestroyTensorDescriptor(bias);
    cudnnDestroyFilterDescriptor(filters);
    cudnnDestroyConvolutionDescriptor(convolution);
    cudnnDestroyActivationDescriptor(relu);
    cudnnDestroy(handle);
  }
  static void describe(cudnnTensorDescriptor_t tensor, int n, int c, int h, int w) {
    REQUIRE(cudnnSetTensor4dDescriptor(tensor, CUDNN_TENSOR_NCHW, kType, n, c, h, w) ==
            CUDNN_STATUS_SUCCESS);
  }

  cudnnStatus_t forward(
      const T* from, const T* with, T* to, void* workspace = nullptr, std::size_t bytes = 0,
      cudnnConvolutionFwdAlgo_t algorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM) const {
    return cudnnConvolutionForward(handle, &kOne, x, from, filters, with, convolution, algorithm,
                                   workspace, bytes, &kZero, y, to);
  }
};

template <class T>
void check_close(const std::vector<T>& values, const std::vector<double>& expected) {
  REQUIRE(values.size() == expected.size());
  double worst = 0.0;
  double largest = 1.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(values[i]) - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  CHECK(worst / largest < kRounding<T>);
}

}  // namespace

TEST_CASE_TEMPLATE("convolutions in every direction are what plain sums are", T, float, double,
                   sfumato::Half, sfumato::BFloat16) {
  Device device;
  for (const Case& c : kCases) {
    CAPTURE(c.c);
    const Cudnn<T> cudnn(device, c);
    const std::vector<T> x = numbers<T>(c.x_count(), 1);
    const std::vector<T> filters = numbers<T>(c.filter_count(), 2);
    const std::vector<T> dy = numbers<T>(c.y_count(), 3);
    const std::vector<T> bias = numbers<T>(static_cast<std::size_t>(c.k), 4);
    std::vector<double> y(c.y_count()), dx(c.x_count()), dfilters(c.filter_count());
    c.for_each_product([&](std::size_t in_y, std::size_t in_x, std::size_t in_filters) {
      y[in_y] += static_cast<double>(x[in_x]) * static_cast<double>(filters[in_filters]);
      dx[in_x] += static_cast<double>(dy[in_y]) * static_cast<double>(filters[in_filters]);
      dfilters[in_filters] += static_cast<double>(dy[in_y]) * static_cast<double>(x[in_x]);
    });
    const Buffer<T> device_x(device, x);
    const Buffer<T> device_filters(device, filters);
    const Buffer<T> device_dy(device, dy);
    const Buffer<T> device_bias(device, bias);
    const Buffer<T> device_y(device, c.y_count());
    const Buffer<T> device_dx(device, c.x_count());
    const Buffer<T> device_dfilters(device, c.filter_count());

    REQUIRE(cudnn.forward(device_x.data, device_filters.data, device_y.data) ==
            CUDNN_STATUS_SUCCESS);
    check_close(device_y.values(), y);
    REQUIRE(cudnnConvolutionBackwardData(
                cudnn.handle, &cudnn.kOne, cudnn.filters, device_filters.data, cudnn.y,
                device_dy.data, cudnn.convolution, CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, nullptr, 0,
                &cudnn.kZero, cudnn.x, device_dx.data) == CUDNN_STATUS_SUCCESS);
    check_close(device_dx.values(), dx);
    REQUIRE(cudnnConvolutionBackwardFilter(
                cudnn.handle, &cudnn.kOne, cudnn.x, device_x.data, cudnn.y, device_dy.data,
                cudnn.convolution, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, nullptr, 0, &cudnn.kZero,
                cudnn.filters, device_dfilters.data) == CUDNN_STATUS_SUCCESS);
    check_close(device_dfilters.values(), dfilters);

    const auto plane = static_cast<std::size_t>(c.out_h() * c.out_w());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const T added = bias[i / plane % static_cast<std::size_t>(c.k)];
      y[i] = std::max(y[i] + static_cast<double>(added), 0.0);
    }
    REQUIRE(cudnnConvolutionBiasActivationForward(
                cudnn.handle, &cudnn.kOne, cudnn.x, device_x.data, cudnn.filters,
                device_filters.data, cudnn.convolution, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
                nullptr, 0, &cudnn.kZero, cudnn.y, device_y.data, cudnn.bias, device_bias.data,
                cudnn.relu, cudnn.y, device_y.data) == CUDNN_STATUS_SUCCESS);
    check_close(device_y.values(), y);
  }
}

TEST_CASE("results are scaled, and added to what was there") {
  Device device;
  const Case c = kCases[0];
  const Cudnn<float> cudnn(device, c);
  const Buffer<float> x(device, numbers<float>(c.x_count(), 1));
  const Buffer<float> filters(device, numbers<float>(c.filter_count(), 2));
  const Buffer<float> y(device, std::vector<float>(c.y_count(), 1.0f));
  const Buffer<float> plain(device, c.y_count());
  REQUIRE(cudnn.forward(x.data, filters.data, plain.data) == CUDNN_STATUS_SUCCESS);
  const float alpha = 2.0f;
  const float beta = 3.0f;
  REQUIRE(cudnnConvolutionForward(cudnn.handle, &alpha, cudnn.x, x.data, cudnn.filters,
                                  filters.data, cudnn.convolution,
                                  CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, nullptr, 0, &beta,
                                  cudnn.y, y.data) == CUDNN_STATUS_SUCCESS);
  std::vector<double> expected;
  for (const float value : plain.values()) expected.push_back(2.0 * static_cast<double>(value) + 3);
  check_close(y.values(), expected);
}

TEST_CASE("TF32 is the default, and FMA math keeps it away") {
  Device device;
  const Case c{1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1};
  const Cudnn<float> cudnn(device, c);
  const Buffer<float> x(device, std::vector<float>{1.0f + 1.0f / 4096.0f});
  const Buffer<float> filters(device, std::vector<float>{3.0f});
  const Buffer<float> y(device, 1);
  REQUIRE(cudnn.forward(x.data, filters.data, y.data) == CUDNN_STATUS_SUCCESS);
  CHECK(y.values()[0] == 3.0f + 3.0f / 4096.0f);
  cudnnSetConvolutionMathType(cudnn.convolution, CUDNN_DEFAULT_MATH);
  REQUIRE(cudnn.forward(x.data, filters.data, y.data) == CUDNN_STATUS_SUCCESS);
  CHECK(y.values()[0] == 3.0f);
}

TEST_CASE("algorithms without determinism differ in the last bits, the others never") {
  Device device;
  const Case c = kCases[3];
  const Cudnn<float> cudnn(device, c);
  const Buffer<float> filters(device, numbers<float>(c.filter_count(), 1));
  const Buffer<float> dy(device, numbers<float>(c.y_count(), 2));
  const Buffer<float> dx(device, c.x_count());
  const Buffer<char> workspace(device, 1 << 16);
  const auto run = [&](cudnnConvolutionBwdDataAlgo_t algorithm) {
    REQUIRE(cudnnConvolutionBackwardData(cudnn.handle, &cudnn.kOne, cudnn.filters, filters.data,
                                         cudnn.y, dy.data, cudnn.convolution, algorithm,
                                         workspace.data, 1 << 16, &cudnn.kZero, cudnn.x,
                                         dx.data) == CUDNN_STATUS_SUCCESS);
    return dx.values();
  };
  CHECK(run(CUDNN_CONVOLUTION_BWD_DATA_ALGO_1) == run(CUDNN_CONVOLUTION_BWD_DATA_ALGO_1));
  CHECK(run(CUDNN_CONVOLUTION_BWD_DATA_ALGO_0) != run(CUDNN_CONVOLUTION_BWD_DATA_ALGO_0));
}

TEST_CASE("Find tells what there is, fastest first, and ruins the result") {
  Device device;
  const Case c = kCases[0];
  const Cudnn<float> cudnn(device, c);
  const Buffer<float> x(device, c.x_count());  // what it holds is no matter
  const Buffer<float> filters(device, numbers<float>(c.filter_count(), 2));
  const Buffer<float> y(device, std::vector<float>(c.y_count(), 1.0f));
  const Buffer<char> workspace(device, 1 << 20);
  std::array<cudnnConvolutionFwdAlgoPerf_t, 8> found{};
  int count = 0;
  const auto find = [&](std::size_t bytes) {
    return cudnnFindConvolutionForwardAlgorithmEx(cudnn.handle, cudnn.x, x.data, cudnn.filters,
                                                  filters.data, cudnn.convolution, cudnn.y, y.data,
                                                  8, &count, found.data(), workspace.data, bytes);
  };
  REQUIRE(find(1 << 20) == CUDNN_STATUS_SUCCESS);
  CHECK(found[0].algo == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED);
  CHECK(found[0].status == CUDNN_STATUS_SUCCESS);
  CHECK(found[0].mathType == CUDNN_FMA_MATH);
  CHECK(found[0].memory > 0);
  CHECK(found[1].time > found[0].time);
  CHECK(found[static_cast<std::size_t>(count - 1)].status == CUDNN_STATUS_NOT_SUPPORTED);
  CHECK(emulator::violation_count() == 0);
  CHECK(y.values().size() == c.y_count());
  CHECK(caught("never written"));
  REQUIRE(find(0) == CUDNN_STATUS_SUCCESS);
  CHECK(found[0].algo == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM);
  CHECK(found[0].memory == 0);
  CHECK(find(1 << 21) == CUDNN_STATUS_EXECUTION_FAILED);
  CHECK(caught("behind the end"));
  for (const auto mode : {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeRelaxed}) {
    REQUIRE(cudaStreamBeginCapture(device.stream, mode) == cudaSuccess);
    CHECK(find(0) == CUDNN_STATUS_EXECUTION_FAILED);
    CHECK(caught("illegal while a stream is being captured"));
    cudaGraph_t graph = nullptr;
    CHECK(cudaStreamEndCapture(device.stream, &graph) == cudaErrorStreamCaptureInvalidated);
  }
}

TEST_CASE("wrong convolutions are refused, and say what is wrong") {
  Device device;
  const Case c = kCases[0];
  const Cudnn<float> cudnn(device, c);
  const Buffer<float> x(device, numbers<float>(c.x_count(), 1));
  const Buffer<float> filters(device, numbers<float>(c.filter_count(), 2));
  const Buffer<float> y(device, c.y_count());
  const Buffer<char> workspace(device, 1 << 20);
  std::vector<float> host(c.x_count());
  const auto refused = [&](cudnnStatus_t status, const char* why) {
    CHECK(status != CUDNN_STATUS_SUCCESS);
    CHECK(caught(why));
  };
  refused(cudnn.forward(nullptr, filters.data, y.data), "is null");
  refused(cudnn.forward(host.data(), filters.data, y.data), "host memory");
  refused(cudnn.forward(x.data, filters.data, x.data), "overlap");
  refused(cudnn.forward(x.data + 1, filters.data, y.data), "behind the end");

  const auto winograd = CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED;
  std::size_t bytes = 0;
  CHECK(cudnnGetConvolutionForwardWorkspaceSize(cudnn.handle, cudnn.x, cudnn.filters,
                                                cudnn.convolution, cudnn.y, winograd,
                                                &bytes) == CUDNN_STATUS_SUCCESS);
  REQUIRE(bytes > 0);
  CHECK(cudnn.forward(x.data, filters.data, y.data, workspace.data, bytes, winograd) ==
        CUDNN_STATUS_SUCCESS);
  refused(cudnn.forward(x.data, filters.data, y.data, workspace.data, bytes - 1, winograd),
          "the algorithm needs");
  refused(cudnn.forward(x.data, filters.data, y.data, nullptr, bytes, winograd), "null");
  refused(cudnn.forward(x.data, filters.data, y.data, y.data, bytes, winograd), "overlap");
  refused(cudnn.forward(x.data, filters.data, y.data, nullptr, 0, CUDNN_CONVOLUTION_FWD_ALGO_FFT),
          "does not support");

  const Buffer<float> bias(device, numbers<float>(static_cast<std::size_t>(c.k), 3));
  const auto fused = [&](cudnnTensorDescriptor_t bias_descriptor) {
    return cudnnConvolutionBiasActivationForward(
        cudnn.handle, &cudnn.kOne, cudnn.x, x.data, cudnn.filters, filters.data, cudnn.convolution,
        CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, nullptr, 0, &cudnn.kZero, cudnn.y, y.data,
        bias_descriptor, bias.data, cudnn.relu, cudnn.y, y.data);
  };
  refused(fused(cudnn.y), "the bias is not");
  cudnnSetActivationDescriptor(cudnn.relu, CUDNN_ACTIVATION_TANH, CUDNN_PROPAGATE_NAN, 0.0);
  refused(fused(cudnn.bias), "neither relu nor the identity");
  cudnnSetActivationDescriptor(cudnn.relu, CUDNN_ACTIVATION_IDENTITY, CUDNN_PROPAGATE_NAN, 0.0);
  refused(fused(cudnn.bias), "must be IMPLICIT_PRECOMP_GEMM");
}

TEST_CASE("wrong descriptors are refused") {
  Device device;
  const Case c = kCases[0];
  const Cudnn<float> cudnn(device, c);
  const Buffer<float> x(device, numbers<float>(c.x_count(), 1));
  const Buffer<float> filters(device, numbers<float>(c.filter_count(), 2));
  const Buffer<float> y(device, c.y_count());
  const auto refused = [&](const char* why) {
    CHECK(cudnn.forward(x.data, filters.data, y.data) == CUDNN_STATUS_BAD_PARAM);
    std::array<char, 200> message{};
    cudnnGetLastErrorString(message.data(), message.size());
    CHECK(std::string(message.data()).find(why) != std::string::npos);
    CHECK(caught(why));
  };
  SUBCASE("of another shape") {
    Cudnn<float>::describe(cudnn.y, c.n, c.k, c.out_h() + 1, c.out_w());
    refused("(2, 3, 7, 9) convolved with (4, 3, 3, 3) in 1 groups is not (2, 4, 8, 9)");
  }
  SUBCASE("of another type") {
    Cudnn<double>::describe(cudnn.y, c.n, c.k, c.out_h(), c.out_w());
    refused("types differ");
  }
  SUBCASE("of halves among floats") {
    Cudnn<sfumato::Half>::describe(cudnn.x, c.n, c.c, c.h, c.w);
    refused("types differ");
  }
  SUBCASE("that sum up in another type") {
    cudnnSetConvolution2dDescriptor(cudnn.convolution, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION,
                                    CUDNN_DATA_HALF);
    refused("are not summed up in type");
  }
  SUBCASE("with groups that do not divide the channels") {
    cudnnSetConvolutionGroupCount(cudnn.convolution, 2);
    refused("in 2 groups");
  }
  SUBCASE("that make no sense") {
    CHECK(cudnnSetTensor4dDescriptor(cudnn.x, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, 0, 2, 2) ==
          CUDNN_STATUS_BAD_PARAM);
    CHECK(caught("an extent is 0"));
    CHECK(cudnnSetConvolution2dDescriptor(cudnn.convolution, 1, 1, 0, 1, 1, 1,
                                          CUDNN_CROSS_CORRELATION,
                                          CUDNN_DATA_FLOAT) == CUDNN_STATUS_BAD_PARAM);
    CHECK(caught("stride"));
    CHECK(cudnnSetTensor4dDescriptor(cudnn.x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 1, 2, 2) ==
          CUDNN_STATUS_NOT_SUPPORTED);
    CHECK(caught("only NCHW"));
    CHECK(cudnnSetTensor4dDescriptor(cudnn.x, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1 << 10, 1 << 10,
                                     1 << 10, 2) == CUDNN_STATUS_NOT_SUPPORTED);
  }
  SUBCASE("never set, or destroyed") {
    cudnnTensorDescriptor_t empty = nullptr;
    REQUIRE(cudnnCreateTensorDescriptor(&empty) == CUDNN_STATUS_SUCCESS);
    std::size_t bytes = 0;
    const auto ask = [&] {
      return cudnnGetConvolutionForwardWorkspaceSize(
          cudnn.handle, empty, cudnn.filters, cudnn.convolution, cudnn.y,
          CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, &bytes);
    };
    CHECK(ask() == CUDNN_STATUS_BAD_PARAM);
    CHECK(caught("was never set"));
    CHECK(cudnnDestroyTensorDescriptor(empty) == CUDNN_STATUS_SUCCESS);
    CHECK(ask() == CUDNN_STATUS_BAD_PARAM);
    CHECK(caught("was destroyed"));
  }
}
