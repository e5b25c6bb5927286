// Pictures in tiles: losses and gradients are those of the whole.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "support/complaint.hpp"

namespace {

using namespace sfumato;
using style::ObjectiveOptions;
using style::StyleLoss;

Tensor<double> image(std::uint64_t seed, std::int64_t height, std::int64_t width) {
  Random random(seed);
  return Tensor<double>::randn({1, 3, height, width}, random);
}

nn::Vgg<double> small_network(nn::VggOptions options = {.widths = {3, 4, 3, 4, 3}}) {
  Random random(1);
  nn::Vgg<double> network(options, random);
  network.freeze();
  return network;
}

/// All that is deep enough for a halo of 80 pixels and sides that are multiples of 16.
ObjectiveOptions deep() {
  return {.content_layers = {"relu2_2", "relu4_1"},
          .style_layers = {"relu1_1", "relu3_1", "conv5_1"},
          .content_weight = 3.0,
          .style_weight = 10.0,
          .style_layer_weights = {{"conv5_1", 5.0}}};
}

/// The largest difference of two tensors, over the largest number in the first.
double difference(const Tensor<double>& a, const Tensor<double>& b) {
  const auto largest = [](const Variable<double>& x) { return ops::max(ops::abs(x)).item(); };
  return largest(Variable<double>(a) - Variable<double>(b)) / largest(Variable<double>(a));
}

struct Found {
  std::vector<double> losses;
  Tensor<double> gradient;
};

Found found(nn::Vgg<double>& network, const Tensor<double>& content,
            const style::Styles<double>& styles, const ObjectiveOptions& options,
            const Tensor<double>& picture) {
  const auto objective = style::gatys_objective(network, content, styles, options);
  Variable<double> x(picture, true);
  const auto losses = objective(x);
  backward(losses.total);
  Found all{{}, x.grad().value()};
  for (const auto& term : losses.terms) all.losses.push_back(term.item());
  return all;
}

void check_same(nn::Vgg<double>& network, const Tensor<double>& content,
                const style::Styles<double>& styles, ObjectiveOptions options,
                const Tensor<double>& picture, std::int64_t side) {
  const Found whole = found(network, content, styles, options, picture);
  options.tile = side;
  const Found tiled = found(network, content, styles, options, picture);
  REQUIRE(tiled.losses.size() == whole.losses.size());
  for (std::size_t i = 0; i < whole.losses.size(); ++i) {
    CHECK(tiled.losses[i] == doctest::Approx(whole.losses[i]).epsilon(1e-12));
  }
  CHECK(difference(whole.gradient, tiled.gradient) < 1e-12);
}

}  // namespace

TEST_CASE("tiles cover a picture once, and see as far as the layers reach") {
  const auto network = small_network();
  CHECK(network.reach(network.layer_index("relu1_1")) == 1);
  CHECK(network.reach(network.layer_index("pool2")) == 6);
  CHECK(network.reach(network.layer_index("relu5_1")) == 70);
  const auto cut = style::tile_cut(network, {"relu1_1", "relu5_1", "relu4_1"}, 50);
  CHECK(cut.pixel == 16);
  CHECK(cut.halo == 72);
  // Of what pool2 leaves, relu5_1 reaches over 64 pixels, of pool3 over 48, of pool4 over 16.
  std::string narrower;
  for (const auto& [layer, pixels] : cut.narrower) {
    narrower += message(network.layer_names()[layer], " ", pixels, " ");
  }
  CHECK(narrower == "pool2 64 pool3 48 pool4 16 ");
  std::vector<int> times(263 * 150, 0);
  double share = 0.0;
  const auto tiles = style::tiles_of({1, 3, 263, 150}, cut);
  for (const style::Tile& tile : tiles) {
    CHECK(tile.number == static_cast<std::size_t>(&tile - tiles.data()));
    share += tile.share();
    for (const style::TileSpan& span : {tile.rows, tile.columns}) {
      CHECK(span.begin % 16 == 0);
      CHECK(span.size() < 48 + 16);
      CHECK(span.seen_begin == std::max<std::int64_t>(0, span.begin - 72));
      CHECK(span.seen_end == std::min(span.of, span.end + 72));
    }
    for (std::int64_t y = tile.rows.begin; y < tile.rows.end; ++y) {
      for (std::int64_t x = tile.columns.begin; x < tile.columns.end; ++x) {
        ++times[static_cast<std::size_t>(y * 150 + x)];
      }
    }
  }
  CHECK(tiles.size() == 6 * 3);
  CHECK(share == doctest::Approx(1.0));
  for (const int count : times) REQUIRE(count == 1);
  CHECK(style::tiles_of({1, 3, 40, 7}, {}).size() == 1);
  CHECK(style::tiles_of({1, 3, 7, 7}, cut).size() == 1);
}

TEST_CASE("a layer sees of a tile what it sees in the whole, and no more around it than is used") {
  auto network = small_network();
  const Variable<double> picture(image(7, 200, 150));
  const std::vector<std::size_t> layers{network.layer_index("conv5_1"),
                                        network.layer_index("relu2_1"),
                                        network.layer_index("relu4_1")};
  const auto whole = network.features(picture, layers);
  const auto cut = style::tile_cut(network, {"conv5_1", "relu4_1", "relu2_1"}, 32);
  std::vector<int> seen(layers.size());
  style::visit_tiles(network, picture, layers, cut,
                     [&](std::size_t i, const auto& features, const style::Tile& tile) {
                       ++seen[i];
                       CHECK(difference(style::part_of(whole[i], tile).value(),
                                        style::inner(features, tile).value()) < 1e-12);
                       const std::int64_t around = i == 0 ? 1 : i == 1 ? 36 : 6;
                       CHECK(features.size(2) <= tile.rows.size() + 2 * around);
                     });
  for (const int tiles : seen) CHECK(tiles == 6 * 5);
}

TEST_CASE("what is made of tiles has memory of its own, which what lasts does not cut up") {
  const auto lasting = Tensor<float>::zeros({1 << 20});
  Tensor<float>::zeros({1 << 20});  // waits in the shared pool
  style::TileMemory<Cpu> memory;
  const auto waiting = [](const Pool<Cpu>& pool) {
    return pool.statistics().bytes_held - pool.statistics().bytes_in_use;
  };
  CHECK(waiting(Pool<Cpu>::shared()) < sizeof(float) << 20);
  const Pool<Cpu>* pool = nullptr;
  memory.use([&] {
    pool = &Pool<Cpu>::current();
    Tensor<float>::zeros({1 << 20});
  });
  CHECK(pool != &Pool<Cpu>::shared());
  memory.use([&] {
    CHECK(&Pool<Cpu>::current() == pool);
    const auto large = Tensor<float>::zeros({1 << 20});  // in what waits for it
    CHECK(pool->statistics().system_allocations == 1);
  });
  const auto own = Pool<Cpu>::make();
  const PoolScope<Cpu> scope(own);
  style::TileMemory<Cpu>().use([&] { CHECK(&Pool<Cpu>::current() == own.get()); });
}

TEST_CASE("losses and gradients in tiles are those of the whole") {
  auto network = small_network();
  const auto content = image(2, 105, 83);
  const auto picture = image(3, 105, 83);
  const style::Styles<double> styles{{{image(4, 70, 97), 1.0}, {image(5, 49, 40), 3.0}}};
  for (const StyleLoss loss : {StyleLoss::kGram, StyleLoss::kWasserstein}) {
    for (const auto variation :
         {style::Variation::kMean, style::Variation::kSum, style::Variation::kNinePoint}) {
      CAPTURE(static_cast<int>(loss));
      CAPTURE(static_cast<int>(variation));
      auto options = deep();
      options.style_loss = loss;
      options.variation = variation;
      options.sums = variation == style::Variation::kSum;
      options.low_memory = options.sums;
      options.strength = options.sums ? 0.75 : 1.0;
      if (options.sums) options.tv_weight = 1e-3;
      check_same(network, content, styles, options, picture, 32);
    }
  }
}

TEST_CASE("networks that pad and pool otherwise, and regions, are cut as well") {
  auto network = small_network({.pooling = nn::Pooling::kAverage,
                                .rescale_pooling = true,
                                .first_padding = ops::PaddingMode::kReplicate,
                                .surround = {0.1, -0.2, 0.3},
                                .widths = {3, 4, 3, 4, 3}});
  const auto options = ObjectiveOptions{.content_layers = {"relu2_1"},
                                        .style_layers = {"relu1_1", "relu2_1", "relu3_1"}};
  check_same(network, image(2, 41, 66), image(4, 50, 40), options, image(3, 41, 66), 16);
  const auto regions = [](std::int64_t height, std::int64_t width) {
    Random random(9);
    return Tensor<double>::rand({1, 2, height, width}, random);
  };
  const style::Styles<double> guided{{{image(4, 50, 40), 1.0, regions(50, 40)}}, regions(40, 66)};
  check_same(network, image(2, 40, 66), guided, options, image(3, 40, 66), 20);
}

TEST_CASE("a picture is painted in tiles as it is in one, borders included") {
  auto network = small_network();
  style::TransferOptions options{.objective = deep(), .iterations = 5, .learning_rate = 0.05};
  const auto paint = [&](std::int64_t side) {
    options.objective.tile = side;
    return style::transfer(network, image(2, 90, 61), image(4, 48, 64), image(3, 90, 61), options);
  };
  const auto whole = paint(0);
  const auto tiled = paint(48);
  CHECK(difference(whole.image, tiled.image) < 1e-9);
  CHECK(tiled.history.back().total == doctest::Approx(whole.history.back().total).epsilon(1e-9));
}

TEST_CASE("of a strip there are its tiles, and what they give is added up elsewhere") {
  auto cut = style::TileCut{4, 2, 2};
  const Variable<double> whole(image(6, 12, 10));
  const auto function = [&](const auto& seen, const style::Tile& tile) {
    const auto own = style::inner(seen, tile);
    return ops::reshape(ops::sum(own * ops::square(own)), {1});
  };
  const auto tiles = style::tiles_of(whole.shape(), cut);
  const auto all = style::sum_over_tiles(whole, tiles, function);
  CHECK(all.item() == doctest::Approx(ops::sum(whole * ops::square(whole)).item()));

  Variable<double> all_of_it(whole.value().clone(), true);
  const auto twice = style::sum_over_tiles(all_of_it, tiles, function);
  backward(twice, {.retain_graph = true});
  backward(twice);
  CHECK(difference((ops::square(whole) * 6.0).value(), all_of_it.grad().value()) < 1e-12);

  cut.strip = {.top = 2, .begin = 4, .end = 8, .of = 12};
  Variable<double> x(ops::slice(whole, 2, {.start = 2, .stop = 10}).value().clone(), true);
  const auto here = style::tiles_of(x.shape(), cut);
  REQUIRE(here.size() == tiles.size() / 3);
  double sum_here = 0.0;
  const style::TileSplit<double> split{
      .strip = cut.strip,
      .sum =
          [&](const auto& parts) {
            for (const auto& part : parts) sum_here += part.item();
            return all.value();
          },
      .gradient =
          [&](const auto& parts) {
            auto gradient = Tensor<double>::zeros(x.shape());
            for (std::size_t i = 0; i < parts.size(); ++i) {
              CHECK(here[i].number == i);
              CHECK(here[i].rows.begin == tiles[here.size() + i].rows.begin);
              style::detail::add_to_window(
                  gradient, style::detail::seen_window(gradient.shape(), here[i]), parts[i]);
            }
            return gradient;
          }};
  backward(ops::square(style::sum_over_tiles(x, here, function, split)));
  const auto own = ops::slice(x, 2, {.start = 2, .stop = 6});
  CHECK(sum_here == doctest::Approx(ops::sum(own * ops::square(own)).item()));
  const auto gradient = ops::slice(x.grad(), 2, {.start = 2, .stop = 6}).value();
  CHECK(difference(gradient, (ops::square(own) * (6.0 * all.item())).value()) < 1e-12);
  CHECK(complaint([&] {
          const auto sum = style::sum_over_tiles(x, here, function, split);
          grad({sum}, {x}, {.create_graph = true});
        }) ==
        "sum_over_tiles: its gradient can't be differentiated again; compute the whole without "
        "tiles for that");
}

TEST_CASE("a picture of another size than the content is refused") {
  auto network = small_network();
  auto options = deep();
  options.tile = 32;
  const auto objective =
      style::gatys_objective(network, image(2, 64, 96), image(3, 64, 64), options);
  for (const Shape& shape : {Shape{1, 3, 96, 96}, {1, 3, 64, 64}, {1, 3, 96, 64}}) {
    CHECK(complaint([&] { objective(Variable<double>(Tensor<double>::zeros(shape))); }) ==
          "style transfer: the picture and its content have other sizes");
  }
}

TEST_CASE("what is no sum over positions is refused") {
  auto network = small_network();
  const auto refused = [&](ObjectiveOptions options) {
    options.tile = 32;
    return complaint(
        [&] { style::gatys_objective(network, image(2, 64, 64), image(3, 64, 64), options); });
  };
  auto options = deep();
  options.normalize_gradients = true;
  CHECK(refused(options) ==
        "style transfer: the term 'content relu2_2' is of all positions at once, and can't be had "
        "tile by tile");
  options = deep();
  options.content_layers = {};
  options.style_loss = StyleLoss::kNeighbors;
  CHECK(refused(options).starts_with("style transfer: the term 'style relu1_1' is of all"));
  using Goal = style::Objective<nn::Vgg<double>, double>;
  Goal::PictureTerm bright;
  bright.kind = "bright";
  bright.sums = [](const auto& seen, const style::Tile&) { return ops::sum(seen); };
  const Goal of_strip(network, {}, {bright}, {},
                      {.sum = [](const auto& parts) { return parts[0]; }, .gradient = {}});
  const style::TransferOptions searching{.optimizer = style::Optimizer::kLbfgs};
  const style::TransferOptions halving{.pyramid_levels = 3};
  for (const auto& of_whole : {searching, halving}) {
    CHECK(complaint([&] { style::minimize(of_strip, image(2, 32, 32), of_whole); }) ==
          "style transfer: L-BFGS and pyramids need a whole picture; paint strips of one by Adam");
  }
  const nn::Vgg<double> circular(
      {.first_padding = ops::PaddingMode::kCircular, .widths = {3, 4, 3, 4, 3}});
  CHECK(style::tile_cut(circular, {"relu1_1"}, 0).side == 0);
  CHECK(complaint([&] { style::tile_cut(circular, {"relu1_1"}, 32); }) ==
        "Vgg: with circular padding no part of a picture can be seen alone");
  CHECK(complaint([&] { style::tile_cut(network, {"relu1_1"}, -1); }) ==
        "style transfer: tiles of -1 pixels");
  CHECK(complaint([&] {
          style::tile_cut(nn::ResNet<float>(), {"relu1"}, 64);
        }).starts_with("style transfer: this network does not say how far its layers reach"));
}
