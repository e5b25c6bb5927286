// Graphs that cross element types and devices: cast and to, the passes through them, and a layer
// whose halves are on two devices.

#include <doctest/doctest.h>

#include <concepts>
#include <type_traits>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_cast {

namespace {

using Inputs = std::vector<Variable<double>>;
template <class T>
using Host = sfumato::Variable<T, Cpu>;

/// Quarters, so that steps of 2⁻⁸ to both sides are exact in float.
Variable<double> quarters(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> values;
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    values.push_back(0.25 * (static_cast<double>(random.below(33)) - 16.0) + 0.125);
  }
  return Variable<double>(Tensor<double>::from(values, shape), true);
}

}  // namespace

TEST_CASE("a cast converts values, and its gradient back") {
  const auto x = Variable<float>(Tensor<float>::from({1.0F, 1.0F + 0x1p-9F, -3.0F}, {3}), true);
  const auto y = ops::cast<BFloat16>(x);
  static_assert(std::same_as<std::decay_t<decltype(y)>, Variable<BFloat16>>);
  CHECK(static_cast<float>(y.value().to_vector()[1]) == 1.0F);  // rounded: bfloat16 has 8 bits
  backward(ops::sum(ops::cast<double>(y * y)));
  static_assert(std::same_as<std::decay_t<decltype(x.grad())>, Variable<float>>);
  CHECK(x.grad().value().to_vector() == std::vector<float>{2.0F, 2.0F, -6.0F});
  // To the same type it is the same value at another place on the tape.
  const auto same = ops::cast<float>(x);
  CHECK(same.value().shares_storage_with(x.value()));
  CHECK(grad({ops::sum(same * x)}, {same})[0].value().to_vector() == x.value().to_vector());
  // Integers have no gradient, and nothing goes on the tape.
  CHECK_FALSE(ops::cast<std::int64_t>(x).requires_grad());
  CHECK_FALSE(ops::cast<float>(ops::cast<std::int64_t>(x)).requires_grad());
  CHECK(ops::cast<std::int64_t>(x).value().to_vector() == std::vector<std::int64_t>{1, 1, -3});
  CHECK(complaint([] {
          ops::cast<float>(Variable<double>());
        }).starts_with("cast: the Variable is undefined"));
}

TEST_CASE("derivatives of casts, of both orders") {
  const GradcheckOptions coarse{.step = 0x1p-8, .tolerance = 1e-4};
  const Inputs in{quarters({3, 2}, 1), quarters({3, 2}, 2)};
  const auto through_float = [](const Inputs& x) {
    const auto a = ops::cast<float>(x[0]);
    return ops::cast<double>(a * a * ops::cast<float>(x[1])) * x[0];
  };
  const auto first = gradcheck(through_float, in, coarse);
  CHECK_MESSAGE(first.passed, first.report);
  const auto second = gradgradcheck(through_float, in, {.step = 0x1p-8, .tolerance = 1e-3});
  CHECK_MESSAGE(second.passed, second.report);
}

TEST_CASE("derivatives of ways over another device, of both orders") {
  const Inputs in{quarters({2, 3}, 3), quarters({2, 3}, 4)};
  const auto over_host = [](const Inputs& x) {
    const auto a = ops::to<Cpu>(x[0]);
    static_assert(std::same_as<std::decay_t<decltype(a)>, Host<double>>);
    return ops::to<Device>(a * ops::sigmoid(a)) * x[1] * x[0];
  };
  const auto first = gradcheck(over_host, in);
  CHECK_MESSAGE(first.passed, first.report);
  const auto second = gradgradcheck(over_host, in);
  CHECK_MESSAGE(second.passed, second.report);
}

TEST_CASE("mixed precision: parameters in float learn from a product in 16 bits") {
  Random random(5);
  const Variable<float> weight(Tensor<float>::rand({4, 3}, random), true);
  const Variable<float> x(Tensor<float>::rand({2, 3}, random));
  const auto product =
      ops::matmul(ops::cast<BFloat16>(x), ops::cast<BFloat16>(weight), {.transpose_b = true});
  const auto loss = ops::mean(ops::square(ops::cast<float>(product)));
  backward(loss);
  const Variable<float> exact(weight.value(), true);
  backward(ops::mean(ops::square(ops::matmul(x, exact, {.transpose_b = true}))));
  const auto found = weight.grad().value().to_vector();
  const auto expected = exact.grad().value().to_vector();
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i] == doctest::Approx(expected[i]).epsilon(0.02));
  }
  // One graph, of several types: grad() asks for inputs of another type than the result's.
  const auto again = ops::cast<double>(ops::sum(ops::cast<BFloat16>(weight)));
  CHECK(grad({again}, {weight})[0].value().to_vector() == std::vector<float>(12, 1.0F));
}

TEST_CASE("a layer split over two devices is the layer in one piece") {
  Random random(6);
  const auto x = Variable<double>(Tensor<double>::rand({5, 6}, random), true);
  const auto weight = Tensor<double>::rand({4, 6}, random);
  const Variable<double> whole(weight, true);
  const auto half = [&](std::int64_t first) {
    return ops::slice(Variable<double>(weight), 0, {.start = first, .stop = first + 2}).value();
  };
  const Variable<double> here(half(0), true);
  const Host<double> there(half(2).to<Cpu>(), true);
  const auto product = [](const auto& in, const auto& w) {
    return ops::matmul(in, w, {.transpose_b = true});
  };
  const auto joined =
      ops::cat({product(x, here), ops::to<Device>(product(ops::to<Cpu>(x), there))}, 1);
  const auto expected = product(x, whole);
  CHECK(joined.value().to_vector() == expected.value().to_vector());
  backward(ops::sum(ops::square(joined)));
  const auto of_x = x.grad().value().to_vector();
  auto copy = x;
  copy.zero_grad();
  backward(ops::sum(ops::square(expected)));
  for (std::size_t i = 0; i < of_x.size(); ++i) {
    CHECK(of_x[i] == doctest::Approx(x.grad().value().to_vector()[i]).epsilon(1e-12));
  }
  const auto of_whole = whole.grad().value().to_vector();
  auto of_halves = here.grad().value().to_vector();
  for (const double value : there.grad().value().to_vector()) of_halves.push_back(value);
  for (std::size_t i = 0; i < of_whole.size(); ++i) {
    CHECK(of_halves[i] == doctest::Approx(of_whole[i]).epsilon(1e-12));
  }
}

TEST_CASE("a checkpoint may contain crossings, and end in another type") {
  Random random(7);
  const auto x = Variable<double>(Tensor<double>::rand({4}, random), true);
  const Variable<float> factor(Tensor<float>::full({4}, 3.0F), true);
  const auto block = [factor](const Inputs& in) {
    return ops::sum(ops::square(ops::cast<float>(in[0]) * factor));
  };
  const auto kept = block({x});
  backward(kept);
  const auto of_x = x.grad().value().to_vector();
  const auto of_factor = factor.grad().value().to_vector();
  Variable<double>(x).zero_grad();
  Variable<float>(factor).zero_grad();
  const auto again = checkpoint(block, {x});
  static_assert(std::same_as<std::decay_t<decltype(again)>, Variable<float>>);
  CHECK(again.item() == kept.item());
  backward(again);
  CHECK(x.grad().value().to_vector() == of_x);
  CHECK(factor.grad().value().to_vector() == of_factor);
}

TEST_CASE("a gradient of another element type is named") {
  const Variable<float> x(Tensor<float>::ones({3}), true);
  const auto wrong = record("mine", x.value().clone(), {x}, [](const auto& ctx) {
    return std::vector<AnyVariable>{
        Variable<double>(ctx.gradient().value().template cast<double>())};
  });
  CHECK(complaint([&] { backward(ops::sum(wrong)); }) ==
        "mine: its gradient function gave another element type or device for input 0; see "
        "ops::cast and ops::to");
}

}  // namespace sfumato::tested::ops_cast
