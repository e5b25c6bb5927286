// Every op against central differences in double precision, first and second derivatives.

#include <doctest/doctest.h>

#include <vector>

#include "support/derivatives.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_gradients {

namespace {

using Inputs = std::vector<Variable<double>>;

Variable<double> input(const Shape& shape, std::uint64_t seed, double low = -2.0,
                       double high = 2.0) {
  Random random(seed);
  return Variable<double>(Tensor<double>::rand(shape, random, low, high), true);
}

}  // namespace

TEST_CASE("gradients of arithmetic, broadcast in both directions") {
  const Inputs same{input({2, 3}, 1), input({2, 3}, 2)};
  const Inputs crossed{input({4, 1, 3}, 3), input({2, 1}, 4)};
  for (const auto& in : {same, crossed}) {
    check_derivatives([](const Inputs& x) { return x[0] + x[1]; }, in);
    check_derivatives([](const Inputs& x) { return x[0] - x[1]; }, in);
    check_derivatives([](const Inputs& x) { return x[0] * x[1]; }, in);
    check_derivatives([](const Inputs& x) { return ops::maximum(x[0], x[1]); }, in);
    check_derivatives([](const Inputs& x) { return ops::minimum(x[0], x[1]); }, in);
  }
  const Inputs positive{input({4, 1, 3}, 5, 0.5, 2.0), input({2, 1}, 6, 0.5, 2.0)};
  check_derivatives([](const Inputs& x) { return x[0] / x[1]; }, positive);
  check_derivatives([](const Inputs& x) { return ops::pow(x[0], x[1]); }, positive);
}

TEST_CASE("gradients with only one side differentiated") {
  const Variable<double> constant = input({2, 3}, 7, 0.5, 2.0).detach();
  const Variable<double> x = input({2, 3}, 8, 0.5, 2.0);
  for (const auto& in : {Inputs{x, constant}, Inputs{constant, x}}) {
    check_derivatives([](const Inputs& v) { return v[0] * v[1]; }, in);
    check_derivatives([](const Inputs& v) { return v[0] / v[1]; }, in);
    check_derivatives([](const Inputs& v) { return v[0] - v[1]; }, in);
    check_derivatives([](const Inputs& v) { return ops::pow(v[0], v[1]); }, in);
    check_derivatives(
        [](const Inputs& v) { return ops::matmul(v[0], v[1], {.transpose_b = true}); }, in);
  }
}

TEST_CASE("gradients of scalar arithmetic") {
  const Inputs in{input({5}, 9, 0.5, 2.0)};
  check_derivatives([](const Inputs& x) { return 2.0 - x[0] * 3.0 + 1.0; }, in);
  check_derivatives([](const Inputs& x) { return 1.0 / x[0] - (x[0] - 1.0) / 4.0; }, in);
  check_derivatives([](const Inputs& x) { return -(2.0 * (1.0 + x[0])); }, in);
  check_derivatives([](const Inputs& x) { return ops::pow(x[0], 3.0); }, in);
  check_derivatives([](const Inputs& x) { return ops::pow(x[0], -0.5); }, in);
  check_derivatives([](const Inputs& x) { return ops::pow(x[0], 0.0); }, in);
}

TEST_CASE("gradients of elementwise functions") {
  const Inputs any{input({3, 4}, 10)};
  check_derivatives([](const Inputs& x) { return ops::exp(x[0]); }, any);
  check_derivatives([](const Inputs& x) { return ops::abs(x[0]); }, any);
  check_derivatives([](const Inputs& x) { return ops::square(x[0]); }, any);
  check_derivatives([](const Inputs& x) { return ops::sign(x[0]); }, any);
  check_derivatives([](const Inputs& x) { return ops::tanh(x[0]); }, any);
  check_derivatives([](const Inputs& x) { return ops::sigmoid(x[0]); }, any);
  check_derivatives([](const Inputs& x) { return ops::relu(x[0]); }, any);
  check_derivatives([](const Inputs& x) { return ops::leaky_relu(x[0], 0.2); }, any);
  check_derivatives([](const Inputs& x) { return ops::gelu(x[0]); }, any);
  check_derivatives([](const Inputs& x) { return ops::clamp(x[0], -1.0, 0.5); }, any);
  const Inputs positive{input({3, 4}, 11, 0.5, 3.0)};
  check_derivatives([](const Inputs& x) { return ops::log(x[0]); }, positive);
  check_derivatives([](const Inputs& x) { return ops::sqrt(x[0]); }, positive);
}

TEST_CASE("gradients of where") {
  const auto condition = Tensor<std::uint8_t>::from({1, 0, 1, 1, 0, 0}, {2, 3});
  check_derivatives([&](const Inputs& x) { return ops::where(condition, x[0], x[1]); },
                    {input({2, 3}, 12), input({3}, 13)});
}

TEST_CASE("gradients of reductions") {
  const Inputs in{input({2, 3, 4}, 14)};
  for (const ops::Axes& axes : {ops::Axes{}, ops::Axes{0}, ops::Axes{1}, ops::Axes{-1, 0}}) {
    for (const bool keepdim : {false, true}) {
      check_derivatives([&](const Inputs& x) { return ops::sum(x[0], axes, keepdim); }, in);
      check_derivatives([&](const Inputs& x) { return ops::mean(x[0], axes, keepdim); }, in);
      check_derivatives([&](const Inputs& x) { return ops::max(x[0], axes, keepdim); }, in);
      check_derivatives([&](const Inputs& x) { return ops::min(x[0], axes, keepdim); }, in);
      check_derivatives([&](const Inputs& x) { return ops::var(x[0], axes, keepdim, 0); }, in);
      check_derivatives([&](const Inputs& x) { return ops::var(x[0], axes, keepdim, 1); }, in);
    }
  }
}

TEST_CASE("gradients of layout ops") {
  const Inputs in{input({2, 3, 4}, 15)};
  check_derivatives([](const Inputs& x) { return ops::reshape(x[0], {4, -1}); }, in);
  check_derivatives([](const Inputs& x) { return ops::transpose(x[0]); }, in);
  check_derivatives([](const Inputs& x) { return ops::permute(x[0], {2, 0, 1}); }, in);
  check_derivatives([](const Inputs& x) { return ops::slice(x[0], 2, {.start = 3, .step = -2}); },
                    in);
  check_derivatives([](const Inputs& x) { return ops::slice(x[0], 1, {.start = 1, .stop = 3}); },
                    in);
  check_derivatives([](const Inputs& x) { return ops::broadcast_to(x[0], {5, 2, 3, 4}); }, in);
  check_derivatives([](const Inputs& x) { return ops::pad(x[0], 1, 2, 1); }, in);
  check_derivatives(
      [](const Inputs& x) { return ops::pad(x[0], -1, 2, 3, ops::PaddingMode::kReplicate); }, in);
  check_derivatives(
      [](const Inputs& x) { return ops::pad(x[0], -1, 2, 3, ops::PaddingMode::kReflect); }, in);
  const Inputs two{input({2, 3}, 16), input({2, 2}, 17)};
  check_derivatives([](const Inputs& x) { return ops::cat({x[0], x[1], x[0]}, 1); }, two);
  for (const int axis : {0, 1, -1}) {
    check_derivatives([axis](const Inputs& x) { return ops::diff(x[0], axis); }, in);
  }
  const Inputs alike{input({2, 3}, 18), input({2, 3}, 19)};
  check_derivatives([](const Inputs& x) { return ops::stack(x, 1); }, alike);
}

TEST_CASE("gradients of matmul, batched, broadcast and transposed") {
  check_derivatives([](const Inputs& x) { return ops::matmul(x[0], x[1]); },
                    {input({2, 3}, 20), input({3, 4}, 21)});
  check_derivatives(
      [](const Inputs& x) {
        return ops::matmul(x[0], x[1], {true, false});
      },
      {input({3, 2}, 22), input({3, 4}, 23)});
  check_derivatives(
      [](const Inputs& x) {
        return ops::matmul(x[0], x[1], {false, true});
      },
      {input({5, 2, 3}, 24), input({4, 3}, 25)});
  check_derivatives(
      [](const Inputs& x) {
        return ops::matmul(x[0], x[1], {true, true});
      },
      {input({3, 2}, 26), input({2, 4, 3}, 27)});
  check_derivatives([](const Inputs& x) { return ops::matmul(x[0], x[1]); },
                    {input({2, 1, 2, 3}, 28), input({3, 3, 2}, 29)});
}

TEST_CASE("gradients of softmax and log_softmax") {
  const Inputs in{input({2, 3, 4}, 30)};
  for (const int axis : {-1, 0, 1}) {
    check_derivatives([&](const Inputs& x) { return ops::softmax(x[0], axis); }, in);
    check_derivatives([&](const Inputs& x) { return ops::log_softmax(x[0], axis); }, in);
  }
}

TEST_CASE("gradients of conv2d_relu, and of it with frozen weights") {
  const Inputs in{input({2, 3, 6, 5}, 60), input({4, 3, 3, 3}, 61), input({4}, 62)};
  check_derivatives([](const Inputs& x) { return ops::conv2d_relu(x[0], x[1], x[2]); }, in);
  check_derivatives(
      [](const Inputs& x) { return ops::conv2d_relu(x[0], x[1], x[2], {.padding = 1}); }, in);
  check_derivatives(
      [](const Inputs& x) {
        return ops::conv2d_relu(x[0], x[1], {},
                                {.padding = 1, .padding_mode = ops::PaddingMode::kReflect});
      },
      {in[0], in[1]});
  const auto weight = in[1].detach();
  check_derivatives(
      [&](const Inputs& x) { return ops::conv2d_relu(x[0], weight, {}, {.stride = 2}); }, {in[0]});
}

TEST_CASE("gradients of conv2d") {
  const Inputs plain{input({2, 3, 5, 4}, 31), input({2, 3, 3, 3}, 32), input({2}, 33)};
  check_derivatives([](const Inputs& x) { return ops::conv2d(x[0], x[1], x[2]); }, plain);
  check_derivatives([](const Inputs& x) { return ops::conv2d(x[0], x[1], x[2], {.padding = 1}); },
                    plain);
  check_derivatives(
      [](const Inputs& x) {
        return ops::conv2d(x[0], x[1], {},
                           {.stride = {2, 1}, .padding = {2, 1}, .dilation = {1, 2}});
      },
      plain);
  check_derivatives(
      [](const Inputs& x) {
        return ops::conv2d(x[0], x[1], {},
                           {.padding = 2, .padding_mode = ops::PaddingMode::kReflect});
      },
      plain);
  const Inputs grouped{input({1, 4, 4, 3}, 34), input({6, 2, 2, 3}, 35), input({6}, 36)};
  check_derivatives(
      [](const Inputs& x) {
        return ops::conv2d(x[0], x[1], x[2], {.stride = 2, .padding = 1, .groups = 2});
      },
      grouped);
  check_derivatives([](const Inputs& x) { return ops::conv2d(x[0], x[1], x[2], {.groups = 2}); },
                    grouped);
}

TEST_CASE("gradients of conv_transpose2d") {
  const Inputs in{input({2, 4, 3, 2}, 37), input({4, 2, 3, 2}, 38), input({2}, 39)};
  check_derivatives([](const Inputs& x) { return ops::conv_transpose2d(x[0], x[1], x[2]); }, in);
  check_derivatives(
      [](const Inputs& x) {
        return ops::conv_transpose2d(x[0], x[1], x[2], {.stride = 2, .padding = 1}, 1);
      },
      in);
  const Inputs grouped{input({1, 4, 3, 2}, 40), input({4, 1, 3, 2}, 41), input({2}, 42)};
  check_derivatives(
      [](const Inputs& x) {
        return ops::conv_transpose2d(x[0], x[1], x[2], {.dilation = 2, .groups = 2});
      },
      grouped);
}

TEST_CASE("gradients of pooling") {
  const Inputs in{input({2, 2, 5, 6}, 43)};
  check_derivatives([](const Inputs& x) { return ops::max_pool2d(x[0]); }, in);
  check_derivatives(
      [](const Inputs& x) {
        return ops::max_pool2d(x[0], {.kernel = 3, .stride = 1, .padding = 1});
      },
      in);
  check_derivatives([](const Inputs& x) { return ops::avg_pool2d(x[0]); }, in);
  check_derivatives(
      [](const Inputs& x) {
        return ops::avg_pool2d(x[0], {.kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 0}});
      },
      in);
}

TEST_CASE("gradients of upsampling") {
  const Inputs in{input({2, 2, 3, 4}, 44)};
  check_derivatives([](const Inputs& x) { return ops::interpolate(x[0], {.size = {5, 9}}); }, in);
  check_derivatives(
      [](const Inputs& x) {
        return ops::interpolate(x[0], {.size = {7, 8}, .mode = ops::Interpolation::kBilinear});
      },
      in);
}

}  // namespace sfumato::tested::ops_gradients
