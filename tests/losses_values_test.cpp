// The losses against plain loops and PyTorch's numbers, and their derivatives.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/derivatives.hpp"
#include "support/device.hpp"

namespace sfumato::tested::losses_values {

namespace {
Variable<double> random_variable(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Variable<double>(Tensor<double>::randn(shape, random), true);
}
using Inputs = std::vector<Variable<double>>;
}  // namespace

TEST_CASE("mean squared error") {
  const auto a = random_variable({2, 3}, 1);
  const auto b = random_variable({2, 3}, 2);
  const std::vector<double> from = a.value().to_vector();
  const std::vector<double> to = b.value().to_vector();
  double expected = 0.0;
  for (std::size_t i = 0; i < 6; ++i) {
    expected += std::pow(from[i] - to[i], 2) / 6.0;
  }
  CHECK(losses::mse_loss(a, b).item() == doctest::Approx(expected));
  check_derivatives([](const Inputs& x) { return losses::mse_loss(x[0], x[1]); }, {a, b});
  CHECK_THROWS_WITH_AS(losses::mse_loss(a, random_variable({3}, 3)),
                       "mse_loss: prediction (2, 3) and target (3,) must have the same "
                       "shape",
                       ShapeError);
}

TEST_CASE("cross entropy, of large logits too") {
  const Variable<double> logits(Tensor<double>::from({1, 2, -1, 100, -100, 0.5}, {2, 3}));
  const auto labels = Tensor<std::int64_t>::from({2, 0}, {2});
  CHECK(losses::cross_entropy(logits, labels).item() == doctest::Approx(1.67450610838409));
  CHECK(losses::cross_entropy(logits, labels).shape() == Shape{});
  check_derivatives([&](const Inputs& x) { return losses::cross_entropy(x[0], labels); },
                    {random_variable({2, 3}, 4)});
  CHECK_THROWS_WITH_AS(losses::cross_entropy(logits, Tensor<std::int64_t>::from({0, 3}, {2})),
                       "cross_entropy: label 3 is not one of 3 classes, 0 to 2", ValueError);
  CHECK_THROWS_WITH_AS(losses::cross_entropy(Variable<double>(Tensor<double>::zeros({0, 3})),
                                             Tensor<std::int64_t>::zeros({0})),
                       "cross_entropy: no examples in (0, 3), so they have no mean", ShapeError);
  CHECK_THROWS_WITH_AS(losses::cross_entropy(logits, Tensor<std::int64_t>::arange(3)),
                       "cross_entropy: (2, 3) and labels (3,) must be (n, classes, …) and (n, …)",
                       ShapeError);
}

TEST_CASE("cross entropy with classes that are impossible") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Variable<double> logits(
      Tensor<double>::from({1, 2, -kInfinity, 1e308, -1e308, 0.5}, {2, 3}), true);
  const auto loss = losses::cross_entropy(logits, Tensor<std::int64_t>::from({0, 0}, {2}));
  const double e = std::exp(1.0);
  CHECK(loss.item() == doctest::Approx(std::log1p(e) / 2.0));
  backward(loss);
  const std::vector<double> slopes = logits.grad().value().to_vector();
  const std::vector<double> expected{-e / (1.0 + e) / 2.0, e / (1.0 + e) / 2.0, 0.0, 0.0, 0.0, 0.0};
  for (std::size_t i = 0; i < 6; ++i) CHECK(slopes[i] == doctest::Approx(expected[i]));
}

TEST_CASE("Gram matrices of a batch") {
  const auto x = random_variable({2, 3, 4, 5}, 5);
  const auto gram = losses::gram_matrix(x);
  REQUIRE(gram.shape() == Shape{2, 3, 3});
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t a = 0; a < 3; ++a) {
      for (std::int64_t b = 0; b < 3; ++b) {
        double expected = 0.0;
        for (std::int64_t i = 0; i < 4; ++i) {
          for (std::int64_t j = 0; j < 5; ++j) {
            expected += x.value().at({n, a, i, j}) * x.value().at({n, b, i, j}) / 60.0;
          }
        }
        CHECK(gram.value().at({n, a, b}) == doctest::Approx(expected));
      }
    }
  }
  const auto target = losses::gram_matrix(random_variable({2, 3, 2, 2}, 6)).detach();
  check_derivatives([&](const Inputs& in) { return losses::style_loss(in[0], target); }, {x});
  check_derivatives([](const Inputs& in) { return losses::content_loss(in[0], in[1]); },
                    {x, random_variable({2, 3, 4, 5}, 7)});
  CHECK_THROWS_WITH_AS(losses::gram_matrix(random_variable({3, 4, 5}, 8)),
                       "gram_matrix: features (3, 4, 5) must have four dimensions (n, c, h, w), "
                       "none of them empty",
                       ShapeError);
}

TEST_CASE("total variation") {
  const auto x = random_variable({1, 2, 3, 4}, 9);
  const auto at = [&](std::int64_t c, std::int64_t i, std::int64_t j) {
    return x.value().at({0, c, i, j});
  };
  double rows = 0.0;
  double columns = 0.0;
  for (std::int64_t c = 0; c < 2; ++c) {
    for (std::int64_t i = 0; i < 3; ++i) {
      for (std::int64_t j = 0; j < 4; ++j) {
        if (i > 0) rows += std::abs(at(c, i, j) - at(c, i - 1, j)) / (2 * 2 * 4);
        if (j > 0) columns += std::abs(at(c, i, j) - at(c, i, j - 1)) / (2 * 3 * 3);
      }
    }
  }
  CHECK(losses::total_variation_loss(x).item() == doctest::Approx((rows + columns) / 2.0));
  check_derivatives([](const Inputs& in) { return losses::total_variation_loss(in[0]); }, {x});
  CHECK_THROWS_WITH_AS(losses::total_variation_loss(random_variable({1, 3, 1, 5}, 10)),
                       "total_variation_loss: (1, 3, 1, 5) must be images (n, c, h, w) of at least "
                       "2 × 2 pixels",
                       ShapeError);
}

}  // namespace sfumato::tested::losses_values
