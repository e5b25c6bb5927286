// Layers against the ops that they stand for, their errors, and what initialisers draw.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::nn_layers {

namespace {

Variable<double> input(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Variable<double>(Tensor<double>::randn(shape, random), true);
}

std::vector<double> values(const Variable<double>& x) {
  return x.value().to_vector();
}

}  // namespace

TEST_CASE("Conv2d is the convolution with its weight and bias") {
  Random random(1);
  const ops::Conv2dOptions options{.stride = 2, .padding = {1, 0}, .groups = 2};
  nn::Conv2d<double> layer(4, 6, {3, 2}, random, options);
  auto weight = layer.parameters()[0];
  auto bias = layer.parameters()[1];
  CHECK(weight.shape() == Shape{6, 2, 3, 2});
  CHECK(values(bias) == std::vector<double>(6, 0.0));
  bias.mutable_value().copy_from(Tensor<double>::arange(6.0));
  const auto x = input({2, 4, 5, 6}, 2);
  CHECK(values(layer(x)) == values(ops::conv2d(x, weight, bias, options)));

  nn::Conv2d<double> unbiased(weight.value(), {}, options);
  CHECK(unbiased.parameters().size() == 1);
  CHECK(values(unbiased(x)) == values(ops::conv2d(x, weight, {}, options)));
}

TEST_CASE("Conv2d says at once that groups do not divide the channels") {
  Random random(3);
  const auto with_groups = [&](std::int64_t groups) {
    return complaint([&] { nn::Conv2d<float>(4, 6, 3, random, {.groups = groups}); });
  };
  CHECK(with_groups(2) == "nothing");
  CHECK(with_groups(0) == "Conv2d: 4 channels in and 6 out do not divide into 0 groups");
  CHECK(with_groups(-2) == "Conv2d: 4 channels in and 6 out do not divide into -2 groups");
  CHECK(with_groups(3) == "Conv2d: 4 channels in and 6 out do not divide into 3 groups");
  CHECK(with_groups(4) == "Conv2d: 4 channels in and 6 out do not divide into 4 groups");
}

TEST_CASE("Linear works over the last axis") {
  nn::Linear<double> layer(Tensor<double>::from({1, 2, 3, 4, 5, 6}, {2, 3}),
                           Tensor<double>::from({10, 20}, {2}));
  const Variable<double> x(Tensor<double>::from({1, 0, -1, 0.5, 1, 2}, {2, 1, 3}));
  const auto y = layer(x);
  CHECK(y.shape() == Shape{2, 1, 2});
  CHECK(values(y) == std::vector<double>{8, 18, 18.5, 39});
  nn::Linear<double> unbiased(layer.parameters()[0].value(), {});
  CHECK(values(unbiased(x)) == std::vector<double>{-2, -2, 8.5, 19});
  CHECK(complaint([&] {
          layer(input({2, 4}, 4));
        }) == "matmul: (2, 4) and (2, 3) transposed have inner extents 4 and 3, which must agree");
}

TEST_CASE("pools, ReLU and Flatten are the ops of their names") {
  const auto x = input({2, 3, 6, 5}, 5);
  const ops::MaxPool2dOptions options{.kernel = 3, .stride = 1, .padding = 1};
  CHECK(values(nn::MaxPool2d<double>()(x)) == values(ops::max_pool2d(x)));
  CHECK(values(nn::MaxPool2d<double>(options)(x)) == values(ops::max_pool2d(x, options)));
  CHECK(values(nn::AvgPool2d<double>()(x)) == values(ops::avg_pool2d(x)));
  const ops::AvgPool2dOptions windows{.kernel = 3, .stride = 1, .padding = 1};
  CHECK(values(nn::AvgPool2d<double>(windows)(x)) == values(ops::avg_pool2d(x, windows)));
  CHECK(values(nn::ReLU<double>()(x)) == values(ops::relu(x)));
  const auto flat = nn::Flatten<double>()(x);
  CHECK(flat.shape() == Shape{2, 90});
  CHECK(values(flat) == values(x));
}

TEST_CASE("dropout passes the gradient where it passed the value") {
  nn::Dropout<double> dropout(0.5, 6);
  const Variable<double> x(Tensor<double>::ones({50}), true);
  const auto y = dropout(x);
  backward(ops::sum(y));
  CHECK(values(x.grad()) == values(y));
  CHECK(values(dropout(x)) != values(y));
  nn::Dropout<double> same(0.5, 6);
  CHECK(values(same(x)) == values(y));
}

TEST_CASE("each dropout layer drops elements of its own") {
  const Variable<double> x(Tensor<double>::ones({400}));
  nn::Dropout<double> first;
  nn::Dropout<double> second;
  nn::Dropout<double> third(0.5);
  nn::Dropout<double> zeroth(0.5, 0);
  nn::Dropout<double> one(0.5, 1);
  const std::vector<std::vector<double>> masks{values(first(x)), values(second(x)),
                                               values(third(x)), values(zeroth(x)), values(one(x))};
  for (std::size_t i = 0; i < masks.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      int same = 0;
      for (std::size_t k = 0; k < masks[i].size(); ++k) same += masks[i][k] == masks[j][k] ? 1 : 0;
      // Of 400 independent pairs half agree, ± 10 (one standard deviation).
      CHECK(std::abs(same - 200) < 60);
    }
  }
}

TEST_CASE("dropout of nothing does nothing, and some probabilities are refused") {
  const auto x = input({5}, 7);
  CHECK(nn::Dropout<double>(0.0)(x).value().shares_storage_with(x.value()));
  CHECK(complaint([] { nn::Dropout<double>(-0.1); }) ==
        "Dropout: probability -0.1 must be at least 0 and less than 1");
  CHECK(complaint([] { nn::Dropout<double>(std::nan("")); }) ==
        "Dropout: probability nan must be at least 0 and less than 1");
}

TEST_CASE("an empty Sequential is the identity") {
  nn::Sequential<double> model;
  const auto x = input({3}, 8);
  CHECK(model.size() == 0);
  CHECK(model.parameters().empty());
  CHECK(values(model(x)) == values(x));
}

TEST_CASE("Sequential refuses a layer that is not there") {
  nn::Sequential<double> model{std::make_shared<nn::ReLU<double>>()};
  CHECK(complaint([&] { model[1]; }) == "module: there is no layer 1 among 1");
  CHECK(complaint([&] { model.push_back(nullptr); }) == "module: layer 1 is null");
  CHECK(model.size() == 1);
}

TEST_CASE("gradients of every parameter of a small network agree with differences") {
  Random random(9);
  nn::Sequential<double> model{
      std::make_shared<nn::Conv2d<double>>(2, 3, 3, random, ops::Conv2dOptions{.padding = 1}),
      std::make_shared<nn::ReLU<double>>(), std::make_shared<nn::MaxPool2d<double>>(),
      std::make_shared<nn::Flatten<double>>(), std::make_shared<nn::Linear<double>>(12, 2, random)};
  const auto x = input({2, 2, 4, 5}, 10);
  const auto loss = [&] { return ops::sum(ops::square(model(x))); };
  backward(loss());
  constexpr double kStep = 1e-6;
  for (const auto& entry : model.named_parameters()) {
    Variable<double> parameter = entry.second;
    CAPTURE(entry.first);
    const std::vector<double> slopes = values(parameter.grad());
    const std::vector<double> start = values(parameter);
    for (std::size_t i = 0; i < start.size(); ++i) {
      const double value = start[i];
      const auto at = [&](double moved) {
        std::vector<double> moved_values = start;
        moved_values[i] = moved;
        parameter.mutable_value().copy_from(Tensor<double>::from(moved_values, parameter.shape()));
        return no_grad(loss).item();
      };
      const double numeric = (at(value + kStep) - at(value - kStep)) / (2.0 * kStep);
      at(value);
      CHECK(slopes[i] == doctest::Approx(numeric).epsilon(1e-6));
    }
  }
}

TEST_CASE("the fans of a filter count its positions") {
  const nn::Fans filter({64, 32, 3, 5});
  CHECK(filter.in == 32 * 15);
  CHECK(filter.out == 64 * 15);
  const nn::Fans matrix({10, 784});
  CHECK(matrix.in == 784);
  CHECK(matrix.out == 10);
  CHECK(complaint([] { nn::Fans(Shape{}); }) ==
        "initializer: a weight () must have at least two dimensions (out, in, …)");
}

TEST_CASE("initialisers draw the same numbers from the same seed, and others from another") {
  const auto draw = [](std::uint64_t seed) {
    Random random(seed);
    return std::vector<std::vector<float>>{nn::kaiming_normal<float>({4, 3}, random).to_vector(),
                                           nn::kaiming_uniform<float>({4, 3}, random).to_vector(),
                                           nn::xavier_normal<float>({4, 3}, random).to_vector(),
                                           nn::xavier_uniform<float>({4, 3}, random).to_vector()};
  };
  CHECK(draw(11) == draw(11));
  CHECK(draw(11) != draw(12));
}

TEST_CASE("uniform initialisers fill their range and not more") {
  Random random(13);
  const auto reaches = [](const Tensor<double>& weight, double bound) {
    double largest = 0.0;
    double mean = 0.0;
    for (const double value : weight.to_vector()) {
      largest = std::max(largest, std::abs(value));
      mean += value / static_cast<double>(weight.numel());
    }
    CHECK(largest <= bound);
    CHECK(largest > 0.999 * bound);
    CHECK(std::abs(mean) < 0.02 * bound);
  };
  reaches(nn::kaiming_uniform<double>({100, 50, 2, 2}, random), std::sqrt(6.0 / 200));
  reaches(nn::xavier_uniform<double>({100, 50, 2, 2}, random), std::sqrt(6.0 / 600));
}

TEST_CASE("dropout goes on with the same masks where its random state is restored") {
  nn::Dropout<double> dropout(0.5);
  const Variable<double> x(Tensor<double>::ones({100}));
  (void)dropout(x);
  const Random::State saved = dropout.random().state();
  const auto expected = dropout(x).value().to_vector();
  nn::Dropout<double> resumed(0.5);
  CHECK(resumed(x).value().to_vector() != expected);
  resumed.random().set_state(saved);
  CHECK(resumed(x).value().to_vector() == expected);
}

}  // namespace sfumato::tested::nn_layers
