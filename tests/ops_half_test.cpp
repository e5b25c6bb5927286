// What is stored in 16 bits is computed in float and rounded once: the values of ops and their
// gradients are the float ones of the same inputs, to the last bit of 16.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_half {

namespace {

static_assert(Backend<Device, Half> && Backend<Device, BFloat16>);

/// The distance of neighbouring numbers below 2.
template <class S>
constexpr double kStep = std::same_as<S, Half> ? 0x1p-10 : 0x1p-7;

/// A convolution is rounded before its bias is added, where that is work of its own.
constexpr int kWithBias = std::same_as<Device, Cpu> ? 1 : 2;

/// Random numbers that S holds exactly.
template <class S>
Tensor<S> random_tensor(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Tensor<float>::randn(shape, random).template cast<S>();
}

/// Expects values rounded once, or of `roundings` steps, each of which rounds what may be as large
/// as the largest result. A little is for float sums in another order.
template <class S>
void check_rounded(const Tensor<S>& found, const Tensor<float>& expected, int roundings = 1) {
  REQUIRE(found.shape() == expected.shape());
  const std::vector<S> values = found.to_vector();
  const std::vector<float> exact = expected.to_vector();
  double largest = 0.0;
  for (const float value : exact) largest = std::max(largest, std::abs(static_cast<double>(value)));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double wanted = static_cast<double>(exact[i]);
    const double error = std::abs(static_cast<double>(float{values[i]}) - wanted);
    const double size = roundings == 1 ? std::abs(wanted) : roundings * largest;
    if (!(error <= kStep<S> * (0.5 * size + 2e-3 * std::max(1.0, largest)))) ++wrong;
  }
  CHECK(wrong == 0);
}

/// Checks an op of S against the same op of float, and the gradients of all inputs.
template <class S, class Op>
void check_op(const Op& op, const std::vector<Shape>& shapes, int roundings = 1) {
  std::vector<Variable<S>> narrow;
  std::vector<Variable<float>> wide;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const auto values = random_tensor<S>(shapes[i], i + 1);
    narrow.emplace_back(values, true);
    wide.emplace_back(values.template cast<float>(), true);
  }
  const Variable<S> result = op(narrow);
  const Variable<float> expected = op(wide);
  check_rounded(result.value(), expected.value(), roundings);
  const auto seed = random_tensor<S>(result.shape(), 99);
  backward(result, {}, Variable<S>(seed));
  backward(expected, {}, Variable<float>(seed.template cast<float>()));
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    check_rounded(narrow[i].grad().value(), wide[i].grad().value(), roundings);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("a product of tensors that begin at one place reads each to its end", S, Half,
                   BFloat16) {
  const auto matrices = random_tensor<S>({3, 16, 16}, 1);
  const auto check = [&](const auto& factors) {
    const auto product = [&]<class T>(const Tensor<T>& tensor) {
      const auto [a, b] = factors(tensor);
      return ops::matmul(Variable<T>(a), Variable<T>(b)).value();
    };
    check_rounded(product(matrices), product(matrices.template cast<float>()));
  };
  check([](const auto& all) { return std::pair(all[0], all); });
  check([](const auto& all) { return std::pair(all, all[0]); });
  check([](const auto& all) { return std::pair(all[0][0], all[0]); });
}

TEST_CASE_TEMPLATE("casts to 16 bits and back", S, Half, BFloat16) {
  const auto x = Tensor<float>::from({1.0F, -2.5F, 0.0F, 1.0F + 0x1p-12F, 3e-5F}, {5});
  const auto stored = x.cast<S>();
  CHECK(stored.to_vector()[3] == 1.0F);
  check_rounded(stored, x);
  const auto back = stored.template cast<float>();
  CHECK(back.template cast<S>().template cast<float>().to_vector() == back.to_vector());
  CHECK(stored.template cast<double>().to_vector()[1] == -2.5);
}

TEST_CASE_TEMPLATE("convolutions of 16-bit numbers", S, Half, BFloat16) {
  const auto convolve = [](const ops::Conv2dOptions& options) {
    return [options](const auto& in) { return ops::conv2d(in[0], in[1], in[2], options); };
  };
  PlainSums plain;
  check_op<S>(convolve({.padding = 1}), {{2, 3, 9, 7}, {5, 3, 3, 3}, {5}}, kWithBias);
  check_op<S>(convolve({.stride = 2}), {{1, 4, 9, 8}, {6, 4, 2, 3}, {6}}, kWithBias);
  check_op<S>([](const auto& in) { return ops::conv2d_relu(in[0], in[1], in[2], {.padding = 1}); },
              {{1, 16, 18, 21}, {16, 16, 3, 3}, {16}}, kWithBias);
}

TEST_CASE_TEMPLATE("products and sums of 16-bit numbers", S, Half, BFloat16) {
  check_op<S>([](const auto& in) { return ops::matmul(in[0], in[1]); }, {{17, 9}, {9, 5}});
  check_op<S>([](const auto& in) { return ops::matmul(in[0], in[0], {.transpose_b = true}); },
              {{7, 30}}, 3);
  check_op<S>([](const auto& in) { return ops::sum(in[0], {1}); }, {{5, 3000}});
  check_op<S>([](const auto& in) { return ops::mean(in[0]); }, {{123, 45}}, 2);
}

TEST_CASE("a mean of 16-bit numbers is rounded once") {
  // In a float 1 + 2^-8 + 2^-38 is 1 + 2^-8, in the middle between two of them.
  const Tensor<BFloat16> x{BFloat16(4.0), BFloat16(0x1p-6), BFloat16(0x1p-36), BFloat16(0.0)};
  CHECK(static_cast<float>(ops::mean(Variable<BFloat16>(x)).value().item()) == 1.0F + 0x1p-7F);
}

TEST_CASE_TEMPLATE("elementwise ops and pooling of 16-bit numbers", S, Half, BFloat16) {
  check_op<S>([](const auto& in) { return in[0] * in[1]; }, {{3, 4, 5}, {4, 1}}, 2);
  check_op<S>([](const auto& in) { return ops::abs(in[0]); }, {{4, 37}});
  check_op<S>([](const auto& in) { return ops::sigmoid(in[0]); }, {{4, 37}}, 3);
  check_op<S>([](const auto& in) { return ops::gelu(in[0]); }, {{4, 37}}, 6);
  check_op<S>([](const auto& in) { return ops::pow(ops::abs(in[0]), in[1]); }, {{37}, {37}}, 6);
  check_op<S>([](const auto& in) { return ops::relu(in[0]); }, {{4, 37}});
  check_op<S>([](const auto& in) { return ops::max_pool2d(in[0]); }, {{2, 3, 9, 38}});
  check_op<S>([](const auto& in) { return ops::avg_pool2d(in[0]); }, {{2, 3, 8, 10}});
  check_op<S>([](const auto& in) { return ops::max_pool2d(in[0], {.kernel = 3, .stride = 3}); },
              {{1, 2, 9, 12}});
}

// PyTorch 2.15 sums the gradients of most of these in 16 bits, where ones add up to 256 or 2048.
TEST_CASE_TEMPLATE("gradients of 16 bits that meet in one element are whole", S, Half, BFloat16) {
  constexpr std::int64_t kMany = 4096;
  constexpr std::int64_t kSide = 64;
  const auto zeros = Tensor<std::int64_t>::zeros({kMany});
  const auto sum_of_gradients = [](const Shape& shape, const auto& function) {
    const Variable<S> x(Tensor<S>::ones(shape), true);
    backward(ops::sum(function(x)));
    return static_cast<float>(x.grad().item());
  };
  const auto around = [](const auto& x) {
    return ops::pad(x, {kSide - 1, kSide - 1, kSide - 1, kSide - 1});
  };
  CHECK(kMany == sum_of_gradients({1}, [&](auto& x) { return ops::index_select(x, 0, zeros); }));
  CHECK(kMany == sum_of_gradients({1}, [&](auto& x) { return ops::broadcast_to(x, {kMany}); }));
  CHECK(kMany == sum_of_gradients({1, 1, 1, 1}, [&](auto& x) {
          return ops::avg_pool2d(around(x) * S(kMany), {.kernel = kSide, .stride = 1});
        }));
  CHECK(kMany == sum_of_gradients({1, 1, 1, 1}, [&](auto& x) {
          return ops::max_pool2d(around(x), {.kernel = kSide, .stride = 1});
        }));
  CHECK(kMany == sum_of_gradients({1, 1, 1, 1}, [&](auto& x) {
          return ops::pad(x, {31, 32, 31, 32}, ops::PaddingMode::kReplicate);
        }));
  const Variable<S> none(Tensor<S>::zeros({1}));
  const Variable<S> ones(Tensor<S>::ones({kMany}));
  CHECK(kMany == static_cast<float>(ops::scatter_add(none, 0, zeros, ones).item()));
}

TEST_CASE_TEMPLATE("losses in float of features in 16 bits", S, Half, BFloat16) {
  const Variable<float> x(random_tensor<S>({8, 16}, 1).template cast<float>(), true);
  const Variable<float> weight(random_tensor<S>({16, 8}, 2).template cast<float>(), true);
  const auto loss = [](const auto& in, const auto& w) {
    const auto first = ops::relu(ops::matmul(in, w));
    const auto second = ops::matmul(first, w, {.transpose_b = true});
    const auto mean = [](const auto& y) { return ops::mean(ops::square(ops::cast<float>(y))); };
    return mean(first) * 3.0F + mean(second) * 0.5F;
  };
  const auto total = loss(ops::cast<S>(x), ops::cast<S>(weight));
  static_assert(std::same_as<std::decay_t<decltype(total)>, Variable<float>>);
  backward(total * 2.0F);

  const Variable<float> exact(x.value(), true);
  const Variable<float> exact_weight(weight.value(), true);
  const auto expected = loss(exact, exact_weight);
  backward(expected * 2.0F);
  CHECK(total.item() == doctest::Approx(expected.item()).epsilon(0.01));
  const auto norm = [](const Variable<float>& v) { return ops::sum(ops::square(v)).item(); };
  CHECK(norm(x.grad() - exact.grad()) < 1e-3F * norm(exact.grad()));
  CHECK(norm(weight.grad() - exact_weight.grad()) < 1e-3F * norm(exact_weight.grad()));
}

}  // namespace sfumato::tested::ops_half
