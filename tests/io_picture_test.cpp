// Each format's own ways to be unusual, or damaged.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/image.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_picture_test {

namespace {

using Image = Tensor<std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

std::string fixture(const std::string& name) {
  return read_bytes(std::filesystem::path(SFUMATO_TEST_FIXTURES) / "images" / name);
}

Image read(const std::string& bytes, io::Alpha alpha = io::Alpha::kOverWhite) {
  return io::detail::decode_image(
      "x", {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, alpha);
}

std::string says(const std::string& bytes) {
  const std::string text = complaint([&] { read(bytes); });
  return text == "nothing" ? text : text.substr(3);
}

std::string starts(const std::string& text, std::size_t length) {
  return text.substr(0, length);
}

/// Where a JPEG's segment begins; its length stands 2 bytes on.
std::size_t segment(const std::string& jpeg, std::uint8_t marker, std::size_t from = 0) {
  const std::size_t at = jpeg.find(std::string("\xff") + static_cast<char>(marker), from);
  REQUIRE(at != std::string::npos);
  return at;
}

std::size_t segment_end(const std::string& jpeg, std::size_t at) {
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<std::uint8_t>(jpeg[i])}; };
  return at + 2 + (byte(at + 2) << 8 | byte(at + 3));
}

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::uint32_t crc(const std::string& bytes) {
  std::uint32_t value = 0xFFFFFFFF;
  for (const char byte : bytes) {
    value ^= static_cast<std::uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xEDB88320U : 0);
  }
  return ~value;
}

std::string four(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

std::string chunk(const std::string& kind, const std::string& content) {
  return four(static_cast<std::uint32_t>(content.size())) + kind + content +
         four(crc(kind + content));
}

/// A PNG with a chunk put in before the one named.
std::string with_chunk(std::string png, const std::string& inserted,
                       const std::string& before = "IDAT") {
  return png.insert(png.find(before) - 4, inserted);
}

std::string little(std::uint32_t value, int bytes = 4) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i & 0xFF);
  return text;
}

/// A BMP with a header of 40 bytes and a palette of black, red and green.
std::string bmp(std::uint32_t width, std::uint32_t height, std::uint32_t bits,
                std::uint32_t compression, const std::string& pixels) {
  const std::string palette = std::string(4, '\0') + std::string("\0\0\xff\0\0\xff\0\0", 8);
  return "BM" + little(0) + little(0) + little(14 + 40 + 12) + little(40) + little(width) +
         little(height) + little(1, 2) + little(bits, 2) + little(compression) + little(0) +
         little(0) + little(0) + little(3) + little(0) + palette + pixels;
}

/// A picture's pixels as letters: k black, r red, g green.
std::string letters(const Image& image) {
  std::string text;
  for (std::int64_t i = 0; i < image.shape()[0]; ++i) {
    if (i > 0) text += '/';
    for (std::int64_t j = 0; j < image.shape()[1]; ++j) {
      text += image.at({i, j, 0}) == 255 ? 'r' : image.at({i, j, 1}) == 255 ? 'g' : 'k';
    }
  }
  return text;
}

const std::string kCutOff = "before the last pixel; copy or download it again";

}  // namespace

// ---- JPEG ---------------------------------------------------------------------------------------

TEST_CASE("kinds of JPEG that can't be read are named") {
  const std::string good = fixture("sampled-2x1.jpg");
  const std::size_t frame = segment(good, 0xC0);
  std::string deep = good;
  deep[frame + 1] = '\xC1';
  deep[frame + 4] = 12;
  CHECK(says(deep) == "a JPEG of 12 bits per value, which is not read; convert it to 8 bits");
  std::string lossless = good;
  lossless[frame + 1] = '\xC3';
  CHECK(says(lossless) ==
        "a lossless JPEG, which is not read; convert it to an ordinary JPEG or PNG");
  std::string hierarchical = good;
  hierarchical[frame + 1] = '\xC5';
  CHECK(says(hierarchical) ==
        "a hierarchical JPEG, which is not read; convert it to an ordinary JPEG or PNG");
  std::string two = good;
  two.replace(frame, segment_end(good, frame) - frame,
              std::string("\xff\xc0\0\x0e\x08\0\x15\0\x1d\2\1\x11\0\2\x11\1", 16));
  const std::size_t scan = segment(two, 0xDA);
  two.replace(scan, segment_end(two, scan) - scan,
              std::string("\xff\xda\0\x0a\2\1\0\2\x11\0\x3f\0", 12));
  CHECK(says(two) == "a JPEG of 2 colour channels, of unknown meaning; convert it to RGB");
}

TEST_CASE("a JPEG that names a later version of JFIF is read") {
  std::string later = fixture("sampled-2x2.jpg");
  const auto pixels = read(later);
  const std::size_t version = segment(later, 0xE0) + 9;
  REQUIRE(later[version] == 1);
  later[version] = 2;
  CHECK(read(later).to_vector() == pixels.to_vector());
}

TEST_CASE("damage in a JPEG is said, with its place") {
  const std::string good = fixture("sampled-2x2.jpg");
  const std::size_t pixels = segment_end(good, segment(good, 0xDA));
  // A marker amid the pixels, a code that does not exist.
  std::string marker = good;
  marker.replace(pixels + 40, 2, "\xff\xd9");
  CHECK(
      starts(says(marker), 89) ==
      "the picture is damaged: Corrupt JPEG data: premature end of data segment (JPEG, near byte");
  std::string tables = good;
  tables[segment(good, 0xC4) + 5] = '\xff';
  CHECK(says(tables).find("the picture is damaged: Bogus Huffman table definition") == 0);
  std::string sizes = good;
  sizes.replace(segment(good, 0xC0) + 5, 4, std::string("\0\0\0\x1d", 4));
  CHECK(says(sizes).find("the picture is damaged: Empty JPEG image (DNL not supported)") == 0);
  std::string restarts = fixture("restarts.jpg");
  std::size_t lost = segment(restarts, 0xD1);
  restarts.erase(lost, 2);
  CHECK(says(restarts).find("the picture is damaged: Corrupt JPEG data: ") == 0);
  CHECK(says(good.substr(0, 2) + good.substr(segment(good, 0xD9))).find("the picture is damaged") ==
        0);
  CHECK(says("\xff\xd8\xff") == "truncated: the file ends after 3 bytes, " + kCutOff);
}

TEST_CASE("a JPEG whose later scans are missing is not taken for whole") {
  for (const char* const name : {"progressive.jpg", "one-scan-each.jpg", "grey-progressive.jpg"}) {
    CAPTURE(name);
    const std::string good = fixture(name);
    const std::size_t second = segment(good, 0xDA, segment(good, 0xDA) + 2);
    CHECK(says(good.substr(0, second)) ==
          "truncated: the file ends after " + std::to_string(second) + " bytes, " + kCutOff);
  }
  // With an end mark, one scan of a progressive picture is a coarse picture; but a channel without
  // any is a fault.
  const std::string grey = fixture("grey-progressive.jpg");
  const std::size_t second = segment(grey, 0xDA, segment(grey, 0xDA) + 2);
  CHECK(says(grey.substr(0, second) + "\xff\xd9") == "nothing");
  const std::string colours = fixture("one-scan-each.jpg");
  const std::size_t third =
      segment(colours, 0xDA, segment(colours, 0xDA, segment(colours, 0xDA) + 2) + 2);
  CHECK(says(colours.substr(0, third) + "\xff\xd9") ==
        "the picture is damaged: colour channel 3 of 3 is missing");
  // Arithmetic coding may end anywhere, so that nobody can tell whether pixels are missing.
  const std::string arithmetic = fixture("arithmetic.jpg");
  CHECK(says(arithmetic.substr(0, arithmetic.size() - 100)).find("truncated: ") == 0);
}

TEST_CASE("a JPEG with endless scans is stopped") {
  const std::string good = fixture("one-scan-each.jpg");
  const std::size_t last = good.rfind("\xff\xda");
  const std::size_t end = good.size() - 2;
  std::string bytes = good.substr(0, end);
  for (int i = 0; i < 300; ++i) bytes += good.substr(last, end - last);
  CHECK(says(bytes + "\xff\xd9") == "nothing");
  for (int i = 0; i < 300; ++i) bytes += good.substr(last, end - last);
  CHECK(says(bytes + "\xff\xd9")
            .find("the picture is damaged: more than 500 scans over the picture") == 0);
}

TEST_CASE("a JPEG that needs more memory than there may be is too large") {
  // In four channels of 16 bits that is 2 GiB of coefficients and a little more.
  std::string bytes = fixture("cmyk.jpg");
  const std::size_t frame = segment(bytes, 0xC0);
  bytes[frame + 1] = '\xC2';
  bytes.replace(frame + 5, 4, std::string("\xff\xdc\x10\1", 4));
  const std::size_t scan = segment(bytes, 0xDA);
  bytes.replace(scan, segment_end(bytes, scan) - scan,
                std::string("\xff\xda\0\x0e\4C\0M\0Y\0K\0\0\0\0", 16));
  CHECK(says(bytes) ==
        "the picture is too large: 4097 x 65500 pixels need more than 2048 MiB to "
        "decode; make it smaller");
}

// ---- PNG ----------------------------------------------------------------------------------------

TEST_CASE("a PNG's checksums count, those of its text too") {
  const std::string good = fixture("rgb8.png");
  for (const char* const kind : {"IHDR", "IDAT"}) {
    std::string bytes = good;
    const std::size_t at = bytes.find(kind);
    const std::size_t length = kind == std::string("IHDR")
                                   ? 13
                                   : static_cast<std::uint8_t>(bytes[at - 2]) * 256U +
                                         static_cast<std::uint8_t>(bytes[at - 1]);
    bytes[at + 4 + length] = static_cast<char>(bytes[at + 4 + length] ^ 1);
    CHECK(says(bytes).find(std::string("the picture is damaged: ") + kind +
                           ": CRC error (PNG, near byte ") == 0);
  }
  std::string text = with_chunk(good, chunk("tEXt", std::string("Title\0it", 8)));
  REQUIRE(says(text) == "nothing");
  text[text.find("it")] = 'I';
  CHECK(says(text).find("the picture is damaged: tEXt: CRC error") == 0);
  std::string late = with_chunk(good, chunk("tEXt", std::string("Title\0it", 8)), "IEND");
  REQUIRE(says(late) == "nothing");
  late[late.find("it")] = 'I';
  CHECK(says(late).find("the picture is damaged: tEXt: CRC error") == 0);
}

TEST_CASE("the checksum over all of a PNG's pixels counts") {
  // Its four bytes are the last of the chunk of pixels, whose own checksum is made right again.
  std::string bytes = fixture("rgb8.png");
  const std::size_t end = bytes.find("IEND") - 4;
  const std::size_t start = bytes.find("IDAT");
  bytes[end - 5] = static_cast<char>(bytes[end - 5] ^ 1);
  bytes.replace(end - 4, 4, four(crc(bytes.substr(start, end - 4 - start))));
  CHECK(says(bytes).find("the picture is damaged: IDAT: incorrect data check") == 0);
}

TEST_CASE("a PNG with more image data than its pixels need is read, if its checksums are right") {
  const std::string start = "89504e470d0a1a0a0000000d4948445200000003000000020800000000b81f39c6";
  // Two rows of three grey pixels, 1 to 6; then one byte and 3000.
  for (const char* const data : {"000000114944415478da63606462666061656307000063001d72e33e3d",
                                 "000000214944415478daedc1b101002008002053d3ff3fee8d06204e56f49d050"
                                 "000bef700ee29521efa8a80e3"}) {
    std::string bytes = from_hex(start + data) + chunk("IEND", "");
    const Image pixels = read(bytes);
    REQUIRE(pixels.shape() == Shape{2, 3, 3});
    CHECK(pixels.at({0, 0, 0}) == 1);
    CHECK(pixels.at({1, 2, 2}) == 6);
    const std::size_t kind = bytes.find("IDAT");
    const std::size_t end = bytes.size() - 12 - 4;
    bytes[end - 1] = static_cast<char>(bytes[end - 1] ^ 1);
    bytes.replace(end, 4, four(crc(bytes.substr(kind, end - kind))));
    CHECK(says(bytes).starts_with("the picture is damaged: IDAT: incorrect data check"));
  }
}

TEST_CASE("a PNG's faults are named") {
  std::string bytes = fixture("rgb8.png");
  bytes[24] = 5;
  bytes.replace(29, 4, four(crc(bytes.substr(12, 17))));
  CHECK(says(bytes) ==
        "the picture is damaged: Invalid color type/bit depth combination in IHDR (PNG, near byte "
        "33)");
  const std::string good = fixture("palette4.png");
  std::string no_palette = good;
  const std::size_t at = no_palette.find("PLTE") - 4;
  no_palette.erase(at, 12 + 48);
  CHECK(says(no_palette).find("the picture is damaged: IDAT: Missing PLTE before IDAT") == 0);
  CHECK(says(with_chunk(good, chunk("ABCD", "?")))
            .find("the picture is damaged: ABCD: unhandled critical chunk") == 0);
  const std::string half = fixture("rgb8-interlaced.png");
  CHECK(says(half.substr(0, half.size() - 40)).find("truncated: ") == 0);
}

TEST_CASE("an index beyond a PNG's palette is black") {
  std::string bytes = fixture("palette8.png");
  const Image whole = read(bytes);
  const std::size_t at = bytes.find("PLTE") - 4;
  bytes.replace(at, 12 + 768, chunk("PLTE", bytes.substr(at + 8, 60)));  // 20 colours of 256
  const Image part = read(bytes);
  int black = 0;
  int same = 0;
  for (std::int64_t i = 0; i < part.shape()[0]; ++i) {
    for (std::int64_t j = 0; j < part.shape()[1]; ++j) {
      const auto sum = part.at({i, j, 0}) + part.at({i, j, 1}) + part.at({i, j, 2});
      bool equal = true;
      for (std::int64_t c = 0; c < 3; ++c)
        equal = equal && part.at({i, j, c}) == whole.at({i, j, c});
      black += sum == 0;
      same += equal;
    }
  }
  CHECK(black > 100);
  CHECK(same > 10);
  CHECK(black + same == part.shape()[0] * part.shape()[1]);
}

TEST_CASE("a PNG of high dynamic range is refused, and one that names sRGB so is read") {
  const std::string good = fixture("rgb8.png");
  const auto coded = [&](const std::string& code) {
    return says(with_chunk(good, chunk("cICP", code)));
  };
  CHECK(coded(std::string("\x09\x10\0\1", 4)) ==
        "a PNG of high dynamic range (PQ), which is not read; convert it to sRGB");
  CHECK(coded(std::string("\x09\x12\0\1", 4)) ==
        "a PNG of high dynamic range (HLG), which is not read; convert it to sRGB");
  CHECK(coded(std::string("\1\x0d\0\1", 4)) == "nothing");
  CHECK(coded("") == "nothing");
}

/// A colour whose channels are levels of a curve and primaries, in levels of sRGB.
std::array<double, 3> to_srgb(const std::array<double, 3>& levels, const double (&matrix)[3][3],
                              bool is_linear) {
  std::array<double, 3> light{};
  std::array<double, 3> result{};
  for (std::size_t c = 0; c < 3; ++c) {
    const double x = levels[c] / 255;
    const double srgb = x <= 0.04045 ? x / 12.92 : std::pow((x + 0.055) / 1.055, 2.4);
    light[c] = is_linear ? x : srgb;
  }
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0.0;
    for (std::size_t k = 0; k < 3; ++k) sum += matrix[c][k] * light[k];
    sum = std::clamp(sum, 0.0, 1.0);
    result[c] = 255 * (sum <= 0.0031308 ? 12.92 * sum : 1.055 * std::pow(sum, 1 / 2.4) - 0.055);
  }
  return result;
}

// As Chromium 156 shows them: (200, 100, 50) of Display P3 is (215, 93, 31).
TEST_CASE("a PNG's colours are converted by the primaries and the curve that cICP names") {
  using namespace std::string_literals;
  constexpr double kSame[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  constexpr double kP3[3][3] = {
      {1.2249402, -0.2249402, 0}, {-0.0420570, 1.0420570, 0}, {-0.0196376, -0.0786361, 1.0982736}};
  constexpr double k2020[3][3] = {{1.6604910, -0.5876411, -0.0728499},
                                  {-0.1245505, 1.1328999, -0.0083494},
                                  {-0.0181508, -0.1005789, 1.1187297}};
  const std::string good = fixture("rgb8.png");
  const Image plain = read(good);
  const auto farthest = [&](const std::string& code, const double(&matrix)[3][3], bool is_linear) {
    const Image found = read(with_chunk(good, chunk("cICP", code)));
    double worst = 0.0;
    for (std::int64_t i = 0; i < plain.shape()[0]; ++i) {
      for (std::int64_t j = 0; j < plain.shape()[1]; ++j) {
        const auto at = [&](const Image& image, std::int64_t c) {
          return static_cast<double>(image.at({i, j, c}));
        };
        const auto right = to_srgb({at(plain, 0), at(plain, 1), at(plain, 2)}, matrix, is_linear);
        for (std::int64_t c = 0; c < 3; ++c) {
          worst = std::max(worst, std::abs(at(found, c) - right[static_cast<std::size_t>(c)]));
        }
      }
    }
    return worst;
  };
  CHECK(farthest("\x0c\x0d\0\1"s, kP3, false) < 1.0);
  CHECK(farthest("\x0c\x0d\0\1"s, kSame, false) > 5.0);
  CHECK(farthest("\x09\x0d\0\1"s, k2020, false) < 1.0);
  CHECK(farthest("\1\x08\0\1"s, kSame, true) < 1.0);
  CHECK(farthest("\1\1\0\1"s, kSame, false) < 0.01);  // as ffmpeg marks frames of video
  CHECK(farthest("\2\2\0\1"s, kSame, false) < 0.01);  // nothing is known
}

TEST_CASE(
    "a PNG is turned by its EXIF data with or without the mark before them, wherever they stand") {
  using namespace std::string_literals;
  const std::string good = fixture("rgb8.png");
  const Image upright = read(good);
  const std::string tiff = "MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\3\0\0\0\0\0\0"s;
  for (const char* const before : {"IDAT", "IEND"}) {
    for (const std::string& data : {tiff, "Exif\0\0"s + tiff}) {
      const Image turned = read(with_chunk(good, chunk("eXIf", data), before));
      REQUIRE(turned.shape() == upright.shape());
      CHECK(turned.at({0, 0, 0}) == upright.at({20, 28, 0}));  // by half a turn
      CHECK(turned.at({20, 0, 2}) == upright.at({0, 28, 2}));
    }
  }
  CHECK(read(with_chunk(good, chunk("eXIf", "II"))).to_vector() == upright.to_vector());
}

TEST_CASE("a PNG that ends in what may hold its orientation is truncated") {
  const std::string good = fixture("rgb8.png");
  const std::string pixels = good.substr(0, good.find("IEND") - 4);
  for (const char* const kind : {"eXIf", "tEXt", "zTXt", "iTXt", "prVt"}) {
    CAPTURE(kind);
    const std::string last = chunk(kind, std::string("a\0\0b\0\0\0\0", 8));
    int accepted = 0;
    for (std::size_t length = 1; length < last.size(); ++length) {
      if (says(pixels + last.substr(0, length)) == "nothing") ++accepted;
    }
    CHECK(accepted == 0);
    const std::string cut = pixels + last.substr(0, last.size() - 1);
    CHECK(says(cut) == message("truncated: the file ends after ", cut.size(),
                               " bytes, amid what follows pixels; copy or download it again"));
    CHECK(says(pixels + last) == "nothing");
    CHECK(says(pixels + last + chunk("IEND", "").substr(0, 7)) == "nothing");
  }
  CHECK(says(pixels) == "nothing");
}

TEST_CASE("PNG and WebP are turned by the orientation in their XMP, which Pillow wrote") {
  const std::string png_start =
      "89504e470d0a1a0a0000000d49484452000000030000000208020000001216f14d0000";
  const std::string png_end =
      "0000001749444154789c63646060d0d0d0d0d0d060aca8a880b0001b62034b80de40b50000000049454e44ae4260"
      "82";
  const std::string xmp =
      "3c783a786d706d65746120786d6c6e733a783d2261646f62653a6e733a6d6574612f223e3c7264663a4465736372"
      "697074696f6e20746966663a4f7269656e746174696f6e3d2236222f3e3c2f783a786d706d6574613e";
  const std::string plain =
      from_hex(png_start + "006d69545874584d4c3a636f6d2e61646f62652e786d7000000000" + "00" + xmp +
               "569464f6" + png_end);
  const std::string compressed = from_hex(
      png_start +
      "006869545874584d4c3a636f6d2e61646f62652e786d700001000000789cb3a9b0aac82dc84d2d4954a8c8cdc92b"
      "b6aab0554a4cc94f4ab502b241c2fa4a7636452969562ea9c5c94599052599f9790a2599696956fe4599a9792589"
      "20015b2533257d3b1b7db85976006aeb1f1443144deb" +
      png_end);
  const std::string webp = from_hex(
      "52494646a000000057454250565038580a000000040000000200000100005650384c220000002f024000002f2010"
      "48c2d95f7189411994f94f6c434ddb066ca8f32fa746f43fa617584d5020570000"
      "00" +
      xmp + "00");
  for (const std::string& bytes : {plain, compressed, webp}) {
    const Image turned = read(bytes);
    REQUIRE(turned.shape() == Shape{3, 2, 3});
    CHECK(turned.at({0, 0, 0}) == 120);
    CHECK(turned.at({2, 1, 0}) == 80);
  }
  // EXIF data have the last word.
  using namespace std::string_literals;
  const std::string upright = "MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\1\0\0\0\0\0\0"s;
  CHECK(read(with_chunk(plain, chunk("eXIf", upright))).shape() == Shape{2, 3, 3});
}

// ---- WebP ---------------------------------------------------------------------------------------

TEST_CASE("a WebP picture may be one pixel wide") {
  const Image narrow = read(
      from_hex("524946461e000000574542505650384c110000002f0040000007508f2257abff8188e87f0000"));
  REQUIRE(narrow.shape() == Shape{2, 1, 3});
  CHECK(narrow.to_vector() == std::vector<std::uint8_t>{200, 30, 90, 200, 30, 90});
}

TEST_CASE("WebP keeps its alpha, and is refused when it is cut off or damaged") {
  const Image kept = read(fixture("lossless-alpha.webp"), io::Alpha::kKeep);
  const Image png = read(fixture("rgba8.png"), io::Alpha::kKeep);
  CHECK(kept.to_vector() == png.to_vector());
  for (const char* const name :
       {"lossy.webp", "lossless.webp", "lossy-alpha.webp", "animated.webp", "turned-6.webp"}) {
    CAPTURE(name);
    const std::string good = fixture(name);
    REQUIRE(says(good) == "nothing");
    int accepted = 0;
    for (std::size_t length = 12; length < good.size() - 1; ++length) {
      if (says(good.substr(0, length)) == "nothing") ++accepted;
    }
    CHECK(accepted == 0);
    CHECK(says(good.substr(0, good.size() / 2)).find("truncated: the file ends after ") == 0);
  }
  std::string bytes = fixture("lossless.webp");
  bytes[20] = 0;  // the mark of lossless pixels
  CHECK(says(bytes) == "the picture is damaged: its chunks make no WebP");
  bytes = fixture("lossless.webp");
  for (std::size_t i = 40; i < 80; ++i) bytes[i] = '\xA5';
  CHECK(says(bytes).find("the picture is damaged: ") == 0);
}

// ---- BMP ----------------------------------------------------------------------------------------

TEST_CASE("a BMP's runs leave out what they want, and end where they must") {
  using namespace std::string_literals;
  const auto runs = [](const std::string& pixels) { return bmp(4, 2, 8, 1, pixels); };
  // From the bottom: two red, one left out; up and to the right; a literal green; the end.
  CHECK(letters(read(runs("\2\1\0\2\1\1\1\2\0\1"s))) == "kkkg/rrkk");
  CHECK(letters(read(runs("\1\1\0\0\0\3\2\1\2\0\0\1"s))) == "grgk/rkkk");
  CHECK(letters(read(runs("\4\1\4\2"s.insert(2, "\0\0"s)))) == "gggg/rrrr");  // no mark of the end
  CHECK(letters(read(runs("\x09\1\0\1"s))) == "kkkk/rrrr");                   // longer than its row
  CHECK(letters(read(runs("\1\xc8\0\1"s))) == "kkkk/kkkk");                   // beyond the palette
  CHECK(says(runs("\4\1"s)) == "truncated: the file ends after 68 bytes, " + kCutOff);
  CHECK(says(runs("\0\2\1"s)) == "truncated: the file ends after 69 bytes, " + kCutOff);
  CHECK(says(runs("\0\0\0\0\1\1"s)) ==
        "the picture is damaged: pixels beyond its last row (BMP, at byte 72)");
  CHECK(letters(read(bmp(4, 1, 4, 2, "\3\x12\0\1"s))) == "rgrk");
}

TEST_CASE("BMPs that can't be read are named") {
  const auto converted = [](const std::string& what) {
    return "a BMP with " + what + ", which is not read; convert it to PNG";
  };
  CHECK(says(bmp(1, 1, 0, 4, "")) == converted("a JPEG in it"));
  CHECK(says(bmp(1, 1, 0, 5, "")) == converted("a PNG in it"));
  CHECK(says(bmp(1, 1, 8, 11, "")) == converted("compression 11"));
  CHECK(says(bmp(1, 1, 2, 0, "")) == converted("2 bits a pixel and compression 0"));
  CHECK(says(bmp(1, 1, 4, 1, "")) == converted("4 bits a pixel and compression 1"));
  std::string header = bmp(1, 1, 8, 0, "");
  header[14] = 41;
  CHECK(says(header) == converted("a header of 41 bytes"));
  CHECK(says("BM") == "truncated: the file ends after 2 bytes, " + kCutOff);
  std::string masks = fixture("masks16.bmp");
  masks.replace(54, 4, little(0xF801));
  CHECK(says(masks) == converted("masks of colours that have holes or overlap"));
  masks.replace(54, 4, little(0xF820));
  CHECK(says(masks) == converted("masks of colours that have holes or overlap"));
}

TEST_CASE("a BMP keeps its alpha, unless all of it is invisible") {
  const Image kept = read(fixture("v5-alpha.bmp"), io::Alpha::kKeep);
  CHECK(kept.to_vector() == read(fixture("rgba8.png"), io::Alpha::kKeep).to_vector());
  std::string bytes = fixture("v5-alpha.bmp");
  for (std::size_t i = 14 + 124 + 3; i < bytes.size(); i += 4) bytes[i] = 0;
  CHECK(read(bytes).to_vector() == read(fixture("bits24.bmp")).to_vector());
}

TEST_CASE("a profile in a BMP is obeyed") {
  const std::string png = fixture("adobe.png");
  const std::string jpeg = fixture("adobe.jpg");  // where it is not compressed
  const std::size_t start = jpeg.find("ICC_PROFILE") + 14;
  const std::size_t length = segment_end(jpeg, jpeg.find("ICC_PROFILE") - 4) - start;
  std::string bytes = fixture("v5-alpha.bmp");
  const std::string at = little(static_cast<std::uint32_t>(bytes.size() - 14));
  bytes.replace(14 + 56, 4, "DEBM");
  bytes.replace(14 + 112, 8, at + little(static_cast<std::uint32_t>(length)));
  bytes.replace(14 + 52, 4, little(0));  // no alpha
  bytes += jpeg.substr(start, length);
  CHECK(read(bytes).to_vector() == read(png).to_vector());
}

}  // namespace sfumato::io_picture_test
