#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sfumato/io/animation.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_animation_test {
namespace {
using Bytes = std::vector<std::uint8_t>;

/// Of few colours, or of many.
Tensor<std::uint8_t> picture(std::int64_t height, std::int64_t width, int seed, bool many) {
  auto pixels = Tensor<std::uint8_t>::empty({height, width, 3});
  for (std::int64_t i = 0; i < pixels.numel(); ++i) {
    const std::int64_t value = many ? i * i * 31 + i * seed : i / 40 % 3 * 100 + i % 3 * 20 + seed;
    pixels.data()[i] = static_cast<std::uint8_t>(value % 256);
  }
  return pixels;
}

Bytes bytes_of(const std::filesystem::path& path) {
  const io::FileReader file(path);
  return file.read_all(1 << 24);
}

std::uint32_t number(const Bytes& bytes, std::size_t at, std::size_t size = 4) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[at + i];
  return value;
}

/// The values that LZW of 8 bits stands for in GIF's blocks, which end at `at`.
Bytes unpacked(const Bytes& file, std::size_t& at) {
  REQUIRE(file[at++] == 8);
  Bytes packed;
  for (std::size_t size = file[at++]; size > 0; size = file[at++]) {
    packed.insert(packed.end(), &file[at], &file[at] + size);
    at += size;
  }
  std::vector<Bytes> words;
  Bytes values;
  Bytes before;
  int length = 9;
  for (std::size_t bit = 0; bit + static_cast<std::size_t>(length) <= packed.size() * 8;) {
    std::size_t code = 0;
    for (int i = 0; i < length; ++i, ++bit) {
      code |= static_cast<std::size_t>(packed[bit / 8] >> (bit % 8) & 1) << i;
    }
    if (code == 257) return values;
    if (code == 256) {
      words.assign(258, {});
      for (std::size_t i = 0; i < 256; ++i) words[i] = {static_cast<std::uint8_t>(i)};
      before.clear();
      length = 9;
      continue;
    }
    REQUIRE(code <= words.size());
    Bytes word = before;
    if (code < words.size()) {
      word = words[code];
    } else {
      word.push_back(before[0]);
    }
    if (!before.empty() && words.size() < 4096) {
      before.push_back(word[0]);
      words.push_back(before);
    }
    if (words.size() == std::size_t{1} << length && length < 12) ++length;
    values.insert(values.end(), word.begin(), word.end());
    before = word;
  }
  FAIL("no end of the codes");
  return values;
}

}  // namespace

TEST_CASE("an animated PNG is a PNG of its first picture, and holds the others") {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "a.apng";
  const std::vector<Tensor<std::uint8_t>> pictures{
      picture(40, 50, 1, true), picture(40, 50, 2, true), picture(40, 50, 3, false)};
  {
    io::Animation animation(path, 40, 50);
    for (const auto& pixels : pictures) animation.add(pixels, 80);
    CHECK_FALSE(std::filesystem::exists(path));
    animation.commit();
  }
  CHECK(io::read_image(path).to_vector() == pictures[0].to_vector());
  const Bytes file = bytes_of(path);
  // Each picture as a file of its own, of its chunks.
  const Bytes head(file.begin(), file.begin() + 33);
  std::vector<Bytes> alone;
  std::uint32_t sequence = 0;
  std::uint32_t count = 0;
  for (std::size_t at = 8; at < file.size();) {
    const std::uint32_t length = number(file, at);
    const std::string name(file.begin() + static_cast<std::ptrdiff_t>(at) + 4,
                           file.begin() + static_cast<std::ptrdiff_t>(at) + 8);
    const auto content = file.begin() + static_cast<std::ptrdiff_t>(at) + 8;
    if (name == "acTL") count = number(file, at + 8);
    if (name == "fcTL") {
      alone.push_back(head);
      CHECK(number(file, at + 8) == sequence++);
      CHECK(number(file, at + 12) == 50);
      CHECK(number(file, at + 16) == 40);
      CHECK(number(file, at + 28, 2) == 80);
      CHECK(number(file, at + 30, 2) == 1000);
    }
    if (name == "IDAT" || name == "fdAT") {
      const bool first = name == "IDAT";
      if (!first) CHECK(number(file, at + 8) == sequence++);
      io::detail::append_chunk(alone.back(), "IDAT",
                               {&*content + (first ? 0 : 4), length - (first ? 0U : 4U)});
    }
    at += 12 + length;
  }
  CHECK(count == 3);
  REQUIRE(alone.size() == 3);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    io::detail::append_chunk(alone[i], "IEND", {});
    const auto still = folder.path() / "still.png";
    std::ofstream(still, std::ios::binary)
        .write(reinterpret_cast<const char*>(alone[i].data()),
               static_cast<std::streamsize>(alone[i].size()));
    CHECK(io::read_image(still).to_vector() == pictures[i].to_vector());
  }
}

TEST_CASE("a GIF holds every picture, in colours near its own") {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "a.gif";
  for (const bool many : {false, true}) {
    const std::int64_t height = many ? 120 : 40;  // more codes than GIF has, or less
    const std::vector<Tensor<std::uint8_t>> pictures{picture(height, 150, 1, many),
                                                     picture(height, 150, 2, many)};
    io::Animation animation(path, height, 150);
    for (const auto& pixels : pictures) animation.add(pixels, 1230);
    animation.commit();
    const Bytes file = bytes_of(path);
    CHECK(std::string(file.begin(), file.begin() + 6) == "GIF89a");
    CHECK(file[6] + 256 * file[7] == 150);
    CHECK(file[8] + 256 * file[9] == height);
    std::size_t at = 13 + 19;
    for (const auto& pixels : pictures) {
      REQUIRE(file[at] == 0x21);
      CHECK(file[at + 4] + 256 * file[at + 5] == 123);
      at += 8;
      REQUIRE(file[at] == 0x2C);
      const std::uint8_t* const palette = &file[at + 10];
      at += 10 + 768;
      const Bytes places = unpacked(file, at);
      REQUIRE(places.size() == static_cast<std::size_t>(height * 150));
      double difference = 0.0;
      for (std::size_t i = 0; i < places.size(); ++i) {
        for (std::size_t c = 0; c < 3; ++c) {
          difference +=
              std::abs(palette[3 * std::size_t{places[i]} + c] - pixels.data()[3 * i + c]);
        }
      }
      // The pattern that hides steps is up to 8 levels.
      CHECK(difference / static_cast<double>(pixels.numel()) < (many ? 20.0 : 3.0));
    }
    CHECK(at + 1 == file.size());
    CHECK(file[at] == 0x3B);
  }
}

TEST_CASE("an animation that can't be is refused, and none stays behind without a commit") {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "a.gif";
  CHECK(complaint([&] { io::Animation("a.mp4", 4, 4); }) ==
        "a.mp4: animations are written as .gif or .apng, not '.mp4'");
  CHECK(complaint([&] { io::Animation(path, 4, 65536); }).find("sides must be 1 to 65535") !=
        std::string::npos);
  CHECK(complaint([&] {
          io::Animation(folder.path() / "none" / "a.gif", 4, 4);
        }).find("there is no folder") != std::string::npos);
  {
    io::Animation animation(path, 4, 5);
    CHECK(complaint([&] { animation.add(picture(5, 4, 1, false), 80); }) ==
          "Animation: pixels (5, 4, 3) must be (4, 5, 3)");
    CHECK(complaint([&] { animation.commit(); }).find("an animation without a picture") !=
          std::string::npos);
    animation.add(picture(4, 5, 1, false), 80);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

}  // namespace sfumato::io_animation_test
