// How the style is compared: that every loss makes a picture more like it, and which places are
// neighbours.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::style_methods {

namespace {

using sfumato::style::ObjectiveOptions;
using sfumato::style::StyleLoss;

template <class T = float>
Tensor<T> image(std::uint64_t seed, std::int64_t height = 32, std::int64_t width = 48) {
  Random random(seed);
  return Tensor<T>::randn({1, 3, height, width}, random);
}

template <class T = float>
nn::Vgg<T> small_network() {
  Random random(1);
  nn::Vgg<T> network({.widths = {8, 8, 8, 8, 8}}, random);
  network.freeze();
  return network;
}

ObjectiveOptions options_for(StyleLoss loss) {
  return {.content_layers = {"relu3_1"},
          .style_layers = {"relu1_1", "relu2_1", "relu3_1"},
          .content_weight = 0.5,
          .style_weight = 2.0,
          .tv_weight = 0.0,
          .style_loss = loss};
}

}  // namespace

TEST_CASE("every method lowers its losses, and is nothing for the style's own picture") {
  auto network = small_network();
  for (const StyleLoss loss : {StyleLoss::kGram, StyleLoss::kNeighbors}) {
    CAPTURE(static_cast<int>(loss));
    style::TransferOptions options{.objective = options_for(loss), .iterations = 6};
    if (loss == StyleLoss::kGram) options.objective.style_weight = 1e4;
    const auto result = style::transfer(network, image(2), image(3, 40, 36), image(2), options);
    CHECK(result.history.back().total < result.history.front().total);
    CHECK(result.history.front().loss("content") == 0.0);
    const auto own = style::gatys_objective(network, image(3), image(3), options.objective);
    const auto losses = own(Variable<float>(image(3)));
    for (const auto& each : losses.of("style")) CHECK(std::abs(each.item()) < 1e-5F);
    CHECK(losses.of("style").size() == 3);
    // Computed again, they are the same.
    options.objective.low_memory = true;
    const auto low = style::transfer(network, image(2), image(3, 40, 36), image(2), options);
    CHECK(low.history.back().total == doctest::Approx(result.history.back().total).epsilon(1e-5));
  }
}

TEST_CASE("neighbours are asked for by all layers at once, on one grid") {
  auto network = small_network<double>();
  const auto options = options_for(StyleLoss::kNeighbors);
  const auto content = image<double>(2);
  const auto style = image<double>(3, 40, 36);
  const auto objective = style::gatys_objective(network, content, style, options);
  const style::detail::GridFeatures<double, Cpu> seen(
      style::detail::look_on_grid(network, content, options.style_layers));
  const style::detail::GridFeatures<double, Cpu> choices(
      style::detail::look_on_grid(network, style, options.style_layers));
  CHECK(seen.vectors[0].shape() == Shape{8 * 12, 8});
  CHECK(choices.vectors[2].shape() == Shape{10 * 9, 8});
  // Each layer counts the same: a vector of all has the length √3.
  for (const double length : ops::norm(seen.together(), 2.0, 1).value().to_vector()) {
    CHECK(length == doctest::Approx(std::sqrt(3.0)));
  }
  const auto picture = image<double>(4);
  const style::detail::GridFeatures<double, Cpu> shown(
      style::detail::look_on_grid(network, picture, options.style_layers));
  const auto nearest = losses::nearest_neighbors(seen.together(), choices.together()).to_vector();
  double expected = 0.0;
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const auto at = [&](const auto& grid, std::int64_t row) {
      return ops::slice(grid.vectors[1], 0, {.start = row, .stop = row + 1}) - choices.means[1];
    };
    const auto a = at(shown, static_cast<std::int64_t>(i));
    const auto b = at(choices, nearest[i]);
    expected += 1.0 - losses::cosine_similarity(a, b).value().item();
  }
  const auto losses = objective(Variable<double>(picture));
  CHECK(losses.of("style")[1].item() ==
        doctest::Approx(2.0 * expected / static_cast<double>(nearest.size())));
  Variable<double> painted(image<double>(5, 16, 16), true);
  const auto small = style::gatys_objective(network, image<double>(6, 16, 16), style, options);
  const auto checked =
      gradcheck([&](const std::vector<Variable<double>>& in) { return small(in[0]).total; },
                std::vector{painted});
  CHECK_MESSAGE(checked.passed, checked.report);
}

TEST_CASE("with neighbours, the losses reported are those of the picture with its borders") {
  auto network = small_network<double>();
  const auto content = image<double>(2, 18, 23);
  const auto style = image<double>(3);
  const style::TransferOptions options{.objective = options_for(StyleLoss::kNeighbors),
                                       .iterations = 1};
  const auto result = style::transfer(network, content, style, content, options);
  const auto larger = style::extend_borders(Variable<double>(content), 4);
  REQUIRE(larger.shape() == Shape{1, 3, 20, 24});
  const auto losses =
      style::gatys_objective(network, larger.value(), style, options.objective)(larger);
  CHECK(result.history[0].total == doctest::Approx(losses.total.item()));
  CHECK(result.image.shape() == content.shape());
}

TEST_CASE(
    "for a picture painted so far, each layer finds its neighbours by itself and everywhere") {
  auto network = small_network<double>();
  const auto options = options_for(StyleLoss::kNeighbors);
  const auto content = image<double>(2);
  const auto painted = image<double>(5);
  const auto style = image<double>(3, 40, 36);
  style::Styles<double> styles(style);
  styles.painted = painted;
  const auto losses =
      style::gatys_objective(network, content, styles, options)(Variable<double>(painted));
  REQUIRE(losses.of("style").size() == options.style_layers.size());
  for (std::size_t i = 0; i < options.style_layers.size(); ++i) {
    const auto vectors = [&](const Tensor<double>& of) {
      return losses::feature_vectors(network.features(
          Variable<double>(of), {network.layer_index(options.style_layers[i])})[0]);
    };
    const auto x = vectors(painted);
    const auto choices = vectors(style);
    const auto mean = ops::mean(choices, 0, true);
    const auto nearest = losses::nearest_neighbors(x - ops::mean(x, 0, true), choices - mean);
    const auto expected = 1.0 - ops::mean(losses::cosine_similarity(
                                    x - mean, ops::index_select(choices, 0, nearest) - mean));
    CHECK(losses.of("style")[i].item() == doctest::Approx(2.0 * expected.item()));
  }
  // Without strength, it is the content's own features that are asked for, not those painted.
  auto weak = options;
  weak.strength = 0.0;
  const auto nothing =
      style::gatys_objective(network, content, styles, weak)(Variable<double>(content));
  for (const auto& each : nothing.of("style")) CHECK(std::abs(each.item()) < 1e-12);
  // Of the style's own picture there is nothing to find, and of many positions not all are choices.
  styles.painted = style;
  const auto none =
      style::gatys_objective(network, style, styles, options)(Variable<double>(style));
  for (const auto& each : none.of("style")) CHECK(std::abs(each.item()) < 1e-12);
  const style::detail::GridFeatures<double, Cpu> all(
      style::detail::look_on_grid(network, style, {"relu1_1"}, 1));
  CHECK(all.positions() == 40 * 36);
  CHECK(all.at_most(100).positions() == 100);
  styles.painted = image<double>(6, 8, 8);
  const auto small = style::gatys_objective(network, styles.painted, styles, options);
  const auto checked =
      gradcheck([&](const std::vector<Variable<double>>& in) { return small(in[0]).total; },
                std::vector{Variable<double>(image<double>(7, 8, 8), true)});
  CHECK_MESSAGE(checked.passed, checked.report);
  styles.painted = image<double>(5, 16, 16);
  CHECK(complaint([&] { style::gatys_objective(network, content, styles, options); }) ==
        "style transfer: the picture painted so far (1, 3, 16, 16) must have the content's shape "
        "(1, 3, 32, 48)");
}

TEST_CASE("strength goes from the content to the style") {
  auto network = small_network();
  style::TransferOptions options{
      .objective = options_for(StyleLoss::kNeighbors), .iterations = 30, .learning_rate = 0.02};
  options.objective.content_weight = 0.0;
  double last = -1.0;
  for (const double strength : {0.0, 0.25, 0.5, 1.0}) {
    options.objective.strength = strength;
    const auto result = style::transfer(network, image(2), image(3, 40, 36), image(2), options);
    const auto seen = [&](const Tensor<float>& picture) {
      return network.features(Variable<float>(picture), {network.layer_index("relu3_1")})[0];
    };
    const double distance = losses::content_loss(seen(result.image), seen(image(2))).item();
    CHECK(distance > last);
    if (strength == 0.0) CHECK(result.history.front().total < 1e-5);
    last = distance;
  }
  for (const double wrong : {-0.1, 1.5, std::nan("")}) {
    options.objective.strength = wrong;
    CHECK(complaint([&] {
            style::transfer(network, image(2), image(3), image(2), options);
          }).ends_with("; it must be from 0 to 1"));
  }
}

}  // namespace sfumato::tested::style_methods
