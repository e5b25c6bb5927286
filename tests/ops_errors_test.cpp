// What the ops say when they refuse, word for word, and that a refusal leaves nothing behind.
// conv2d's messages are in ops_convolution_test.cpp, matmul's in ops_matmul_test.cpp and pooling's
// in ops_pooling_test.cpp.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_errors {

namespace {

Variable<float> zeros(const Shape& shape) {
  return Variable<float>(Tensor<float>::zeros(shape), true);
}

const std::string kNoBroadcast =
    " do not broadcast together: extents must agree or be 1, aligned at the last dimension";

}  // namespace

TEST_CASE("every op of two operands names itself and both shapes") {
  const auto a = zeros({2, 3});
  const auto b = zeros({4, 3});
  const std::string shapes = ": shapes (2, 3) and (4, 3)" + kNoBroadcast;
  CHECK(complaint([&] { ops::add(a, b); }) == "add" + shapes);
  CHECK(complaint([&] { ops::sub(a, b); }) == "sub" + shapes);
  CHECK(complaint([&] { ops::mul(a, b); }) == "mul" + shapes);
  CHECK(complaint([&] { ops::div(a, b); }) == "div" + shapes);
  CHECK(complaint([&] { ops::pow(a, b); }) == "pow" + shapes);
  CHECK(complaint([&] { ops::maximum(a, b); }) == "maximum" + shapes);
  CHECK(complaint([&] { ops::minimum(a, b); }) == "minimum" + shapes);
  CHECK_THROWS_AS(ops::add(a, b), ShapeError);
  const auto condition = Tensor<std::uint8_t>::zeros({5});
  CHECK(complaint([&] { ops::where(condition, a, a); }) ==
        "where: shapes (5,) and (2, 3)" + kNoBroadcast);
  CHECK(complaint([&] {
          ops::where(Tensor<std::uint8_t>::zeros({2, 1}), a, b);
        }) == "where: shapes (2, 3) and (4, 3)" + kNoBroadcast);
}

TEST_CASE("apply_into names the input that does not broadcast to its result") {
  auto out = Tensor<float>::zeros({2, 3});
  CHECK(complaint([&] {
          ops::apply_into("mine", detail::Plus{}, out, Tensor<float>::zeros({3}),
                          Tensor<float>::zeros({2, 2}));
        }) == "mine: (2, 2) does not broadcast to (2, 3)");
  CHECK(complaint([&] {
          ops::apply_into("mine", detail::Identity{}, out, Tensor<float>::zeros({1, 2, 3}));
        }) == "mine: (1, 2, 3) does not broadcast to (2, 3)");
}

TEST_CASE("reductions name axes that are twice there or not at all") {
  const auto x = zeros({2, 3});
  const std::string out_of_range =
      "shape: axis 2 is out of range for (2, 3), which has 2 dimensions";
  const auto each = [&](const char* name, const auto& reduce) {
    CHECK(complaint([&] { reduce(x, ops::Axes{2}); }) == out_of_range);
    // -1 and 1 are the same axis.
    CHECK(complaint([&] {
            reduce(x, ops::Axes{1, -1});
          }) == std::string(name) + ": axis -1 is named twice for (2, 3)");
  };
  each("sum", [](const auto& v, const ops::Axes& axes) { ops::sum(v, axes); });
  each("mean", [](const auto& v, const ops::Axes& axes) { ops::mean(v, axes); });
  each("max", [](const auto& v, const ops::Axes& axes) { ops::max(v, axes); });
  each("min", [](const auto& v, const ops::Axes& axes) { ops::min(v, axes); });
  each("var", [](const auto& v, const ops::Axes& axes) { ops::var(v, axes, false, 0); });
  CHECK(complaint([&] { ops::softmax(x, 2); }) == out_of_range);
  CHECK(complaint([&] { ops::log_softmax(x, 2); }) == out_of_range);
  CHECK(complaint([&] { ops::softmax(zeros({}), -1); }) ==
        "shape: axis -1 is out of range for (), which has 0 dimensions");
}

TEST_CASE("there is no mean, extreme or variance of nothing") {
  const auto x = zeros({2, 0});
  CHECK(complaint([&] { ops::mean(x); }) == "mean: nothing to reduce in (2, 0)");
  CHECK(complaint([&] { ops::max(x, {1}); }) == "max: nothing to reduce in (2, 0)");
  CHECK(complaint([&] { ops::min(x, {-1}); }) == "min: nothing to reduce in (2, 0)");
  CHECK(complaint([&] { ops::var(x, {}, false, 0); }) == "var: nothing to reduce in (2, 0)");
  CHECK_THROWS_AS(ops::mean(x), ValueError);
  // Over the axis that is there, there are two values for each of no results.
  CHECK(ops::mean(x, {0}).shape() == Shape{0});
  CHECK(ops::max(x, {0}).shape() == Shape{0});
  CHECK(complaint([&] {
          ops::var(zeros({2, 3}), {0}, false, 2);
        }) == "var: 2 values over the axes of (2, 3) leave none after a correction of 2");
}

TEST_CASE("clamp refuses bounds in the wrong order") {
  CHECK(complaint([] { ops::clamp(zeros({2}), 0.5F, -0.5F); }) ==
        "clamp: low 0.5 is above high -0.5");
  CHECK(ops::clamp(zeros({1}), 1.0F, 1.0F).item() == 1.0F);
}

TEST_CASE("reshape and broadcast_to name both shapes") {
  const auto x = zeros({2, 3});
  CHECK(complaint([&] { ops::reshape(x, Shape{4}); }) ==
        "reshape: (2, 3) has 6 elements, but (4,) has 4");
  CHECK(complaint([&] {
          ops::reshape(x, {-1, 4});
        }) ==
        "reshape: the extent -1 can't be worked out for (2, 3): there must be one, and the "
        "others must divide its 6 elements");
  CHECK(complaint([&] { ops::broadcast_to(x, {3}); }) ==
        "broadcast_to: (2, 3) does not broadcast to (3,)");
  CHECK(complaint([&] {
          ops::broadcast_to(x, {3, 2, 2});
        }) == "broadcast_to: (2, 3) does not broadcast to (3, 2, 2)");
}

TEST_CASE("ops on axes name the axis") {
  const auto x = zeros({2, 3});
  const std::string no_axis = "shape: axis -3 is out of range for (2, 3), which has 2 dimensions";
  CHECK(complaint([&] { ops::slice(x, -3, {}); }) == no_axis);
  CHECK(complaint([&] { ops::pad(x, -3, 1, 1); }) == no_axis);
  CHECK(complaint([&] { ops::diff(x, -3); }) == no_axis);
  CHECK(complaint([&] {
          ops::diff(zeros({2, 0}), 1);
        }) == "diff: (2, 0) has no elements along axis 1");
  CHECK(complaint([&] { ops::transpose(x, -3, 0); }) == no_axis);
  CHECK(complaint([&] { ops::permute(x, {0, -3}); }) == no_axis);
  CHECK(complaint([&] { ops::cat({x, x}, -3); }) == no_axis);
  CHECK(complaint([&] { ops::transpose(zeros({3})); }) ==
        "shape: axis -2 is out of range for (3,), which has 1 dimensions");
  CHECK(complaint([&] {
          ops::pad(zeros({3}), {1, 1, 1, 1});
        }) == "pad: 4 amounts for (3,); give two for each axis, the last axis first");
  CHECK(complaint([&] { ops::slice(x, 1, {.step = 0}); }) == "slice: the step is 0 along axis 1");
  CHECK(complaint([&] {
          ops::permute(x, {1, -1});
        }) == "permute: axis -1 is named twice for (2, 3)");
  CHECK(complaint([&] { ops::permute(x, {}); }) ==
        "permute: 0 axes for (2, 3), which has 2 dimensions; name every axis once");
}

TEST_CASE("parts that can't be joined are refused") {
  CHECK(complaint([] { ops::cat(std::vector<Variable<float>>{}, 0); }) == "cat: no parts to join");
  CHECK(complaint([] { ops::stack(std::vector<Variable<float>>{}); }) ==
        "stack: no parts to stack");
  CHECK(complaint([] {
          ops::cat({zeros({2, 3}), zeros({2, 3, 1})}, 1);
        }) == "cat: (2, 3, 1) does not fit (2, 3) along axis 1; all other extents must agree");
  CHECK(complaint([] {
          ops::cat({zeros({2, 3}), zeros({1, 3})}, -1);
        }) == "cat: (1, 3) does not fit (2, 3) along axis -1; all other extents must agree");
  CHECK(complaint([] {
          ops::cat({zeros({}), zeros({})}, 0);
        }) == "shape: axis 0 is out of range for (), which has 0 dimensions");
  CHECK(complaint([] { ops::stack({zeros({2})}, -3); }) ==
        "stack: axis -3 is out of range for parts of (2,)");
  CHECK(complaint([] {
          ops::stack({zeros({1, 1, 1, 1, 1, 1, 1, 1})});
        }) == "shape: more than 8 dimensions");
}

TEST_CASE("padding that is negative, too much or of nothing is refused") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto x = zeros({2, 3});
  CHECK(complaint([&] { ops::pad(x, 0, 1, -4); }) ==
        "pad: amounts 1 and -4 take more than axis 0 of (2, 3) has");
  CHECK(complaint([&] { ops::pad(x, 1, 1, 3, ops::PaddingMode::kReflect); }) ==
        "pad: can't reflect 3 elements at an edge of axis 1 of (2, 3), which has 3");
  CHECK(complaint([&] { ops::pad(zeros({0}), 0, 1, 0, ops::PaddingMode::kReplicate); }) ==
        "pad: can't replicate 1 elements at an edge of axis 0 of (0,), which has 0");
  // Amounts whose sum would overflow.
  CHECK(complaint([&] { ops::pad(x, 0, kMost, kMost); }) ==
        "shape: () times 9223372036854775807 has too many elements");
  CHECK(ops::pad(zeros({0}), 0, 1, 2).shape() == Shape{3});
}

TEST_CASE("interpolate refuses what is no image and sizes that are none") {
  CHECK(complaint([] {
          ops::interpolate(zeros({1, 2, 3}), {.size = {2, 2}});
        }) ==
        "interpolate: input (1, 2, 3) must have four dimensions (n, c, h, w), none of them empty");
  CHECK(complaint([] {
          ops::interpolate(zeros({1, 1, 0, 3}), {.size = {2, 2}});
        }) ==
        "interpolate: input (1, 1, 0, 3) must have four dimensions (n, c, h, w), none of them "
        "empty");
  CHECK(complaint([] {
          ops::interpolate(zeros({1, 1, 2, 3}), {.size = {2, -1}});
        }) == "interpolate: size 2 × -1 must be at least 1 × 1");
  CHECK(complaint([] {
          ops::interpolate(zeros({1, 1, 2, 3}), {.size = {1LL << 60, 2}});
        }) == "shape: () times 1152921504606846976 has too many elements");
  CHECK_THROWS_AS(ops::interpolate(zeros({1, 1, 2, 3}), {.size = {1LL << 57, 2}}), ResourceError);
  CHECK_THROWS_AS(ops::adaptive_avg_pool2d(zeros({1, 1, 2, 3}), {1LL << 57, 2}), ResourceError);
}

TEST_CASE("an op that refuses leaves no memory behind") {
  const auto a = zeros({200, 300});
  const auto b = zeros({100, 300});
  const std::size_t before = Pool<Device>::shared().statistics().bytes_in_use;
  for (int i = 0; i < 3; ++i) {
    complaint([&] { ops::cat({a * 2.0F, ops::exp(b)}, 1); });
    complaint([&] { ops::matmul(ops::relu(a), a); });
  }
  CHECK(Pool<Device>::shared().statistics().bytes_in_use == before);
}

}  // namespace sfumato::tested::ops_errors
