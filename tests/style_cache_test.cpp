// What is seen in style pictures is kept for the next objective, and is what it would be without.

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/sfumato.hpp"

namespace sfumato::tested::style_cache {

namespace {

using style::ObjectiveOptions;
using style::StyleLoss;
using Cache = style::StyleCache<float>;

Tensor<float> image(std::uint64_t seed, std::int64_t height, std::int64_t width) {
  Random random(seed);
  return Tensor<float>::randn({1, 3, height, width}, random);
}

/// What look() of a cache makes, and whether it was made now.
std::pair<float, bool> look(Cache& cache, const Tensor<float>& picture, const std::string& name,
                            const Tensor<float>& regions = {}) {
  bool made = false;
  const auto seen = cache.look(picture, regions, name, [&] {
    made = true;
    return Cache::Tensors{ops::sum(Variable<float>(picture)).value(), {}};
  });
  return {seen[0].item(), made};
}

}  // namespace

TEST_CASE("the same bits under the same name are looked at once") {
  Cache cache(1 << 20);
  const auto picture = image(1, 8, 9);
  const auto [first, made] = look(cache, picture, "a");
  CHECK(made);
  CHECK(look(cache, picture.clone(), "a") == std::pair{first, false});
  CHECK(look(cache, picture, "b").second);
  CHECK(look(cache, image(2, 8, 9), "a").second);
  CHECK(look(cache, picture.reshape({1, 3, 9, 8}), "a").second);
  CHECK(look(cache, picture, "a", image(3, 8, 9)).second);
  CHECK(look(cache, picture, "a", image(4, 8, 9)).second);
  CHECK_FALSE(look(cache, picture, "a", image(3, 8, 9)).second);
  // It has a copy: whoever changes the picture finds no more what was seen before.
  auto changed = picture;
  changed.data()[5] += 1.0F;
  CHECK(look(cache, changed, "a").second);
  CHECK(cache.computed() == 7);
  CHECK(cache.found() == 2);
  cache.clear();
  CHECK(cache.bytes() == 0);
  CHECK(look(cache, changed, "a").second);
}

TEST_CASE("what was used last is kept, as much as there is room for") {
  constexpr std::size_t kEach = (3 * 8 * 8 + 1) * sizeof(float);
  Cache cache(2 * kEach);
  look(cache, image(1, 8, 8), "a");
  look(cache, image(2, 8, 8), "a");
  CHECK(cache.bytes() == 2 * kEach);
  CHECK_FALSE(look(cache, image(1, 8, 8), "a").second);
  CHECK(look(cache, image(3, 8, 8), "a").second);  // in the place of the second
  CHECK_FALSE(look(cache, image(1, 8, 8), "a").second);
  CHECK(look(cache, image(2, 8, 8), "a").second);
  CHECK(cache.bytes() == 2 * kEach);
  CHECK(look(cache, image(1, 80, 80), "a").second);  // too large for it, and puts nothing out
  CHECK_FALSE(look(cache, image(2, 8, 8), "a").second);
}

TEST_CASE("objectives of many contents look at a style once, and paint the same bits") {
  Random random(1);
  nn::Vgg<float> network({.widths = {3, 4, 3, 4, 3}}, random);
  const auto regions = [](std::uint64_t seed) {
    Random of_regions(seed);
    return Tensor<float>::rand({1, 2, 33, 40}, of_regions);
  };
  for (const StyleLoss loss : {StyleLoss::kGram, StyleLoss::kWasserstein, StyleLoss::kNeighbors}) {
    for (const bool guided : {false, true}) {
      CAPTURE(static_cast<int>(loss));
      CAPTURE(guided);
      style::TransferOptions options{.iterations = 3};
      options.objective.style_layers = {"relu1_1", "relu3_1"};
      options.objective.style_loss = loss;
      options.objective.strength = 0.75;
      const auto cache = std::make_shared<Cache>(1 << 20);
      const auto paint = [&](std::uint64_t content, bool shares) {
        style::Styles<float> styles{{{image(8, 33, 40), 1.0}, {image(9, 33, 40), 2.0}}};
        if (guided) {
          for (auto& picture : styles.pictures) picture.regions = regions(5);
          styles.content_regions = regions(6);
        }
        if (shares) styles.cache = cache;
        const auto picture = image(content, 33, 40);
        return style::transfer(network, picture, styles, picture, options).image.to_vector();
      };
      for (const std::uint64_t content : {1U, 2U})
        CHECK(paint(content, true) == paint(content, false));
      // Borders are extended: each picture has two objectives of the same two styles, but with
      // neighbours, which are found for one alone.
      const std::int64_t looks = loss == StyleLoss::kNeighbors ? 2 : 4;
      CHECK(cache->computed() == 2);
      CHECK(cache->found() == 2 * looks - 2);
      options.objective.style_layers = {"relu1_1", "relu2_1"};
      CHECK(paint(1, true) == paint(1, false));
      CHECK(cache->computed() == 4);
    }
  }
}

}  // namespace sfumato::tested::style_cache
