// What keeps the pictures of a film from flickering.

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "support/complaint.hpp"

namespace sfumato::style_temporal_test {

namespace {

Tensor<float> picture(std::int64_t height, std::int64_t width) {
  Random random(3);
  return Tensor<float>::randn({1, 3, height, width}, random);
}

/// The same step to the right and below for every pixel.
Tensor<float> steady_flow(float right, float down, std::int64_t height, std::int64_t width) {
  std::vector<float> values(static_cast<std::size_t>(2 * height * width), right);
  for (std::size_t i = values.size() / 2; i < values.size(); ++i) values[i] = down;
  return Tensor<float>::from(values, {2, height, width});
}

}  // namespace

TEST_CASE("a flow moves a picture, between pixels linearly, at its edges not beyond them") {
  const auto x = picture(5, 7);
  const auto moved = style::warp(x, steady_flow(2, -1, 5, 7));
  CHECK(moved.shape() == x.shape());
  for (std::int64_t c = 0; c < 3; ++c) {
    CHECK(moved(0, c, 3, 1) == x(0, c, 2, 3));
    CHECK(moved(0, c, 0, 6) == x(0, c, 0, 6));  // both ways off the picture
    CHECK(moved(0, c, 4, 5) == x(0, c, 3, 6));
  }
  const auto between = style::warp(x, steady_flow(0.25F, 0.5F, 5, 7));
  const float expected = 0.5F * (0.75F * x(0, 1, 2, 3) + 0.25F * x(0, 1, 2, 4)) +
                         0.5F * (0.75F * x(0, 1, 3, 3) + 0.25F * x(0, 1, 3, 4));
  CHECK(between(0, 1, 2, 3) == doctest::Approx(expected));
  // However far it leads, and where it is no number.
  const auto far =
      style::warp(x, steady_flow(1e30F, std::numeric_limits<float>::quiet_NaN(), 5, 7));
  CHECK(far(0, 1, 2, 3) == x(0, 1, 0, 6));
}

TEST_CASE("a flow can be relied on where that back leads to the same place") {
  const std::int64_t side = 8;
  const auto flow = steady_flow(1, 0, side, side);
  const auto good = style::reliable(flow, steady_flow(-1, 0, side, side));
  CHECK(good.shape() == Shape{1, 1, side, side});
  CHECK(good(0, 0, 4, 6) == 1.0F);
  CHECK(good(0, 0, 4, 7) == 0.0F);  // it leads out of the picture
  // |w + w̃|² against 0.01 (1 + |w̃|²) + 0.5: 0.5184 and 0.5184 + …
  CHECK(style::reliable(flow, steady_flow(-0.28F, 0, side, side))(0, 0, 4, 4) == 0.0F);
  CHECK(style::reliable(flow, steady_flow(-0.30F, 0, side, side))(0, 0, 4, 4) == 1.0F);
  // Left of column 4 nothing moves, from there on everything by 2 pixels: an edge of what moves.
  std::vector<float> values(2 * side * side, 0.0F);
  for (std::int64_t i = 0; i < side * side; ++i) {
    if (i % side >= 4) values[static_cast<std::size_t>(i)] = -2.0F;
  }
  const auto edge = Tensor<float>::from(values, {2, side, side});
  const auto none = steady_flow(0, 0, side, side);
  CHECK(style::reliable(edge, none)(0, 0, 2, 1) == 1.0F);
  CHECK(style::reliable(edge, none)(0, 0, 2, 3) == 0.0F);
  const auto away = steady_flow(2, 0, side, side);
  CHECK(style::reliable(edge, away)(0, 0, 2, 4) == 0.0F);
  CHECK(style::reliable(edge, away)(0, 0, 2, 6) == 1.0F);
}

TEST_CASE("the temporal term is the mean of squares where the flow can be relied on") {
  auto target = Tensor<double>::zeros({1, 4, 2, 2});
  target(0, 3, 0, 1) = 1.0;  // one pixel of four counts
  const auto term = style::temporal_term(target, 5.0);
  Random random(4);
  const Variable<double> x(Tensor<double>::randn({1, 3, 2, 2}, random), true);
  double squares = 0.0;
  for (std::int64_t c = 0; c < 3; ++c) squares += x.value()(0, c, 0, 1) * x.value()(0, c, 0, 1);
  CHECK(term.loss(x, term.target).item() == doctest::Approx(squares / 12.0));
  CHECK(term.weight == 5.0);
  const auto loss = [&](const auto& inputs) { return term.loss(inputs[0], term.target); };
  CHECK(gradcheck(loss, std::vector{x}).report == "gradients agree");
  CHECK(gradgradcheck(loss, std::vector{x}).report == "gradients agree");
}

TEST_CASE("a term of the picture is minimised with the others, also beyond its borders") {
  Random random(1);
  nn::Vgg<float> network({.widths = {4, 4, 4, 4, 4}}, random);
  const auto content = picture(19, 33);
  style::TransferOptions options{.iterations = 25, .learning_rate = 0.05};
  options.objective.content_layers = {"relu2_1"};
  options.objective.style_layers = {"relu1_1"};
  options.objective.style_weight = 0.0;
  options.objective.tv_weight = 0.0;
  Tensor<float> target = Tensor<float>::ones({1, 4, 19, 33});
  const auto far_from_ones = [&](const Tensor<float>& image) {
    return ops::mean(ops::square(Variable<float>(image) - 1.0F)).item();
  };
  const auto result = style::transfer(network, content, content, content, options, {}, {},
                                      {style::temporal_term(target, 10.0)});
  CHECK(result.image.shape() == content.shape());
  CHECK(far_from_ones(result.image) < 0.5F * far_from_ones(content));
  CHECK(result.history.front().loss("temporal") ==
        doctest::Approx(10.0 * far_from_ones(content)).epsilon(1e-4));
}

TEST_CASE("what is no flow, and what is of another size, is refused") {
  const auto x = picture(4, 4);
  CHECK(complaint([&] { style::warp(x, steady_flow(0, 0, 4, 5)); }) ==
        "warp: a flow (2, 4, 5) where it must be (2, 4, 4)");
  CHECK(complaint([&] {
          style::warp(Tensor<float>::zeros({3, 4, 4}), steady_flow(0, 0, 4, 4));
        }) == "warp: a picture (3, 4, 4) must be (1, c, h, w)");
  CHECK(complaint([&] { style::reliable(steady_flow(0, 0, 4, 4), steady_flow(0, 0, 5, 4)); }) ==
        "reliable: a flow (2, 5, 4) where it must be (2, 4, 4)");
  CHECK(complaint([&] { style::reliable(x, x); }) == "reliable: (1, 3, 4, 4) is no flow");
  CHECK(complaint([&] { style::temporal_term(x, 1.0); }) ==
        "temporal_term: a target (1, 3, 4, 4) must be (1, 4, h, w)");
}

}  // namespace sfumato::style_temporal_test
