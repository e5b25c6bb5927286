// Frequencies of images, each divided by itself, and what L-BFGS gains by it.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "support/complaint.hpp"

namespace sfumato::style_frequency_scale_test {

namespace {

/// cos(π (y + ½) ky / h) · cos(π (x + ½) kx / w), in two channels, the second times 2.
Tensor<double> wave(std::int64_t h, std::int64_t w, std::int64_t ky, std::int64_t kx) {
  std::vector<double> values;
  for (const double channel : {1.0, 2.0}) {
    for (std::int64_t y = 0; y < h; ++y) {
      for (std::int64_t x = 0; x < w; ++x) {
        const auto along = [](std::int64_t i, std::int64_t k, std::int64_t n) {
          return std::cos(std::numbers::pi * (static_cast<double>(i) + 0.5) *
                          static_cast<double>(k) / static_cast<double>(n));
        };
        values.push_back(channel * along(y, ky, h) * along(x, kx, w));
      }
    }
  }
  return Tensor<double>::from(values, {1, 2, h, w});
}

}  // namespace

TEST_CASE("each frequency is divided by itself") {
  constexpr std::int64_t kHeight = 12;
  constexpr std::int64_t kWidth = 20;
  const style::FrequencyScale<double> scale(kHeight, kWidth);
  for (const std::int64_t ky : {0, 3, 11}) {
    for (const std::int64_t kx : {0, 1, 19}) {
      CAPTURE(ky);
      CAPTURE(kx);
      const double frequency = std::hypot(static_cast<double>(ky) / (2.0 * kHeight),
                                          static_cast<double>(kx) / (2.0 * kWidth));
      const double factor = 1.0 / std::max(frequency, 1.0 / (2.0 * kWidth));
      const auto before = wave(kHeight, kWidth, ky, kx).to_vector();
      const auto after = scale(wave(kHeight, kWidth, ky, kx)).to_vector();
      for (std::size_t i = 0; i < before.size(); ++i) {
        REQUIRE(after[i] == doctest::Approx(before[i] * factor).epsilon(1e-9));
      }
    }
  }
  CHECK(complaint([] { style::FrequencyScale<float>(0, 4); }) ==
        "FrequencyScale: images of 0 x 4 are empty");
  CHECK(complaint([&] { scale(Tensor<double>::zeros({1, 1, 12, 21})); }).starts_with("matmul: "));
}

}  // namespace sfumato::style_frequency_scale_test
