// Elementary functions, activations, comparisons and rearrangements: values, derivatives of both
// orders, members.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "support/complaint.hpp"
#include "support/derivatives.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_functions {

namespace {

using Inputs = std::vector<Variable<double>>;
using List = std::vector<double>;
using Flags = std::vector<std::uint8_t>;

Variable<double> input(const Shape& shape, std::uint64_t seed, double low, double high) {
  Random random(seed);
  return Variable<double>(Tensor<double>::rand(shape, random, low, high), true);
}

Variable<double> vector(const List& values) {
  return Variable<double>(Tensor<double>::from(values, {static_cast<std::int64_t>(values.size())}),
                          true);
}

template <class Function>
void check(const Function& function, const Variable<double>& x) {
  check_derivatives([&](const Inputs& in) { return function(in[0]); }, {x});
}

template <class Function>
void check_values(const Function& function, double (*expected)(double), double low, double high) {
  const auto x = input({50}, 1, low, high);
  const auto found = function(x).value().to_vector();
  const auto at = x.value().to_vector();
  for (std::size_t i = 0; i < at.size(); ++i) {
    CHECK(found[i] == doctest::Approx(expected(at[i])).epsilon(1e-14));
  }
}

double grad_at(const std::function<Variable<double>(const Variable<double>&)>& function, double x) {
  const auto at = vector({x});
  return grad({ops::sum(function(at))}, {at})[0].value().to_vector()[0];
}

}  // namespace

TEST_CASE("elementary functions have the library's values and both derivatives") {
  const auto x = input({3, 4}, 2, -2.0, 2.0);
  const auto positive = input({3, 4}, 3, 0.2, 3.0);
  check_values([](const auto& v) { return ops::sin(v); }, std::sin, -9.0, 9.0);
  check_values([](const auto& v) { return ops::cos(v); }, std::cos, -9.0, 9.0);
  check_values([](const auto& v) { return ops::tan(v); }, std::tan, -1.5, 1.5);
  check_values([](const auto& v) { return ops::erf(v); }, std::erf, -3.0, 3.0);
  check_values([](const auto& v) { return ops::expm1(v); }, std::expm1, -3.0, 3.0);
  check_values([](const auto& v) { return ops::log1p(v); }, std::log1p, -0.9, 3.0);
  check_values([](const auto& v) { return ops::rsqrt(v); },
               [](double v) { return 1.0 / std::sqrt(v); }, 0.1, 3.0);
  check([](const auto& v) { return ops::sin(v); }, x);
  check([](const auto& v) { return ops::cos(v); }, x);
  check([](const auto& v) { return ops::tan(v); }, input({5}, 4, -1.0, 1.0));
  check([](const auto& v) { return ops::erf(v); }, x);
  check([](const auto& v) { return ops::expm1(v); }, x);
  check([](const auto& v) { return ops::log1p(v); }, positive);
  check([](const auto& v) { return ops::rsqrt(v); }, positive);
  CHECK(ops::expm1(vector({1e-12})).item() == std::expm1(1e-12));
  CHECK(ops::log1p(vector({1e-12})).item() == std::log1p(1e-12));
}

TEST_CASE("rounding goes to whole numbers, halves to even ones, and has no slope") {
  const auto x = vector({-1.5, -0.5, 0.5, 1.5, 2.5, 2.6});
  CHECK(ops::floor(x).value().to_vector() == List{-2.0, -1.0, 0.0, 1.0, 2.0, 2.0});
  CHECK(ops::round(x).value().to_vector() == List{-2.0, 0.0, 0.0, 2.0, 2.0, 3.0});
  CHECK(grad({ops::sum(ops::round(x) + ops::floor(x))}, {x})[0].value().to_vector() ==
        List(6, 0.0));
}

TEST_CASE("softplus, silu and elu have both derivatives, also at 0, and do not overflow") {
  const auto x = input({3, 4}, 5, -3.0, 3.0);
  for (const double factor : {1.0, 2.5}) {
    check([&](const auto& v) { return ops::softplus(v, factor); }, x);
    check([&](const auto& v) { return ops::elu(v, factor); }, x);
  }
  check([](const auto& v) { return ops::silu(v); }, x);
  check([](const auto& v) { return ops::softplus(v); }, vector({0.0}));
  // As PyTorch 2.15 has them.
  CHECK(ops::softplus(vector({0.5}), 2.0).item() == doctest::Approx(0.6566308439302295));
  CHECK(ops::silu(vector({-1.0})).item() == doctest::Approx(-0.2689414213699951));
  CHECK(ops::elu(vector({-1.0}), 2.0).item() == doctest::Approx(-1.2642411176571153));
  CHECK(grad_at([](const auto& v) { return ops::elu(v, 2.0); }, 0.0) == 2.0);
  CHECK(grad_at([](const auto& v) { return ops::softplus(v); }, 0.0) == 0.5);
  CHECK(ops::softplus(vector({1e4, -1e4})).value().to_vector() == List{1e4, 0.0});
  CHECK(grad_at([](const auto& v) { return ops::elu(v); }, 1e4) == 1.0);
  CHECK(complaint([] { ops::softplus(vector({1.0}), 0.0); }) ==
        "softplus: beta 0 must be positive");
}

TEST_CASE_TEMPLATE("what has 16 bits is computed in float", S, Half, BFloat16) {
  const sfumato::Variable<S, Device> x(
      Tensor<float>::from({-2.0F, -0.5F, 0.25F, 3.0F}, {4}).template cast<S>());
  const auto wide = ops::cast<float>(x);
  const auto same = [](const auto& narrow, const auto& exact) {
    const auto a = ops::cast<float>(narrow).value().to_vector();
    const auto b = ops::cast<float>(ops::cast<S>(exact)).value().to_vector();
    CHECK(a == b);
  };
  same(ops::sin(x), ops::sin(wide));
  same(ops::softplus(x, 2.0), ops::softplus(wide, 2.0));
  same(ops::silu(x), ops::silu(wide));
  same(ops::elu(x, 2.0), ops::elu(wide, 2.0));
  same(ops::rsqrt(ops::abs(x)), ops::rsqrt(ops::abs(wide)));
  // Numbers that 16 bits do not hold are not rounded to them, either.
  const sfumato::Variable<S, Device> many(Tensor<float>::arange(1, 250).template cast<S>(), true);
  const auto wide_many = ops::cast<float>(many);
  same(ops::leaky_relu(-many, 0.1), ops::leaky_relu(-wide_many, 0.1));
  const auto root = ops::pow(many, 0.3F);
  same(root, ops::pow(wide_many, 0.3F));
  same(grad({ops::sum(root)}, {many})[0], ops::pow(wide_many, -0.7F) * 0.3F);
  same(grad({ops::sum(ops::softplus(-many, 0.3))}, {many})[0], -ops::sigmoid(wide_many * -0.3F));
  same(sfumato::nn::Dropout<S, Device>(0.1, 3)(many),
       sfumato::nn::Dropout<float, Device>(0.1, 3)(wide_many));
}

TEST_CASE("comparisons are masks, and false beside NaN but for !=") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto a = vector({1.0, 2.0, 3.0, nan});
  const auto b = vector({2.0, 2.0, 2.0, 2.0});
  CHECK((a < b).to_vector() == Flags{1, 0, 0, 0});
  CHECK((a <= b).to_vector() == Flags{1, 1, 0, 0});
  CHECK((a > b).to_vector() == Flags{0, 0, 1, 0});
  CHECK((a >= b).to_vector() == Flags{0, 1, 1, 0});
  CHECK((a == b).to_vector() == Flags{0, 1, 0, 0});
  CHECK((a != b).to_vector() == Flags{1, 0, 1, 1});
  CHECK((a > 1.5).to_vector() == Flags{0, 1, 1, 0});
  CHECK((a <= 1.0).to_vector() == Flags{1, 0, 0, 0});
  CHECK((a < 3.0).to_vector() == Flags{1, 1, 0, 0});
  CHECK((a >= 3.0).to_vector() == Flags{0, 0, 1, 0});
  CHECK((a == 3.0).to_vector() == Flags{0, 0, 1, 0});
  CHECK((a != 3.0).to_vector() == Flags{1, 1, 0, 1});
  CHECK(ops::isnan(a).to_vector() == Flags{0, 0, 0, 1});
  CHECK(ops::isfinite(vector({1.0, nan, -HUGE_VAL, 0.0})).to_vector() == Flags{1, 0, 0, 1});
  CHECK((ops::reshape(b, {4, 1}) < vector({1.0, 3.0})).shape() == Shape{4, 2});
  CHECK(complaint([&] {
          (void)(a < vector({1.0, 2.0}));
        }).starts_with("less: shapes (4,) and (2,)"));

  const auto x = input({3, 4}, 6, -1.0, 1.0);
  const auto mask = x > 0.0;
  check([&](const auto& v) { return ops::square(ops::masked_fill(v, mask, 7.0)); }, x);
  CHECK(ops::masked_fill(a, ops::isnan(a), 0.0).value().to_vector() == List{1.0, 2.0, 3.0, 0.0});
}

TEST_CASE("squeeze, unsqueeze, flatten and select name axes as PyTorch does") {
  const auto x = input({2, 1, 3, 1}, 7, -1.0, 1.0);
  CHECK(ops::squeeze(x).shape() == Shape{2, 3});
  CHECK(ops::squeeze(x, -1).shape() == Shape{2, 1, 3});
  CHECK(ops::unsqueeze(ops::squeeze(x), 1).shape() == Shape{2, 1, 3});
  CHECK(ops::unsqueeze(ops::squeeze(x), -1).shape() == Shape{2, 3, 1});
  CHECK(ops::flatten(x).shape() == Shape{6});
  CHECK(ops::flatten(x, 1).shape() == Shape{2, 3});
  CHECK(ops::flatten(x, 0, 2).shape() == Shape{6, 1});
  CHECK(ops::flatten(input({0, 3}, 8, 0.0, 1.0), 0, 1).shape() == Shape{0});
  CHECK(ops::select(x, 2, -1).shape() == Shape{2, 1, 1});
  const auto values = x.value().to_vector();
  CHECK(ops::select(ops::squeeze(x), 0, 1).value().to_vector() ==
        List{values[3], values[4], values[5]});
  check([](const auto& v) { return ops::square(ops::select(v, 2, 1)); }, x);
  CHECK(complaint([&] { ops::squeeze(x, 2); }) ==
        "squeeze: axis 2 of (2, 1, 3, 1) has the extent 3, not 1");
  CHECK(complaint([&] { ops::unsqueeze(x, 5); }) ==
        "unsqueeze: axis 5 is out of range for (2, 1, 3, 1)");
  CHECK(complaint([&] { ops::flatten(x, 2, 1); }) ==
        "flatten: axis 2 stands behind axis 1 in (2, 1, 3, 1)");
  CHECK(complaint([&] { ops::select(x, 0, 2); }) ==
        "select: index 2 is out of range at axis 0 of (2, 1, 3, 1)");
}

TEST_CASE("split, chunk, flip and roll move whole pieces") {
  const auto x = Variable<double>(Tensor<double>::arange(7.0), true);
  const auto sizes = [](const auto& pieces) {
    List found;
    for (const auto& piece : pieces) found.push_back(static_cast<double>(piece.size(0)));
    return found;
  };
  CHECK(sizes(ops::split(x, 3)) == List{3.0, 3.0, 1.0});
  CHECK(sizes(ops::chunk(x, 3)) == List{3.0, 3.0, 1.0});
  CHECK(sizes(ops::chunk(x, 9)) == List(7, 1.0));
  CHECK(ops::split(x, 3)[1].value().to_vector() == List{3.0, 4.0, 5.0});
  CHECK(ops::roll(x, 2, 0).value().to_vector() == List{5.0, 6.0, 0.0, 1.0, 2.0, 3.0, 4.0});
  CHECK(ops::roll(x, -9, 0).value().to_vector() == List{2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 1.0});
  CHECK(ops::roll(x, 7, 0).value().to_vector() == x.value().to_vector());
  CHECK(ops::flip(x, 0).value().to_vector() == List{6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0});
  const auto y = input({3, 4}, 9, -1.0, 1.0);
  CHECK(complaint([&] { ops::flip(y, {1, -1}); }) == "flip: axis -1 is named twice for (3, 4)");
  check([](const auto& v) { return ops::flip(v, {0, 1}) * ops::roll(v, 1, 1) * v; }, y);
  check([](const auto& v) { return ops::chunk(v, 2, 1)[1] * ops::split(v, 2, 1)[0]; }, y);
  CHECK(complaint([&] { ops::split(x, 0); }) == "split: pieces of 0; they must have at least 1");
  CHECK(complaint([&] { ops::chunk(x, 0); }) == "chunk: 0 pieces; there must be at least 1");
}

TEST_CASE("members of Variable are the ops of the same names") {
  const auto x = input({2, 3}, 10, 0.5, 2.0);
  const auto y = input({2, 3}, 11, 0.5, 2.0);
  const auto same = [](const Variable<double>& a, const Variable<double>& b) {
    CHECK(a.shape() == b.shape());
    CHECK(a.value().to_vector() == b.value().to_vector());
  };
  same(x.sum(), ops::sum(x));
  same(x.sum(1, true), ops::sum(x, {1}, true));
  same(x.mean({0, 1}), ops::mean(x));
  same(x.mean(-1), ops::mean(x, {1}));
  same(x.max(0), ops::max(x, {0}));
  same(x.min(), ops::min(x));
  same((-x).abs().exp().log().sqrt().square(), ops::square(ops::sqrt(ops::log(ops::exp(x)))));
  same(x.pow(2.0).clamp(0.5, 2.0), ops::clamp(ops::pow(x, 2.0), 0.5, 2.0));
  same((x - 1.0).relu().sigmoid().tanh(), ops::tanh(ops::sigmoid(ops::relu(x - 1.0))));
  same(x.matmul(y.transpose()), ops::matmul(x, ops::transpose(y)));
  same(x.reshape({3, -1}).permute({1, 0}).flatten(),
       ops::flatten(ops::transpose(ops::reshape(x, {3, 2}))));
  same(x.unsqueeze(0).squeeze(0), x);
  same(x[1], ops::select(x, 0, 1));
  same(x[-1], x[1]);
  CHECK(x.size(0) == 2);
  CHECK(x.size(-1) == 3);
  CHECK(x.value().size(1) == 3);
  auto sum = x;
  sum += y;
  sum *= y;
  sum -= x;
  sum /= y;
  same(sum, ((x + y) * y - x) / y);
  CHECK(x.requires_grad());  // the handle that was x before still is
  CHECK(x.is_leaf());
  CHECK(grad({sum.sum()}, {x})[0].shape() == x.shape());
}

}  // namespace sfumato::tested::ops_functions
