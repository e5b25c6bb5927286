// Pooling and its gradients against plain loops, its edges and its messages.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_pooling {

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
Variable<T> random_variable(const Shape& shape, std::uint64_t seed, bool requires_grad = false) {
  Random random(seed);
  return Variable<T>(Tensor<T>::randn(shape, random), requires_grad);
}

struct Case {
  Shape input;
  ops::MaxPool2dOptions options;
};

const std::vector<Case> kCases{
    {{2, 3, 8, 6}, {}},
    {{1, 2, 7, 9}, {}},
    {{1, 1, 2, 2}, {}},
    {{3, 1, 5, 5}, {.kernel = 1}},
    {{1, 2, 6, 7}, {.kernel = 3, .stride = 1}},
    {{2, 1, 7, 9}, {.kernel = 3, .stride = 2, .padding = 1}},
    {{1, 1, 5, 6}, {.kernel = {3, 2}, .stride = {1, 3}, .padding = {1, 0}}},
    {{1, 2, 4, 4}, {.kernel = 4, .stride = 1, .padding = 2}},
    {{1, 1, 1, 9}, {.kernel = {2, 3}, .stride = {5, 1}, .padding = {1, 1}}},
    {{1, 1, 3, 3}, {.kernel = 2, .stride = 3}},
    {{1, 2, 5, 75}, {}},                                          // more than a vector of windows
    {{1, 1, 20, 24}, {.kernel = 17, .stride = 3, .padding = 8}},  // places need more than a byte
};

}  // namespace

TEST_CASE_TEMPLATE("pooling and its gradients equal plain loops", T, float, double) {
  for (const Case& c : kCases) {
    CAPTURE(c.input.to_string());
    CAPTURE(c.options.kernel.to_string());
    const Pool2dGeometry g = ops::detail::pool2d_geometry("test", c.input, c.options);
    auto x = random_variable<T>(c.input, 1, true);
    const auto largest = ops::max_pool2d(x, c.options);
    const auto average = ops::avg_pool2d(
        x, {.kernel = c.options.kernel, .stride = c.options.stride, .padding = c.options.padding});
    REQUIRE(largest.shape() == Shape{c.input[0], c.input[1], g.out_h, g.out_w});
    REQUIRE(average.shape() == largest.shape());
    const auto dy = random_variable<T>(largest.shape(), 2);
    const auto d_largest = grad(std::vector{largest}, std::vector{x}, {}, std::vector{dy})[0];
    const auto d_average = grad(std::vector{average}, std::vector{x}, {}, std::vector{dy})[0];
    std::vector<double> expected_d_largest(static_cast<std::size_t>(x.numel()));
    std::vector<double> expected_d_average(expected_d_largest.size());
    const double area = static_cast<double>(g.kernel_h * g.kernel_w);
    const auto of = [](const Variable<T>& y) {
      return y.value().template cast<double>().to_vector();
    };
    const auto xs = of(x);
    const auto seeds = of(dy);
    const auto maxima = of(largest);
    const auto averages = of(average);
    for (std::int64_t place = 0; place < largest.numel(); ++place) {
      const std::int64_t plane = place / (g.out_h * g.out_w);
      const std::int64_t top = place / g.out_w % g.out_h * g.stride_h - g.padding_h;
      const std::int64_t left = place % g.out_w * g.stride_w - g.padding_w;
      const double seed = seeds[static_cast<std::size_t>(place)];
      double best = -HUGE_VAL;
      std::size_t best_place = 0;
      double total = 0.0;
      for (std::int64_t row = top; row < top + g.kernel_h; ++row) {
        for (std::int64_t column = left; column < left + g.kernel_w; ++column) {
          if (row < 0 || row >= g.in_h || column < 0 || column >= g.in_w) continue;
          const auto source = static_cast<std::size_t>((plane * g.in_h + row) * g.in_w + column);
          const double value = xs[source];
          total += value;
          expected_d_average[source] += seed / area;
          if (value > best) {
            best = value;
            best_place = source;
          }
        }
      }
      expected_d_largest[best_place] += seed;
      CHECK(maxima[static_cast<std::size_t>(place)] == best);
      CHECK(averages[static_cast<std::size_t>(place)] ==
            doctest::Approx(total / area).epsilon(1e-5));
    }
    const auto d_maxima = of(d_largest);
    const auto d_averages = of(d_average);
    for (std::size_t i = 0; i < expected_d_largest.size(); ++i) {
      CHECK(d_maxima[i] == doctest::Approx(expected_d_largest[i]).epsilon(1e-5));
      CHECK(d_averages[i] == doctest::Approx(expected_d_average[i]).epsilon(1e-5));
    }
  }
}

TEST_CASE("padding never wins a maximum, not even against minus infinity") {
  const Variable<float> low(Tensor<float>::full({1, 1, 2, 2}, -5.0F), true);
  const auto y = ops::max_pool2d(low, {.kernel = 2, .stride = 1, .padding = 1});
  CHECK(y.value().to_vector() == std::vector<float>(9, -5.0F));
  const Variable<float> lowest(Tensor<float>::full({1, 1, 2, 4}, -kInfinity), true);
  const auto z = ops::max_pool2d(lowest);
  CHECK(z.value().to_vector() == std::vector<float>{-kInfinity, -kInfinity});
  // The first of equals, in the general loop and in the one for 2 × 2.
  CHECK(grad({ops::sum(z)}, {lowest})[0].value().to_vector() ==
        std::vector<float>{1, 0, 1, 0, 0, 0, 0, 0});
  CHECK(grad({ops::sum(y)}, {low})[0].value().to_vector() == std::vector<float>{4, 2, 2, 1});
}

TEST_CASE("the first NaN of a window wins and gets the gradient") {
  for (const ops::Size2d stride : {ops::Size2d(2), ops::Size2d(3)}) {
    const Variable<float> x(Tensor<float>::from({1, kNan, kNan, kInfinity}, {1, 1, 2, 2}), true);
    const auto y = ops::max_pool2d(x, {.kernel = 2, .stride = stride});
    CHECK(std::isnan(y.item()));
    CHECK(grad({y}, {x})[0].value().to_vector() == std::vector<float>{0, 1, 0, 0});
  }
}

TEST_CASE("pooling no images gives none") {
  const Variable<float> none(Tensor<float>::zeros({0, 3, 4, 4}), true);
  CHECK(ops::max_pool2d(none).shape() == Shape{0, 3, 2, 2});
  CHECK(ops::avg_pool2d(none).shape() == Shape{0, 3, 2, 2});
  backward(ops::sum(ops::max_pool2d(none)));
  CHECK(none.grad().shape() == none.shape());
}

TEST_CASE("adaptive pooling averages ranges that cover the image") {
  const auto x = Variable<double>(Tensor<double>::arange(15).reshape({1, 1, 3, 5}), true);
  // Rows 0-1 and 1-2 overlap; columns 0-1, 1-3 and 3-4.
  const std::vector<double> expected{3, 4.5, 6, 8, 9.5, 11};
  const auto actual = ops::adaptive_avg_pool2d(x, {2, 3}).value().to_vector();
  for (std::size_t i = 0; i < 6; ++i) CHECK(actual[i] == doctest::Approx(expected[i]));
  CHECK(ops::adaptive_avg_pool2d(x, {1, 1}).item() == doctest::Approx(7.0));
  CHECK(ops::adaptive_avg_pool2d(x, {3, 5}).value().to_vector() == x.value().to_vector());
  const auto function = [](const auto& in) { return ops::adaptive_avg_pool2d(in[0], {2, 3}); };
  CHECK(gradcheck(function, std::vector{x}));
  CHECK(gradgradcheck(function, std::vector{x}));
  CHECK(
      complaint([&] {
        ops::adaptive_avg_pool2d(x, {0, 3});
      }) ==
      "adaptive_avg_pool2d: can't make (0, 3) of (1, 1, 3, 5); the input must be images (n, c, h, "
      "w)");
}

TEST_CASE("more maxima than memory are refused at once") {
  const auto x = Variable<double>(Tensor<double>::ones({1, 1, 3, 5}));
  CHECK_THROWS_AS(ops::adaptive_max_pool2d(x, {1LL << 45, 1}), ResourceError);
}

TEST_CASE("windows that do not fit are refused") {
  const auto pool = [](const Shape& shape, const ops::MaxPool2dOptions& options) {
    return complaint(
        [&] { ops::max_pool2d(Variable<float>(Tensor<float>::zeros(shape)), options); });
  };
  CHECK(pool({8, 8}, {}) == "max_pool2d: input (8, 8) must be (n, c, h, w) or (c, h, w)");
  CHECK(pool({1, 1, 4, 4}, {.kernel = 5}) ==
        "max_pool2d: the kernel (5, 5) does not fit into the input (1, 1, 4, 4)");
  // Nothing but padding is under this window, which once was read past the end of the image.
  CHECK(pool({1, 1, 0, 100000}, {.kernel = 2, .padding = {1, 0}}) ==
        "max_pool2d: the kernel (2, 2) does not fit into the input (1, 1, 0, 100000)");
  CHECK(pool({1, 1, 4, 4}, {.kernel = 2, .stride = -1}) ==
        "max_pool2d: kernel (2, 2), stride (-1, -1) and dilation (1, 1) must be at least 1");
  CHECK(pool({1, 1, 4, 4}, {.kernel = 3, .padding = 2}) ==
        "max_pool2d: padding (2, 2) must be at most half the kernel (3, 3)");
  CHECK(pool({1, 1, 4, 4}, {.kernel = 3, .padding = {0, -1}}) ==
        "max_pool2d: padding (0, -1) must be at most half the kernel (3, 3)");
  CHECK(pool({1, 1, 4, 4}, {.kernel = {1LL << 40, 2}, .padding = {1LL << 39, 0}}) ==
        "max_pool2d: kernel (1099511627776, 2), stride (1099511627776, 2) and dilation (1, 1) must "
        "be "
        "at most 1073741824");
}

}  // namespace sfumato::tested::ops_pooling
