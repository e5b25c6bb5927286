// Pictures: reading, writing, resizing, and the adaptors to xtensor.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>
#include <xtensor/xarray.hpp>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/npy.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/io/xtensor.hpp"
#include "support/complaint.hpp"
#include "support/hostile_files.hpp"
#include "support/temporary_directory.hpp"

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

/// A picture that JPEG keeps well.
Tensor<std::uint8_t> gradient() {
  auto pixels = Tensor<std::uint8_t>::empty({24, 32, 3});
  for (std::size_t i = 0; i < 24 * 32 * 3; ++i) {
    pixels.span()[i] = static_cast<std::uint8_t>(i / 3 % 32 * 4 + i / 96 * 3);
  }
  return pixels;
}

int largest_difference(const Tensor<std::uint8_t>& a, const Tensor<std::uint8_t>& b) {
  REQUIRE(a.shape() == b.shape());
  int largest = 0;
  for (std::size_t i = 0; i < a.span().size(); ++i) {
    largest = std::max(largest, std::abs(a.span()[i] - b.span()[i]));
  }
  return largest;
}

}  // namespace

TEST_CASE("pictures round trip as PNG exactly and as JPEG nearly") {
  const TemporaryDirectory folder;
  const auto pixels = gradient();
  io::write_image(folder / "a.png", pixels);
  CHECK(largest_difference(io::read_image(folder / "a.png"), pixels) == 0);
  for (const char* const name : {"a.jpg", "b.JPEG"}) {
    io::write_image(folder / name, pixels);
    CHECK(largest_difference(io::read_image(folder / name), pixels) < 12);
  }
  // Nothing but the pictures was left behind.
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 3);
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

TEST_CASE("bad pictures give errors and touch nothing") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.png";
  const auto says = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    return complaint([&] { io::read_image(path); }).substr(path.string().size());
  };
  CHECK(says("hello") == ": not an image that can be read; use JPEG, PNG or BMP");
  CHECK(says("") == ": not an image that can be read; use JPEG, PNG or BMP");
  std::string huge = read_bytes(kFixtures / "grey.png");
  huge.replace(16, 8, std::string("\x00\x00\x0f\xff\x00\x00\x0f\xff", 8));
  CHECK(says(huge).find(": the image claims 4095 x 4095 pixels, which its ") == 0);
  huge.replace(16, 8, std::string("\x00\x00\x4e\x20\x00\x00\x4e\x20", 8));
  CHECK(says(huge) == ": the image claims 20000 x 20000 pixels; at most 2^28 are read");
  CHECK(
      complaint([&] { io::read_image(folder / "none.png"); }).ends_with("none.png: no such file"));
  CHECK(complaint([&] { io::read_image(folder.path()); }).ends_with(": not a regular file"));
  CHECK(complaint([&] { io::check_image_extension("a/b.gif"); }) ==
        "a/b.gif: images are written as .png, .jpg or .jpeg, not '.gif'");
  CHECK(complaint([&] {
          io::write_image(folder / "a.png", Tensor<std::uint8_t>::zeros({4, 4}));
        }) == "write_image: pixels (4, 4) must be (height, width, 3), none of them empty");
  CHECK(
      complaint([&] { io::write_image(folder / "no/a.png", gradient()); })
          .ends_with("no/a.png: can't be written; check that the folder exists and may be written "
                     "to"));
  {
    write_bytes(folder / "kept.txt", "old");
    io::AtomicFileWriter writer(folder / "kept.txt");
    writer.write("new", 3);
  }
  CHECK(read_bytes(folder / "kept.txt") == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE("damaged pictures never crash the reader") {
  for (const char* const name : {"alpha.png", "orientation-6.jpg", "colour.bmp"}) {
    check_hostile_copies(read_bytes(kFixtures / name), "copy",
                         [](const auto& path) { io::read_image(path); });
  }
}

TEST_CASE("resizing agrees with Pillow") {
  const auto source = picture(37, 53);
  const struct {
    const char* name;
    io::Filter filter;
  } filters[]{{"bilinear", io::Filter::kBilinear}, {"bicubic", io::Filter::kBicubic}};
  for (const auto& [name, filter] : filters) {
    for (const auto& [height, width] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {12, 17}, {37, 20}, {80, 101}, {5, 53}, {1, 1}}) {
      const std::string file = message("resize-", name, "-", height, "x", width, ".npy");
      CAPTURE(file);
      const auto expected = io::read_npy<std::uint8_t>(kFixtures / file);
      CHECK(largest_difference(io::resize(source, height, width, filter), expected) == 0);
    }
  }
  CHECK(largest_difference(io::resize(source, 37, 53), source) == 0);
  CHECK(complaint([&] { io::resize(source, 0, 5); }) ==
        "resize: size 0 x 5 must be at least 1 x 1");
  CHECK(complaint([&] {
          io::resize(Tensor<std::uint8_t>::zeros({4, 4}), 2, 2);
        }) == "resize: image (4, 4) must be (height, width, channels), none of them empty");
}

TEST_CASE("xtensor sees a tensor's own memory") {
  auto x = Tensor<float>::arange(6).reshape({2, 3});
  auto view = io::as_xtensor(x);
  CHECK(view(1, 2) == 5.0F);
  view += 1.0F;
  CHECK(x.at({1, 2}) == 6.0F);
  const auto& constant = x;
  CHECK(io::as_xtensor(constant)(0, 1) == 2.0F);
  const xt::xarray<double, xt::layout_type::column_major> columns{{1, 2, 3}, {4, 5, 6}};
  const auto copied = io::from_xtensor<float>(2.0 * columns);
  CHECK(copied.shape() == Shape{2, 3});
  CHECK(copied.to_vector() == std::vector<float>{2, 4, 6, 8, 10, 12});
}
