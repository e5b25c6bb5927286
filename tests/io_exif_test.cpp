// The orientation in EXIF data.

#include <doctest/doctest.h>

#include <cctype>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/core/random.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/exif.hpp"
#include "sfumato/io/image.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_exif_test {

namespace {

constexpr std::int64_t kHeight = 16;
constexpr std::int64_t kWidth = 24;

/// A number of 2 or 4 bytes.
std::string number(std::uint32_t value, std::size_t bytes, bool little_endian) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::size_t shift = 8 * (little_endian ? i : bytes - 1 - i);
    text += static_cast<char>(value >> shift & 0xFF);
  }
  return text;
}

/// A TIFF directory with the image's width, which must be skipped, and the orientation.
std::string tiff(std::uint32_t orientation, bool little_endian, std::uint32_t entries = 2,
                 std::uint32_t directory = 8) {
  const auto two = [&](std::uint32_t value) { return number(value, 2, little_endian); };
  const auto four = [&](std::uint32_t value) { return number(value, 4, little_endian); };
  std::string text = (little_endian ? "II" : "MM") + two(42) + four(directory) + two(entries);
  text += two(0x0100) + two(3) + four(1) + two(7) + two(0);
  text += two(0x0112) + two(3) + four(1) + two(orientation) + two(0);
  return text + four(0);
}

std::string segment(std::uint8_t marker, const std::string& content) {
  return std::string("\xff") + static_cast<char>(marker) +
         number(static_cast<std::uint32_t>(content.size() + 2), 2, false) + content;
}

std::string exif(const std::string& content) {
  return segment(0xE1, std::string("Exif\0\0", 6) + content);
}

/// A JPEG with a grey level for each of its 8 x 8 blocks, which no turn or mirroring maps to
/// itself.
const std::string& jpeg() {
  static const std::string bytes = [] {
    auto pixels = Tensor<std::uint8_t>::empty({kHeight, kWidth, 3});
    for (std::size_t i = 0; i < pixels.span().size(); ++i) {
      const std::size_t row = i / 3 / kWidth;
      const std::size_t column = i / 3 % kWidth;
      pixels.span()[i] = static_cast<std::uint8_t>(20 + 40 * (row / 8 * 3 + column / 8));
    }
    const TemporaryDirectory folder;
    io::write_image(folder / "x.jpg", pixels, 100);
    return read_bytes(folder / "x.jpg");
  }();
  return bytes;
}

/// The JPEG with something spliced in after its first marker.
std::string with(const std::string& inserted) {
  return jpeg().substr(0, 2) + inserted + jpeg().substr(2);
}

/// Of EXIF data, with or without the mark before them; 1 where they have none.
int orientation_of(const std::string& exif_data) {
  // A copy on the heap, exactly as long, so that sanitizers see every step beyond it.
  const std::vector<std::uint8_t> exact(exif_data.begin(), exif_data.end());
  return io::detail::ExifOrientation::of(exact).value_or(1);
}

Tensor<std::uint8_t> read(const std::string& bytes) {
  const TemporaryDirectory folder;
  write_bytes(folder / "x.jpg", bytes);
  return io::read_image(folder / "x.jpg");
}

}  // namespace

TEST_CASE("all orientations put rows and columns where the standard says, in both byte orders") {
  // Where the stored picture's row 0 and column 0 are to be seen, for orientations 1 to 8.
  const std::vector<std::string> sides{"top left", "top right", "bottom right", "bottom left",
                                       "left top", "right top", "right bottom", "left bottom"};
  const auto stored = read(jpeg());
  REQUIRE(stored.shape() == Shape{kHeight, kWidth, 3});
  for (const bool little_endian : {true, false}) {
    for (std::uint32_t orientation = 1; orientation <= 8; ++orientation) {
      CAPTURE(little_endian);
      CAPTURE(orientation);
      const std::string& where = sides[orientation - 1];
      const bool turned = where.starts_with("left") || where.starts_with("right");
      const bool from_bottom = where.find("bottom") != std::string::npos;
      const bool from_right = where.find("right") != std::string::npos;
      const auto seen = read(with(exif(tiff(orientation, little_endian))));
      const std::int64_t height = turned ? kWidth : kHeight;
      const std::int64_t width = turned ? kHeight : kWidth;
      REQUIRE(seen.shape() == Shape{height, width, 3});
      int wrong = 0;
      for (std::int64_t row = 0; row < kHeight; ++row) {
        for (std::int64_t column = 0; column < kWidth; ++column) {
          const std::int64_t down = turned ? column : row;
          const std::int64_t right = turned ? row : column;
          const std::int64_t y = from_bottom ? height - 1 - down : down;
          const std::int64_t x = from_right ? width - 1 - right : right;
          if (seen.at({y, x, 1}) != stored.at({row, column, 1})) ++wrong;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("EXIF data are found behind other segments and padding") {
  const std::string found = exif(tiff(6, true));
  const std::string comment = segment(0xFE, "no comment");
  const std::string xmp = segment(0xE1, std::string("http://ns.adobe.com/xap/1.0/\0", 29));
  const Shape turned{kWidth, kHeight, 3};
  CHECK(read(with(found)).shape() == turned);
  CHECK(read(with(comment + xmp + found)).shape() == turned);
  CHECK(read(with("\xff\xff" + found)).shape() == turned);
  CHECK(read(with(exif("") + found)).shape() == turned);
  CHECK(read(jpeg().substr(0, 20) + found + jpeg().substr(20)).shape() == turned);  // after JFIF
  // The first EXIF segment counts.
  CHECK(read(with(found + exif(tiff(3, true)))).shape() == turned);
  // What looks like one in another segment, or with another name, is none.
  const Shape upright{kHeight, kWidth, 3};
  CHECK(read(jpeg()).shape() == upright);
  CHECK(read(with(segment(0xE1, "Exif " + tiff(6, true)))).shape() == upright);
  CHECK(read(with(segment(0xE3, std::string("Exif\0\0", 6) + tiff(6, true)))).shape() == upright);
}

TEST_CASE("an orientation in XMP counts where EXIF data have none") {
  const auto xmp = [](const std::string& content) {
    return segment(0xE1, std::string("http://ns.adobe.com/xap/1.0/\0", 29) + content);
  };
  const Shape upright{kHeight, kWidth, 3};
  const Shape turned{kWidth, kHeight, 3};
  const std::string six = xmp("<rdf:Description tiff:Orientation=\"6\"/>");
  CHECK(read(with(six)).shape() == turned);
  CHECK(read(with(xmp("<tiff:Orientation>8</tiff:Orientation>"))).shape() == turned);
  CHECK(read(with(xmp("tiff:Orientation tiff:Orientation=\"x tiff:Orientation=\"5"))).shape() ==
        turned);
  CHECK(read(with(exif("") + six)).shape() == turned);
  CHECK(read(with(six + exif(tiff(6, true, 1)))).shape() == turned);  // which stops before it
  for (const std::uint32_t orientation : {1U, 3U, 0U, 9U}) {
    CHECK(read(with(six + exif(tiff(orientation, false)))).shape() == upright);
  }
  for (const char* const content :
       {"", "tiff:Orientation", "tiff:Orientation=\"", "tiff:Orientation>", "tiff:Orientation=6",
        "tiff:Orientation=\"0\"", "tiff:Orientation=\"9\"", "exif:Orientation=\"6\""}) {
    CAPTURE(content);
    CHECK(read(with(xmp(content))).shape() == upright);
  }
  CHECK(read(with(segment(0xE1, "tiff:Orientation=\"6\""))).shape() == upright);
}

TEST_CASE("without an orientation that makes sense a picture is upright") {
  const std::string mark("Exif\0\0", 6);
  CHECK(orientation_of(tiff(6, true)) == 6);
  CHECK(orientation_of(mark + tiff(6, false)) == 6);
  CHECK(orientation_of("") == 1);
  CHECK(orientation_of(mark) == 1);
  CHECK(orientation_of("\x89PNG and the rest") == 1);
  for (const std::uint32_t orientation : {0U, 9U, 255U, 0x0600U, 65535U}) {
    CAPTURE(orientation);
    CHECK(orientation_of(tiff(orientation, true)) == 1);
    CHECK(orientation_of(tiff(orientation, false)) == 1);
    CHECK(read(with(exif(tiff(orientation, true)))).shape() == Shape{kHeight, kWidth, 3});
  }
  CHECK(orientation_of("II*") == 1);
  CHECK(orientation_of(tiff(6, true, 0)) == 1);              // no entries
  CHECK(orientation_of(tiff(6, true, 1)) == 1);              // not that far
  CHECK(orientation_of(tiff(6, true, 2, 0x7FFFFFFF)) == 1);  // a directory nowhere
  CHECK(orientation_of(tiff(6, true, 2, 0xFFFFFFFF)) == 1);
  CHECK(orientation_of(tiff(6, true, 65535)) == 6);  // more claimed than there is
  CHECK(orientation_of("XX" + tiff(6, true).substr(2)) == 1);
  CHECK(orientation_of("II+" + tiff(6, true).substr(3)) == 1);
  CHECK(orientation_of("MM*" + std::string(1, '\0') + tiff(6, false).substr(4)) ==
        6);  // as written
}

TEST_CASE("an orientation is a whole number of two or four bytes") {
  for (const bool little_endian : {true, false}) {
    for (std::uint32_t type = 0; type <= 13; ++type) {
      CAPTURE(type);
      const bool two = type == 3 || type == 8;
      const bool four = type == 4 || type == 9;
      std::string data = tiff(6, little_endian);
      const std::size_t entry = 8 + 2 + 12;
      data.replace(entry + 2, 2, number(type, 2, little_endian));
      CHECK(orientation_of(data) == (two || (four && little_endian) ? 6 : 1));
      data.replace(entry + 8, 4, number(6, 4, little_endian));
      CHECK(orientation_of(data) == (four || (two && little_endian) ? 6 : 1));
    }
  }
}

TEST_CASE("EXIF data in hexadecimal are read as ImageMagick writes them") {
  using io::detail::ExifOrientation;
  std::string digits;
  for (const char byte : std::string("Exif\0\0", 6) + tiff(8, false)) {
    for (const int shift : {4, 0}) digits += "0123456789abcdef"[byte >> shift & 0xF];
  }
  CHECK(ExifOrientation::of_raw_profile("\nexif\n      44\n" + digits + "\n") == 8);
  CHECK(ExifOrientation::of_raw_profile("exif 44 " + digits) == 8);
  std::string capitals;
  for (const char digit : digits) capitals += static_cast<char>(std::toupper(digit));
  CHECK(ExifOrientation::of_raw_profile("exif 44 " + capitals) == 8);
  digits.insert(72, "\n");
  CHECK(ExifOrientation::of_raw_profile("\nAPP1\n      44\n" + digits) == 8);
  for (const char* const text :
       {"", "\n", "exif", "\nexif\n", "exif 44", "exif 44 4", "exif 44 xx"}) {
    CHECK_FALSE(ExifOrientation::of_raw_profile(text));
  }
}

TEST_CASE("cut-off and damaged EXIF data never lead out of the file") {
  const std::string good = std::string("Exif\0\0", 6) + tiff(6, false);
  REQUIRE(orientation_of(good) == 6);
  const std::size_t orientation_ends = good.size() - 6;
  for (std::size_t length = 0; length < orientation_ends; ++length) {
    CHECK(orientation_of(good.substr(0, length)) == 1);
  }
  Random random(19);
  int outside = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (int changes = 0; changes <= i % 3; ++changes) {
      const std::int64_t place = random.below(static_cast<std::int64_t>(bytes.size()));
      bytes[static_cast<std::size_t>(place)] = static_cast<char>(random.below(256));
    }
    const int orientation = orientation_of(bytes);
    if (orientation < 1 || orientation > 8) ++outside;
  }
  CHECK(outside == 0);
}

}  // namespace sfumato::io_exif_test
