// The values of ops against the standard library and NumPy's rules, edge cases and messages.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"
#include "support/real_gpu.hpp"

namespace sfumato::tested::ops_values {

namespace {

template <class T>
Variable<T> variable(std::initializer_list<T> values, const Shape& shape) {
  return Variable<T>(Tensor<T>::from(values, shape));
}

template <class T>
std::vector<T> values_of(const Variable<T>& x) {
  return x.value().to_vector();
}

const float kInfinity = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE_TEMPLATE("elementwise ops are the standard library's functions", T, float, double) {
  const auto x = variable<T>({T(-2), T(-0.5), T(0), T(0.5), T(3)}, {5});
  const auto check = [&](const Variable<T>& y, auto expected) {
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(static_cast<double>(values_of(y)[i]) ==
            doctest::Approx(expected(static_cast<double>(values_of(x)[i]))).epsilon(1e-6));
    }
  };
  check(ops::exp(x), [](double v) { return std::exp(v); });
  check(ops::abs(x), [](double v) { return std::abs(v); });
  check(ops::square(x), [](double v) { return v * v; });
  check(ops::sign(x), [](double v) { return v > 0 ? 1.0 : (v < 0 ? -1.0 : 0.0); });
  check(ops::tanh(x), [](double v) { return std::tanh(v); });
  check(ops::sigmoid(x), [](double v) { return 1.0 / (1.0 + std::exp(-v)); });
  check(ops::relu(x), [](double v) { return v > 0 ? v : 0.0; });
  check(ops::leaky_relu(x), [](double v) { return v > 0 ? v : 0.01 * v; });
  check(ops::gelu(x), [](double v) { return 0.5 * v * (1.0 + std::erf(v / std::sqrt(2.0))); });
  check(ops::clamp(x, T(-1), T(1)), [](double v) { return std::min(1.0, std::max(-1.0, v)); });
  check(ops::log(ops::abs(x) + T(1)), [](double v) { return std::log(std::abs(v) + 1.0); });
  check(ops::sqrt(ops::abs(x)), [](double v) { return std::sqrt(std::abs(v)); });
  check(ops::pow(x, T(3)), [](double v) { return v * v * v; });
  check(T(1) - x / T(2), [](double v) { return 1.0 - v / 2.0; });
  check(-x, [](double v) { return -v; });
  check(T(2) / (x + T(5)), [](double v) { return 2.0 / (v + 5.0); });
}

TEST_CASE_TEMPLATE("ops of two operands broadcast both", T, float, double) {
  const auto a = variable<T>({1, -2, 4}, {3});
  const auto b = variable<T>({2, -2}, {2, 1});
  using List = std::vector<T>;
  CHECK(values_of(a + b) == List{3, 0, 6, -1, -4, 2});
  CHECK(values_of(a - b) == List{-1, -4, 2, 3, 0, 6});
  CHECK(values_of(a * b) == List{2, -4, 8, -2, 4, -8});
  CHECK(values_of(a / b) == List{T(0.5), -1, 2, T(-0.5), 1, -2});
  CHECK(values_of(ops::maximum(a, b)) == List{2, 2, 4, 1, -2, 4});
  CHECK(values_of(ops::minimum(a, b)) == List{1, -2, 2, -2, -2, -2});
  const List powers{1, 4, 16, 1, T(0.25), T(0.0625)};
  if constexpr (kRealGpu) {  // CUDA's pow is rounded once more
    for (std::size_t i = 0; i < powers.size(); ++i) {
      CHECK(values_of(ops::pow(a, b))[i] == doctest::Approx(powers[i]).epsilon(1e-7));
    }
  } else {
    CHECK(values_of(ops::pow(a, b)) == powers);
  }
  CHECK(values_of(ops::where(Tensor<std::uint8_t>::from({1, 0, 255}, {3}), a, b)) ==
        List{1, 2, 4, 1, -2, 4});
  CHECK((a * variable<T>({}, {0, 1})).shape() == Shape{0, 3});
}

TEST_CASE_TEMPLATE("elementwise ops outside their domain give what the standard library gives", T,
                   float, double) {
  const T infinity = std::numeric_limits<T>::infinity();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const auto x = variable<T>({0, -1, infinity, nan}, {4});
  const auto check = [&](const Variable<T>& y, const std::vector<T>& expected) {
    for (std::size_t i = 0; i < 4; ++i) {
      const T value = values_of(y)[i];
      CAPTURE(i);
      CHECK((std::isnan(expected[i]) ? std::isnan(value) : value == expected[i]));
    }
  };
  check(ops::log(x), {-infinity, nan, infinity, nan});
  check(ops::sqrt(x), {0, nan, infinity, nan});
  check(ops::exp(-x), {1, std::exp(T(1)), 0, nan});
  check(ops::tanh(x), {0, std::tanh(T(-1)), 1, nan});
  check(ops::sigmoid(x), {T(0.5), 1 / (1 + std::exp(T(1))), 1, nan});
  check(T(1) / x, {infinity, -1, 0, nan});
  check(ops::abs(x), {0, 1, infinity, nan});
  check(ops::clamp(x, T(-0.5), T(2)), {0, T(-0.5), 2, nan});
  check(ops::relu(-x), {0, 1, 0, nan});
  check(ops::maximum(x, variable<T>({0.5}, {})), {T(0.5), T(0.5), infinity, nan});
  check(ops::minimum(variable<T>({0.5}, {}), x), {0, -1, T(0.5), nan});
  check(ops::pow(x, T(0)), {1, 1, 1, 1});
  check(ops::pow(x, T(3)), {0, -1, infinity, nan});
  check(ops::pow(x, T(-1)), {infinity, -1, 0, nan});
  check(ops::pow(x, T(0.5)), {0, nan, infinity, nan});
}

TEST_CASE("elementwise ops at the edges") {
  CHECK(values_of(ops::sigmoid(variable({-1000.0F, 1000.0F}, {2}))) == std::vector<float>{0, 1});
  CHECK(std::isnan(values_of(ops::relu(variable({kNan}, {1})))[0]));
  CHECK(std::isnan(
      values_of(ops::maximum(variable({kNan, 1.0F}, {2}), variable({1.0F, kNan}, {2})))[1]));
  CHECK(values_of(ops::pow(variable({0.0F, 0.0F}, {2}), variable({0.0F, 2.0F}, {2}))) ==
        std::vector<float>{1, 0});
  // 0^y is flat in y, although its formula has a logarithm of 0.
  const auto base = variable({0.0, 2.0}, {2});
  const Variable<double> exponent(Tensor<double>::from({2.0, 3.0}, {2}), true);
  backward(ops::sum(ops::pow(base, exponent)));
  CHECK(exponent.grad().value().at({0}) == 0.0);
  CHECK(exponent.grad().value().at({1}) == doctest::Approx(8.0 * std::log(2.0)));
  // Ties share the gradient.
  const Variable<double> a(Tensor<double>::from({1.0, 2.0}, {2}), true);
  backward(ops::sum(ops::maximum(a, variable({1.0, 1.0}, {2}))));
  CHECK(values_of(a.grad()) == std::vector<double>{0.5, 1.0});
  CHECK(values_of(ops::where(Tensor<std::uint8_t>::from({1, 0}, {2}), variable({1.0F}, {1}),
                             variable({2.0F, 3.0F}, {2}))) == std::vector<float>{1, 3});
  CHECK(complaint([&] { ops::clamp(a, 2.0, 1.0); }) == "clamp: low 2 is above high 1");
  CHECK(complaint([&] {
          a + variable({1.0, 2.0, 3.0}, {3});
        }) ==
        "add: shapes (2,) and (3,) do not broadcast together: extents must agree or be 1, aligned "
        "at the last dimension");
}

TEST_CASE_TEMPLATE("reductions over every set of axes equal plain loops", T, float, double) {
  Random random(1);
  const Shape shape{3, 4, 5, 7};
  const Variable<T> x(Tensor<T>::randn(shape, random));
  for (int mask = 1; mask < 16; ++mask) {
    ops::Axes axes;
    Shape kept;
    for (int axis = 0; axis < 4; ++axis) {
      if ((mask >> axis & 1) != 0) {
        axes.push_back(axis);
      } else {
        kept.push_back(shape[axis]);
      }
    }
    std::vector<double> sums(static_cast<std::size_t>(kept.numel()));
    std::vector<double> largest(sums.size(), -1e9);
    for (std::int64_t i = 0; i < shape.numel(); ++i) {
      std::int64_t rest = i;
      std::int64_t place = 0;
      const Strides strides = row_major_strides(shape);
      for (int axis = 0; axis < 4; ++axis) {
        const std::int64_t index = rest / strides[static_cast<std::size_t>(axis)];
        rest %= strides[static_cast<std::size_t>(axis)];
        if ((mask >> axis & 1) == 0) place = place * shape[axis] + index;
      }
      const double value = static_cast<double>(values_of(x)[static_cast<std::size_t>(i)]);
      sums[static_cast<std::size_t>(place)] += value;
      largest[static_cast<std::size_t>(place)] =
          std::max(largest[static_cast<std::size_t>(place)], value);
    }
    const auto sum = ops::sum(x, axes);
    const auto max = ops::max(x, axes);
    const auto min = ops::min(-x, axes);
    REQUIRE(sum.shape() == kept);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      CHECK(static_cast<double>(values_of(sum)[i]) == doctest::Approx(sums[i]).epsilon(1e-5));
      CHECK(static_cast<double>(values_of(max)[i]) == largest[i]);
      CHECK(static_cast<double>(values_of(min)[i]) == -largest[i]);
    }
  }
  CHECK(ops::sum(x, {1, -1}, true).shape() == Shape{3, 1, 5, 1});
}

TEST_CASE("reductions are exact enough, show NaN, and refuse nonsense") {
  const Variable<float> tenths(Tensor<float>::full({10'000'000}, 0.1F));
  CHECK(ops::sum(tenths).item() == doctest::Approx(1e6).epsilon(1e-6));
  CHECK(std::isnan(ops::max(variable({1.0F, kNan, kInfinity}, {3})).item()));
  CHECK(std::isnan(ops::min(variable({1.0F, kNan, -kInfinity}, {3})).item()));
  CHECK(ops::sum(Variable<float>(Tensor<float>::empty({0, 3}))).item() == 0.0F);
  const auto x = variable({1.0, 2.0, 4.0, 9.0}, {4});
  CHECK(ops::var(x, {}, false, 0).item() == doctest::Approx(9.5));
  CHECK(ops::var(x, {}, false, 1).item() == doctest::Approx(38.0 / 3.0));
  CHECK(complaint([&] { ops::var(variable({1.0}, {1}), {}, false, 1); }) ==
        "var: 1 values over the axes of (1,) leave none after a correction of 1");
  CHECK(complaint([&] { ops::sum(x, {0, 0}); }) == "sum: axis 0 is named twice for (4,)");
  CHECK(complaint([&] { ops::sum(x, {1}); }) ==
        "shape: axis 1 is out of range for (4,), which has 1 dimensions");
  CHECK(complaint([&] { ops::max(Variable<float>(Tensor<float>::empty({0}))); }) ==
        "max: nothing to reduce in (0,)");
}

TEST_CASE("an op that changes nothing still has a place of its own") {
  const Variable<double> x(Tensor<double>::from({1, 2, 3, 4}, {2, 2}), true);
  for (const auto& y : {ops::reshape(x, {2, 2}), ops::broadcast_to(x, {2, 2}), ops::pad(x, 0, 0, 0),
                        ops::pad(x, 1, 0, 0, ops::PaddingMode::kReflect),
                        ops::pad(x, {0, 0}, ops::PaddingMode::kReplicate)}) {
    CHECK(y.value().to_vector() == std::vector<double>{1, 2, 3, 4});
    const auto product = ops::sum(x * y);
    const auto gradients = grad({product}, {y, x});
    CHECK(gradients[0].value().to_vector() == std::vector<double>{1, 2, 3, 4});
    CHECK(gradients[1].value().to_vector() == std::vector<double>{2, 4, 6, 8});
  }
  CHECK_FALSE(ops::pad(x, 0, 0, 0).value().shares_storage_with(x.value()));
  const Variable<double> column(Tensor<double>::from({1, 2}, {2, 1}), true);
  for (const auto& y : {ops::cumsum(column, 1), ops::prod(column, {1}, true)}) {
    const auto gradients = grad({ops::sum(column * y)}, {y, column});
    CHECK(gradients[0].value().to_vector() == std::vector<double>{1, 2});
    CHECK(gradients[1].value().to_vector() == std::vector<double>{2, 4});
    CHECK_FALSE(y.value().shares_storage_with(column.value()));
  }
}

TEST_CASE("softmax survives large logits") {
  const auto x = variable({1000.0, 1001.0, -1000.0, 0.0}, {2, 2});
  const auto y = values_of(ops::softmax(x));
  CHECK(y[0] == doctest::Approx(1.0 / (1.0 + std::exp(1.0))));
  CHECK(y[0] + y[1] == doctest::Approx(1.0));
  CHECK(y[2] == 0.0);
  const auto z = values_of(ops::log_softmax(x));
  CHECK(z[0] == doctest::Approx(-std::log(1.0 + std::exp(1.0))));
  CHECK(z[2] == doctest::Approx(-1000.0));
}

TEST_CASE("softmax works along any axis and gives nothing to minus infinity") {
  const auto x = variable({0.0, 5.0, std::log(3.0), 5.0, -HUGE_VAL, 5.0}, {3, 2});
  const std::vector<double> expected{0.25, 1.0 / 3, 0.75, 1.0 / 3, 0.0, 1.0 / 3};
  const auto actual = values_of(ops::softmax(x, 0));
  for (std::size_t i = 0; i < 6; ++i) CHECK(actual[i] == doctest::Approx(expected[i]));
  CHECK(values_of(ops::log_softmax(x, -2))[4] == -HUGE_VAL);
  CHECK(ops::softmax(variable<double>({}, {0, 3})).shape() == Shape{0, 3});
}

TEST_CASE("slice equals Python's for every start, stop and step") {
  using Position = std::optional<std::int64_t>;
  for (const std::int64_t extent : {0, 1, 5}) {
    const auto x = Variable<float>(Tensor<float>::arange(static_cast<float>(extent)));
    for (std::int64_t step : {-7, -3, -2, -1, 1, 2, 3, 7}) {
      for (std::int64_t first = -8; first <= 8; ++first) {
        for (std::int64_t last = -8; last <= 8; ++last) {
          // 8 stands for a position that is left out.
          const Position start = first == 8 ? Position() : first;
          const Position stop = last == 8 ? Position() : last;
          // As the language reference says it: i = start + n · step on this side of stop, with
          // positions past an end moved to it.
          const auto from_front = [&](std::int64_t i) { return i < 0 ? i + extent : i; };
          std::int64_t i = start ? from_front(*start) : (step > 0 ? 0 : extent - 1);
          if (step > 0) i = std::max<std::int64_t>(i, 0);
          if (step < 0) i = std::min(i, extent - 1);
          const std::int64_t end =
              stop ? from_front(*stop) : (step > 0 ? extent : std::int64_t{-1});
          std::vector<float> expected;
          for (; step > 0 ? i < std::min(end, extent) : i > std::max<std::int64_t>(end, -1);
               i += step) {
            expected.push_back(static_cast<float>(i));
          }
          const bool same =
              values_of(ops::slice(x, 0, {.start = start, .stop = stop, .step = step})) == expected;
          CHECK_MESSAGE(same, extent, ": ", first, ":", last, ":", step);
        }
      }
    }
  }
}

TEST_CASE("slice takes the most extreme positions and steps") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  const auto x = Variable<float>(Tensor<float>::arange(12).reshape({3, 4}));
  using List = std::vector<float>;
  const auto rows = [&](const ops::Range& range) { return values_of(ops::slice(x, 0, range)); };
  CHECK(rows({.start = kLeast, .stop = kMost, .step = kMost}) == List{0, 1, 2, 3});
  CHECK(rows({.start = kMost, .stop = kLeast, .step = kLeast}) == List{8, 9, 10, 11});
  CHECK(rows({.start = kLeast, .stop = kLeast + 1}).empty());
  CHECK(rows({.start = kMost, .step = 2}).empty());
}

TEST_CASE("diff subtracts neighbours along an axis") {
  using List = std::vector<float>;
  const auto x = Variable<float>(Tensor<float>::from({1, 4, 9, 2, 7, 7}, {2, 3}));
  CHECK(values_of(ops::diff(x, 0)) == List{1, 3, -2});
  CHECK(values_of(ops::diff(x, -1)) == List{3, 5, 5, 0});
  CHECK(ops::diff(ops::diff(x, 0), 0).shape() == Shape{0, 3});
}

TEST_CASE("slice is Python's") {
  const auto x = Variable<float>(Tensor<float>::arange(5));
  const auto part = [&](const ops::Range& range) { return values_of(ops::slice(x, 0, range)); };
  using List = std::vector<float>;
  CHECK(part({}) == List{0, 1, 2, 3, 4});
  CHECK(part({.start = 1, .stop = 4}) == List{1, 2, 3});
  CHECK(part({.start = -2}) == List{3, 4});
  CHECK(part({.stop = -2}) == List{0, 1, 2});
  CHECK(part({.start = -100, .stop = 100, .step = 3}) == List{0, 3});
  CHECK(part({.step = -1}) == List{4, 3, 2, 1, 0});
  CHECK(part({.step = -2}) == List{4, 2, 0});
  CHECK(part({.start = 3, .stop = 0, .step = -1}) == List{3, 2, 1});
  CHECK(part({.start = 100, .stop = -100, .step = -3}) == List{4, 1});
  CHECK(part({.start = 3, .stop = 1}).empty());
  CHECK(part({.start = 5}).empty());
  CHECK(part({.start = 1, .stop = 3, .step = -1}).empty());
  CHECK(complaint([&] { part({.step = 0}); }) == "slice: the step is 0 along axis 0");
}

TEST_CASE("layout ops put elements where they belong") {
  const auto x = Variable<float>(Tensor<float>::arange(6).reshape({2, 3}));
  using List = std::vector<float>;
  CHECK(values_of(ops::transpose(x)) == List{0, 3, 1, 4, 2, 5});
  CHECK(values_of(ops::cat({x, x}, 1)) == List{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5});
  CHECK(values_of(ops::stack({x, x}, -1)) == List{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5});
  CHECK(ops::stack({x, x}).shape() == Shape{2, 2, 3});
  const auto cube = Variable<float>(Tensor<float>::arange(12).reshape({2, 3, 2}));
  CHECK(values_of(ops::permute(cube, {2, 0, 1})) == List{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11});
  CHECK(ops::permute(cube, {-1, 0, 1}).shape() == Shape{2, 2, 3});
  CHECK(values_of(ops::transpose(cube, 0, -2)) == List{0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11});
  CHECK(values_of(ops::cat({cube, ops::slice(cube, 0, {.stop = 0})}, 0)) == values_of(cube));
  CHECK(values_of(ops::cat({ops::slice(x, -1, {.stop = 1}), x}, -1)) ==
        List{0, 0, 1, 2, 3, 3, 4, 5});
  CHECK(values_of(ops::pad(ops::slice(x, 0, {.stop = 1}), {1, 1, 1, 1})) ==
        List{0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0});
  CHECK(values_of(ops::pad(x, 0, 1, 0)) == List{0, 0, 0, 0, 1, 2, 3, 4, 5});
  CHECK(values_of(ops::pad(x, 1, 2, 1, ops::PaddingMode::kReplicate)) ==
        List{0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 5, 5});
  CHECK(values_of(ops::pad(x, 1, 2, 1, ops::PaddingMode::kReflect)) ==
        List{2, 1, 0, 1, 2, 1, 5, 4, 3, 4, 5, 4});
  CHECK(values_of(ops::broadcast_to(ops::slice(x, 0, {.stop = 1}), {2, 3})) ==
        List{0, 1, 2, 0, 1, 2});
  CHECK(complaint([&] {
          ops::cat({x, ops::transpose(x)}, 0);
        }) == "cat: (3, 2) does not fit (2, 3) along axis 0; all other extents must agree");
  CHECK(complaint([&] { ops::cat(std::vector<Variable<float>>{}, 0); }) == "cat: no parts to join");
  CHECK(complaint([&] {
          ops::stack({x, ops::transpose(x)});
        }) == "stack: (3, 2) does not fit (2, 3)");
  CHECK(complaint([&] { ops::stack({x}, 3); }) ==
        "stack: axis 3 is out of range for parts of (2, 3)");
  CHECK(complaint([&] { ops::permute(x, {0, 0}); }) == "permute: axis 0 is named twice for (2, 3)");
  CHECK(complaint([&] { ops::permute(x, {0}); }) ==
        "permute: 1 axes for (2, 3), which has 2 dimensions; name every axis once");
  CHECK(complaint([&] {
          ops::broadcast_to(x, {2, 2});
        }) == "broadcast_to: (2, 3) does not broadcast to (2, 2)");
  CHECK(values_of(ops::pad(x, 0, -1, 1)) == List{3, 4, 5, 0, 0, 0});
  CHECK(ops::pad(x, 0, -1, -1).shape() == Shape{0, 3});
  CHECK(complaint([&] { ops::pad(x, 0, -2, -1); }) ==
        "pad: amounts -2 and -1 take more than axis 0 of (2, 3) has");
  CHECK(complaint([&] { ops::pad(x, 0, 2, 0, ops::PaddingMode::kReflect); }) ==
        "pad: can't reflect 2 elements at an edge of axis 0 of (2, 3), which has 2");
}

TEST_CASE("upsampling gives PyTorch's numbers") {
  const auto x = variable({0.0, 1.0, 2.0, 3.0}, {1, 1, 2, 2});
  using List = std::vector<double>;
  CHECK(values_of(ops::interpolate(x, {.size = {2, 5}})) == List{0, 0, 0, 1, 1, 2, 2, 2, 3, 3});
  const List expected{0,   0.25, 0.75, 1,   0.5, 0.75, 1.25, 1.5,
                      1.5, 1.75, 2.25, 2.5, 2,   2.25, 2.75, 3};
  const auto actual =
      values_of(ops::interpolate(x, {.size = {4, 4}, .mode = ops::Interpolation::kBilinear}));
  for (std::size_t i = 0; i < 16; ++i) CHECK(actual[i] == doctest::Approx(expected[i]));
  const auto odd = variable({0.0, 1.0, 4.0, 9.0, 16.0, 25.0}, {1, 1, 2, 3});
  CHECK(values_of(ops::interpolate(odd, {.size = {3, 5}})) ==
        List{0, 0, 1, 1, 4, 0, 0, 1, 1, 4, 9, 9, 16, 16, 25});
  const List bilinear{0, 0.4, 1, 2.8, 4, 4.5, 6.1, 8.5, 12.1, 14.5, 9, 11.8, 16, 21.4, 25};
  const auto enlarged =
      values_of(ops::interpolate(odd, {.size = {3, 5}, .mode = ops::Interpolation::kBilinear}));
  for (std::size_t i = 0; i < 15; ++i) CHECK(enlarged[i] == doctest::Approx(bilinear[i]));
  CHECK(complaint([&] {
          ops::interpolate(x, {.size = {0, 4}});
        }) == "interpolate: size 0 × 4 must be at least 1 × 1");
  CHECK(complaint([&] {
          ops::interpolate(variable({1.0}, {1}), {.size = {2, 2}});
        }) == "interpolate: input (1,) must have four dimensions (n, c, h, w), none of them empty");
}

}  // namespace sfumato::tested::ops_values
