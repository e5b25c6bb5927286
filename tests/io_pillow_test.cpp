// Pictures that Pillow wrote.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/image.hpp"
#include "support/complaint.hpp"
#include "support/shared_data.hpp"

namespace sfumato::io_pillow_test {

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

std::uint64_t fnv(const Tensor<std::uint8_t>& pixels) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const std::uint8_t value : pixels.span()) hash = (hash ^ value) * 0x100000001B3;
  return hash;
}

int largest_difference(const Tensor<std::uint8_t>& a, const Tensor<std::uint8_t>& b) {
  REQUIRE(a.shape() == b.shape());
  int largest = 0;
  for (std::size_t i = 0; i < a.span().size(); ++i) {
    largest = std::max(largest, std::abs(a.span()[i] - b.span()[i]));
  }
  return largest;
}

double mean_difference(const Tensor<std::uint8_t>& a, const Tensor<std::uint8_t>& b) {
  REQUIRE(a.shape() == b.shape());
  double sum = 0.0;
  for (std::size_t i = 0; i < a.span().size(); ++i) sum += std::abs(a.span()[i] - b.span()[i]);
  return sum / static_cast<double>(a.numel());
}

}  // namespace

TEST_CASE("all kinds of pictures have the pixels that Pillow sees, bit for bit") {
  std::ifstream list(kFixtures / "images/pixels.txt");
  std::string name;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::uint64_t hash = 0;
  int count = 0;
  while (list >> name >> std::dec >> height >> width >> std::hex >> hash) {
    CAPTURE(name);
    Tensor<std::uint8_t> pixels;
    const std::string text =
        complaint([&] { pixels = io::read_image(kFixtures / "images" / name); });
    CHECK(text == "nothing");
    if (text != "nothing") continue;
    CHECK(pixels.shape() == Shape{height, width, 3});
    CHECK(fnv(pixels) == hash);
    ++count;
  }
  CHECK(count == 121);
}

TEST_CASE("pictures that people really have are read") {
  if (!shared_data("cases/images")) {
    MESSAGE("SKIPPED: no shared/cases/images on this machine");
    return;
  }
  const auto read = [](const char* name) {
    return io::read_image(*shared_data(std::string("cases/images/") + name));
  };
  const auto plain = read("plain.png");
  double means[3] = {};
  for (std::size_t i = 0; i < plain.span().size(); ++i) means[i % 3] += plain.span()[i] / 2240.0;
  CHECK(means[0] == doctest::Approx(124.41).epsilon(1e-4));
  CHECK(means[1] == doctest::Approx(116.66).epsilon(1e-4));
  CHECK(means[2] == doctest::Approx(127.67).epsilon(1e-4));
  for (const char* const name : {"bgrx32_zero.bmp", "topdown24.bmp", "png_no_iend.png"}) {
    CAPTURE(name);
    CHECK(largest_difference(read(name), plain) == 0);
  }
  CHECK(mean_difference(read("cmyk_no_marker.jpg"), plain) < 0.3);
  CHECK(mean_difference(read("sub422.jpg"), plain) < 2.7);
  CHECK(mean_difference(read("sub420.jpg"), plain) < 4.2);
  CHECK(largest_difference(read("arith.jpg"), read("sub420.jpg")) == 0);
  // Pillow's and LittleCMS' pixels of these.
  CHECK(fnv(read("sub422.jpg")) == 0x306ED2F366A928B7);
  CHECK(fnv(read("icc_adobergb.png")) == 0xC5057B59909405F7);
  CHECK(fnv(read("icc_adobergb.jpg")) == 0xDB327450C1B0879F);
  CHECK(read("png_exif6.png").shape() == Shape{56, 40, 3});
  CHECK(read("exif6.jpg").shape() == Shape{56, 40, 3});
  const auto ramp = read("gray16.png");
  for (std::int64_t j = 0; j < 56; ++j) CHECK(ramp.at({7, j, 1}) == j * 65535 / 55 / 256);
  const auto kept = io::read_image(*shared_data("cases/images/rgba8.png"), io::Alpha::kKeep);
  REQUIRE(kept.shape() == Shape{40, 56, 4});
  CHECK(fnv(kept) == 0xAE212D0BD922B2D9);
}

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

}  // namespace sfumato::io_pillow_test
