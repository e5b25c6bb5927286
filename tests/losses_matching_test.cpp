// Losses of distributions and sets of features: values by plain formulas, derivatives of both
// orders.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "support/complaint.hpp"
#include "support/derivatives.hpp"
#include "support/device.hpp"

namespace sfumato::tested::losses_matching {

namespace {

using Inputs = std::vector<Variable<double>>;

Variable<double> random_variable(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Variable<double>(Tensor<double>::randn(shape, random), true);
}

}  // namespace

TEST_CASE("the Wasserstein distance of normal distributions with independent channels") {
  // Then it is the sum over channels of (μ - ν)² + (σ - τ)².
  const Variable<double> x(Tensor<double>::from({1, 3, 1, 3, 5, 5, 7, 7}, {1, 2, 1, 4}), true);
  const Variable<double> y(Tensor<double>::from({2, 6, 2, 6, 1, 1, 1, 1}, {1, 2, 1, 4}));
  const double expected = (4.0 + std::pow(std::sqrt(1.0001) - std::sqrt(4.0001), 2) + 25.0 +
                           std::pow(std::sqrt(1.0001) - std::sqrt(0.0001), 2)) /
                          2.0;
  const auto target = losses::wasserstein_target(y);
  CHECK(target.shape() == Shape{2, 4});
  CHECK(losses::wasserstein_loss(x, target).item() == doctest::Approx(expected).epsilon(1e-6));
  // Variances of 1e-4 beside 4 are not reached by the roots' iteration.
  CHECK(std::abs(losses::wasserstein_loss(y, target).item()) < 2e-4);
}

TEST_CASE("Wasserstein losses have derivatives of both orders, also towards themselves") {
  const auto x = random_variable(kSlowDevice ? Shape{1, 3, 1, 3} : Shape{1, 3, 2, 4}, 1);
  const auto target = losses::wasserstein_target(random_variable({1, 3, 3, 3}, 2)).detach();
  check_derivatives([&](const Inputs& in) { return losses::wasserstein_loss(in[0], target); }, {x});
  check_derivatives(
      [&](const Inputs& in) {
        return losses::wasserstein_loss(in[0], target, 20, ops::RootGradient::kLyapunov);
      },
      {x});
  const auto own = losses::wasserstein_target(x).detach();
  const auto slope = grad({losses::wasserstein_loss(x, own)}, {x})[0];
  for (const double value : slope.value().to_vector()) CHECK(std::abs(value) < 1e-5);
  // Features of one position have no spread but what is added.
  const auto one = random_variable({1, 3, 1, 1}, 3);
  CHECK(std::isfinite(losses::wasserstein_loss(one, target).item()));
  CHECK(std::isfinite(ops::sum(grad({losses::wasserstein_loss(one, target)}, {one})[0]).item()));
  CHECK(complaint([&] {
          losses::wasserstein_loss(random_variable({1, 2, 2, 2}, 1), target);
        }) ==
        "wasserstein_loss: target (3, 5) does not fit features of 2 channels, with moments (2, 3); "
        "make it by wasserstein_target");
  CHECK(complaint([&] {
          losses::wasserstein_target(random_variable({2, 3, 2, 2}, 1));
        }) == "wasserstein_loss: features (2, 3, 2, 2) must be those of one image (1, c, h, w)");
}

TEST_CASE("total variation as a sum, and with nine points") {
  // 0 1 3 above 2 2 2.
  const Variable<double> x(Tensor<double>::from({0, 1, 3, 2, 2, 2}, {1, 1, 2, 3}), true);
  CHECK(losses::total_variation_sum(x).item() == doctest::Approx(1 + 2 + 2 + 1 + 1));
  const double straight = (1 + 4) / 6.0 + (4 + 1 + 1) / 6.0;
  // Of 3 × 4 pairs with the edge repeated: down to the right, and down to the left.
  const double across = (1 + 4 + 4 + 4 + 1 + 1) / 12.0 + (1 + 4 + 4 + 1 + 1 + 1) / 12.0;
  CHECK(losses::nine_point_variation(x).item() ==
        doctest::Approx(2.0 / 3.0 * straight + across / 6.0));
  const auto image = random_variable({1, 2, 3, 4}, 10);
  check_derivatives([](const Inputs& in) { return losses::total_variation_sum(in[0]); }, {image});
  check_derivatives([](const Inputs& in) { return losses::nine_point_variation(in[0]); }, {image});
  CHECK(complaint([&] {
          losses::nine_point_variation(random_variable({1, 3, 1, 4}, 1));
        }) ==
        "nine_point_variation: (1, 3, 1, 4) must be images (n, c, h, w) of at least 2 × 2 pixels");
}

TEST_CASE("a gradient gets the size asked for, and keeps its direction") {
  const auto x = random_variable({2, 3}, 11);
  const auto plain = grad({ops::sum(ops::square(x))}, {x})[0].value().to_vector();
  const auto sized =
      grad({ops::sum(ops::square(losses::with_gradient_size(x, 5.0)))}, {x})[0].value().to_vector();
  double total = 0.0;
  for (const double slope : sized) total += std::abs(slope);
  CHECK(total == doctest::Approx(5.0));
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(sized[i] / sized[0] == doctest::Approx(plain[i] / plain[0]));
  }
  const auto none = grad({ops::sum(losses::with_gradient_size(x, 5.0) * 0.0)}, {x})[0];
  CHECK(none.value().to_vector() == std::vector<double>(6, 0.0));
}

TEST_CASE("the cosines of maps to vectors of length 1, whose gradient is computed in one pass") {
  const auto x = random_variable({1, 5, 3, 4}, 21);
  const auto goals = random_variable({1, 5, 3, 4}, 22).detach();
  const auto units = goals / ops::norm(goals, 2.0, {1}, true);
  const auto cosines = losses::detail::cosines_to_units(x, units);
  const auto same = ops::sum(units * x, {1}, true) / ops::norm(x, 2.0, {1}, true);
  REQUIRE(cosines.shape() == Shape{1, 1, 3, 4});
  for (std::int64_t i = 0; i < 12; ++i) {
    CHECK(cosines.value().to_vector()[static_cast<std::size_t>(i)] ==
          doctest::Approx(same.value().to_vector()[static_cast<std::size_t>(i)]));
  }
  const auto weights = random_variable({1, 1, 3, 4}, 23).detach();
  const auto slope = grad({ops::sum(cosines * weights)}, {x})[0].value().to_vector();
  const auto expected = grad({ops::sum(same * weights)}, {x})[0].value().to_vector();
  for (std::size_t i = 0; i < slope.size(); ++i) CHECK(slope[i] == doctest::Approx(expected[i]));
  check_derivatives(
      [&](const Inputs& in) { return ops::square(losses::detail::cosines_to_units(in[0], units)); },
      {x});
}

TEST_CASE("sets of features are compared by the cosines of their angles") {
  const Variable<double> a(Tensor<double>{{1, 0}, {0, 2}, {3, 3}}, true);
  const Variable<double> b(Tensor<double>{{0, 1}, {-1, 0}});
  const double half = 1.0 - std::sqrt(0.5);
  const auto distances = losses::cosine_distances(a, b).value().to_vector();
  const std::vector<double> expected{1, 2, 0, 1, half, 1 + std::sqrt(0.5)};
  for (std::size_t i = 0; i < 6; ++i) CHECK(distances[i] == doctest::Approx(expected[i]));
  CHECK(losses::relaxed_earth_movers_distance(a, b).item() ==
        doctest::Approx(std::max((1 + 0 + half) / 3, (0 + 1) / 2.0)));
  CHECK(losses::relaxed_earth_movers_distance(a, a).item() == doctest::Approx(0.0));
  // Turned and scaled, a set is as like itself as before.
  const Variable<double> turned(Tensor<double>{{0, 2}, {-4, 0}, {-6, 6}});
  CHECK(losses::self_similarity_loss(a, turned).item() == doctest::Approx(0.0));
  CHECK(losses::self_similarity_loss(a, Variable<double>(Tensor<double>{{1, 0}, {1, 0}, {0, 1}}))
            .item() > 0.1);
  // Zeros are at a distance of 1 from all.
  const Variable<double> zeros(Tensor<double>::zeros({2, 2}));
  CHECK(losses::relaxed_earth_movers_distance(zeros, b).item() == 1.0);
  CHECK(complaint([&] {
          losses::cosine_distances(a, zeros.reshape({4, 1}));
        }) == "cosine_distances: (3, 2) and (4, 1) must be vectors (n, c) and (m, c)");
  CHECK(complaint([&] { losses::self_similarity_loss(a, b); }) ==
        "self_similarity_loss: (3, 2) and (2, 2) must be sets of as many vectors");
  CHECK(complaint([&] { losses::feature_vectors(a); }) ==
        "feature_vectors: (3, 2) must be features of one image (1, c, h, w)");
  const auto vectors = losses::feature_vectors(random_variable({1, 3, 2, 5}, 4));
  CHECK(vectors.shape() == Shape{10, 3});
}

TEST_CASE("each vector's nearest neighbour is found without the sets' means") {
  const Variable<double> x(Tensor<double>{{11, 10}, {9, 10}, {10, 12}, {10, 8}}, true);
  const Variable<double> choices(Tensor<double>{{1, 0}, {-1, 0}, {0, 1}, {0, -1}});
  CHECK(losses::nearest_neighbor_loss(x, choices).item() == doctest::Approx(0.0));
  const auto far = random_variable({5, 3}, 5);
  const auto others = random_variable({4, 3}, 6);
  check_derivatives([&](const Inputs& in) { return losses::nearest_neighbor_loss(in[0], others); },
                    {far});
}

TEST_CASE("the nearest of many are found in pieces as at once") {
  // 2²⁴ pairs are compared at once, or 256 rows: here 64 and then 6, and 256 and then 44.
  const auto x = random_variable({70, 1}, 10);
  const auto many = Variable<double>(Tensor<double>::zeros({1 << 18, 1}));
  auto choices = many.value().to_vector();
  choices[123456] = 1.0;
  choices[123457] = 2.0;  // as near as the one before
  choices[200000] = -1.0;
  const Variable<double> far(Tensor<double>::from(choices, {1 << 18, 1}));
  const auto nearest = losses::nearest_neighbors(x, far).to_vector();
  REQUIRE(nearest.size() == 70);
  for (std::size_t i = 0; i < 70; ++i) {
    CHECK(nearest[i] == (x.value().to_vector()[i] > 0 ? 123456 : 200000));
  }
  const auto rows = random_variable({300, 3}, 11);
  const auto others = random_variable({4200, 3}, 12);
  const auto cosines = losses::cosine_distances(rows, others).value().to_vector();
  std::vector<std::int64_t> expected;
  for (std::int64_t i = 0; i < 300; ++i) {
    const auto row = cosines.begin() + i * 4200;
    expected.push_back(std::min_element(row, row + 4200) - row);
  }
  CHECK(losses::nearest_neighbors(rows, others).to_vector() == expected);
  CHECK(complaint([&] {
          losses::nearest_neighbors(x, random_variable({2, 3}, 1));
        }) == "nearest_neighbors: (70, 1) and (2, 3) must be vectors (n, c) and (m, c)");
}

TEST_CASE("the sliced Wasserstein distance compares what is sorted along each direction") {
  // Along the first axis 1, 2, 4 and 5, 3, 1: 0 + 1 + 1; along the second 0, 0, 3 and 0, 6, 9.
  const Variable<double> a(Tensor<double>{{4, 0}, {1, 3}, {2, 0}}, true);
  const Variable<double> b(Tensor<double>{{5, 0}, {3, 9}, {1, 6}});
  const Variable<double> axes(Tensor<double>::eye(2));
  CHECK(losses::sliced_wasserstein_loss(a, b, axes).item() ==
        doctest::Approx((2.0 + 36.0 + 36.0) / 6.0));
  CHECK(losses::sliced_wasserstein_loss(a, a, axes).item() == 0.0);
  // Of another number of vectors those at the same part of the order: 1, 1, 2, 2, 4, 4.
  const Variable<double> twice(Tensor<double>{{1, 3}, {4, 0}, {2, 0}, {1, 3}, {4, 0}, {2, 0}});
  CHECK(losses::sliced_wasserstein_loss(twice, a, axes).item() == 0.0);
  CHECK(losses::sliced_wasserstein_loss(a, twice, axes).item() == 0.0);
  Random random(1);
  const auto directions = losses::random_directions<double, Device>(3, 5, random);
  CHECK(directions.shape() == Shape{3, 5});
  for (const double square : ops::sum(ops::square(directions), 0).value().to_vector()) {
    CHECK(square == doctest::Approx(1.0));
  }
  check_derivatives(
      [&](const Inputs& in) { return losses::sliced_wasserstein_loss(in[0], in[1], directions); },
      {random_variable({4, 3}, 11), random_variable({6, 3}, 12)});
  CHECK(complaint([&] { losses::sliced_wasserstein_loss(a, b, directions); }) ==
        "sliced_wasserstein_loss: (3, 2) and (3, 2) along directions (3, 5) must be sets (n, c) "
        "and (m, c) and columns (c, k)");
  const Variable<double> odd(Tensor<double>{{std::nan(""), 0}, {1, 3}, {2, 0}});
  CHECK(std::isnan(losses::sliced_wasserstein_loss(odd, b, axes).item()));
}

TEST_CASE("losses of sets have derivatives of both orders") {
  const auto a = random_variable({4, 3}, 7);
  const auto b = random_variable({5, 3}, 8);
  const auto c = random_variable({4, 2}, 9);
  check_derivatives(
      [](const Inputs& in) { return losses::relaxed_earth_movers_distance(in[0], in[1]); }, {a, b});
  check_derivatives([](const Inputs& in) { return losses::self_similarity_loss(in[0], in[1]); },
                    {a, c});
}

}  // namespace sfumato::tested::losses_matching
