// Pictures of 8 bits as style transfer takes and gives them: sizes, resampling, clipping.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "sfumato/io/resize.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/pictures.hpp"
#include "support/complaint.hpp"

namespace sfumato::style_pictures_test {
using style::PictureSize;

namespace {

Tensor<std::uint8_t> noise(std::int64_t height, std::int64_t width) {
  auto pixels = Tensor<std::uint8_t>::empty({height, width, 3});
  std::uint32_t state = 1;
  for (std::uint8_t& value : pixels.span()) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return pixels;
}

}  // namespace

TEST_CASE("sizes are in proportion to the nearest pixel") {
  const auto size = [](std::int64_t height, std::int64_t width, std::int64_t longer) {
    return style::size_in_proportion({height, width, 3}, longer);
  };
  CHECK(size(300, 451, 64) == PictureSize{43, 64});  // 42.57
  CHECK(size(451, 300, 64) == PictureSize{64, 43});
  CHECK(size(300, 451, 512) == PictureSize{341, 512});  // 340.58
  CHECK(size(300, 451, 513) == PictureSize{341, 513});  // 341.24
  CHECK(size(100, 100, 255) == PictureSize{255, 255});
  CHECK(size(100, 2000, 256) == PictureSize{13, 256});  // 12.8
  CHECK(size(2000, 100, 512) == PictureSize{512, 26});  // 25.6
  CHECK(size(100, 2000, 33) == PictureSize{2, 33});
  CHECK(size(1, 100000, 64) == PictureSize{2, 64});
  CHECK(size(3, 4, 16384) == PictureSize{12288, 16384});
  CHECK(complaint([&] { size(0, 4, 64); }) ==
        "size_in_proportion: a picture of 0 x 4 with a longer side of 64 pixels");
  CHECK(complaint([&] { size(4, 4, 1); }) ==
        "size_in_proportion: a picture of 4 x 4 with a longer side of 1 pixels");
}

TEST_CASE("the style keeps its proportions, or is squeezed into the content's size") {
  const auto size = [](const Shape& style, const PictureSize& content, style::StyleFit fit,
                       std::int64_t least = 16) {
    return style::style_size(style, content, {.style_fit = fit}, least);
  };
  const PictureSize content{170, 256};
  CHECK(size({300, 200, 3}, content, style::StyleFit::kSqueeze) == content);
  CHECK(size({300, 200, 3}, content, style::StyleFit::kKeep) == PictureSize{256, 171});
  CHECK(size({300, 451, 3}, content, style::StyleFit::kKeep) == PictureSize{170, 256});
  CHECK(size({600, 600, 3}, {2, 40}, style::StyleFit::kKeep) == PictureSize{40, 40});
  // Layers behind four poolings need 16 pixels, behind five 32, behind three 8.
  CHECK(size({100, 2000, 3}, content, style::StyleFit::kKeep, 32) == PictureSize{32, 640});
  CHECK(size({300, 200, 3}, {13, 256}, style::StyleFit::kSqueeze, 8) == PictureSize{13, 256});
  CHECK(size({100, 2000, 3}, content, style::StyleFit::kKeep) == PictureSize{16, 320});
  CHECK(size({300, 200, 3}, {13, 256}, style::StyleFit::kSqueeze) == PictureSize{16, 256});
  CHECK(size({2000, 99, 3}, content, style::StyleFit::kKeep) == PictureSize{324, 16});
  // Or it has a size of its own.
  for (const style::StyleFit fit :
       {style::StyleFit::kSqueeze, style::StyleFit::kKeep, style::StyleFit::kShrink}) {
    CHECK(style::style_size({40, 60, 3}, content, {.style_fit = fit, .style_size = 90}, 16) ==
          PictureSize{60, 90});
  }
}

TEST_CASE("OpenCV's bilinear rule leaves pixels out where Pillow's takes all") {
  // A line of 8 pixels to 2: at 1.5 and 5.5, between two pixels each, and no other.
  const auto line = Tensor<std::uint8_t>::from({9, 10, 20, 99, 99, 100, 201, 255}, {1, 8, 1});
  CHECK(io::opencv_resize(line, 1, 2).to_vector() == std::vector<std::uint8_t>{15, 151});
  // Enlarged: 0.25 and 0.75 of the way, and the edge beyond the outermost centres.
  const auto two = Tensor<std::uint8_t>::from({10, 50}, {1, 2, 1});
  CHECK(io::opencv_resize(two, 1, 4).to_vector() == std::vector<std::uint8_t>{10, 20, 40, 50});
  CHECK(io::opencv_resize(two, 3, 4).shape() == Shape{3, 4, 1});
  const auto picture = noise(20, 30);
  CHECK(io::opencv_resize(picture, 20, 30).to_vector() == picture.to_vector());
  // Half the size is the mean of four, rounded half up.
  const auto half = io::opencv_resize(picture, 10, 15);
  for (std::int64_t i = 0; i < 10; ++i) {
    for (std::int64_t j = 0; j < 15; ++j) {
      const int sum = picture.at({2 * i, 2 * j, 1}) + picture.at({2 * i, 2 * j + 1, 1}) +
                      picture.at({2 * i + 1, 2 * j, 1}) + picture.at({2 * i + 1, 2 * j + 1, 1});
      CHECK(half.at({i, j, 1}) == (sum + 2) / 4);
    }
  }
  CHECK(io::opencv_resize(noise(1, 1), 5, 4).to_vector() ==
        io::resize(noise(1, 1), 5, 4).to_vector());
  CHECK(complaint([] {
          io::opencv_resize(Tensor<std::uint8_t>::zeros({4, 4}), 2, 2);
        }) == "opencv_resize: image (4, 4) must be (height, width, channels), none of them empty");
  CHECK(complaint([&] { io::opencv_resize(picture, 0, 2); }) ==
        "opencv_resize: size 0 x 2 must be at least 1 x 1");
}

TEST_CASE("pictures become pixels by rounding, or cut off") {
  std::vector<float> values;
  for (const double level : {10.2, 10.5, 10.8, 254.9, 300.0, -3.0}) {
    values.push_back(static_cast<float>((level / 255.0 - 0.485) / 0.229));
  }
  values.resize(18, std::numeric_limits<float>::quiet_NaN());
  const auto image = Tensor<float>::from(values, {1, 3, 1, 6});
  const auto red = [&](style::Rounding rounding) {
    const auto pixels = style::denormalize(image, rounding);
    CHECK(pixels.at({0, 0, 1}) == 0);  // NaN
    std::vector<int> levels;
    for (std::int64_t i = 0; i < 6; ++i) levels.push_back(pixels.at({0, i, 0}));
    return levels;
  };
  CHECK(red(style::Rounding::kDown) == std::vector<int>{10, 10, 10, 254, 255, 0});
  const auto nearest = red(style::Rounding::kNearest);
  CHECK(nearest[0] == 10);
  CHECK(nearest[2] == 11);
  CHECK(nearest[3] == 255);
  CHECK(nearest[5] == 0);
}

TEST_CASE("a stage starts from what can be shown of the last one's picture") {
  // Far beyond white on the left, beyond black on the right: enlarged, the edge lies in the middle.
  const auto image = Tensor<float>::from({50, -40, 50, -40, 50, -40}, {1, 3, 1, 2});
  for (const auto enlarging : {style::Enlarging::kSmooth, style::Enlarging::kPixels}) {
    const auto larger = style::enlarge_picture(image, {2, 4}, {.enlarging = enlarging});
    CHECK(larger.shape() == Shape{1, 3, 2, 4});
    const auto pixels = style::denormalize(larger);
    for (std::int64_t c = 0; c < 3; ++c) {
      CHECK(pixels.at({1, 0, c}) == 255);
      CHECK(pixels.at({1, 1, c}) == doctest::Approx(191).epsilon(0.01));
      CHECK(pixels.at({1, 2, c}) == doctest::Approx(64).epsilon(0.02));
      CHECK(pixels.at({1, 3, c}) == 0);
    }
  }
  const auto clipped = style::clip_picture(image);
  CHECK(clipped.at({0, 1, 0, 0}) == doctest::Approx((1.0 - 0.456) / 0.224));
  CHECK(clipped.at({0, 2, 0, 1}) == doctest::Approx(-0.406 / 0.225));
}

}  // namespace sfumato::style_pictures_test
