// Pictures that Pillow wrote.

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/image.hpp"

using namespace sfumato;

namespace {

const std::filesystem::path kFixtures = SFUMATO_TEST_FIXTURES;

/// The picture that tests/fixtures/make.py makes by the same formula.
Tensor<std::uint8_t> picture(std::int64_t height, std::int64_t width) {
  auto pixels = Tensor<std::uint8_t>::empty({height, width, 3});
  for (std::int64_t i = 0; i < height; ++i) {
    for (std::int64_t j = 0; j < width; ++j) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const std::int64_t value = i * 7 + j * 13 + c * 31 + i * j * (c + 1);
        pixels.span()[static_cast<std::size_t>((i * width + j) * 3 + c)] =
            static_cast<std::uint8_t>(value % 256);
      }
    }
  }
  return pixels;
}

}  // namespace

TEST_CASE("grey, BMP and transparent pictures become RGB") {
  const auto full = picture(37, 53);
  const auto at = [&](std::int64_t i, std::int64_t j, std::int64_t c) {
    return full.at({i, j, c});
  };
  const auto grey = io::read_image(kFixtures / "grey.png");
  const auto bitmap = io::read_image(kFixtures / "colour.bmp");
  const auto alpha = io::read_image(kFixtures / "alpha.png");
  for (std::int64_t i = 0; i < 8; ++i) {
    for (std::int64_t j = 0; j < 9; ++j) {
      for (std::int64_t c = 0; c < 3; ++c) {
        CHECK(grey.at({i, j, c}) == at(i, j, 0));
        CHECK(bitmap.at({i, j, c}) == at(i, j, c));
        // An opacity of 51 / 255 = 1/5 over white.
        CHECK(alpha.at({i, j, c}) == (at(i, j, c) + 4 * 255 + 2) / 5);
      }
    }
  }
}

TEST_CASE("JPEGs are turned as their EXIF orientation says") {
  // The stored picture is red in the upper left, green in the upper right, blue in the lower left.
  // Where red, green and blue must be seen, row by row in a 2 × 2 grid ('-' is black).
  const std::vector<std::string> expected{"rgb-", "gr-b", "-bgr", "b-rg",
                                          "rbg-", "br-g", "-gbr", "g-rb"};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    const auto image =
        io::read_image(kFixtures / ("orientation-" + std::to_string(orientation) + ".jpg"));
    CHECK(image.shape() == (orientation < 5 ? Shape{16, 24, 3} : Shape{24, 16, 3}));
    std::string seen;
    for (const std::int64_t i : {1, 3}) {
      for (const std::int64_t j : {1, 3}) {
        std::string colour = "-";
        for (const std::int64_t c : {0, 1, 2}) {
          const bool bright =
              image.at({i * image.shape()[0] / 4, j * image.shape()[1] / 4, c}) > 150;
          if (bright) colour = std::string("rgb").substr(static_cast<std::size_t>(c), 1);
        }
        seen += colour;
      }
    }
    CHECK(seen == expected[static_cast<std::size_t>(orientation - 1)]);
  }
}
