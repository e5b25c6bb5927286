// What steers a picture: several styles, regions, and how strong the style is.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/style/pictures.hpp"
#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::style_steering {

namespace {

using sfumato::style::ObjectiveOptions;
using sfumato::style::StyleLoss;

constexpr StyleLoss kMethods[]{StyleLoss::kGram, StyleLoss::kWasserstein, StyleLoss::kNeighbors};

template <class T = float>
Tensor<T> image(std::uint64_t seed, std::int64_t height = 32, std::int64_t width = 32) {
  Random random(seed);
  return Tensor<T>::randn({1, 3, height, width}, random);
}

template <class T = float>
nn::Vgg<T> small_network() {
  Random random(1);
  nn::Vgg<T> network({.widths = {6, 6, 6, 6, 6}}, random);
  network.freeze();
  return network;
}

ObjectiveOptions options_for(StyleLoss loss) {
  return {.content_layers = {},
          .style_layers = {"relu1_1", "relu2_1"},
          .style_weight = 2.0,
          .tv_weight = 0.0,
          .style_loss = loss};
}

/// The regions left and right of a column, which belongs to both.
template <class T = float>
Tensor<T> halves(std::int64_t column, std::int64_t height = 32, std::int64_t width = 32) {
  std::vector<T> values;
  for (int region = 0; region < 2; ++region) {
    for (std::int64_t i = 0; i < height * width; ++i) {
      const std::int64_t x = i % width;
      values.push_back(x == column ? T(0.5) : (x < column) == (region == 0) ? T(1) : T(0));
    }
  }
  return Tensor<T>::from(values, {1, 2, height, width});
}

/// The left and the right quarter, and nothing between them.
Tensor<double> quarters() {
  std::vector<double> values;
  for (int region = 0; region < 2; ++region) {
    for (std::int64_t i = 0; i < 32 * 32; ++i) {
      values.push_back(i % 32 / 8 == 3 * region ? 1.0 : 0.0);
    }
  }
  return Tensor<double>::from(values, {1, 2, 32, 32});
}

template <class T>
Tensor<T> cut(const Tensor<T>& picture, std::int64_t begin, std::int64_t end) {
  return ops::slice(Variable<T>(picture), 3, {.start = begin, .stop = end}).value();
}

template <class T, class Styles>
T total(nn::Vgg<T>& network, const Tensor<T>& content, const Styles& styles,
        const ObjectiveOptions& options, const Tensor<T>& picture) {
  return style::gatys_objective(network, content, styles, options)(Variable<T>(picture))
      .total.item();
}

}  // namespace

TEST_CASE("one region of everything, and a style twice, are as without") {
  auto network = small_network<double>();
  const auto all = Tensor<double>::ones({1, 1, 32, 32});
  for (const StyleLoss loss : kMethods) {
    CAPTURE(static_cast<int>(loss));
    const auto options = options_for(loss);
    const double plain =
        total(network, image<double>(2), image<double>(3), options, image<double>(4));
    const style::Styles<double> region{{{image<double>(3), 5.0, all}}, all};
    CHECK(total(network, image<double>(2), region, options, image<double>(4)) ==
          doctest::Approx(plain).epsilon(1e-9));
    const style::Styles<double> twice{{{image<double>(3), 1.0}, {image<double>(3), 1.0}}};
    CHECK(total(network, image<double>(2), twice, options, image<double>(4)) ==
          doctest::Approx(plain).epsilon(1e-9));
  }
}

TEST_CASE("statistics of several styles are those of one picture that is made of them") {
  auto network = small_network<double>();
  const auto features = [](std::uint64_t seed, std::int64_t width) {
    Random own(seed);
    return Variable<double>(Tensor<double>::randn({1, 5, 8, width}, own));
  };
  const auto a = features(1, 12);
  const auto b = features(2, 4);
  const auto both = ops::cat({a, b}, 3);
  const auto close = [](const Variable<double>& x, const Variable<double>& y) {
    return ops::sum(ops::abs(x - y)).item() < 1e-12;
  };
  CHECK(close(losses::gram_matrix(both),
              losses::gram_matrix(a) * 0.75 + losses::gram_matrix(b) * 0.25));
  const auto moments =
      losses::feature_moments<double>(a) * 0.75 + losses::feature_moments<double>(b) * 0.25;
  CHECK(close(losses::feature_moments<double>(both), moments));
  CHECK(ops::sum(ops::abs(losses::wasserstein_target_of_moments(moments) -
                          losses::wasserstein_target(both)))
            .item() < 1e-8);
  // The heavier one has more to say.
  for (const StyleLoss loss : {StyleLoss::kGram, StyleLoss::kWasserstein}) {
    const auto options = options_for(loss);
    double last = 0.0;
    for (const double weight : {0.1, 1.0, 10.0}) {
      const style::Styles<double> styles{{{image<double>(3), 1.0}, {image<double>(5), weight}}};
      const double distance = total(network, image<double>(2), styles, options, image<double>(3));
      CHECK(distance > last);
      last = distance;
    }
  }
}

TEST_CASE("a guided Gram matrix is that of the region, and its loss passes gradcheck") {
  Random random(3);
  const auto x = Variable<double>(Tensor<double>::randn({1, 4, 6, 8}, random), true);
  // The left half counts twice, the right one not at all.
  const auto half = Variable<double>(
      ops::slice(Variable<double>(halves<double>(100, 6, 4) * 2.0), 1, {.stop = 1}).value());
  const auto weights = Variable<double>(ops::cat({half, half * 0.0}, 3).value());
  const auto left = ops::slice(x, 3, {.stop = 4});
  const auto close = [](const Variable<double>& a, const Variable<double>& b) {
    return ops::sum(ops::abs(a - b)).item() < 1e-12;
  };
  CHECK(close(losses::gram_matrix(losses::guided_features(x, weights)), losses::gram_matrix(left)));
  CHECK(close(losses::feature_moments<double>(x, weights), losses::feature_moments<double>(left)));

  const auto soft = Variable<double>(Tensor<double>::rand({1, 1, 6, 8}, random));
  const auto mean_of_one = Variable<double>((soft / ops::mean(soft)).value());
  const auto gram =
      losses::gram_matrix(Variable<double>(Tensor<double>::randn({1, 4, 5, 5}, random)));
  const auto target =
      losses::wasserstein_target(Variable<double>(Tensor<double>::randn({1, 4, 5, 5}, random)));
  const auto check = [&](const auto& loss) {
    const auto checked = gradcheck(
        [&](const std::vector<Variable<double>>& in) { return loss(in[0]); }, std::vector{x});
    CHECK_MESSAGE(checked.passed, checked.report);
  };
  check([&](const auto& in) {
    return losses::style_loss(losses::guided_features(in, mean_of_one), gram);
  });
  check([&](const auto& in) {
    return losses::wasserstein_loss(in, target, 20, ops::RootGradient::kInverse, mean_of_one);
  });
  CHECK(complaint([&] { losses::guided_features(x, gram); }).find("guided_features") !=
        std::string::npos);
}

TEST_CASE("each region gets its own style, with any method") {
  auto network = small_network<double>();
  for (const StyleLoss loss : kMethods) {
    CAPTURE(static_cast<int>(loss));
    auto options = options_for(loss);
    options.style_layers = {"relu1_1"};
    const auto styles = [&](std::uint64_t left, std::uint64_t right, std::int64_t side = 32) {
      return style::Styles<double>{{{ops::cat({Variable<double>(cut(image<double>(left), 0, 16)),
                                               Variable<double>(cut(image<double>(right), 16, 32))},
                                              3)
                                         .value(),
                                     1.0, quarters()}},
                                   halves<double>(side / 2, side, side)};
    };
    const auto gradient = [&](const style::Styles<double>& of) {
      Variable<double> picture(image<double>(4), true);
      backward(style::gatys_objective(network, image<double>(2), of, options)(picture).total);
      return Tensor<double>(picture.grad().value());
    };
    const auto one = gradient(styles(3, 5));
    const auto other = gradient(styles(3, 6));
    const auto change = [&](std::int64_t begin, std::int64_t end) {
      const Variable<double> a(cut(one, begin, end));
      return ops::sum(ops::abs(a - Variable<double>(cut(other, begin, end)))).item();
    };
    CHECK(change(20, 32) > 1e-3 * change(12, 20));
    CHECK(change(0, 8) < 1e-9 * change(20, 32));
    const auto checked = gradcheck(
        [&](const std::vector<Variable<double>>& in) {
          return style::gatys_objective(network, image<double>(2, 8, 8), styles(3, 5, 8),
                                        options)(in[0])
              .total;
        },
        std::vector{Variable<double>(image<double>(4, 8, 8), true)});
    CHECK_MESSAGE(checked.passed, checked.report);
  }
}

TEST_CASE("neighbours are drawn from the styles in the ratio of their weights") {
  using style::detail::in_ratio;
  CHECK(in_ratio({100, 100}, {1.0, 1.0}) == std::vector<std::int64_t>{100, 100});
  CHECK(in_ratio({100, 100}, {3.0, 1.0}) == std::vector<std::int64_t>{100, 33});
  CHECK(in_ratio({50, 1000}, {2.0, 1.0}) == std::vector<std::int64_t>{50, 25});
  CHECK(in_ratio({50, 1000}, {1e-9, 1.0}) == std::vector<std::int64_t>{1, 1000});
  CHECK(in_ratio({0, 100, 50}, {1.0, 1.0, 1.0}) == std::vector<std::int64_t>{0, 50, 50});
  auto network = small_network<double>();
  const std::vector<std::string> layers{"relu1_1", "relu2_1"};
  const style::Styles<double> styles{{{image<double>(3), 1.0}, {image<double>(5), 3.0}}};
  std::vector<style::detail::GridFeatures<double, Cpu>> seen;
  std::vector<style::detail::GridRegions> regions;
  for (const auto& each : styles.pictures) {
    seen.emplace_back(style::detail::look_on_grid(network, each.image, layers));
    regions.push_back(
        style::detail::regions_on_grid(each.regions, seen.back().positions(), each.image.shape()));
  }
  const auto pool = style::detail::pool_of(seen, regions, styles, 0);
  CHECK(pool.positions() == 64 + 21);
  // No position is drawn twice.
  std::vector<double> first = ops::select(pool.vectors[0], 1, 0).value().to_vector();
  std::sort(first.begin(), first.begin() + 21);
  CHECK(std::adjacent_find(first.begin(), first.begin() + 21) == first.begin() + 21);
}

TEST_CASE("with several styles each region is that of those that have it") {
  auto network = small_network<double>();
  const auto all = Tensor<double>::ones({1, 1, 32, 32});
  const auto none = Tensor<double>::zeros({1, 1, 32, 32});
  const auto beside = [](const Tensor<double>& a, const Tensor<double>& b) {
    return ops::cat({Variable<double>(a), Variable<double>(b)}, 1).value();
  };
  for (const StyleLoss loss : kMethods) {
    CAPTURE(static_cast<int>(loss));
    const auto options = options_for(loss);
    const auto plain =
        total(network, image<double>(2), image<double>(3), options, image<double>(4));
    // The first region fills the content, and the first style; the second style has the other.
    const style::Styles<double> styles{
        {{image<double>(3), 1.0, beside(all, none)}, {image<double>(5), 1.0, beside(none, all)}},
        beside(all, none)};
    CHECK(total(network, image<double>(2), styles, options, image<double>(4)) ==
          doctest::Approx(plain).epsilon(1e-9));
    const style::Styles<double> missing{{{image<double>(3), 1.0, beside(all, none)}},
                                        halves<double>(16)};
    CHECK(complaint([&] {
            style::gatys_objective(network, image<double>(2), missing, options);
          }).find("region 1 of the content is in no style") != std::string::npos);
  }
}

TEST_CASE("strength blends the content's own statistics in") {
  auto network = small_network();
  for (const StyleLoss loss : {StyleLoss::kGram, StyleLoss::kWasserstein}) {
    CAPTURE(static_cast<int>(loss));
    auto options = options_for(loss);
    double last = -1.0;
    for (const double strength : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      options.strength = strength;
      const double distance = total(network, image(2), image(3), options, image(2));
      CHECK(distance > last);
      if (strength == 0.0) CHECK(std::abs(distance) < 1e-4);
      last = distance;
    }
    for (const double wrong : {-0.1, 1.5, std::nan("")}) {
      options.strength = wrong;
      CHECK(complaint([&] {
              style::gatys_objective(network, image(2), image(3), options);
            }).find("from 0 to 1") != std::string::npos);
    }
  }
}

TEST_CASE("styles that do not fit are refused") {
  auto network = small_network();
  using Styles = style::Styles<float>;
  const auto all = Tensor<float>::ones({1, 1, 32, 32});
  const auto says = [&](const Styles& styles) {
    return complaint([&] { style::gatys_objective(network, image(2), styles, {}); });
  };
  CHECK(says(Styles(std::vector<style::StylePicture<float>>{})).find("no style") !=
        std::string::npos);
  CHECK(says(Styles{{{image(3), 0.0}}}).find("above 0") != std::string::npos);
  CHECK(says(Styles{{{image(3), 1.0, all}}}).find("either") != std::string::npos);
  CHECK(says(Styles{{{image(3)}}, all}).find("either") != std::string::npos);
  CHECK(says(Styles{{{image(3), 1.0, all}}, halves(9)}).find("must be (1, 2, 32, 32)") !=
        std::string::npos);
}

TEST_CASE("regions of an extended picture are extended") {
  auto network = small_network();
  const auto content = image(2, 30, 26);
  for (const StyleLoss loss : kMethods) {
    const style::Styles<float> styles{{{image(3), 1.0, halves(16)}}, halves(9, 30, 26)};
    const auto result = style::transfer(network, content, styles, content,
                                        {.objective = options_for(loss), .iterations = 3});
    CHECK(result.image.shape() == content.shape());
    CHECK(result.history.back().total < result.history.front().total);
  }
}

TEST_CASE("masks: regions by colour, with soft edges") {
  const auto mask = [](const std::vector<style::Color>& columns, std::int64_t height = 40) {
    std::vector<std::uint8_t> pixels;
    for (std::int64_t y = 0; y < height; ++y) {
      for (const auto& color : columns) pixels.insert(pixels.end(), color.begin(), color.end());
    }
    return Tensor<std::uint8_t>::from(pixels,
                                      {height, static_cast<std::int64_t>(columns.size()), 3});
  };
  const style::Color red{255, 0, 0};
  const style::Color nearly{250, 8, 3};
  const style::Color green{0, 255, 0};
  const style::Color blue{0, 0, 255};
  const style::Color edge{191, 64, 0};
  const auto soft = mask({red, red, red, edge, green, green});
  CHECK(style::colors_of_mask(soft) == std::vector<style::Color>{red, green});
  CHECK(style::colors_of_masks(soft, {mask({green, green, nearly, nearly})}) ==
        std::vector<style::Color>{red, green});
  const auto regions = style::regions_of_mask(soft, {red, green});
  CHECK(regions.shape() == Shape{40, 6, 2});
  const std::vector<std::uint8_t> row(regions.data(), regions.data() + 12);
  CHECK(row == std::vector<std::uint8_t>{255, 0, 255, 0, 255, 0, 191, 64, 0, 255, 0, 255});
  const auto half = style::prepare_regions<float>(regions, {20, 3});
  CHECK(half.shape() == Shape{1, 2, 20, 3});
  for (std::int64_t i = 0; i < 60; ++i) {
    CHECK(half.data()[i] + half.data()[60 + i] == doctest::Approx(1.0).epsilon(0.01));
  }
  // Several styles may share the regions.
  CHECK(style::colors_of_masks(soft, {mask({red, red}), mask({green, green})}).size() == 2);
  const auto says = [&](const auto& content, const auto& style) {
    return complaint([&] { style::colors_of_masks(content, {style}); });
  };
  CHECK(says(soft, mask({red, red, blue, blue})).find("#0000ff, the content's only #ff0000") !=
        std::string::npos);
  CHECK(says(soft, mask({red, red})).find("content's mask has the colour #00ff00") !=
        std::string::npos);
  std::vector<style::Color> many;
  for (int i = 0; i < 256; ++i) many.push_back({static_cast<std::uint8_t>(i), 0, 0});
  CHECK(says(mask(many), soft).find("has 0 plain colours") != std::string::npos);
}

}  // namespace sfumato::tested::style_steering
