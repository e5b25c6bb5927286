// Numbers that are easily got wrong: sums of 16-bit numbers that leave their range, quotients,
// integers, and operations on nothing.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_numbers {

namespace {

template <class T>
Variable<T> full(const Shape& shape, double value, bool requires_grad = true) {
  return Variable<T>(Tensor<T>::full(shape, static_cast<T>(static_cast<float>(value))),
                     requires_grad);
}

template <class T>
Variable<T> variable(const std::vector<T>& values, bool requires_grad = false) {
  return Variable<T>(Tensor<T>::from(values, {static_cast<std::int64_t>(values.size())}),
                     requires_grad);
}

template <class T>
double first(const Variable<T>& x) {
  return static_cast<double>(x.value().to_vector().at(0));
}

/// The first element of the gradient of y, a scalar, with respect to x.
template <class T>
double slope(const Variable<T>& y, const Variable<T>& x) {
  return first(grad({y}, {x})[0]);
}

/// Values that a 16-bit number holds exactly.
template <class T>
Variable<T> random(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Variable<T>(
      Tensor<float>::randn(shape, random).template cast<BFloat16>().template cast<T>(), true);
}

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

}  // namespace

TEST_CASE_TEMPLATE("means of 16-bit numbers do not overflow on the way", S, Half, BFloat16) {
  const auto ones = full<S>({256, 256}, 1.0);
  CHECK(ops::mean(ones).item() == 1.0F);
  CHECK(slope(ops::mean(ones), ones) == 0x1p-16);
  CHECK(ops::var(ones, {}, false, 0).item() == 0.0F);
  CHECK(ops::mean(full<S>({70000}, 300.0)).item() == S(300.0F));
  // Two thousand ones and a half are more than bfloat16 can count to.
  CHECK(first(ops::mean(full<S>({2, 3000}, 1.5), {1})) == 1.5);
  CHECK(ops::sum(full<S>({3000}, 1.0)).item() == S(3000.0F));
  CHECK(ops::sum(full<Half>({70000}, 1.0)).item() == std::numeric_limits<float>::infinity());
}

TEST_CASE_TEMPLATE("scalars and sums of gradients of 16-bit numbers are floats", S, Half,
                   BFloat16) {
  const auto x = full<S>({1}, 60000.0);
  const auto value = static_cast<float>(S(60000.0F));
  CHECK((x / 100000.0F).item() == S(value / 100000.0F));
  CHECK((x * 1e-9F + 1.0F).item() == S(1.0F + value * 1e-9F));
  CHECK((x - 100000.0F).item() == S(value - 100000.0F));
  // Of nine windows that see an element, each has a share that is less than half a step of the sum.
  const auto image = full<S>({1, 1, 5, 5}, 0.0);
  const ops::MaxPool2dOptions windows{.kernel = 3, .stride = 1};
  std::vector<S> shares(9, S(std::same_as<S, Half> ? 0x1p-12F : 0x1p-9F));
  shares[0] = S(1.0F);
  const Variable<S> seed(Tensor<S>::from(shares, {1, 1, 3, 3}));
  const float total = 1.0F + 8 * static_cast<float>(shares[1]);
  const auto middle = [&](const Variable<S>& y) {
    return grad(std::vector{y}, std::vector{image}, {}, std::vector{seed})[0].value().at(
        {0, 0, 2, 2});
  };
  CHECK(middle(ops::avg_pool2d(image, {.kernel = 3, .stride = 1})) == S(total / 9));
  auto peak = Tensor<S>::zeros({1, 1, 5, 5});
  peak.set({0, 0, 2, 2}, S(1.0F));
  const Variable<S> peaked(peak, true);
  CHECK(grad(std::vector{ops::max_pool2d(peaked, windows)}, std::vector{peaked}, {},
             std::vector{seed})[0]
            .value()
            .at({0, 0, 2, 2}) == S(total));
}

TEST_CASE_TEMPLATE("losses of 16-bit numbers are float's, rounded once", S, Half, BFloat16) {
  // The squares are beyond Half, and so is their number; their mean is not.
  std::vector<S> values(1000, S(0.0F));
  values[0] = S(400.0F);
  const auto spike = variable(values, true);
  const auto zeros = full<S>({1000}, 0.0);
  CHECK(losses::mse_loss(spike, zeros).item() == S(160.0F));
  CHECK(slope(losses::mse_loss(spike, zeros), spike) == static_cast<double>(S(0.8F)));
  CHECK(slope(losses::mse_loss(zeros, spike), zeros) == static_cast<double>(S(-0.8F)));
  CHECK(ops::var(spike, {}, false, 0).item() == S(159.84F));

  const auto far = full<S>({256, 256}, 3.0);
  const auto loss = losses::mse_loss(far, full<S>({256, 256}, 1.0));
  CHECK(loss.item() == 4.0F);
  CHECK(slope(loss, far) == 4 * 0x1p-16);

  const auto features = full<S>({1, 2, 256, 256}, 2.0);
  CHECK(first(losses::gram_matrix(features)) == 2.0);
  CHECK(slope(ops::sum(losses::gram_matrix(features)), features) == 8 * 0x1p-17);
  const auto logits = full<S>({1, 70000}, 1.0);
  CHECK(first(ops::softmax(logits)) == static_cast<double>(S(1.0F / 70000)));
  CHECK(first(ops::log_softmax(logits)) == static_cast<double>(S(std::log(1.0F / 70000))));
  const auto entropy = losses::cross_entropy(logits, Tensor<std::int64_t>::zeros({1}));
  CHECK(entropy.item() == S(std::log(70000.0F)));
  CHECK(static_cast<double>(grad({entropy}, {logits})[0].value().at({0, 1})) ==
        static_cast<double>(S(1.0F / 70000)));
  auto image = Tensor<S>::ones({1, 3, 200, 200});
  image.set({0, 0, 0, 0}, S(3.0F));
  CHECK(losses::total_variation_loss(Variable<S>(image)).item() == S(2.0F / (3 * 199 * 200)));
}

TEST_CASE_TEMPLATE("first and second gradients of 16-bit numbers are float's, rounded", S, Half,
                   BFloat16) {
  const auto check = [](const auto& function, const Shape& shape) {
    const auto narrow = random<S>(shape, 1);
    const Variable<float> wide(narrow.value().template cast<float>(), true);
    const auto derivatives = [&](const auto& x) {
      const auto once =
          grad(std::vector{ops::sum(function(x))}, std::vector{x}, {.create_graph = true})[0];
      const auto twice = grad(std::vector{ops::sum(ops::square(once))}, std::vector{x})[0];
      return std::vector{once.value(), twice.value()};
    };
    const auto found = derivatives(narrow);
    const auto expected = derivatives(wide);
    for (std::size_t order = 0; order < 2; ++order) {
      const auto values = expected[order].to_vector();
      const auto rounded = found[order].to_vector();
      double largest = 0.0;
      for (const float value : values) {
        largest = std::max(largest, std::abs(static_cast<double>(value)));
      }
      const double step = std::same_as<S, Half> ? 0x1p-11 : 0x1p-8;
      double worst = 0.0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(float{rounded[i]}) -
                                         static_cast<double>(values[i])));
      }
      CAPTURE(order);
      CHECK(worst <= largest * step * (order == 0 ? 2 : 8));
    }
  };
  check([](const auto& x) { return ops::square(ops::mean(x, {1})); }, {3, 40});
  check([](const auto& x) { return ops::var(x, {1}, false, 0); }, {3, 40});
  check([](const auto& x) { return ops::square(ops::softmax(x)); }, {2, 5});
  check([](const auto& x) { return ops::square(ops::log_softmax(x)); }, {2, 5});
  check([](const auto& x) { return ops::square(losses::gram_matrix(x)); }, {1, 2, 3, 3});
  check(
      [](const auto& x) {
        return ops::square(ops::adaptive_avg_pool2d(x, {2, 2}));
      },
      {1, 2, 3, 5});
  check([](const auto& x) { return losses::mse_loss(x, ops::square(x)); }, {6});
  check([](const auto& x) { return ops::square(ops::gelu(x)); }, {40});
  check([](const auto& x) { return ops::square(ops::softplus(x, 0.3)); }, {40});
  const auto enlarged = [](const auto& x) {
    return ops::square(
        ops::interpolate(x, {.size = {13, 16}, .mode = ops::Interpolation::kBilinear}));
  };
  check(enlarged, {1, 2, 3, 5});
}

TEST_CASE_TEMPLATE("compositions of 16-bit numbers are rounded once", S, Half, BFloat16) {
  const auto check = [](const auto& function, const Shape& shape) {
    const auto narrow = random<S>(shape, 1);
    const Variable<float> wide(narrow.value().template cast<float>());
    CHECK(function(narrow).value().template cast<float>().to_vector() ==
          function(wide).value().template cast<S>().template cast<float>().to_vector());
  };
  check([](const auto& x) { return ops::gelu(x); }, {1000});
  check([](const auto& x) { return 1e5F / x; }, {1000});
  check(
      [](const auto& x) {
        return ops::interpolate(x, {.size = {31, 40}, .mode = ops::Interpolation::kBilinear});
      },
      {1, 1, 7, 9});
  const auto with_bias = [](const auto& x) {
    const auto bias = ops::reshape(ops::slice(ops::reshape(x, {-1}), 0, {.stop = 3}), {3});
    return ops::conv_transpose2d(x, ops::reshape(x, {4, 3, 2, 2}), bias, {.stride = 2});
  };
  check(with_bias, {1, 4, 3, 4});
}

TEST_CASE_TEMPLATE("products of vectors of 16-bit numbers do not overflow on the way", S, Half,
                   BFloat16) {
  const auto a = full<S>({2}, 300.0);
  const auto b = variable<S>({S(300.0F), S(-300.0F)}, true);
  CHECK(ops::dot(a, b).item() == 0.0F);
  CHECK(slope(ops::dot(a, b), b) == 300.0);
  // Nor are they rounded before they are added up.
  const auto x = random<S>({1000}, 1);
  CHECK(ops::dot(x, x).item() == S(ops::dot(ops::cast<float>(x), ops::cast<float>(x)).item()));
}

TEST_CASE_TEMPLATE("sums of gradients of 16-bit numbers do not overflow on the way", S, Half,
                   BFloat16) {
  // A column of the enlarged pixel gets 512 times 200, and the next as much below zero.
  const auto pixel = full<S>({1, 1, 1, 1}, 1.0);
  std::vector<S> signs;
  for (int i = 0; i < 512; ++i) signs.push_back(S(i % 2 == 0 ? 200.0F : -200.0F));
  const auto seed = ops::broadcast_to(variable(signs), {1, 1, 512, 512});
  const auto large = ops::interpolate(pixel, {.size = {512, 512}});
  CHECK(first(grad(std::vector{large}, std::vector{pixel}, {}, std::vector{seed})[0]) == 0.0);

  const auto batch = full<S>({64, 1, 1}, 1000.0, false);
  const auto weight = full<S>({1, 1}, 1.0);
  const Variable<S> along(
      Tensor<S>::from(std::vector<S>(signs.begin(), signs.begin() + 64), {64, 1, 1}));
  for (const auto& y : {ops::matmul(batch, weight), ops::matmul(weight, batch)}) {
    CHECK(first(grad(std::vector{y}, std::vector{weight}, {}, std::vector{along})[0]) == 0.0);
  }
}

TEST_CASE("floats are summed in double and rounded once") {
  const auto tenths = full<float>({1000}, 0.1);
  CHECK(ops::mean(tenths).item() == 0.1F);
  CHECK(ops::sum(full<float>({100'000}, 0.1)).item() ==
        static_cast<float>(100'000 * static_cast<double>(0.1F)));
  CHECK(ops::var(tenths, {}, false, 0).item() == 0.0F);
  CHECK(ops::mean(full<float>({64}, 3e38)).item() == 3e38F);
  CHECK(ops::sum(ops::cat(std::vector{full<float>({32}, 3e38), full<float>({32}, -3e38)}, 0))
            .item() == 0.0F);
  CHECK(ops::sum(full<float>({3, 1000}, 0.1), {1}).value().to_vector() ==
        std::vector<float>(3, 100.0F));
  CHECK(ops::sum(full<float>({1000, 3}, 0.1), {0}).value().to_vector() ==
        std::vector<float>(3, 100.0F));
}

TEST_CASE_TEMPLATE("dividing divides, and does not multiply by a rounded reciprocal", T, float,
                   double) {
  for (int n = 1; n <= 200; ++n) {
    CAPTURE(n);
    const T divisor = static_cast<T>(n);
    const auto x = full<T>({1}, n);
    CHECK((x / divisor).item() == T(1));
    CHECK(slope(x / divisor * divisor, x) == 1.0);
    const auto ones = full<T>({n}, 1.0);
    CHECK(ops::mean(ones).item() == T(1));
    CHECK(ops::var(ones, {}, false, 0).item() == T(0));
    CHECK(slope(ops::mean(ones), ones) == static_cast<double>(T(1) / divisor));
    CHECK(losses::mse_loss(ones, full<T>({n}, 0.0)).item() == T(1));
    const auto image = full<T>({1, 1, 1, n}, 1.0);
    CHECK(ops::avg_pool2d(image, {.kernel = {1, n}}).item() == T(1));
    CHECK(slope(ops::avg_pool2d(image, {.kernel = {1, n}}), image) ==
          static_cast<double>(T(1) / divisor));
    CHECK(ops::adaptive_avg_pool2d(image, {1, 1}).item() == T(1));
    CHECK(losses::gram_matrix(image).item() == T(1));
    CHECK(first(ops::softmax(full<T>({n}, 3.0))) == static_cast<double>(T(1) / divisor));
    CHECK(first(ops::max(full<T>({n}, 3.0))) == 3.0);
    CHECK(slope(ops::max(ones), ones) == static_cast<double>(T(1) / divisor));
  }
  for (const T tiny : {std::numeric_limits<T>::denorm_min() * 100, std::numeric_limits<T>::min()}) {
    CHECK((variable<T>({tiny}) / tiny).item() == T(1));
  }
  const T most = std::numeric_limits<T>::max();
  CHECK((variable<T>({most}) / most).item() == T(1));
}

TEST_CASE("what averages over seven elements is exact for multiples of seven") {
  const Variable<double> x(Tensor<double>::full({1, 2, 7, 7}, 7.0), true);
  for (const double value : ops::adaptive_avg_pool2d(x, {5, 3}).value().to_vector()) {
    CHECK(value == 7.0);
  }
  CHECK(ops::mean(x, {2, 3}).value().to_vector() == std::vector<double>{7, 7});
}

TEST_CASE(
    "the means of windows of equal floats are what all of them are, and so is their gradient") {
  const auto all = [](const Variable<float>& means, float value) {
    return means.value().to_vector() ==
           std::vector<float>(static_cast<std::size_t>(means.numel()), value);
  };
  for (const float value : {1.0F, 0.1F, 0.3F, 0.7F}) {
    CAPTURE(value);
    const Variable<float> x(Tensor<float>::full({1, 1, 9, 7}, value), true);
    for (const std::int64_t rows : {2, 4, 5, 7}) {
      CHECK(all(ops::adaptive_avg_pool2d(x, {rows, 3}), value));
    }
    for (const bool ceil_mode : {false, true}) {
      CHECK(all(ops::avg_pool2d(x, {.kernel = 3,
                                    .stride = 2,
                                    .padding = 1,
                                    .ceil_mode = ceil_mode,
                                    .count_include_pad = false}),
                value));
    }
    // Rows 0 to 4 and 4 to 8 by columns 0 to 3 and 3 to 6: 20 elements each.
    const auto slopes = grad({ops::sum(ops::adaptive_avg_pool2d(x, 2) * value)}, {x})[0];
    const auto once = static_cast<double>(value) / 20.0;
    CHECK(slopes.value().to_vector()[0] == static_cast<float>(once));
    CHECK(slopes.value().to_vector()[4 * 7 + 3] == static_cast<float>(once * 4));
  }
}

TEST_CASE("signs of zero survive") {
  const auto x = variable<double>({0.0, -0.0});
  const auto signs = [](const Variable<double>& y) {
    std::vector<bool> negative;
    for (const double value : y.value().to_vector()) negative.push_back(std::signbit(value));
    return negative;
  };
  CHECK(signs(-x) == std::vector<bool>{true, false});
  CHECK(signs(x * 2.0) == std::vector<bool>{false, true});
  CHECK(signs(x / -2.0) == std::vector<bool>{true, false});
}

TEST_CASE("a quotient's gradient is infinite only where its slope is") {
  const auto a = variable<double>({0.0}, true);
  const auto b = variable<double>({1e-310}, true);
  CHECK(slope(ops::sum(a / b), b) == 0.0);
  const auto c = variable<double>({1e-200}, true);
  CHECK(slope(ops::sum(variable<double>({1e-250}) / c), c) == doctest::Approx(-1e150));
}

// Integers are for the processor: the library's own kernels for GPUs leave them out.
#ifndef SFUMATO_TEST_CUDA

TEST_CASE("integers beyond their range come back at the other end") {
  const auto x = variable<std::int64_t>({kMost, kLeast, 3});
  using Whole = std::vector<std::int64_t>;
  const auto of = [](const auto& result) { return result.value().to_vector(); };
  CHECK(of(x + x) == Whole{-2, 0, 6});
  CHECK(of(x + 1) == Whole{kLeast, kLeast + 1, 4});
  CHECK(of(x - kLeast) == Whole{-1, 0, kLeast + 3});
  CHECK(of(1 - x) == Whole{kLeast + 2, kLeast + 1, -2});
  CHECK(of(x * x) == Whole{1, 0, 9});
  CHECK(of(x * 3) == Whole{kMost - 2, kLeast, 9});
  CHECK(of(-x) == Whole{-kMost, kLeast, -3});
  CHECK(of(ops::abs(x)) == Whole{kMost, kLeast, 3});
  CHECK(of(ops::square(x)) == Whole{1, 0, 9});
  CHECK(of(ops::sum(x)) == Whole{2});
  CHECK(of(ops::sum(x + x + x)) == Whole{6});
  Tensor<std::int32_t> t{std::numeric_limits<std::int32_t>::max(), 1 << 16, -5};
  CHECK((t * t).to_vector() == std::vector<std::int32_t>{1, 0, 25});
  t(0) += 2;
  t(1) *= 1 << 16;
  t(2) -= std::numeric_limits<std::int32_t>::max();
  CHECK(t.to_vector() == std::vector<std::int32_t>{-0x7FFFFFFF, 0, 0x7FFFFFFC});
}

TEST_CASE_TEMPLATE("integers are divided as C++ divides them, or not at all", T, std::int32_t,
                   std::int64_t) {
  using List = std::vector<T>;
  constexpr T kSmallest = std::numeric_limits<T>::min();
  const auto x = variable<T>({7, -7, 8, 0});
  CHECK((x / T{2}).value().to_vector() == List{3, -3, 4, 0});
  CHECK((x / T{-2}).value().to_vector() == List{-3, 3, -4, 0});
  CHECK((x / variable<T>({2, 2, -3, 5})).value().to_vector() == List{3, -3, -2, 0});
  CHECK((T{100} / variable<T>({7, -7})).value().to_vector() == List{14, -14});
  CHECK((variable<T>({kSmallest}) / T{1}).item() == kSmallest);
  CHECK(ops::mean(variable<T>({7, 7, 7})).item() == 7);
  CHECK(ops::mean(variable<T>({1, 2})).item() == 1);
  CHECK(ops::mean(variable<T>({2000000000, 2000000000})).item() == 2000000000);
  CHECK_THROWS_AS(x / T{0}, ValueError);
  CHECK_THROWS_AS(x / variable<T>({1, 2, 0, 4}), ValueError);
  CHECK_THROWS_AS(variable<T>({kSmallest}) / T{-1}, ValueError);
  CHECK_THROWS_AS(variable<T>({kSmallest}) / variable<T>({-1}), ValueError);
  CHECK(complaint([&] { ops::div(x, variable<T>({0})); }) ==
        "div: an integer of (4,) is divided by 0 in (1,), or the least of all by -1");
}

TEST_CASE("integers have no gradients, and no functions whose values are fractions") {
  CHECK(complaint([] {
          variable<std::int64_t>({1, 2}, true);
        }) == "requires_grad: integers have no gradient; cast the tensor to float");
  CHECK_FALSE(variable<std::int64_t>({1, 2}, false).requires_grad());
  const auto refuses = [](const auto& x) {
    using X = std::remove_cvref_t<decltype(x)>;
    return !requires(const X& y) {
      ops::exp(y);
    }
    &&!requires(const X& y) {
      ops::sqrt(y);
    }
    &&!requires(const X& y) {
      ops::softmax(y);
    }
    &&!requires(const X& y) {
      ops::var(y, {}, false, 0);
    }
    &&!requires(const X& y) {
      losses::mse_loss(y, y);
    }
    &&!requires(const X& y) {
      y * 0.5;
    }
    &&!requires(const X& y) {
      2.5 / y;
    }
    &&!requires(const X& y) {
      y + 0.5F;
    }
    &&!requires(const X& y) {
      y < 0.5;
    }
    &&!requires(const X& y) {
      y >= 0.5F;
    }
    &&!requires(const X& y) {
      y == 0.5;
    }
    &&!requires(const X& y) {
      0.5 != y;
    };
  };
  CHECK(refuses(variable<std::int32_t>({1, 2})));
  CHECK(refuses(variable<std::int64_t>({1, 2})));
  const Variable<std::uint8_t> pixels(Tensor<std::uint8_t>::from({0, 255}, {1, 1, 1, 2}));
  CHECK(refuses(pixels));
  CHECK_FALSE(refuses(variable<float>({1, 2})));
  CHECK(ops::interpolate(pixels, {.size = {1, 4}, .mode = ops::Interpolation::kBilinear})
            .value()
            .to_vector() == std::vector<std::uint8_t>{0, 64, 191, 255});
  // What is only moved is not rounded to a double on the way.
  const Variable<std::int64_t> large(Tensor<std::int64_t>::from({kMost, kLeast + 1}, {1, 1, 1, 2}));
  CHECK(ops::interpolate(large, {.size = {1, 4}}).value().to_vector() ==
        std::vector<std::int64_t>{kMost, kMost, kLeast + 1, kLeast + 1});
}

TEST_CASE("extremes, sums and powers of integers") {
  const auto x = variable<std::int64_t>({-7, -9, -8});
  CHECK(ops::max(x).item() == -7);
  CHECK(ops::min(variable<std::int64_t>({7, 9, 8})).item() == 7);
  CHECK(ops::max(variable<std::int64_t>({kLeast, kLeast})).item() == kLeast);
  CHECK(ops::min(variable<std::int64_t>({kMost, kMost})).item() == kMost);
  CHECK(ops::sum(x).item() == -24);
  CHECK(ops::sum(variable<std::int64_t>({kMost - 2, 1, 1})).item() == kMost);
  CHECK(ops::pow(variable<std::int64_t>({3}), std::int64_t{39}).item() == 4052555153018976267);
  CHECK(ops::pow(x, variable<std::int64_t>({2, 0, 1})).value().to_vector() ==
        std::vector<std::int64_t>{49, 1, -8});
  CHECK(complaint([&] { ops::pow(x, std::int64_t{-1}); }) ==
        "pow: -1 is no exponent for integers; cast them");
  CHECK_THROWS_AS(ops::pow(x, variable<std::int64_t>({1, 2, -3})), ValueError);
  CHECK((x * std::int64_t{2} - std::int64_t{1}).value().to_vector() ==
        std::vector<std::int64_t>{-15, -19, -17});
}

#endif

TEST_CASE("operations on nothing give nothing, and its gradient") {
  const Variable<float> rows(Tensor<float>::zeros({0, 4}), true);
  const Variable<float> columns(Tensor<float>::zeros({4, 0}), true);
  const auto check = [](const auto& function, const Variable<float>& x, const Shape& shape) {
    const auto y = function(x);
    CHECK(y.shape() == shape);
    CHECK(grad({ops::sum(y)}, {x})[0].shape() == x.shape());
  };
  for (const int axis : {0, 1, -1}) {
    check([axis](const auto& x) { return ops::softmax(x, axis); }, rows, {0, 4});
    check([axis](const auto& x) { return ops::log_softmax(x, axis); }, columns, {4, 0});
  }
  CHECK_THROWS_AS(ops::softmax(rows, 2), ShapeError);
  check([](const auto& x) { return ops::mean(x, {0}); }, columns, {0});
  check([](const auto& x) { return ops::sum(x, {1}); }, columns, {4});
  check([](const auto& x) { return ops::relu(x); }, rows, {0, 4});
  check([](const auto& x) { return ops::maximum(x, x); }, rows, {0, 4});
  check([&](const auto& x) { return ops::matmul(x, columns); }, rows, {0, 0});
  // A sum of no products is zero.
  check([&](const auto& x) { return ops::matmul(x, rows); }, columns, {4, 4});
  CHECK(ops::matmul(columns, rows).value().to_vector() == std::vector<float>(16, 0.0F));
  const auto labels = Tensor<std::int64_t>::zeros({0});
  CHECK_THROWS_AS(losses::cross_entropy(rows, labels), ShapeError);

  const Variable<float> images(Tensor<float>::zeros({0, 3, 6, 8}), true);
  check(
      [](const auto& x) {
        return ops::interpolate(x, {.size = {12, 5}});
      },
      images, {0, 3, 12, 5});
  check(
      [](const auto& x) {
        return ops::interpolate(x, {.size = {12, 5}, .mode = ops::Interpolation::kBilinear});
      },
      images, {0, 3, 12, 5});
  check([](const auto& x) { return ops::adaptive_avg_pool2d(x, {4, 3}); }, images, {0, 3, 4, 3});
  check([](const auto& x) { return ops::adaptive_avg_pool2d(x, {3, 4}); }, images, {0, 3, 3, 4});
  check([](const auto& x) { return ops::avg_pool2d(x); }, images, {0, 3, 3, 4});
  check([](const auto& x) { return nn::Flatten<float>()(x); }, images, {0, 144});
  const Variable<float> filters(Tensor<float>::ones({2, 3, 3, 3}), true);
  const Variable<float> bias(Tensor<float>::ones({2}), true);
  const auto y = ops::conv2d_relu(images, filters, bias, {.padding = 1});
  CHECK(y.shape() == Shape{0, 2, 6, 8});
  const auto gradients = grad({ops::sum(y)}, {images, filters, bias});
  CHECK(gradients[0].shape() == images.shape());
  CHECK(gradients[1].value().to_vector() == std::vector<float>(54, 0.0F));
  CHECK(gradients[2].value().to_vector() == std::vector<float>(2, 0.0F));
  CHECK(complaint([&] {
          ops::interpolate(Variable<float>(Tensor<float>::zeros({1, 1, 0, 2})), {.size = {2, 2}});
        }) ==
        "interpolate: input (1, 1, 0, 2) must have four dimensions (n, c, h, w), none of them "
        "empty");
}

TEST_CASE("sum_to is refused where nothing was broadcast") {
  const Variable<float> x(Tensor<float>::ones({2, 3}), true);
  for (const Shape& shape : {Shape{3, 2}, Shape{6}, Shape{1, 6}, Shape{1, 2, 3}, Shape{2}}) {
    CHECK_THROWS_AS(ops::sum_to(x, shape), ShapeError);
  }
  CHECK(complaint([&] {
          ops::sum_to(x, {3, 2});
        }) == "sum_to: (3, 2) does not broadcast to (2, 3), so there is no sum of that shape");
  CHECK(ops::sum_to(x, {3}).value().to_vector() == std::vector<float>{2, 2, 2});
  CHECK(ops::sum_to(x, {2, 1}).value().to_vector() == std::vector<float>{3, 3});
  CHECK(ops::sum_to(x, {}).item() == 6.0F);
  CHECK(ops::sum_to(Variable<float>(Tensor<float>::zeros({0, 3})), {1, 3}).value().to_vector() ==
        std::vector<float>{0, 0, 0});
}

}  // namespace sfumato::tested::ops_numbers
