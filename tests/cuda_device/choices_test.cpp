// What the Cuda device chooses between: fused or not, plans by shape and by option, exact or TF32.

#include <doctest/doctest.h>

#include <emulator.hpp>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::choices {

namespace {

std::uint64_t calls(const std::string& name) {
  const auto counters = emulator::counters();
  const auto found = counters.calls.find(name);
  return found == counters.calls.end() ? 0 : found->second;
}

template <class OnDevice>
std::vector<double> conv2d_relu(std::int64_t height) {
  Random random(2);
  const auto normal = [&](const Shape& shape) {
    return sfumato::Variable<double, OnDevice>(
        sfumato::Tensor<double, OnDevice>::randn(shape, random), true);
  };
  const auto x = normal({1, 2, height, 17});
  const auto w = normal({3, 2, 3, 3});
  const auto bias = normal({3});
  const auto y = ops::conv2d_relu(x, w, bias);
  std::vector<double> numbers = y.value().to_vector();
  for (const auto& gradient : grad({ops::sum(ops::square(y))}, {x, w, bias})) {
    for (const double slope : gradient.value().to_vector()) numbers.push_back(slope);
  }
  return numbers;
}

void check_close(const std::vector<double>& actual, const std::vector<double>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CHECK(actual[i] == doctest::Approx(expected[i]).epsilon(1e-10));
  }
}

}  // namespace

TEST_CASE("bias and rectifier are fused with a convolution where cuDNN can, with equal results") {
  emulator::reset_counters();
  check_close(conv2d_relu<Cuda>(11), conv2d_relu<Cpu>(11));
  CHECK(calls("cudnnConvolutionBiasActivationForward") == 1);
  CHECK(calls("cudnnConvolutionForward") == 0);
  // Asked once for shapes that it can't fuse, and not again.
  emulator::reset_counters();
  emulator::fail_next("cudnnConvolutionBiasActivationForward", CUDNN_STATUS_NOT_SUPPORTED);
  check_close(conv2d_relu<Cuda>(12), conv2d_relu<Cpu>(12));
  CHECK(emulator::stop_failing());
  check_close(conv2d_relu<Cuda>(12), conv2d_relu<Cpu>(12));
  CHECK(calls("cudnnConvolutionBiasActivationForward") == 1);
  CHECK(calls("cudnnConvolutionForward") == 2);
}

TEST_CASE(
    "algorithms are looked for once for each shape and option, and chosen untimed if need be") {
  emulator::reset_counters();
  const auto found = [] {
    return calls("cudnnFindConvolutionForwardAlgorithmEx") +
           calls("cudnnFindConvolutionBackwardDataAlgorithmEx") +
           calls("cudnnFindConvolutionBackwardFilterAlgorithmEx");
  };
  const std::vector<double> expected = conv2d_relu<Cpu>(13);
  for (int i = 0; i < 3; ++i) check_close(conv2d_relu<Cuda>(13), expected);
  CHECK(found() == 3);
  check_close(conv2d_relu<Cuda>(14), conv2d_relu<Cpu>(14));
  CHECK(found() == 6);
  const PlainSums plain;
  check_close(conv2d_relu<Cuda>(13), expected);
  CHECK(found() == 6);
}

TEST_CASE("a search that fails, or finds too little room, ends with the plainest algorithm") {
  for (const std::string call :
       {"cudnnFindConvolutionForwardAlgorithmEx", "cudnnFindConvolutionBackwardDataAlgorithmEx",
        "cudnnFindConvolutionBackwardFilterAlgorithmEx"}) {
    CAPTURE(call);
    const auto height = static_cast<std::int64_t>(call.size());
    emulator::fail_next(call, CUDNN_STATUS_NOT_SUPPORTED);
    check_close(conv2d_relu<Cuda>(height), conv2d_relu<Cpu>(height));
    CHECK(emulator::stop_failing());
  }
  cuda::options().workspace_limit = 0;
  check_close(conv2d_relu<Cuda>(15), conv2d_relu<Cpu>(15));
  cuda::options() = cuda::Options{};
}

TEST_CASE("TF32 is used only where it is allowed") {
  // 1 + 2^-12 has more bits than TF32 keeps.
  const float value = 1.0F + 0x1p-12F;
  const auto square = [&] {
    const Variable<float> x(Tensor<float>::full({8, 8}, value));
    const Variable<float> image(Tensor<float>::full({1, 1, 8, 8}, value));
    const Variable<float> filter(Tensor<float>::full({1, 1, 1, 1}, value));
    return std::pair(ops::matmul(x, x).value().at({0, 0}) / 8.0F,
                     ops::conv2d(image, filter).value().at({0, 0, 3, 3}));
  };
  const auto exact = square();
  CHECK(exact.first == doctest::Approx(value * value).epsilon(1e-7));
  CHECK(exact.second == doctest::Approx(value * value).epsilon(1e-6));
  cuda::options().allow_tf32 = true;
  const auto rounded = square();
  cuda::options().allow_tf32 = false;
  CHECK(rounded.first == 1.0F);
}

}  // namespace sfumato::tested::choices
