// Resizing, which must do exactly what Pillow does: tests/fixtures/resize/make.py makes the
// expected results.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/npy.hpp"
#include "sfumato/io/resize.hpp"
#include "support/complaint.hpp"
#include "support/shared_data.hpp"

namespace sfumato::io_resize_test {
using io::Filter;

namespace {

using Image = Tensor<std::uint8_t>;

/// The noisy picture of make.py, by the same generator of Numerical Recipes.
Image noise(const Shape& shape) {
  auto pixels = Image::empty(shape);
  std::uint32_t state = 1;
  for (std::uint8_t& value : pixels.span()) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return pixels;
}

/// One channel alone, shape (height, width, 1).
Image channel(const Image& image, std::int64_t wanted) {
  const std::int64_t channels = image.shape()[2];
  auto result = Image::empty(image.shape().with(2, 1));
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    result.data()[i] = image.data()[i * channels + wanted];
  }
  return result;
}

/// Gives the number of threads back at the end.
struct ThreadCount {
  ThreadCount() = default;
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;
  ~ThreadCount() { set_thread_count(before); }
  int before = thread_count();
};

struct NamedFilter {
  const char* name;
  Filter filter;
};
constexpr NamedFilter kFilters[]{{"bilinear", Filter::kBilinear}, {"bicubic", Filter::kBicubic}};

}  // namespace

TEST_CASE("every pixel is Pillow's, at sizes up and down") {
  const std::vector<std::array<std::int64_t, 2>> sizes{
      {7, 5}, {23, 19}, {50, 41}, {61, 97}, {1, 41}, {22, 42}, {24, 40}, {11, 20}, {3, 90}};
  const Image source = noise({23, 41, 3});
  for (const NamedFilter& named : kFilters) {
    const auto expected = io::read_npy<std::uint8_t>(std::filesystem::path(SFUMATO_TEST_FIXTURES) /
                                                     "resize" / (std::string(named.name) + ".npy"))
                              .to_vector();
    auto next = expected.begin();
    for (const auto& size : sizes) {
      CAPTURE(named.name);
      CAPTURE(size[0]);
      CAPTURE(size[1]);
      const Image result = io::resize(source, size[0], size[1], named.filter);
      REQUIRE(result.shape() == Shape{size[0], size[1], 3});
      REQUIRE(result.numel() <= expected.end() - next);
      CHECK(std::equal(result.span().begin(), result.span().end(), next));
      next += result.numel();
    }
    CHECK(next == expected.end());
  }
}

TEST_CASE("the same size gives the same pixels in storage of their own") {
  const Image source = noise({5, 7, 3});
  for (const auto& [name, filter] : kFilters) {
    const Image result = io::resize(source, 5, 7, filter);
    CHECK(result.to_vector() == source.to_vector());
    CHECK_FALSE(result.shares_storage_with(source));
  }
}

TEST_CASE("bilinear is the default and the source is left alone") {
  const Image source = noise({9, 8, 3});
  const auto before = source.to_vector();
  CHECK(io::resize(source, 4, 13).to_vector() ==
        io::resize(source, 4, 13, Filter::kBilinear).to_vector());
  CHECK(io::resize(source, 4, 13).to_vector() !=
        io::resize(source, 4, 13, Filter::kBicubic).to_vector());
  CHECK(source.to_vector() == before);
}

TEST_CASE("one colour stays that colour at any size") {
  for (const std::uint8_t value : std::vector<std::uint8_t>{0, 1, 127, 254, 255}) {
    const Image source = Image::full({13, 11, 3}, value);
    for (const auto& [height, width] : std::vector<std::array<std::int64_t, 2>>{
             {1, 1}, {5, 3}, {12, 10}, {14, 12}, {40, 33}, {1, 100}, {100, 1}}) {
      for (const auto& [name, filter] : kFilters) {
        const auto result = io::resize(source, height, width, filter).to_vector();
        CHECK(result == std::vector<std::uint8_t>(result.size(), value));
      }
    }
  }
}

TEST_CASE("one pixel fills any size") {
  const Image source = Image::from({10, 20, 30}, {1, 1, 3});
  for (const auto& [name, filter] : kFilters) {
    const Image result = io::resize(source, 3, 2, filter);
    for (std::int64_t i = 0; i < 6; ++i) {
      CHECK(result.data()[3 * i] == 10);
      CHECK(result.data()[3 * i + 2] == 30);
    }
  }
}

TEST_CASE("channels don't mix, whatever their number") {
  for (const std::int64_t channels : {1, 2, 4, 5}) {
    const Image source = noise({12, 9, channels});
    for (const auto& [name, filter] : kFilters) {
      const Image result = io::resize(source, 7, 16, filter);
      REQUIRE(result.shape() == Shape{7, 16, channels});
      for (std::int64_t c = 0; c < channels; ++c) {
        CHECK(channel(result, c).to_vector() ==
              io::resize(channel(source, c), 7, 16, filter).to_vector());
      }
    }
  }
}

TEST_CASE("halving averages what falls into a pixel") {
  // A triangle of ±2 old pixels: weights 1, 3, 3, 1 of 8 where nothing is cut off.
  const Image source = Image::from({0, 0, 80, 0, 0, 0, 0, 0}, {1, 8, 1});
  CHECK(io::resize(source, 1, 4).to_vector() == std::vector<std::uint8_t>{11, 30, 0, 0});
}

TEST_CASE("the number of threads does not change a pixel") {
  const ThreadCount restored;
  const Image source = noise({150, 70, 3});
  for (const auto& [name, filter] : kFilters) {
    set_thread_count(1);
    const auto down = io::resize(source, 67, 31, filter).to_vector();
    const auto up = io::resize(source, 201, 111, filter).to_vector();
    for (const int threads : {2, 3, 8}) {
      set_thread_count(threads);
      CHECK(io::resize(source, 67, 31, filter).to_vector() == down);
      CHECK(io::resize(source, 201, 111, filter).to_vector() == up);
    }
  }
}

TEST_CASE("other shapes and sizes are refused") {
  const auto of = [](const Image& image, std::int64_t height, std::int64_t width) {
    return complaint([&] { io::resize(image, height, width); });
  };
  const std::string must = " must be (height, width, channels), none of them empty";
  CHECK(of(Image::zeros({4, 4}), 2, 2) == "resize: image (4, 4)" + must);
  CHECK(of(Image::zeros({1, 3, 4, 4}), 2, 2) == "resize: image (1, 3, 4, 4)" + must);
  CHECK(of(Image::zeros({0, 4, 3}), 2, 2) == "resize: image (0, 4, 3)" + must);
  CHECK(of(Image::zeros({4, 4, 0}), 2, 2) == "resize: image (4, 4, 0)" + must);
  CHECK(of(Image(), 2, 2) == "resize: image (0,)" + must);
  CHECK(of(Image::zeros({4, 4, 3}), 0, 5) == "resize: size 0 x 5 must be at least 1 x 1");
  CHECK(of(Image::zeros({4, 4, 3}), 5, -1) == "resize: size 5 x -1 must be at least 1 x 1");
  CHECK_THROWS_AS(io::resize(Image::zeros({4, 4}), 2, 2), ShapeError);
  CHECK_THROWS_AS(io::resize(Image::zeros({4, 4, 3}), 0, 2), ValueError);
}

TEST_CASE("a real photograph shrinks as with Pillow") {
  const auto path = shared_data("images/rainier.jpg");
  if (!path) {
    MESSAGE("SKIPPED: there are no shared images; set SFUMATO_SHARED to the shared data");
    return;
  }
  // Row, column and colour, as make.py prints them.
  using Sample = std::array<std::int64_t, 5>;
  const std::vector<Sample> samples[]{{{0, 0, 235, 228, 233},
                                       {3, 90, 194, 222, 238},
                                       {17, 44, 206, 210, 216},
                                       {30, 12, 113, 122, 123},
                                       {41, 71, 2, 22, 50},
                                       {55, 5, 26, 28, 7},
                                       {60, 96, 30, 25, 8}},
                                      {{0, 0, 236, 229, 233},
                                       {3, 90, 195, 223, 239},
                                       {17, 44, 204, 208, 215},
                                       {30, 12, 116, 124, 124},
                                       {41, 71, 2, 22, 50},
                                       {55, 5, 27, 29, 6},
                                       {60, 96, 30, 25, 8}}};
  const Image picture = io::read_image(*path);
  CHECK(picture.shape() == Shape{1365, 2048, 3});
  for (const NamedFilter& named : kFilters) {
    const Image small = io::resize(picture, 61, 97, named.filter);
    for (const Sample& sample : samples[named.filter == Filter::kBilinear ? 0 : 1]) {
      for (std::int64_t c = 0; c < 3; ++c) {
        CAPTURE(named.name);
        CAPTURE(sample[0]);
        CAPTURE(c);
        // Not exactly, for Pillow decodes JPEG with another library.
        const std::int64_t value = small.at({sample[0], sample[1], c});
        CHECK(std::abs(value - sample[2 + static_cast<std::size_t>(c)]) <= 1);
      }
    }
  }
}

}  // namespace sfumato::io_resize_test
