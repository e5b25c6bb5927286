// What is composed of other operations: choosing and indexing elements, products and running sums,
// norms, linear algebra, resampling, normalization. Values, derivatives of both orders, refusals.
// More values are in ops_pytorch_samples_test.cpp.

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/complaint.hpp"
#include "support/derivatives.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_composed {

namespace {

using Inputs = std::vector<Variable<double>>;
using List = std::vector<double>;
using Indices = std::vector<std::int64_t>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Variable<double> variable(const List& values, const Shape& shape) {
  return Variable<double>(Tensor<double>::from(values, shape), true);
}

Variable<double> random_variable(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Variable<double>(Tensor<double>::randn(shape, random), true);
}

Tensor<std::int64_t> indices(const Indices& values, const Shape& shape) {
  return Tensor<std::int64_t>::from(values, shape);
}

List values(const Variable<double>& x) {
  return x.value().to_vector();
}

void check_close(const Variable<double>& x, const List& expected) {
  const List found = values(x);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-11));
  }
}

/// A symmetric positive definite matrix that depends on all of x.
Variable<double> positive_definite(const Variable<double>& x) {
  const auto identity = Variable<double>(Tensor<double>::eye(x.size(0)));
  return ops::matmul(x, x, {.transpose_b = true}) + identity;
}

}  // namespace

TEST_CASE("argmax and argmin give the first index, of NaN before all others") {
  const auto x = variable({3, 7, 7, 1, kNan, 2, 9, kNan}, {2, 4});
  CHECK(ops::argmax(x, 1).to_vector() == Indices{1, 0});
  CHECK(ops::argmin(x, 1).to_vector() == Indices{3, 0});
  CHECK(ops::argmax(x, -2).to_vector() == Indices{1, 0, 1, 1});
  CHECK(ops::argmax(x).item() == 4);
  CHECK(ops::argmin(variable({3, 1, 2, 1}, {2, 2})).item() == 1);
  CHECK(ops::argmax(x, 1, true).shape() == Shape{2, 1});
  CHECK(ops::argmax(x, std::nullopt, true).shape() == Shape{1, 1});
  CHECK(ops::argmax(variable({-kInfinity, -kInfinity}, {2})).item() == 0);
  CHECK(complaint([] {
          ops::argmax(variable({}, {0, 3}), 0);
        }) == "argmax: nothing to reduce in (0, 3)");
  CHECK(ops::argmax(variable({}, {0, 3}), 1).shape() == Shape{0});
}

TEST_CASE("any and all of a mask, along axes or of everything") {
  const auto x = variable({1, -1, 2, 3}, {2, 2});
  CHECK(ops::any(x < 0.0).item() == 1);
  CHECK(ops::all(x < 0.0).item() == 0);
  CHECK(ops::any(x < 0.0, {1}).to_vector() == std::vector<std::uint8_t>{1, 0});
  CHECK((ops::all(x > 0.0, {0}).to_vector() == std::vector<std::uint8_t>{1, 0}));
  CHECK(ops::any(variable({}, {0}) > 0.0).item() == 0);
  CHECK(ops::all(variable({}, {0}) > 0.0).item() != 0);
}

TEST_CASE("indices choose slices and elements, and gradients return to them") {
  const auto x = variable({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(values(ops::index_select(x, 1, indices({2, -3, 2}, {3}))) == List{3, 1, 3, 6, 4, 6});
  CHECK(values(ops::gather(x, 0, indices({1, 0, -1}, {1, 3}))) == List{4, 2, 6});
  const auto source = variable({10, 20, 30, 40}, {2, 2});
  CHECK(values(ops::scatter_add(x, 1, indices({0, 0, -1, 1}, {2, 2}), source)) ==
        List{31, 2, 3, 4, 45, 36});
  CHECK(ops::gather(x, 1, indices({}, {2, 0})).shape() == Shape{2, 0});
  CHECK(values(ops::scatter_add(x, 1, indices({}, {0, 2}), source)) == values(x));
  // Infinity and NaN stay where they are.
  CHECK(std::signbit(values(ops::index_select(variable({1, -0.0}, {2}), 0, indices({1}, {1})))[0]));
  CHECK(values(ops::index_select(variable({kInfinity, 1, kNan}, {3}), 0, indices({1}, {1}))) ==
        List{1});
  const auto select = [](const Inputs& in) {
    return ops::index_select(in[0], 0, indices({1, 1, 0}, {3}));
  };
  check_derivatives([&](const Inputs& in) { return ops::square(select(in)); }, {x});
  check_derivatives(
      [](const Inputs& in) {
        const auto index = indices({1, 0, 1, 1}, {2, 2});
        return ops::square(ops::scatter_add(in[0], 0, index, ops::gather(in[0], 1, index)));
      },
      {x});

  CHECK(complaint([&] { ops::index_select(x, 1, indices({3}, {1})); }) ==
        "index_select: index 3 is out of range at axis 1 of (2, 3)");
  CHECK(complaint([&] {
          ops::index_select(x, 1, indices({0}, {1, 1}));
        }) == "index_select: indices (1, 1) must have one axis");
  CHECK(complaint([&] {
          ops::gather(x, 1, indices({-4, 0}, {2, 1}));
        }) == "gather: index -4 is out of range at axis 1 of (2, 3)");
  CHECK(complaint([&] {
          ops::gather(x, 1, indices({0, 0, 0}, {3, 1}));
        }) ==
        "gather: indices (3, 1) do not fit (2, 3) along axis 1; other extents may not be larger");
  CHECK(complaint([&] {
          ops::scatter_add(x, 1, indices({0, 0}, {2, 1}), ops::sum(x));
        }) == "scatter_add: source () and indices (2, 1) must have the same rank");
  CHECK(complaint([&] {
          ops::scatter_add(x, 1, indices({0, 0}, {2, 1}), variable({1}, {1, 1}));
        }) == "scatter_add: source (1, 1) has fewer elements than the indices (2, 1)");
}

TEST_CASE("one_hot marks labels") {
  const auto marks = ops::one_hot(indices({2, 0}, {2}), 3);
  CHECK(marks.shape() == Shape{2, 3});
  CHECK(marks.to_vector() == std::vector<float>{0, 0, 1, 1, 0, 0});
  CHECK_THROWS_AS(ops::one_hot(indices({0}, {1}), std::int64_t{1} << 55), ResourceError);
  CHECK(complaint([] { ops::one_hot(indices({3}, {1}), 3); }) ==
        "one_hot: label 3 is not one of 3 classes");
}

TEST_CASE("products are right at zeros, to the second derivative") {
  const auto x = variable({2, 0, 3, 0, 5, -1, 1, 4, 2, 0.5}, {2, 5});
  CHECK(values(ops::prod(x, {1})) == List{0, -4});
  CHECK(ops::prod(x, {}, true).shape() == Shape{1, 1});
  check_derivatives([](const Inputs& in) { return ops::prod(in[0], {1}); }, {x});
  CHECK(values(ops::prod(variable({}, {2, 0}), {1})) == List{1, 1});
  CHECK(values(ops::prod(variable({1, 2, 3}, {3}), {0}, true)) == List{6});
  // In float: 300 · 300 is beyond Half.
  const Variable<Half> half(Tensor<Half>::from({Half(300.0F), Half(300.0F), Half(0.01F)}, {3}));
  CHECK(static_cast<float>(ops::prod(half).item()) == doctest::Approx(900).epsilon(1e-3));
}

TEST_CASE("running sums along an axis") {
  const auto x = variable({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {2, 5});
  CHECK(values(ops::cumsum(x, 1)) == List{1, 3, 6, 10, 15, 6, 13, 21, 30, 40});
  CHECK(values(ops::cumsum(x, 0)) == List{1, 2, 3, 4, 5, 7, 9, 11, 13, 15});
  CHECK(ops::cumsum(variable({}, {0}), 0).numel() == 0);
  check_derivatives([](const Inputs& in) { return ops::square(ops::cumsum(in[0], -1)); },
                    {random_variable({2, 7}, 1)});
}

TEST_CASE("norms and deviations have no infinite slope where they are 0") {
  const auto x = variable({3, -4, 0, 0}, {2, 2});
  CHECK(values(ops::norm(x, 2.0, {1})) == List{5, 0});
  CHECK(ops::norm(x, 1.0).item() == 7.0);
  CHECK(ops::norm(x, kInfinity).item() == 4.0);
  CHECK(ops::norm(x, -kInfinity).item() == 0.0);
  CHECK(ops::norm(x, 0.0).item() == 2.0);
  CHECK(ops::norm(x, 3.0).item() == doctest::Approx(std::cbrt(91.0)));
  check_close(grad({ops::sum(ops::norm(x, 2.0, {1}))}, {x})[0], {0.6, -0.8, 0, 0});
  CHECK(values(grad({ops::sum(ops::std(x, {1}))}, {x})[0])[2] == 0.0);
  CHECK(std::isnan(ops::norm(variable({kNan, 0}, {2})).item()));
  CHECK(ops::std(variable({1, 2, 3, 6}, {4})).item() == doctest::Approx(std::sqrt(14.0 / 3.0)));
  for (const double p : {1.5, 2.0, 3.0}) {
    check_derivatives([p](const Inputs& in) { return ops::norm(in[0], p, {0}, true); },
                      {random_variable({3, 2}, 2)});
  }
  check_derivatives([](const Inputs& in) { return ops::std(in[0], {1}); },
                    {random_variable({2, 4}, 3)});
  // The squares of 300 are beyond Half.
  const Variable<Half> half(Tensor<Half>::from({Half(300.0F), Half(400.0F)}, {2}));
  CHECK(static_cast<float>(ops::norm(half).item()) == 500.0F);
  CHECK(complaint([&] { ops::norm(x, kNan); }) == "norm: the exponent is NaN");
}

TEST_CASE("log of sums of exponentials neither overflows nor turns infinity into NaN") {
  const auto x = variable({1000, 1000, -kInfinity, -kInfinity, 0, kInfinity}, {3, 2});
  const auto y = ops::logsumexp(x, {1});
  CHECK(values(y) == List{1000 + std::log(2.0), -kInfinity, kInfinity});
  CHECK(ops::logsumexp(variable({}, {0})).item() == -kInfinity);
  check_derivatives([](const Inputs& in) { return ops::logsumexp(in[0], {0}, true); },
                    {random_variable({3, 2}, 4)});
}

TEST_CASE("repeat and pixel_shuffle") {
  const auto x = variable({1, 2, 3, 4}, {2, 2});
  CHECK(values(ops::repeat(x, {1, 2})) == List{1, 2, 1, 2, 3, 4, 3, 4});
  CHECK(ops::repeat(x, {3, 1, 2}).shape() == Shape{3, 2, 4});
  CHECK(ops::repeat(x, {0, 1}).shape() == Shape{0, 2});
  check_derivatives([](const Inputs& in) { return ops::square(ops::repeat(in[0], {2, 3})); }, {x});
  CHECK(complaint([&] { ops::repeat(x, {2}); }) == "repeat: 1 counts for the axes of (2, 2)");
  CHECK(complaint([&] { ops::repeat(x, {2, -1}); }) == "repeat: count -1 must not be negative");
  CHECK_THROWS_AS(ops::repeat(x, {std::int64_t{1} << 62, 1}), ShapeError);
  const Variable<double> nothing(Tensor<double>::zeros({0, std::int64_t{1} << 40}));
  CHECK(ops::repeat(nothing, {1, 2}).shape() == Shape{0, std::int64_t{1} << 41});
  CHECK_THROWS_AS(ops::repeat(nothing, {1, std::int64_t{1} << 40}), ShapeError);

  const auto channels = variable({1, 2, 3, 4, 5, 6, 7, 8}, {4, 1, 2});
  CHECK(values(ops::pixel_shuffle(channels, 2)) == List{1, 3, 2, 4, 5, 7, 6, 8});
  CHECK(complaint([&] { ops::pixel_shuffle(channels, 3); }) ==
        "pixel_shuffle: factor 3 for (4, 1, 2); its square must divide the channels of "
        "(…, c, h, w)");
  const Variable<double> many(Tensor<double>::zeros({std::int64_t{1} << 40, 0, 0}));
  CHECK_THROWS_AS(ops::pixel_shuffle(many, std::int64_t{1} << 32), ShapeError);
}

TEST_CASE("products of vectors") {
  const auto a = variable({1, 2, 3}, {3});
  const auto b = variable({4, 5, 6}, {3});
  const auto m = variable({1, 0, 2, -1, 3, 1}, {2, 3});
  CHECK(ops::dot(a, b).item() == 32.0);
  CHECK(values(ops::mv(m, a)) == List{7, 8});
  CHECK(values(ops::outer(a, b)) == List{4, 5, 6, 8, 10, 12, 12, 15, 18});
  CHECK(complaint([&] { ops::dot(a, m); }) == "dot: (3,) and (2, 3) must be vectors of one length");
  CHECK(complaint([&] { ops::mv(a, a); }) == "mv: (3,) and (3,) must be a matrix and a vector");
  CHECK(complaint([&] { ops::outer(a, m); }) == "outer: (3,) and (2, 3) must be vectors");
}

TEST_CASE("solving needs pivots, broadcasts, and has derivatives of both orders") {
  // Without exchanging rows it would divide by zero.
  const auto a = variable({0, 2, 1, 1}, {2, 2});
  const auto b = variable({4, 3}, {2, 1});
  check_close(ops::solve(a, b), {1, 2});
  const auto systems = random_variable({2, 3, 3}, 5);
  const auto right = random_variable({3, 2}, 6);
  const auto x = ops::solve(systems, right);
  CHECK(x.shape() == Shape{2, 3, 2});
  check_close(ops::matmul(systems, x), values(ops::broadcast_to(right, {2, 3, 2})));
  check_derivatives([](const Inputs& in) { return ops::solve(in[0], in[1]); }, {systems, right});
  CHECK(ops::solve(random_variable({0, 0}, 1), random_variable({0, 2}, 1)).shape() == Shape{0, 2});
  CHECK(complaint([&] {
          ops::solve(variable({1, 2, 2, 4}, {2, 2}), b);
        }) == "solve: a matrix of 2 × 2 is singular at row 1");
  CHECK(complaint([&] { ops::solve(b, b); }) == "solve: (2, 1) must be square matrices (…, n, n)");
  CHECK(complaint([&] { ops::solve(a, variable({1}, {1})); }) ==
        "solve: (1,) must be columns (…, 2, k) for (2, 2)");
}

TEST_CASE("Cholesky factors are lower triangular, and their square is what was factored") {
  const auto x = random_variable({3, 3}, 7);
  const auto l = ops::cholesky(positive_definite(x));
  check_close(ops::matmul(l, l, {.transpose_b = true}), values(positive_definite(x)));
  CHECK(l.value().at({0, 2}) == 0.0);
  check_derivatives([](const Inputs& in) { return ops::cholesky(positive_definite(in[0])); }, {x});
  CHECK(complaint([] {
          ops::cholesky(variable({1, 2, 2, 1}, {2, 2}));
        }) == "cholesky: a matrix of (2, 2) is not positive definite at row 1");
}

constexpr std::int64_t kSide = kSlowDevice ? 2 : 3;  // of matrices with many derivatives

TEST_CASE("matrix square roots have finite gradients where eigenvalues coincide") {
  const auto x = random_variable(Shape{kSide, kSide}, 8);
  const auto root = ops::sqrtm(positive_definite(x));
  check_close(ops::matmul(root, root), values(positive_definite(x)));
  check_derivatives([](const Inputs& in) { return ops::sqrtm(positive_definite(in[0])); }, {x});
  const auto identity = variable({4, 0, 0, 4}, {2, 2});
  const auto gradient = grad({ops::sum(ops::sqrtm(identity))}, {identity})[0];
  check_close(gradient, {0.25, 0.25, 0.25, 0.25});
  CHECK(values(ops::sqrtm(variable({0, 0, 0, 0}, {2, 2}))) == List{0, 0, 0, 0});
  for (const float size : {1e-30F, 1e30F}) {
    const auto root_of_size = ops::sqrtm(Variable<float>(Tensor<float>::eye(2) * size));
    CHECK(root_of_size.value()(1, 1) / std::sqrt(size) == doctest::Approx(1.0));
  }
  // What 20 iterations don't find is no root, and more find it; of a number below 0 there is none.
  const auto nearly_singular = variable({0.5, 0.5 - 1e-9, 0.5 - 1e-9, 0.5}, {2, 2});
  CHECK(
      complaint([&] { ops::sqrtm(nearly_singular); })
          .starts_with("sqrtm: after 20 iterations the square of a root differs from its matrix of "
                       "(2, 2) by "));
  check_close(ops::sqrtm(nearly_singular, 40),
              {0.5000158111383008, 0.4999841883616992, 0.4999841883616992, 0.5000158111383008});
  CHECK_FALSE(complaint([] { ops::sqrtm(variable({1, 0, 0, -0.5}, {2, 2})); }).empty());
  CHECK_FALSE(complaint([] {
                ops::sqrtm(Variable<float>(Tensor<float>::from({0, 1, -1, 0}, {2, 2})));
              }).empty());
  const auto rank_one = Variable<float>(Tensor<float>::ones({64, 64}));
  CHECK(ops::sqrtm(rank_one).value()(3, 5) == doctest::Approx(0.125).epsilon(1e-3));
  CHECK(complaint([&] { ops::sqrtm(identity, 0); }) == "sqrtm: 0 iterations; at least 1");
  CHECK(complaint([] {
          ops::sqrtm(variable({1, 2}, {1, 2}));
        }) == "sqrtm: (1, 2) must be square matrices (…, n, n)");
}

TEST_CASE("the trace of a root has half the inverse root as its gradient") {
  const auto x = random_variable(Shape{kSide, kSide}, 9);
  const auto square = positive_definite(x);
  const double expected =
      values(ops::sum(ops::sqrtm(square) * Variable<double>(Tensor<double>::eye(kSide))))[0];
  CHECK(values(ops::sqrtm_trace(square))[0] == doctest::Approx(expected));
  for (const auto gradient : {ops::RootGradient::kInverse, ops::RootGradient::kLyapunov}) {
    check_derivatives(
        [&](const Inputs& in) { return ops::sqrtm_trace(positive_definite(in[0]), 20, gradient); },
        {x});
  }
  CHECK(complaint([&] { ops::sqrtm_trace(square, 0); }) == "sqrtm_trace: 0 iterations; at least 1");
  CHECK(ops::sqrtm_trace(random_variable({4, 3, 3}, 1)).shape() == Shape{4});
}

TEST_CASE("interpolation with antialiasing and corners is PyTorch's") {
  const auto x =
      variable({0, 3, 1, 4, 2, 5, 1, 2, 0, 3, 1, 6, 2, 2, 1, 4, 0, 3, 1, 5}, {1, 1, 4, 5});
  using ops::Interpolation;
  const auto close = [&](const ops::InterpolateOptions& options, const List& expected) {
    check_close(ops::interpolate(x, options), expected);
    check_derivatives(
        [&](const Inputs& in) { return ops::square(ops::interpolate(in[0], options)); }, {x});
  };
  close({.size = {2, 3}, .mode = Interpolation::kBilinear, .antialias = true},
        {118.0 / 49, 17.0 / 9, 106.0 / 49, 2.7959183673469388, 47.0 / 21, 111.0 / 49});
  close({.size = {3, 4}, .mode = Interpolation::kBilinear, .align_corners = true},
        {0, 7.0 / 3, 3, 2, 3, 3, 4.0 / 3, 2, 4, 1, 5.0 / 3, 5});
  close({.size = {2, 3}, .mode = Interpolation::kBicubic, .antialias = true},
        {2.400508582327, 1.839073611378, 2.132422123331, 2.884806102988, 2.213434556986,
         2.238207247298});
  close({.scale_factor = 0.6, .mode = Interpolation::kBicubic, .antialias = true},
        {2.142721893491, 1.750196779964, 2.33798816568, 3.099344601587, 2.293148399207,
         1.832011038289});
  close({.size = {3, 4}, .mode = Interpolation::kBicubic, .align_corners = true},
        {0, 2.537037037037, 3.166666666667, 2, 3.1875, 3.432291666667, 0.906828703704, 1.71875, 4,
         0.611111111111, 1.351851851852, 5});
  // Long rows and long columns are computed in orders of their own.
  const auto wide = random_variable({2, 2, 5, 700}, 2);
  const auto resized = [](const auto& images, std::int64_t h, std::int64_t w) {
    return ops::interpolate(images,
                            {.size = {h, w}, .mode = Interpolation::kBilinear, .antialias = true});
  };
  const auto tall = [](const auto& images) { return ops::transpose(images, 2, 3); };
  check_close(resized(wide, 3, 330), tall(resized(tall(wide), 330, 3)).value().to_vector());
  check_close(resized(wide, 7, 900), tall(resized(tall(wide), 900, 7)).value().to_vector());
  // Cubic polynomials overshoot, and no pixel is -28 or 298.
  const Variable<std::uint8_t> pixels(Tensor<std::uint8_t>::from({0, 255, 255, 0}, {1, 1, 1, 4}));
  const ops::InterpolateOptions larger{.size = {1, 12}, .mode = Interpolation::kBicubic};
  CHECK(ops::interpolate(pixels, larger).value().to_vector() ==
        std::vector<std::uint8_t>{0, 0, 80, 175, 255, 255, 255, 255, 175, 80, 0, 0});
  CHECK(complaint([&] { ops::interpolate(x, {}); }) ==
        "interpolate: size (0, 0) and scale factor 0; give one of them, and a positive one");
  CHECK(complaint([&] { ops::interpolate(x, {.size = 2, .scale_factor = 2.0}); }) ==
        "interpolate: size (2, 2) and scale factor 2; give one of them, and a positive one");
  CHECK(complaint([&] { ops::interpolate(x, {.scale_factor = 0.1}); }) ==
        "interpolate: size 0 × 0 must be at least 1 × 1");
  CHECK(complaint([&] { ops::interpolate(x, {.size = 2, .antialias = true}); }) ==
        "interpolate: align_corners and antialias go with kBilinear and kBicubic, not kNearest");
}

TEST_CASE("padding in a circle or with a value") {
  const auto x = variable({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(values(ops::pad(x, {2, 1}, ops::PaddingMode::kCircular)) ==
        List{2, 3, 1, 2, 3, 1, 5, 6, 4, 5, 6, 4});
  CHECK(values(ops::pad(x, {1, 0}, 7.0)) == List{7, 1, 2, 3, 7, 4, 5, 6});
  check_derivatives(
      [](const Inputs& in) {
        return ops::square(ops::pad(in[0], {1, 2}, -3.0));
      },
      {x});
  CHECK(complaint([&] {
          ops::pad(x, {4, 0}, ops::PaddingMode::kCircular);
        }) == "pad: can't repeat 4 elements at an edge of axis -1 of (2, 3), which has 3");
  CHECK(complaint([&] {
          ops::pad(x, {1, 2, 3});
        }) == "pad: 3 amounts for (2, 3); give two for each axis, the last axis first");
}

TEST_CASE("pooling to ranges and of single images") {
  const PlainSums plain;
  const auto x = random_variable({1, 2, 5, 7}, 9);
  const auto y = ops::adaptive_max_pool2d(x, {2, 3});
  CHECK(y.shape() == Shape{1, 2, 2, 3});
  CHECK(y.value().at({0, 0, 0, 0}) ==
        ops::max(ops::slice(ops::slice(ops::select(ops::select(x, 0, 0), 0, 0), 0, {.stop = 3}), 1,
                            {.stop = 3}))
            .item());
  check_derivatives([](const Inputs& in) { return ops::adaptive_max_pool2d(in[0], {2, 3}); }, {x});
  const auto one = ops::select(x, 0, 0);
  CHECK(values(ops::adaptive_max_pool2d(one, 2)) == values(ops::adaptive_max_pool2d(x, 2)));
  CHECK(values(ops::adaptive_avg_pool2d(one, 2)) == values(ops::adaptive_avg_pool2d(x, 2)));
  CHECK(values(ops::max_pool2d(one)) == values(ops::max_pool2d(x)));
  CHECK(values(ops::avg_pool2d(one)) == values(ops::avg_pool2d(x)));
  CHECK(ops::adaptive_max_pool2d(one, 1).shape() == Shape{2, 1, 1});
  const auto weight = random_variable({3, 2, 3, 3}, 10);
  CHECK(values(ops::conv2d(one, weight)) == values(ops::conv2d(x, weight)));
  const auto back = random_variable({2, 3, 3, 3}, 11);
  CHECK(values(ops::conv_transpose2d(one, back)) == values(ops::conv_transpose2d(x, back)));
  CHECK(complaint([&] {
          ops::adaptive_max_pool2d(x, {2, 0});
        }) ==
        "adaptive_max_pool2d: can't make (2, 0) of (1, 2, 5, 7); the input must be images "
        "(n, c, h, w)");
  // A window that steps over the whole image sees nothing.
  CHECK(complaint([] {
          ops::max_pool2d(random_variable({1, 1, 2, 2}, 1),
                          {.kernel = 2, .padding = 1, .dilation = 3});
        }) ==
        "max_pool2d: a window of the kernel (2, 2) with dilation (3, 3) sees nothing of the input "
        "(1, 1, 2, 2)");
  CHECK(complaint([&] { ops::avg_pool2d(x, {.divisor_override = -1}); }) ==
        "avg_pool2d: divisor -1 must be positive, or 0 for the size of the windows");
}

TEST_CASE("normalizations have PyTorch's values and derivatives of both orders") {
  const auto weight = variable({2, 3}, {2});
  const auto bias = variable({0.5, -0.5}, {2});
  const auto mean = variable({1, -2}, {2});
  const auto variance = variable({4, 0.25}, {2});
  check_close(ops::batch_norm(variable({1, 3, 0, -1}, {1, 2, 2}), mean, variance, weight, bias),
              {0.5, 2.4999975000046875, 11.49976000719976, 5.49988000359988});
  check_close(ops::instance_norm(variable({1, 3, 0, -2, 5, 6, 7, 8}, {2, 2, 2}), weight, bias),
              {-1.4999900000749995, 2.4999900000749995, 2.499985000112499, -3.499985000112499,
               -1.4999600011999608, 2.499960001199959, -3.4999400017999376, 2.499940001799942});
  const auto x = random_variable({2, 2, 3}, 12);
  check_derivatives([](const Inputs& in) { return ops::group_norm(in[0], 1, in[1], in[2]); },
                    {x, weight, bias});
  check_derivatives([](const Inputs& in) { return ops::instance_norm(in[0], in[1], in[2]); },
                    {x, weight, bias});
  check_derivatives([](const Inputs& in) { return ops::layer_norm(in[0], {3}); }, {x});
  // Of no examples, the parameters' gradients are 0, as an optimiser expects.
  const auto nothing = ops::layer_norm(variable({}, {0, 2}), {2}, weight, bias);
  CHECK(nothing.shape() == Shape{0, 2});
  CHECK(values(grad({ops::sum(nothing)}, {weight})[0]) == List{0, 0});
  CHECK(ops::instance_norm(variable({}, {3, 0, 2})).shape() == Shape{3, 0, 2});
  const auto no_images = ops::group_norm(variable({}, {0, 2, 3}), 2, weight, bias);
  CHECK(values(grad({ops::sum(no_images)}, {bias})[0]) == List{0, 0});
  // The squares of deviations of 300 are beyond Half.
  const Variable<Half> half(Tensor<Half>::from({Half(-300.0F), Half(300.0F)}, {1, 2}));
  CHECK(static_cast<float>(ops::layer_norm(half, {2}).value().at({0, 1})) == 1.0F);

  CHECK(complaint([&] { ops::layer_norm(x, {2}); }) ==
        "layer_norm: (2, 2, 3), or a weight or bias, does not end in (2,)");
  CHECK(complaint([&] { ops::layer_norm(x, {3}, weight); }) ==
        "layer_norm: (2, 2, 3), or a weight or bias, does not end in (3,)");
  CHECK(complaint([&] { ops::group_norm(x, 3); }) ==
        "group_norm: 3 groups do not divide the 2 channels of (2, 2, 3)");
  CHECK(complaint([&] { ops::group_norm(x, 1, variable({1}, {1})); }) ==
        "group_norm: (1,) must be one value for each of the 2 channels of (2, 2, 3)");
  CHECK(complaint([&] { ops::group_norm(weight, 1); }) == "group_norm: (2,) must be (n, c, …)");
  CHECK(complaint([&] {
          ops::instance_norm(variable({1}, {1, 1}));
        }) == "instance_norm: (1, 1) must be (n, c, …)");
  CHECK(complaint([&] { ops::batch_norm(x, mean, variable({1}, {1})); }) ==
        "batch_norm: (1,) must be one value for each of the 2 channels of (2, 2, 3)");
}

TEST_CASE("hardtanh and the approximate gelu") {
  CHECK(values(ops::hardtanh(variable({-2, 0.5, 3}, {3}))) == List{-1, 0.5, 1});
  check_close(ops::gelu(variable({-1, 0.5, 2}, {3}), true),
              {-0.15880800939172324, 0.34571400982514394, 1.954597694087775});
}

}  // namespace sfumato::tested::ops_composed
