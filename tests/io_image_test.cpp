// Reading and writing pictures.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/random.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/image.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_image_test {

namespace {

using Image = Tensor<std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

// Pictures that Pillow 9.4 wrote.
const char* const kGreyPng =
    "89504e470d0a1a0a0000000d49484452000000020000000308000000009c81815d000000114944415478da63604861"
    "38"
    "f19f919d11000abb02350767e7180000000049454e44ae426082";
const char* const kBitPng =
    "89504e470d0a1a0a0000000d4948445200000003000000020100000000b50f5bb70000000c4944415478da63706058"
    "00"
    "00016400e1afc70c800000000049454e44ae426082";
const char* const kGrey16Png =
    "89504e470d0a1a0a0000000d494844520000000200000001100000000081d9fc150000000d4944415478da63103259"
    "7d"
    "1600030c01bfb1e7d44d0000000049454e44ae426082";
const char* const kGreyAlphaPng =
    "89504e470d0a1a0a0000000d4948445200000002000000020804000000d8bfc5af000000124944415478da634c6160"
    "f8"
    "cf6c643ce739000d21035057b65f550000000049454e44ae426082";
const char* const kAlphaPng =
    "89504e470d0a1a0a0000000d49484452000000030000000108060000001be014b4000000154944415478da63e41291"
    "63"
    "606060f8cfc0c060020007c90171f6d5443a0000000049454e44ae426082";
const char* const kPalettePng =
    "89504e470d0a1a0a0000000d4948445200000002000000010103000000ceecedc900000006504c54450a141e28323c"
    "d5"
    "1bb4e90000000274524e5333ffaffa47850000000a4944415478da637000000042004184bf8e620000000049454e44"
    "ae"
    "426082";
const char* const kColourKeyPng =
    "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000674524e53000400050006"
    "74"
    "8ec68f0000000f4944415478da636464626666660600003c00116c05faa10000000049454e44ae426082";
const char* const kGreyKeyPng =
    "89504e470d0a1a0a0000000d4948445200000002000000010800000000d14920560000000274524e530007e8f7589b"
    "00"
    "00000b4944415478da63e4fc0700011601097c8455d90000000049454e44ae426082";
const char* const kBmp =
    "424d460000000000000036000000280000000200000002000000010018000000000010000000c40e0000c40e000000"
    "00"
    "00000000000003020106050400001e140a3c32280000";
const char* const kGif =
    "474946383761020001008100000707070909090000000000002c00000000020001000008050003000808003b";

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

Image read(const std::string& bytes) {
  return io::detail::decode_image(
      "x", {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
      io::Alpha::kOverWhite);
}

std::string says(const std::string& bytes) {
  const std::string text = complaint([&] { read(bytes); });
  return text == "nothing" ? text : text.substr(3);
}

/// Every value three times: grey as RGB.
Bytes grey(const Bytes& values) {
  Bytes rgb;
  for (const std::uint8_t value : values) rgb.insert(rgb.end(), 3, value);
  return rgb;
}

/// Smooth, so that JPEG keeps it well.
Image gradient(std::int64_t height, std::int64_t width) {
  auto pixels = Image::empty({height, width, 3});
  for (std::size_t i = 0; i < pixels.span().size(); ++i) {
    const std::size_t row = i / 3 / static_cast<std::size_t>(width);
    const std::size_t column = i / 3 % static_cast<std::size_t>(width);
    pixels.span()[i] = static_cast<std::uint8_t>(row * 3 + column * 4 + i % 3 * 20);
  }
  return pixels;
}

int largest_difference(const Image& a, const Image& b) {
  REQUIRE(a.shape() == b.shape());
  int largest = 0;
  for (std::size_t i = 0; i < a.span().size(); ++i) {
    largest = std::max(largest, std::abs(a.span()[i] - b.span()[i]));
  }
  return largest;
}

std::string encoded(const Image& pixels, const std::string& name, int quality = 95) {
  const TemporaryDirectory folder;
  io::write_image(folder / name, pixels, quality);
  return read_bytes(folder / name);
}

}  // namespace

TEST_CASE("PNG round trips exactly, whatever the size") {
  Random random(3);
  for (const auto& [height, width] :
       std::vector<std::array<std::int64_t, 2>>{{1, 1}, {1, 7}, {5, 1}, {17, 31}, {64, 64}}) {
    auto pixels = Image::empty({height, width, 3});
    for (std::uint8_t& value : pixels.span()) value = static_cast<std::uint8_t>(random.below(256));
    for (const char* const name : {"a.png", "a.PNG", "a.b.Png"}) {
      CHECK(largest_difference(read(encoded(pixels, name)), pixels) == 0);
    }
  }
}

TEST_CASE("a PNG is written row by row as it is as a whole") {
  const TemporaryDirectory folder;
  const Image pixels = gradient(37, 21);
  io::write_image(folder / "whole.png", pixels);
  io::PngFile file(folder / "rows.png", 37, 21);
  for (int i = 0; i < 36; i += 4) {
    auto rows = Image::empty({4, 21, 3});
    for (int k = 0; k < 4; ++k) rows[k].copy_from(pixels[i + k]);
    file.add(rows);
  }
  CHECK(complaint([&] { file.commit(); }) == "PngFile: 1 rows are missing");
  CHECK(complaint([&] {
          file.add(Image::zeros({2, 21, 3}));
        }) == "PngFile: rows (2, 21, 3) where 1 rows of 21 x 3 are missing");
  CHECK(complaint([&] {
          file.add(Image::zeros({1, 20, 3}));
        }) == "PngFile: rows (1, 20, 3) where 1 rows of 21 x 3 are missing");
  file.add(pixels[36].reshape({1, 21, 3}));
  CHECK_FALSE(std::filesystem::exists(folder / "rows.png"));
  file.commit();
  CHECK(read_bytes(folder / "rows.png") == read_bytes(folder / "whole.png"));
  constexpr std::int64_t kLarge = std::int64_t{1} << 32;
  for (const std::int64_t height : {std::int64_t{0}, std::int64_t{-1}, 1 - kLarge, 1 + kLarge}) {
    CHECK(complaint([&] {
            io::PngFile(folder / "x.png", height, 5);
          }).starts_with("the PNG could not be encoded: "));
  }
}

TEST_CASE("JPEG round trips closely, and the more so the higher the quality") {
  const Image pixels = gradient(24, 33);
  for (const char* const name : {"a.jpg", "a.JPEG", "a.jpeg"}) {
    CHECK(largest_difference(read(encoded(pixels, name)), pixels) <= 10);
  }
  CHECK(largest_difference(read(encoded(pixels, "a.jpg", 100)), pixels) <= 4);
  CHECK(encoded(pixels, "a.jpg", 20).size() < encoded(pixels, "a.jpg", 95).size());
  CHECK(encoded(pixels, "a.jpg", -5) == encoded(pixels, "a.jpg", 1));
  CHECK(encoded(pixels, "a.jpg", 1000) == encoded(pixels, "a.jpg", 100));
}

TEST_CASE("what a file holds counts, not its name") {
  const TemporaryDirectory folder;
  write_bytes(folder / "a.jpg", from_hex(kGreyPng));
  CHECK(io::read_image(folder / "a.jpg").shape() == Shape{3, 2, 3});
  write_bytes(folder / "a.png", "");
  CHECK(complaint([&] { io::read_image(folder / "a.png"); }) ==
        (folder / "a.png").string() + ": this file is empty; copy or download it again");
}

TEST_CASE("grey pictures become RGB") {
  const Image eight = read(from_hex(kGreyPng));
  CHECK(eight.shape() == Shape{3, 2, 3});
  CHECK(eight.to_vector() == grey({0, 100, 200, 255, 7, 8}));
  CHECK(read(from_hex(kBitPng)).to_vector() == grey({0, 255, 0, 255, 0, 255}));
  CHECK(read(from_hex(kGrey16Png)).to_vector() == grey({0x12, 0xAB}));
}

TEST_CASE("transparent pictures are put over white") {
  CHECK(read(from_hex(kGreyAlphaPng)).to_vector() == grey({255, 100, 224, 127}));
  CHECK(read(from_hex(kAlphaPng)).to_vector() == Bytes{255, 255, 255, 10, 20, 30, 206, 208, 210});
  CHECK(read(from_hex(kPalettePng)).to_vector() == Bytes{206, 208, 210, 40, 50, 60});
  // One colour, here the second pixel's, can be declared transparent.
  CHECK(read(from_hex(kColourKeyPng)).to_vector() == Bytes{1, 2, 3, 255, 255, 255});
  CHECK(read(from_hex(kGreyKeyPng)).to_vector() == grey({9, 255}));
}

TEST_CASE("BMP is read from the bottom up") {
  const Image image = read(from_hex(kBmp));
  CHECK(image.shape() == Shape{2, 2, 3});
  CHECK(image.to_vector() == Bytes{10, 20, 30, 40, 50, 60, 1, 2, 3, 4, 5, 6});
}

TEST_CASE("alpha is kept where that is asked for, and written") {
  const auto keep = [](const std::string& bytes) {
    const TemporaryDirectory folder;
    write_bytes(folder / "x", bytes);
    return io::read_image(folder / "x", io::Alpha::kKeep);
  };
  const Image alpha = keep(from_hex(kAlphaPng));
  CHECK(alpha.shape() == Shape{1, 3, 4});
  CHECK(alpha.to_vector()[3] == 0);
  CHECK(alpha.to_vector()[7] == 255);
  CHECK(alpha.to_vector()[11] == 51);
  CHECK(keep(encoded(alpha, "a.png")).to_vector() == alpha.to_vector());
  CHECK(largest_difference(read(encoded(alpha, "a.png")), read(from_hex(kAlphaPng))) == 0);
  // Pictures without alpha are opaque.
  CHECK(keep(from_hex(kBmp)).to_vector() ==
        Bytes{10, 20, 30, 255, 40, 50, 60, 255, 1, 2, 3, 255, 4, 5, 6, 255});
  CHECK(keep(encoded(gradient(9, 7), "a.jpg")).shape() == Shape{9, 7, 4});
  CHECK(keep(from_hex(kColourKeyPng)).to_vector() == Bytes{1, 2, 3, 255, 4, 5, 6, 0});
}

TEST_CASE("written pictures say that they are sRGB, and JPEGs keep the colours' sharpness") {
  const std::string png = encoded(gradient(9, 7), "a.png");
  CHECK(png.find("sRGB") != std::string::npos);
  const std::string jpeg = encoded(gradient(9, 7), "a.jpg");
  CHECK(jpeg.find(std::string("ICC_PROFILE\0", 12)) != std::string::npos);
  CHECK(jpeg.find("mntrRGB XYZ ") != std::string::npos);
  const std::size_t frame = jpeg.find("\xff\xc0");  // baseline
  REQUIRE(frame != std::string::npos);
  for (std::size_t channel = 0; channel < 3; ++channel) {
    CHECK(jpeg[frame + 11 + 3 * channel] == 0x11);  // each as many samples as the others
  }
  // A red line one pixel wide stays where it is.
  auto line = Image::zeros({16, 16, 3});
  for (std::int64_t i = 0; i < 16; ++i) line.span()[static_cast<std::size_t>(i * 16 + 7) * 3] = 255;
  CHECK(largest_difference(read(encoded(line, "a.jpg", 100)), line) <= 6);
}

TEST_CASE("every refusal says what the file is") {
  using namespace std::string_literals;
  const std::string kConvertedPng =
      "this is a PNG damaged by a transfer as text; copy it again in binary";
  const std::vector<std::pair<std::string, std::string>> files{
      {"", "this file is empty; copy or download it again"},
      {std::string(1000, '\0'), "this file holds only zeros; copy or download it again"},
      {"hello, I am a text", "this is text, not a picture"},
      {"na\xc3\xafve caf\xc3\xa9\n", "this is text, not a picture"},
      {"\x01\x02\x03\x04 what is this?",
       "not a kind of picture that is known here; JPEG, PNG, WebP and BMP are read"},
      {from_hex(kGif), "this is GIF, which is not read; convert it to PNG"},
      {"II*\0\x08\0\0\0"s,
       "this is TIFF or a camera's raw file, which is not read; convert it to PNG"},
      {"MM\0*\0\0\0\x08"s,
       "this is TIFF or a camera's raw file, which is not read; convert it to PNG"},
      {"\0\0\0\x18"
       "ftypheic\0\0\0\0"s,
       "this is HEIC, which is not read; convert it to JPEG or PNG"},
      {"\0\0\0\x18"
       "ftypmif1\0\0\0\0heic"s,
       "this is HEIC, which is not read; convert it to JPEG or PNG"},
      {"\0\0\0\x18"
       "ftypmif1\0\0\0\0miafavif"s,
       "this is AVIF, which is not read; convert it to JPEG or PNG"},
      {"\0\0\0\x1c"
       "ftypavif\0\0\0\0"s,
       "this is AVIF, which is not read; convert it to JPEG or PNG"},
      {"\0\0\0\x1c"
       "ftypmp42\0\0\0\0"s,
       "this is a film, not a picture; take a frame from it, as PNG"},
      {"\xff\x0a\x01\x02", "this is JPEG XL, which is not read; convert it to JPEG or PNG"},
      {"\0\0\0\x0cJXL \r\n\x87\n"s,
       "this is JPEG XL, which is not read; convert it to JPEG or PNG"},
      {"\0\0\0\x0cjP  \r\n\x87\n"s,
       "this is JPEG 2000, which is not read; convert it to JPEG or PNG"},
      {"\xff\xd8\xff\xf7\x00"s, "this is JPEG-LS, which is not read; convert it to JPEG or PNG"},
      {"8BPS\0\1"s, "this is Photoshop's PSD, which is not read; export it as PNG"},
      {"\0\0\1\0\1\0"s, "this is an icon (ICO), which is not read; convert it to PNG"},
      {"\0\0\2\0\0\1"s, "this is a cursor (CUR), which is not read; convert it to PNG"},
      {"\0\0\2\0\0\0\0\0\0\0\0\0\2\0\2\0\x18\0"s,  // TGA
       "not a kind of picture that is known here; JPEG, PNG, WebP and BMP are read"},
      {"BMP and PNG are read\n", "this is text, not a picture"},
      {"\x89PNG\n\x1a\n\0\0\0\rIHDR"s, kConvertedPng},
      {"\x89PNG\r\x1a\r\0\0\0\rIHDR"s, kConvertedPng},
      {"\x89PNG\r\n\x1a\r\n\0\0\0\rIHDR"s, kConvertedPng},
      {"\x89PNG\r\r\n\x1a\r\n\0\0\0\rIHDR"s, kConvertedPng},
      {"\xef\xbf\xbdPNG\r\n\x1a\n\0\0\0\rIHDR"s, kConvertedPng},
      {"R", "this is text, not a picture"},
      {"RIP", "this is text, not a picture"},
      {"%PDF-1.7\n", "this is PDF, not a picture; export the page as PNG"},
      {"\x1f\x8b\x08\x00"s, "this is packed with gzip; unpack it first"},
      {"PK\3\4 and so on", "this is a zip archive, or weights; a picture is needed, unpacked"},
      {"PK\5\6\0\0\0\0"s, "this is an empty zip archive, not a picture"},
      {"P6\r1 1 255\nabc", "this is PNM (PBM, PGM, PPM), which is not read; convert it to PNG"},
      {"P6\n1 1 255\nabc", "this is PNM (PBM, PGM, PPM), which is not read; convert it to PNG"},
      {"P6 1 1 255\nabc", "this is PNM (PBM, PGM, PPM), which is not read; convert it to PNG"},
      {"\x93NUMPY\1\0"s, "this is an array of NumPy, not a picture"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
       "this is a Git LFS pointer, not the picture itself; fetch it with git lfs pull"},
      {"<!DOCTYPE html><html>", "this is an HTML page, not a picture; download the picture itself"},
      {"\xef\xbb\xbf\r\n <!doctype HTML>",
       "this is an HTML page, not a picture; download the picture itself"},
      {"<!-- saved --><html lang='en'>",
       "this is an HTML page, not a picture; download the picture itself"},
      {"<svg xmlns='x'/>", "this is SVG, a drawing; export it as PNG"},
      {"<?xml version='1.0'?>\n<svg/>", "this is SVG, a drawing; export it as PNG"},
      {"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
       "this is XML or HTML, not a picture"},
      {"RIFF\x10\0\0\0WAVEfmt "s, "this is sound, not a picture"},
  };
  for (const auto& [bytes, text] : files) CHECK(says(bytes) == text);
  CHECK(complaint([] { io::read_image("no/such.png"); }) == "no/such.png: no such file");
  std::string apple = from_hex(kGreyPng);
  apple.insert(8, "\0\0\0\4CgBIabcd0000"s);
  CHECK(says(apple) ==
        "this is a PNG in Apple's form (CgBI), which is not read; convert it to an ordinary PNG");
}

TEST_CASE("absurd sizes are refused before they are allocated, and named") {
  const auto sized = [](const std::string& size) {
    std::string bytes = from_hex(kGreyPng);
    return bytes.replace(16, 8, from_hex(size));
  };
  const auto too_large = [](const std::string& size) {
    return "the picture is too large: " + size +
           " pixels; at most 2^28 (16384 x 16384) are read; make it smaller";
  };
  CHECK(says(sized("00004e2000004e20")) == too_large("20000 x 20000"));
  CHECK(says(sized("0000ea600000ea60")) == too_large("60000 x 60000"));
  CHECK(says(sized("ffffffffffffffff")) == too_large("4294967295 x 4294967295"));
  const std::string damaged = "the picture is damaged: it claims ";
  CHECK(says(sized("0000100000001000")) ==
        damaged + "4096 x 4096 pixels, which its 74 bytes can't hold");
  CHECK(says(sized("0000000000000003")) == damaged + "0 x 3 pixels");
  CHECK(says(sized("0000000200000000")) == damaged + "2 x 0 pixels");
  std::string bmp = from_hex(kBmp);
  bmp.replace(18, 8, from_hex("0000010000000100"));
  CHECK(says(bmp) == too_large("65536 x 65536"));
  bmp.replace(18, 8, from_hex("000000800000010f"));
  CHECK(says(bmp) == damaged + "-2147483648 x 251723776 pixels");
  bmp.replace(18, 8, from_hex("0100000000000080"));  // top down, and as high as there are numbers
  CHECK(says(bmp) == too_large("1 x 2147483648"));
}

TEST_CASE("a file of a picture's first bytes is truncated") {
  const std::string png = "\x89PNG\r\n\x1a\n";
  const std::string webp("RIFF\x10\0\0\0WEBP", 12);
  const auto is_truncated = [](const std::string& bytes) {
    return says(bytes) == message("truncated: the file ends after ", bytes.size(),
                                  " bytes, before the last pixel; copy or download it again");
  };
  CHECK(is_truncated("\xff"));
  CHECK(is_truncated("\xff\xd8"));
  for (std::size_t length = 1; length <= png.size(); ++length) {
    CHECK(is_truncated(png.substr(0, length)));
  }
  for (std::size_t length = 4; length <= webp.size(); ++length) {
    CHECK(is_truncated(webp.substr(0, length)));
  }
}

TEST_CASE("pictures cut off at any byte give errors") {
  const std::vector<std::string> files{encoded(gradient(20, 24), "a.jpg"),
                                       encoded(gradient(20, 24), "a.png"), from_hex(kPalettePng),
                                       from_hex(kBmp)};
  for (const std::string& bytes : files) {
    REQUIRE(says(bytes) == "nothing");
    // What follows the pixels may be missing: BMP's padding, the end marks of JPEG and PNG; but not
    // so that another chunk of a PNG might have begun there.
    const bool png = bytes[1] == 'P';
    const std::size_t last = bytes.size() - (png ? 12 : 2);
    int accepted = 0;
    for (std::size_t length = 0; length < last; ++length) {
      if (says(bytes.substr(0, length)) == "nothing") ++accepted;
    }
    CHECK(accepted == 0);
    for (std::size_t length = last; length < bytes.size(); ++length) {
      if (png && length > last && length < last + 4) continue;
      CHECK(largest_difference(read(bytes.substr(0, length)), read(bytes)) == 0);
    }
    const std::size_t half = bytes.size() / 2;
    CHECK(says(bytes.substr(0, half)) ==
          "truncated: the file ends after " + std::to_string(half) +
              " bytes, before the last pixel; copy or download it again");
  }
}

TEST_CASE("damaged pictures give errors or pixels, never a crash") {
  Random random(17);
  for (const std::string& good :
       {encoded(gradient(20, 24), "a.jpg"), encoded(gradient(20, 24), "a.png"),
        from_hex(kPalettePng), from_hex(kGreyAlphaPng), from_hex(kGrey16Png), from_hex(kBmp)}) {
    for (int i = 0; i < 700; ++i) {
      std::string bytes = good;
      for (int changes = 0; changes <= i % 3; ++changes) {
        const std::int64_t place = random.below(static_cast<std::int64_t>(bytes.size()));
        bytes[static_cast<std::size_t>(place)] = static_cast<char>(random.below(256));
      }
      CHECK_NOTHROW(says(bytes));  // which lets through what is not a sfumato::Error
    }
  }
}

TEST_CASE("only names of PNG and JPEG are accepted for writing") {
  for (const char* const name : {"a.png", "a.PNG", "dir.gif/a.jpg", "a.jPeG"}) {
    CHECK_NOTHROW(io::check_image_extension(name));
  }
  const auto check = [](const char* name) {
    return complaint([&] { io::check_image_extension(name); });
  };
  CHECK(check("a/b.gif") == "a/b.gif: images are written as .png, .jpg or .jpeg, not '.gif'");
  CHECK(check("a.png.bmp") == "a.png.bmp: images are written as .png, .jpg or .jpeg, not '.bmp'");
  CHECK(check("png") == "png: images are written as .png, .jpg or .jpeg, not ''");
  CHECK(check("") == ": images are written as .png, .jpg or .jpeg, not ''");
}

TEST_CASE("a picture that can't be written leaves the old file alone") {
  const TemporaryDirectory folder;
  const auto write = [&](const std::string& name, const Image& pixels) {
    write_bytes(folder / name, "old");
    const std::string text = complaint([&] { io::write_image(folder / name, pixels); });
    CHECK(read_bytes(folder / name) == "old");
    return text;
  };
  const std::string must = " must be (height, width, 3 or 4), none of them empty";
  CHECK(write("a.png", Image::zeros({4, 4})) == "write_image: pixels (4, 4)" + must);
  CHECK(write("a.jpg", Image::zeros({4, 4, 5})) == "write_image: pixels (4, 4, 5)" + must);
  CHECK(write("a.jpg", Image::zeros({4, 4, 4})) ==
        "write_image: pixels (4, 4, 4) have opacity, which JPEG has not; use .png");
  CHECK(write("a.png", Image::zeros({0, 4, 3})) == "write_image: pixels (0, 4, 3)" + must);
  CHECK(write("a.tif", gradient(2, 2)) ==
        (folder / "a.tif").string() + ": images are written as .png, .jpg or .jpeg, not '.tif'");
  CHECK(write("a.jpg", Image::zeros({2, 65536, 3})) ==
        (folder / "a.jpg").string() +
            ": a JPEG has at most 65500 x 65500 pixels, not 65536 x 2; use .png");
  CHECK(read(encoded(Image::zeros({65500, 1, 3}), "a.jpg")).shape() == Shape{65500, 1, 3});
  CHECK(complaint([&] { io::write_image(folder / "no/a.png", gradient(2, 2)); }) ==
        (folder / "no/a.png").string() + ": can't be written: there is no folder " +
            (folder / "no").string());
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 3);
}

}  // namespace sfumato::io_image_test
