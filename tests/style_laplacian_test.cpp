// Laplacian pyramids, and pictures that are changed by the levels of one.

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::style_laplacian {

namespace {

Tensor<double> picture(std::uint64_t seed, std::int64_t height, std::int64_t width) {
  Random random(seed);
  return Tensor<double>::randn({1, 3, height, width}, random);
}

double largest_difference(const Tensor<double>& a, const Tensor<double>& b) {
  return no_grad([&] { return ops::max(ops::abs(Variable<double>(a) - Variable<double>(b))); })
      .item();
}

}  // namespace

TEST_CASE("the levels of a pyramid halve, and sum up to the picture") {
  const Variable<double> image(picture(1, 13, 6));
  for (const std::int64_t levels : {1, 2, 4, 6}) {
    const auto pyramid = style::laplacian_pyramid(image, levels);
    REQUIRE(static_cast<std::int64_t>(pyramid.size()) == levels);
    CHECK(largest_difference(style::sum_pyramid(pyramid).value(), image.value()) < 1e-14);
  }
  const auto pyramid = style::laplacian_pyramid(image, 6);
  CHECK(pyramid[0].shape() == Shape{1, 3, 13, 6});
  CHECK(pyramid[1].shape() == Shape{1, 3, 6, 3});
  CHECK(pyramid[5].shape() == Shape{1, 3, 1, 1});
  // A plain area is nothing but the smallest image.
  const auto plain =
      style::laplacian_pyramid(Variable<double>(Tensor<double>::full({1, 1, 8, 8}, 0.5)), 3);
  CHECK(largest_difference(plain[0].value(), Tensor<double>::zeros({1, 1, 8, 8})) < 1e-15);
  CHECK(largest_difference(plain[2].value(), Tensor<double>::full({1, 1, 2, 2}, 0.5)) < 1e-15);
  CHECK(complaint([&] { style::laplacian_pyramid(image, 0); }) ==
        "laplacian_pyramid: 0 levels; there must be at least 1");
  CHECK(complaint([&] { style::sum_pyramid(std::vector<Variable<double>>{}); }) ==
        "sum_pyramid: no levels; there must be at least 1");
}

TEST_CASE("pyramids and their sums have gradients") {
  using Inputs = std::vector<Variable<double>>;
  const auto squares = [](const Inputs& in) {
    Variable<double> sum;
    double weight = 1.0;
    for (const auto& level : style::laplacian_pyramid(in[0], 3)) {
      const auto own = ops::sum(ops::square(level)) * weight;
      sum = sum.defined() ? sum + own : own;
      weight += 1.0;
    }
    return sum;
  };
  const std::vector image{Variable<double>(picture(1, 5, 4), true)};
  auto checked = gradcheck(squares, image);
  CHECK_MESSAGE(checked.passed, checked.report);
  checked = gradgradcheck(squares, image);
  CHECK_MESSAGE(checked.passed, checked.report);
  const std::vector levels{Variable<double>(picture(1, 5, 4), true),
                           Variable<double>(picture(2, 2, 2), true)};
  checked = gradcheck(
      [](const Inputs& in) { return ops::sum(ops::square(style::sum_pyramid(in))); }, levels);
  CHECK_MESSAGE(checked.passed, checked.report);
}

TEST_CASE("a picture is changed as if the levels of its pyramid were the parameters") {
  const Variable<double> goal(picture(3, 9, 12));
  const auto loss = [&](const Variable<double>& x) {
    return ops::sum(ops::square(ops::square(x - goal)));
  };
  constexpr std::int64_t kLevels = 3;
  std::vector<Variable<double>> levels = no_grad(
      [&] { return style::laplacian_pyramid(Variable<double>(picture(4, 9, 12)), kLevels); });
  for (auto& level : levels) level = Variable<double>(level.value().clone(), true);
  optim::Adam<double> plain(levels, {.learning_rate = 0.02});

  const Variable<double> image(picture(4, 9, 12), true);
  style::PictureParameters<double, Cpu> parameters(image, kLevels);
  optim::Adam<double> adam(parameters.all(), {.learning_rate = 0.02});
  const double before = loss(image).item();
  for (int i = 0; i < 20; ++i) {
    plain.zero_grad();
    backward(loss(style::sum_pyramid(levels)));
    plain.step();
    Variable<double>(image).zero_grad();
    backward(loss(image));
    parameters.take_gradient();
    adam.step();
    parameters.put();
  }
  CHECK(largest_difference(image.value(), style::sum_pyramid(levels).value()) < 1e-12);
  CHECK(loss(image).item() < 0.7 * before);
  CHECK(style::PictureParameters<double, Cpu>(image, 0).all()[0].value().data() ==
        image.value().data());
  // What was too large once does not stay so.
  auto level = parameters.all()[0];
  level.mutable_value().copy_from(
      Tensor<double>::full(level.shape(), std::numeric_limits<double>::infinity()));
  parameters.put();
  CHECK(level.value().to_vector() == std::vector<double>(level.value().to_vector().size(), 0.0));
}

TEST_CASE("style transfer changes the levels of a pyramid on request, with Adam only") {
  Random random(1);
  nn::Vgg<double> network({.widths = {4, 4, 4, 4, 4}}, random);
  style::TransferOptions options{
      .objective = {.content_layers = {}, .style_layers = {"relu1_1", "relu2_1"}},
      .iterations = 8,
      .learning_rate = 0.02};
  const auto painted = [&] {
    return style::transfer(network, picture(1, 17, 20), picture(2, 16, 16), picture(1, 17, 20),
                           options);
  };
  const auto pixels = painted();
  options.pyramid_levels = 1;
  CHECK(largest_difference(painted().image, pixels.image) < 1e-12);
  options.pyramid_levels = 4;
  const auto pyramid = painted();
  CHECK(largest_difference(pyramid.image, pixels.image) > 1e-3);
  CHECK(pyramid.history.back().total < pyramid.history.front().total);
  CHECK(pyramid.state.optimizer.size() > pixels.state.optimizer.size());
  options.optimizer = style::Optimizer::kLbfgs;
  CHECK(complaint([&] { painted(); }) ==
        "style transfer: a pyramid of 4 levels; it must have at least 0, and only Adam can change "
        "it");
}

}  // namespace sfumato::tested::style_laplacian
