// Pictures in the colours of others.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "support/complaint.hpp"

namespace sfumato::style_colors_test {

namespace {

using Pixels = Tensor<std::uint8_t>;

/// Colours around (base, base + 20, base + 40), which vary together and by themselves.
Pixels some(std::uint64_t seed, int base, double spread) {
  Random random(seed);
  std::vector<std::uint8_t> values;
  for (int i = 0; i < 20 * 30; ++i) {
    const double common = random.normal();
    for (int c = 0; c < 3; ++c) {
      const double value = base + 20 * c + spread * (common + 0.5 * random.normal());
      values.push_back(
          static_cast<std::uint8_t>(std::lround(std::min(255.0, std::max(0.0, value)))));
    }
  }
  return Pixels::from(values, {20, 30, 3});
}

double luma_of(const std::vector<std::uint8_t>& pixels, std::size_t i) {
  return 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
}

}  // namespace

TEST_CASE("matched colours have the mean and the covariance of the others") {
  const Pixels like = some(1, 90, 15.0);
  const style::detail::ColorStatistics wanted(like);
  for (const Pixels& picture : {some(2, 60, 30.0), some(3, 150, 8.0)}) {
    const Pixels matched = style::match_colors(picture, like);
    CHECK(matched.shape() == picture.shape());
    const style::detail::ColorStatistics got(matched);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(got.mean.value().to_vector()[i] ==
            doctest::Approx(wanted.mean.value().to_vector()[i]).epsilon(2e-3));
    }
    for (std::size_t i = 0; i < 9; ++i) {
      CHECK(got.covariance.value().to_vector()[i] ==
            doctest::Approx(wanted.covariance.value().to_vector()[i]).epsilon(0.05));
    }
  }
  // Grey stays a picture: nothing is blown up that is not there.
  const Pixels grey = Pixels::full({4, 4, 3}, std::uint8_t{77});
  const auto plain = style::match_colors(grey, like).to_vector();
  for (std::size_t i = 3; i < plain.size(); ++i) CHECK(plain[i] == plain[i % 3]);
  CHECK(complaint([&] {
          style::match_colors(Pixels::zeros({4, 4}), like);
        }) == "match_colors: pixels (4, 4) must be (height, width, 3)");
}

TEST_CASE("a picture in other colours is as bright as before") {
  const Pixels picture = some(4, 20, 60.0);
  const Pixels colors = some(5, 160, 50.0);
  const auto result = style::luma_in_colors(picture, colors).to_vector();
  const auto bright = picture.to_vector();
  const auto hue = colors.to_vector();
  double sideways = 0.0;
  for (std::size_t i = 0; i < result.size(); i += 3) {
    CHECK(std::abs(luma_of(result, i) - luma_of(bright, i)) < 0.51);
    // Towards the colour asked for, and not past it.
    const double chroma = result[i] - luma_of(result, i);
    const double wanted = hue[i] - luma_of(hue, i);
    CHECK(std::abs(chroma) <= std::abs(wanted) + 1.1);
    sideways += std::abs(chroma * (hue[i + 1] - luma_of(hue, i)) -
                         wanted * (result[i + 1] - luma_of(result, i)));
  }
  CHECK(sideways / 600.0 < 20.0);
  CHECK(style::luma_in_colors(colors, colors).to_vector() == hue);
  CHECK(complaint([&] {
          style::luma_in_colors(picture, Pixels::zeros({20, 29, 3}));
        }) == "luma_in_colors: a picture (20, 30, 3) and colours (20, 29, 3) must have one size");
}

TEST_CASE("the luma's mean and deviation become another's, each or both") {
  const Pixels picture = some(4, 90, 20.0);
  const Pixels like = some(5, 140, 10.0);
  const auto statistics = [](const Pixels& pixels) {
    return style::detail::LumaStatistics(pixels.to_vector());
  };
  const auto own = statistics(picture);
  const auto other = statistics(like);
  for (const auto parts : {style::LumaParts{true, false}, style::LumaParts{false, true},
                           style::LumaParts{true, true}, style::LumaParts{false, false}}) {
    const auto matched = statistics(style::match_luma(picture, like, parts));
    CHECK(matched.mean == doctest::Approx(parts.mean ? other.mean : own.mean).epsilon(0.01));
    CHECK(matched.deviation ==
          doctest::Approx(parts.deviation ? other.deviation : own.deviation).epsilon(0.03));
  }
  // Of what has no contrast none is made.
  const Pixels grey = Pixels::full({4, 4, 3}, std::uint8_t{77});
  CHECK(style::match_luma(grey, like, {false, true}).to_vector() == grey.to_vector());
  CHECK(complaint([&] {
          style::match_luma(Pixels::zeros({4, 4}), like);
        }) == "match_luma: pixels (4, 4) must be (height, width, 3)");
}

TEST_CASE("opacity is split off and put on again") {
  const Pixels pixels = Pixels::from({200, 100, 0, 255, 9, 9, 9, 0, 100, 0, 50, 255}, {1, 3, 4});
  const auto both = style::split_opacity(pixels);
  const Pixels& colors = both.first;
  const Pixels& opacity = both.second;
  CHECK(colors.to_vector() == std::vector<std::uint8_t>{200, 100, 0, 150, 50, 25, 100, 0, 50});
  CHECK(opacity.to_vector() == std::vector<std::uint8_t>{255, 0, 255});
  CHECK(style::with_opacity(colors, opacity).to_vector() ==
        std::vector<std::uint8_t>{200, 100, 0, 255, 150, 50, 25, 0, 100, 0, 50, 255});
  CHECK(complaint([&] { style::split_opacity(colors); }) ==
        "split_opacity: pixels (1, 3, 3) must be (height, width, 4)");
  CHECK(complaint([&] {
          style::with_opacity(colors, Pixels::zeros({3, 1, 1}));
        }).find("(h, w, 1)") != std::string::npos);
}

}  // namespace sfumato::style_colors_test
