// Pictures whose sides are not multiples of 16: continued by reflection, painted, and cut off.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"
#include "support/real_gpu.hpp"

namespace sfumato::tested::style_borders {

namespace {

nn::Vgg<float> small_network() {
  Random random(1);
  return nn::Vgg<float>({.widths = {8, 8, 8, 8, 8}}, random);
}

Tensor<float> image(std::uint64_t seed, std::int64_t height, std::int64_t width) {
  Random random(seed);
  return Tensor<float>::randn({1, 3, height, width}, random);
}

/// The numbers 0, 1, … in a row of `count`.
Tensor<float> row(std::int64_t count) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return Tensor<float>::from(values, {1, 1, 1, count});
}

}  // namespace

TEST_CASE("borders are continued by reflection to multiples of 16") {
  const auto extended = [](std::int64_t count) {
    const auto whole = style::extend_borders(Variable<float>(row(count)), 16).value();
    CHECK(whole.shape() == Shape{1, 1, 16, (count + 15) / 16 * 16});
    return whole;
  };
  const auto at = [](const Tensor<float>& whole, std::int64_t j) {
    return whole.at({0, 0, 15, j});
  };
  const auto wide = extended(37);
  for (std::int64_t j = 0; j < 48; ++j) {
    CHECK(at(wide, j) == static_cast<float>(j < 37 ? j : 72 - j));
  }
  // A mirror in a mirror where there is little to show: 0 1 2 | 1 0 | 1 2 1 0 | 1 2 1 0 1 2 1.
  const auto narrow = extended(3);
  const std::vector<float> expected{0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1};
  for (std::size_t j = 0; j < 16; ++j) {
    CHECK(at(narrow, static_cast<std::int64_t>(j)) == expected[j]);
  }
  CHECK(at(extended(1), 15) == 0.0F);
  const auto fits = image(1, 32, 16);
  CHECK_FALSE(style::needs_extension(fits.shape(), 16));
  CHECK(style::needs_extension(fits.shape(), 32));
  CHECK(style::needs_extension(Shape{1, 3, 32, 17}, 16));
  CHECK_FALSE(style::needs_extension(Shape{1, 3, 32, 17}, 1));
  CHECK(style::extend_borders(Variable<float>(fits), 16).value().to_vector() == fits.to_vector());
  const auto odd = image(2, 21, 40);
  const auto there = style::extend_borders(Variable<float>(odd), 16);
  CHECK(there.shape() == Shape{1, 3, 32, 48});
  CHECK(style::crop_borders(there, 21, 40).value().to_vector() == odd.to_vector());
  CHECK(complaint([] {
          style::extend_borders(Variable<float>(Tensor<float>::zeros({3, 4})), 16);
        }) == "extend_borders: (3, 4) must be images (n, c, h, w), none of them empty");
  CHECK(complaint([] {
          style::extend_borders(Variable<float>(Tensor<float>::zeros({1, 3, 0, 4})), 16);
        }) == "extend_borders: (1, 3, 0, 4) must be images (n, c, h, w), none of them empty");
}

TEST_CASE("borders have gradients of both orders") {
  Random random(3);
  const std::vector<Variable<double>> x{
      Variable<double>(Tensor<double>::randn({1, 2, 3, 17}, random), true)};
  const auto squares = [](const std::vector<Variable<double>>& inputs) {
    const auto seen = style::extend_borders(inputs[0], 16);
    return ops::sum(seen * seen * style::extend_borders(inputs[0] * 0.5, 16));
  };
  CHECK(gradcheck(squares, x));
  CHECK(gradgradcheck(squares, x));
  const auto corner = [](const std::vector<Variable<double>>& inputs) {
    const auto seen = style::crop_borders(inputs[0], 2, 5);
    return ops::sum(seen * seen * seen);
  };
  CHECK(gradcheck(corner, x));
  CHECK(gradgradcheck(corner, x));
}

TEST_CASE("a picture has the size asked for, and the losses that are told are its own") {
  const PlainSums plain;
  auto network = small_network();
  network.freeze();
  const auto style = image(6, 20, 50);
  for (const auto& size : {std::pair{37, 50}, {32, 49}, {9, 40}, {2, 33}}) {
    const int height = size.first;
    const int width = size.second;
    CAPTURE(height);
    const auto content = image(5, height, width);
    const auto initial = image(7, height, width);
    // What a picture's losses are, by the objective alone; too small for the network when plain.
    std::vector<double> totals;
    std::vector<Tensor<float>> pictures{initial};
    for (const std::int64_t iterations : {1, 2, 3}) {
      const auto result =
          style::transfer(network, content, style, initial, {.iterations = iterations});
      CHECK(result.image.shape() == content.shape());
      pictures.push_back(result.image);
      totals.clear();
      for (const auto& now : result.history) totals.push_back(now.total);
    }
    REQUIRE(totals.size() == 3);
    if (height < 16) {
      CHECK(std::isfinite(totals[2]));
      continue;
    }
    const auto objective = style::gatys_objective(network, content, style);
    for (std::size_t i = 0; i < totals.size(); ++i) {
      const auto losses = no_grad([&] { return objective(Variable<float>(pictures[i])); });
      CHECK(totals[i] == doctest::Approx(static_cast<double>(losses.total.item())).epsilon(1e-5));
    }
  }
}

TEST_CASE("what a picture's sides are extended to follows from the deepest layer asked for") {
  const PlainSums plain;
  auto network = small_network();
  const auto deepest = [&](const style::ObjectiveOptions& objective) {
    return style::deepest_pixel(network, objective);
  };
  CHECK(deepest({}) == 16);
  CHECK(deepest({.content_layers = {"relu1_2"}, .style_layers = {"conv1_1"}}) == 1);
  CHECK(deepest({.content_layers = {}, .style_layers = {"pool1"}}) == 2);
  CHECK(deepest({.content_layers = {"pool5"}, .style_layers = {"conv5_1"}}) == 32);
  CHECK(complaint([&] { deepest({.content_layers = {"pool6"}}); }).starts_with("Vgg: there is no"));
  // Painted at 12 x 40, whose losses are not those of the 9 x 38 that come out.
  const auto content = image(5, 9, 38);
  const auto start = image(7, 9, 38);
  const style::ObjectiveOptions shallow{.content_layers = {"relu3_1"}, .style_layers = {"relu2_1"}};
  const auto result =
      style::transfer(network, content, content, start, {.objective = shallow, .iterations = 1});
  CHECK(result.image.shape() == content.shape());
  const auto objective = style::gatys_objective(network, content, content, shallow);
  const auto losses = no_grad([&] { return objective(Variable<float>(start)); });
  CHECK(result.history[0].total ==
        doctest::Approx(static_cast<double>(losses.total.item())).epsilon(1e-5));
}

TEST_CASE("pictures too small for the layers asked for are refused, with the size needed") {
  auto network = small_network();
  const auto paint = [&](std::int64_t content, std::int64_t style, const char* layer) {
    return complaint([&] {
      style::transfer(network, image(5, content, 40), image(6, style, 40), image(5, content, 40),
                      {.objective = {.content_layers = {"relu1_1"}, .style_layers = {layer}},
                       .iterations = 1,
                       .borders = style::Borders::kPlain});
    });
  };
  CHECK(paint(32, 32, "pool5") == "nothing");
  CHECK(paint(16, 16, "conv5_1") == "nothing");
  CHECK(paint(31, 32, "pool5") ==
        "style transfer: the content image (1, 3, 31, 40) is too small for the layers asked for, "
        "which need sides of at least 32; take a larger one, or layers behind fewer poolings");
  CHECK(paint(32, 15, "conv5_1") ==
        "style transfer: the style image (1, 3, 15, 40) is too small for the layers asked for, "
        "which need sides of at least 16; take a larger one, or layers behind fewer poolings");
}

TEST_CASE("what is told every few iterations is the same, and so is the picture") {
  const PlainSums plain;
  auto network = small_network();
  const auto content = image(8, 37, 50);
  std::vector<std::int64_t> seen;
  const auto all = style::transfer(network, content, image(9, 32, 32), content, {.iterations = 8});
  const auto some = style::transfer(network, content, image(9, 32, 32), content,
                                    {.iterations = 8, .losses_every = 3}, [&](const auto& now) {
                                      if (now.has_losses) seen.push_back(now.number);
                                      return true;
                                    });
  CHECK(seen == std::vector<std::int64_t>{1, 3, 6, 8});
  REQUIRE(some.history.size() == 4);
  for (const auto& row : some.history) {
    const auto& same = all.history[static_cast<std::size_t>(row.number - 1)];
    CHECK(row.number == same.number);
    CHECK(row.total == same.total);
    CHECK(row.losses == same.losses);
  }
  CHECK(some.image.to_vector() == all.image.to_vector());
  CHECK(complaint([&] {
          style::transfer(network, content, content, content, {.losses_every = 0});
        }) == "style transfer: losses every 0 iterations; it must be at least 1");
}

TEST_CASE("sides that fit are painted as they are, and plain borders always") {
  const PlainSums plain;
  auto network = small_network();
  const auto paint = [&](const Tensor<float>& content, style::Borders borders) {
    return style::transfer(network, content, image(9, 32, 32), content,
                           {.iterations = 3, .borders = borders})
        .image.to_vector();
  };
  const auto fits = image(8, 32, 48);
  CHECK(paint(fits, style::Borders::kExtend) == paint(fits, style::Borders::kPlain));
  const auto odd = image(8, 33, 48);
  CHECK(paint(odd, style::Borders::kExtend) != paint(odd, style::Borders::kPlain));
}

}  // namespace sfumato::tested::style_borders
