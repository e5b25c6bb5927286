// Where functions have a corner, a pole, a tie or no value at all: derivatives there, and how far
// infinity and NaN spread.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_singular {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using List = std::vector<double>;

Variable<double> variable(const List& values, bool requires_grad = true) {
  return Variable<double>(Tensor<double>::from(values, {static_cast<std::int64_t>(values.size())}),
                          requires_grad);
}

bool same(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : a == b;
}

/// Equal, with NaN equal to NaN.
void check_same(const Variable<double>& found, const List& expected) {
  const auto values = found.value().to_vector();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CAPTURE(values[i]);
    CAPTURE(expected[i]);
    CHECK(same(values[i], expected[i]));
  }
}

/// The value and gradient of a function of one variable, element by element.
template <class Function>
void check_slopes(const Function& function, const List& at, const List& values,
                  const List& slopes) {
  const auto x = variable(at);
  const auto y = function(x);
  check_same(y, values);
  check_same(grad({ops::sum(y)}, {x})[0], slopes);
}

}  // namespace

TEST_CASE("powers at base 0 have the derivatives of whole powers") {
  struct Expected {
    double exponent, value, a, b, aa, ab, bb;
  };
  // PyTorch's where it has numbers; beyond, the limits from above.
  const std::vector<Expected> cases{
      {0, 1, 0, 0, 0, kInfinity, 0},   {1, 0, 1, 0, 0, 1, 0},
      {2, 0, 0, 0, 2, 0, 0},           {3, 0, 0, 0, 0, 0, 0},
      {1.5, 0, 0, 0, kInfinity, 0, 0}, {0.5, 0, kInfinity, 0, -kInfinity, -kInfinity, 0}};
  for (const Expected& c : cases) {
    CAPTURE(c.exponent);
    const auto base = variable({0.0});
    const auto exponent = variable({c.exponent});
    const auto y = ops::pow(base, exponent);
    const auto once = grad({y}, {base, exponent}, {.create_graph = true});
    const auto along_base = grad({once[0]}, {base, exponent}, {.create_graph = true});
    const auto along_exponent = grad({once[1]}, {base, exponent}, {.create_graph = true});
    CHECK(y.item() == c.value);
    CHECK(once[0].item() == c.a);
    CHECK(once[1].item() == c.b);
    CHECK(along_base[0].item() == c.aa);
    CHECK(along_base[1].item() == c.ab);
    CHECK(along_exponent[0].item() == c.ab);
    CHECK(along_exponent[1].item() == c.bb);
    // With a constant exponent.
    const auto power = ops::pow(base, c.exponent);
    const auto slope = grad({power}, {base}, {.create_graph = true})[0];
    CHECK(power.item() == c.value);
    CHECK(slope.item() == c.a);
    if (slope.requires_grad()) CHECK(grad({slope}, {base})[0].item() == c.aa);
  }
  // The third derivative of x³, and the fourth.
  const auto zero = variable({0.0});
  const auto three = variable({3.0}, false);
  auto derivative = ops::pow(zero, three);
  for (const double expected : {0.0, 0.0, 6.0, 0.0}) {
    derivative = grad({derivative}, {zero}, {.create_graph = true})[0];
    CHECK(derivative.item() == expected);
  }
}

TEST_CASE("powers elsewhere have the derivatives of every order of x^y") {
  const Variable<double> base(Tensor<double>::from({0.5, 2.0, 3.0, 1.0}, {4}), true);
  const Variable<double> exponent(Tensor<double>::from({0.0, 1.0, -1.5, 2.0}, {4}), true);
  const std::vector both{base, exponent};
  CHECK(gradcheck([](const auto& in) { return ops::pow(in[0], in[1]); }, both));
  CHECK(gradgradcheck([](const auto& in) { return ops::pow(in[0], in[1]); }, both));
  // ∂²/∂a² ∂/∂b of a^b, whichever comes first: (2 b - 1 + b (b - 1) ln a) a^(b - 2).
  const auto third = [&](int first, int second, int last) {
    auto y = ops::pow(base, exponent);
    for (const int i : {first, second, last}) {
      y = grad({ops::sum(y)}, {both[static_cast<std::size_t>(i)]}, {.create_graph = true})[0];
    }
    return y.value().to_vector();
  };
  const auto a = base.value().to_vector();
  const auto b = exponent.value().to_vector();
  for (const auto& found : {third(0, 0, 1), third(0, 1, 0), third(1, 0, 0)}) {
    for (std::size_t i = 0; i < 4; ++i) {
      const double expected =
          (2 * b[i] - 1 + b[i] * (b[i] - 1) * std::log(a[i])) * std::pow(a[i], b[i] - 2);
      CHECK(found[i] == doctest::Approx(expected));
    }
  }
  // Below 0, whole powers have slopes, and none along the exponent.
  const auto negative = variable({-2.0});
  const auto three = variable({3.0});
  const auto slopes = grad({ops::pow(negative, three)}, {negative, three});
  CHECK(slopes[0].item() == 12.0);
  CHECK(std::isnan(slopes[1].item()));
}

TEST_CASE("x^0 is flat everywhere, even where the gradient that comes is not finite") {
  const auto x = variable({0.0, kInfinity, kNan, -1.0});
  const auto seed = variable({kInfinity, kNan, 1.0, 2.0}, false);
  check_same(grad(std::vector{ops::pow(x, 0.0)}, std::vector{x}, {}, std::vector{seed})[0],
             {0, 0, 0, 0});
  check_slopes([](const auto& v) { return ops::pow(v, variable({0.0}, false)); },
               {0.0, kInfinity, kNan, -1.0}, {1, 1, 1, 1}, {0, 0, 0, 0});
}

TEST_CASE("the gradient shows where a NaN came from") {
  const List at{-1, 0, 2, kNan, kInfinity, -kInfinity};
  check_slopes([](const auto& x) { return ops::relu(x); }, at, {0, 0, 2, kNan, kInfinity, 0},
               {0, 0, 1, 1, 1, 0});
  check_slopes([](const auto& x) { return ops::leaky_relu(x, 0.5); }, at,
               {-0.5, 0, 2, kNan, kInfinity, -kInfinity}, {0.5, 0.5, 1, 0.5, 1, 0.5});
  check_slopes([](const auto& x) { return ops::clamp(x, -1.0, 2.0); }, at, {-1, 0, 2, kNan, 2, -1},
               {1, 1, 1, 1, 0, 0});
  check_slopes([](const auto& x) { return ops::abs(x); }, at, {1, 0, 2, kNan, kInfinity, kInfinity},
               {-1, 0, 1, kNan, 1, -1});
  check_slopes([](const auto& x) { return ops::sign(x); }, at, {-1, 0, 1, kNan, 1, -1},
               {0, 0, 0, 0, 0, 0});
  check_slopes([](const auto& x) { return ops::max(x); }, at, {kNan}, {0, 0, 0, 1, 0, 0});
  check_slopes([](const auto& x) { return ops::min(x); }, {1, kNan, kNan, 0}, {kNan},
               {0, 0.5, 0.5, 0});
  check_slopes([](const auto& x) { return ops::max(x); }, {1, kInfinity, kInfinity, 0}, {kInfinity},
               {0, 0.5, 0.5, 0});
  // As in PyTorch, both sides of a maximum get the whole gradient where either is NaN.
  const auto other = variable({-1, 1, kNan, 0, kInfinity, 0});
  check_slopes([&](const auto& x) { return ops::maximum(x, other); }, at,
               {-1, 1, kNan, kNan, kInfinity, 0}, {0.5, 0, 1, 1, 0.5, 0});
  check_slopes([&](const auto& x) { return ops::maximum(other, x); }, at,
               {-1, 1, kNan, kNan, kInfinity, 0}, {0.5, 0, 1, 1, 0.5, 0});
  check_slopes([&](const auto& x) { return ops::minimum(x, other); }, at,
               {-1, 0, kNan, kNan, kInfinity, -kInfinity}, {0.5, 1, 1, 1, 0.5, 1});
  const auto x = variable(at);
  check_same(grad({ops::sum(ops::maximum(x, other))}, {other})[0], {0.5, 1, 1, 1, 0.5, 1});
}

TEST_CASE("a gradient that is not finite reaches only what was chosen") {
  const auto x = variable({-3, 0, 2, 3});
  const auto through = [&](const auto& function) {
    const auto y = function(x);
    const Variable<double> seed(Tensor<double>::full(y.shape(), kInfinity));
    return grad(std::vector{y}, std::vector{x}, {}, std::vector{seed})[0];
  };
  check_same(through([](const auto& v) { return ops::max(v); }), {0, 0, 0, kInfinity});
  check_same(through([](const auto& v) { return ops::clamp(v, -1.0, 2.5); }),
             {0, kInfinity, kInfinity, 0});
  check_same(through([](const auto& v) {
               return ops::maximum(v, variable({0, 0, 0, 9}, false));
             }),
             {0, kInfinity, kInfinity, 0});
  check_same(through([](const auto& v) { return ops::abs(v); }),
             {-kInfinity, 0, kInfinity, kInfinity});
  check_same(through([](const auto& v) { return ops::sign(v); }), {0, 0, 0, 0});
  check_same(through([](const auto& v) { return ops::relu(v); }), {0, 0, kInfinity, kInfinity});
}

TEST_CASE("rectifiers of every kind pass the gradient at NaN, in rows of every length") {
  const PlainSums no_faster_algorithm;  // which may spread NaN
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::int64_t n : {1, 7, 16, 33, 100}) {
    std::vector<float> values(static_cast<std::size_t>(n), -1.0F);
    std::vector<float> expected(values.size(), 0.0F);
    for (std::size_t i = 0; i < values.size(); i += 3) {
      values[i] = i % 2 == 0 ? nan : 1.0F;
      expected[i] = 1.0F;
    }
    const auto check = [&]<class T>(T) {
      const Variable<T> x(Tensor<float>::from(values, {1, 1, 1, n}).template cast<T>(), true);
      const auto slope = [&](const Variable<T>& y) {
        return grad({ops::sum(y)}, {x})[0].value().template cast<float>().to_vector();
      };
      CHECK(slope(ops::relu(x)) == expected);
      const Variable<T> one(Tensor<T>::ones({1, 1, 1, 1}));
      CHECK(slope(ops::conv2d_relu(x, one)) == expected);
    };
    check(float{});
    check(double{});
    check(Half{0.0F});
    check(BFloat16{0.0F});
  }
  // Fused with a convolution of 3 × 3, whatever computes it: where the sum is NaN, the gradient
  // goes on to the bias.
  Random random(1);
  auto image = Tensor<float>::randn({1, 16, 20, 37}, random);
  image.set({0, 3, 9, 17}, nan);
  const Variable<float> filters(Tensor<float>::randn({16, 16, 3, 3}, random));
  const Variable<float> bias(Tensor<float>::zeros({16}), true);
  const Variable<float> plain_bias(Tensor<float>::zeros({16}), true);
  const Variable<float> x(image);
  const auto fused = ops::conv2d_relu(x, filters, bias, {.padding = 1});
  const auto plain = ops::conv2d(x, filters, plain_bias, {.padding = 1});
  const auto found = grad({ops::sum(fused)}, {bias})[0].value().to_vector();
  const auto plain_values = plain.value().to_vector();
  for (std::size_t channel = 0; channel < 16; ++channel) {
    float passing = 0.0F;
    for (std::size_t i = 0; i < 20 * 37; ++i) {
      passing += plain_values[channel * 20 * 37 + i] <= 0.0F ? 0.0F : 1.0F;
    }
    CHECK(found[channel] == passing);
  }
}

TEST_CASE("equal values share the gradient evenly") {
  check_slopes([](const auto& x) { return ops::max(x); }, {3, 1, 3, 3}, {3},
               {1.0 / 3, 0, 1.0 / 3, 1.0 / 3});
  check_slopes([](const auto& x) { return ops::maximum(x, variable({0}, false)); }, {-1, 0, 1},
               {0, 0, 1}, {0, 0.5, 1});
  // Of many ones, too, in 16 bits.
  const Variable<Half> ones(Tensor<Half>::full({70000}, Half(1.0F)), true);
  const auto shares = grad({ops::max(ones)}, {ones})[0].value().to_vector();
  CHECK(shares[0] == Half(1.0F / 70000));
  const auto at_bounds = [](const auto& x) { return ops::clamp(x, 0.0, 1.0); };
  check_slopes(at_bounds, {-0.5, 0, 0.5, 1, 1.5}, {0, 0, 0.5, 1, 1}, {0, 1, 1, 1, 0});
}

TEST_CASE("clamp refuses bounds that are NaN, and takes infinite ones") {
  const auto x = variable({-2, 3});
  CHECK(complaint([&] { ops::clamp(x, kNan, 1.0); }) ==
        "clamp: the bounds nan and 1 must be numbers");
  CHECK_THROWS_AS(ops::clamp(x, 1.0, kNan), ValueError);
  CHECK_THROWS_AS(ops::clamp(x, kNan, kNan), ValueError);
  check_same(ops::clamp(x, -kInfinity, 1.0), {-2, 1});
  check_same(ops::clamp(x, -1.0, kInfinity), {-1, 3});
}

TEST_CASE("resampling keeps infinity and NaN where they are") {
  for (const double bad : {kInfinity, kNan}) {
    auto image = Tensor<double>::ones({1, 2, 5, 7});
    image.set({0, 1, 2, 3}, bad);
    const Variable<double> x(image, true);
    const auto affected = [&](const Variable<double>& y, const auto& is_meant) {
      const auto values = y.value().to_vector();
      const std::int64_t h = y.shape()[2];
      const std::int64_t w = y.shape()[3];
      for (std::int64_t i = 0; i < y.numel(); ++i) {
        CAPTURE(i);
        const bool meant = i / (h * w) == 1 && is_meant(i / w % h, i % w);
        CHECK(std::isfinite(values[static_cast<std::size_t>(i)]) != meant);
      }
    };
    const auto doubled = [](std::int64_t row, std::int64_t column) {
      return row / 2 == 2 && column / 2 == 3;
    };
    affected(ops::interpolate(x, {.size = {10, 14}}), doubled);
    affected(ops::interpolate(x, {.size = {5, 7}, .mode = ops::Interpolation::kBilinear}),
             [](std::int64_t row, std::int64_t column) { return row == 2 && column == 3; });
    // Half a sample is twice as far.
    affected(ops::interpolate(x, {.size = {10, 14}, .mode = ops::Interpolation::kBilinear}),
             [](std::int64_t row, std::int64_t column) {
               return row >= 3 && row <= 6 && column >= 5 && column <= 8;
             });
    // Ranges of rows 0-1, 1-3 and 3-4, of columns 0-1, 1-3, 3-5 and 5-6.
    affected(ops::adaptive_avg_pool2d(x, {3, 4}), [](std::int64_t row, std::int64_t column) {
      return row == 1 && (column == 1 || column == 2);
    });
    affected(ops::adaptive_avg_pool2d(x, {5, 1}),
             [](std::int64_t row, std::int64_t) { return row == 2; });
    // The other way: a gradient of one output reaches what it was made of.
    const auto back = [&](const auto& function, std::int64_t place, const List& meant) {
      const Variable<double> ones(Tensor<double>::ones({1, 1, 2, 3}), true);
      const auto y = function(ones);
      auto seed = Tensor<double>::zeros({y.numel()});
      seed.set({place}, bad);
      const auto dx = grad(std::vector{y}, std::vector{ones}, {},
                           std::vector{Variable<double>(seed.reshape(y.shape()))})[0];
      const auto values = dx.value().to_vector();
      for (std::size_t i = 0; i < 6; ++i) CHECK(std::isfinite(values[i]) == (meant[i] == 0));
    };
    back(
        [](const auto& v) {
          return ops::interpolate(v, {.size = {4, 6}});
        },
        8, {0, 1, 0, 0, 0, 0});
    back([](const auto& v) { return ops::adaptive_avg_pool2d(v, {2, 2}); }, 3, {0, 0, 0, 0, 1, 1});
    back([](const auto& v) { return ops::adaptive_avg_pool2d(v, {1, 3}); }, 0, {1, 0, 0, 1, 0, 0});
  }
}

TEST_CASE("resampling equals plain loops at every size, and so do its gradients") {
  Random random(3);
  for (const ops::Size2d from : {ops::Size2d(3, 4), ops::Size2d(1, 5), ops::Size2d(2, 1)}) {
    const std::int64_t h = from.h;
    const std::int64_t w = from.w;
    const Variable<double> x(Tensor<double>::randn({2, 1, h, w}, random), true);
    for (const ops::Size2d to : {ops::Size2d(1), ops::Size2d(2, 3), ops::Size2d(3, 4),
                                 ops::Size2d(5, 7), ops::Size2d(6, 8), ops::Size2d(7, 2)}) {
      const std::int64_t height = to.h;
      const std::int64_t width = to.w;
      CAPTURE(h);
      CAPTURE(w);
      CAPTURE(height);
      CAPTURE(width);
      const auto nearest = [=](const auto& in) {
        return ops::interpolate(in[0], {.size = {height, width}});
      };
      const auto bilinear = [=](const auto& in) {
        return ops::interpolate(in[0],
                                {.size = {height, width}, .mode = ops::Interpolation::kBilinear});
      };
      const auto average = [=](const auto& in) {
        return ops::adaptive_avg_pool2d(in[0], {height, width});
      };
      const std::vector inputs{x};
      for (const auto& function :
           std::vector<std::function<Variable<double>(const std::vector<Variable<double>>&)>>{
               nearest, bilinear, average}) {
        CHECK(gradcheck(function, inputs));
        CHECK(gradgradcheck(function, inputs));
      }
      const auto plain = nearest(inputs).value();
      const auto lines = bilinear(inputs).value();
      const auto means = average(inputs).value();
      for (std::int64_t i = 0; i < height; ++i) {
        for (std::int64_t j = 0; j < width; ++j) {
          const auto pixel = [&](std::int64_t row, std::int64_t column) {
            return x.value().at({1, 0, std::clamp<std::int64_t>(row, 0, h - 1),
                                 std::clamp<std::int64_t>(column, 0, w - 1)});
          };
          CHECK(plain.at({1, 0, i, j}) == pixel(i * h / height, j * w / width));
          const auto centre = [](std::int64_t k, std::int64_t samples, std::int64_t outputs) {
            return std::max(0.0, (static_cast<double>(k) + 0.5) * static_cast<double>(samples) /
                                         static_cast<double>(outputs) -
                                     0.5);
          };
          const double y = centre(i, h, height);
          const double z = centre(j, w, width);
          const auto row = static_cast<std::int64_t>(y);
          const auto column = static_cast<std::int64_t>(z);
          const double down = y - static_cast<double>(row);
          const double right = z - static_cast<double>(column);
          const double expected =
              (pixel(row, column) * (1 - right) + pixel(row, column + 1) * right) * (1 - down) +
              (pixel(row + 1, column) * (1 - right) + pixel(row + 1, column + 1) * right) * down;
          CHECK(lines.at({1, 0, i, j}) == doctest::Approx(expected));
          double total = 0.0;
          int count = 0;
          for (std::int64_t r = i * h / height; r * height < (i + 1) * h; ++r) {
            for (std::int64_t c = j * w / width; c * width < (j + 1) * w; ++c) {
              total += pixel(r, c);
              ++count;
            }
          }
          CHECK(means.at({1, 0, i, j}) == doctest::Approx(total / count));
        }
      }
    }
  }
}

}  // namespace sfumato::tested::ops_singular
