// Matrix products and pooling against plain loops.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "sfumato/sfumato.hpp"

using namespace sfumato;

namespace {
template <class T>
Variable<T> random_variable(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Variable<T>(Tensor<T>::normal(shape, random));
}
}  // namespace

TEST_CASE_TEMPLATE("matmul equals a plain sum for every transposition", T, float, double) {
  const double tolerance = sizeof(T) == sizeof(float) ? 1e-5 : 1e-13;
  struct Sizes {
    std::int64_t m, n, k;
  };
  // The last one is a small result of a long sum, which is computed in slices.
  for (const auto& [m, n, k] : {Sizes{1, 1, 1}, Sizes{3, 5, 7}, Sizes{129, 33, 65},
                                Sizes{300, 270, 40}, Sizes{9, 7, 20011}}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const auto a = random_variable<T>(ta ? Shape{k, m} : Shape{m, k}, 1);
        const auto b = random_variable<T>(tb ? Shape{n, k} : Shape{k, n}, 2);
        const auto c = ops::matmul(a, b, {ta, tb});
        REQUIRE(c.shape() == Shape{m, n});
        double worst = 0.0;
        for (std::int64_t i = 0; i < m; i += 1 + m / 20) {
          for (std::int64_t j = 0; j < n; j += 1 + n / 20) {
            double total = 0.0;
            for (std::int64_t l = 0; l < k; ++l) {
              total += static_cast<double>(ta ? a.value().at({l, i}) : a.value().at({i, l})) *
                       static_cast<double>(tb ? b.value().at({j, l}) : b.value().at({l, j}));
            }
            worst = std::max(worst, std::abs(static_cast<double>(c.value().at({i, j})) - total) /
                                        std::sqrt(static_cast<double>(k)));
          }
        }
        CHECK(worst < tolerance);
      }
    }
  }
}

TEST_CASE("matmul broadcasts batches as NumPy does") {
  const auto a = random_variable<double>({2, 1, 3, 4}, 3);
  const auto b = random_variable<double>({5, 4, 2}, 4);
  const auto c = ops::matmul(a, b);
  REQUIRE(c.shape() == Shape{2, 5, 3, 2});
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t j = 0; j < 5; ++j) {
      double total = 0.0;
      for (std::int64_t l = 0; l < 4; ++l) {
        total += a.value().at({i, 0, 2, l}) * b.value().at({j, l, 1});
      }
      CHECK(c.value().at({i, j, 2, 1}) == doctest::Approx(total));
    }
  }
  CHECK(
      ops::matmul(random_variable<double>({0, 3}, 5), random_variable<double>({3, 2}, 6)).shape() ==
      Shape{0, 2});
  const auto nothing =
      ops::matmul(random_variable<double>({2, 0}, 7), random_variable<double>({0, 3}, 8));
  CHECK(nothing.value().to_vector() == std::vector<double>(6, 0.0));
}

TEST_CASE("matmul says what does not fit") {
  const auto x = [](const Shape& shape) { return Variable<float>(Tensor<float>::zeros(shape)); };
  CHECK_THROWS_WITH_AS(ops::matmul(x({3}), x({3, 2})),
                       "matmul: (3,) and (3, 2) must have at least two dimensions; reshape vectors "
                       "to matrices",
                       ShapeError);
  CHECK_THROWS_WITH_AS(ops::matmul(x({2, 3}), x({2, 3})),
                       "matmul: (2, 3) and (2, 3) have inner extents 3 and 2, which must agree",
                       ShapeError);
  CHECK_THROWS_WITH_AS(ops::matmul(x({2, 2, 3}), x({3, 3, 4})),
                       "matmul: shapes (2,) and (3,) do not broadcast together: extents must agree "
                       "or be 1, aligned at the last dimension",
                       ShapeError);
}

TEST_CASE_TEMPLATE("pooling equals plain loops", T, float, double) {
  struct Case {
    Shape input;
    ops::Pool2dOptions options;
  };
  for (const Case& c : {Case{{2, 3, 8, 6}, {}}, Case{{1, 2, 7, 9}, {}},
                        Case{{1, 2, 7, 9}, {.kernel = 3, .stride = 2, .padding = 1}},
                        Case{{1, 1, 5, 6}, {.kernel = {3, 2}, .stride = {1, 3}}}}) {
    const auto x = random_variable<T>(c.input, 9);
    const Pool2dGeometry g = ops::detail::pool2d_geometry("test", c.input, c.options);
    const auto largest = ops::max_pool2d(x, c.options);
    const auto average = ops::avg_pool2d(x, c.options);
    for (std::int64_t plane = 0; plane < g.planes; ++plane) {
      for (std::int64_t i = 0; i < g.out_h; ++i) {
        for (std::int64_t j = 0; j < g.out_w; ++j) {
          T best = -std::numeric_limits<T>::infinity();
          T total{0};
          for (std::int64_t a = 0; a < g.kernel_h; ++a) {
            for (std::int64_t b = 0; b < g.kernel_w; ++b) {
              const std::int64_t row = i * g.stride_h + a - g.padding_h;
              const std::int64_t column = j * g.stride_w + b - g.padding_w;
              if (row < 0 || row >= g.in_h || column < 0 || column >= g.in_w) continue;
              const T value = x.value().data()[(plane * g.in_h + row) * g.in_w + column];
              best = std::max(best, value);
              total += value;
            }
          }
          const std::int64_t place = (plane * g.out_h + i) * g.out_w + j;
          CHECK(largest.value().data()[place] == best);
          CHECK(average.value().data()[place] ==
                doctest::Approx(total / static_cast<T>(g.kernel_h * g.kernel_w)).epsilon(1e-5));
        }
      }
    }
  }
}

TEST_CASE("the gradient of max pooling goes to the first maximum, and NaN is never hidden") {
  Variable<float> x(Tensor<float>::from({1, 1, 1, 1}, {1, 1, 2, 2}), true);
  backward(ops::sum(ops::max_pool2d(x)));
  CHECK(x.grad().value().to_vector() == std::vector<float>{1, 0, 0, 0});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const ops::Pool2dOptions& options :
       {ops::Pool2dOptions{}, ops::Pool2dOptions{.kernel = {2, 4}, .stride = 2}}) {
    for (std::size_t place = 0; place < 4; ++place) {
      std::vector<float> values(8, 1.0F);
      values[place] = nan;
      const Variable<float> with_nan(Tensor<float>::from(values, {1, 1, 2, 4}));
      CHECK(std::isnan(ops::max_pool2d(with_nan, options)
                           .value()
                           .to_vector()[options.kernel.w == 4 ? 0 : place / 2]));
    }
  }
}

TEST_CASE("pooling says what does not fit") {
  const auto x = [](const Shape& shape) { return Variable<float>(Tensor<float>::zeros(shape)); };
  CHECK_THROWS_WITH_AS(ops::max_pool2d(x({2, 8, 8})),
                       "max_pool2d: input (2, 8, 8) must have four dimensions (n, c, h, w)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(ops::max_pool2d(x({1, 1, 1, 8})),
                       "max_pool2d: the kernel (2, 2) does not fit into the input (1, 1, 1, 8)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(ops::avg_pool2d(x({1, 1, 8, 8}), {.kernel = 0}),
                       "avg_pool2d: kernel (0, 0) and stride (0, 0) must be at least 1",
                       ValueError);
  CHECK_THROWS_WITH_AS(ops::avg_pool2d(x({1, 1, 8, 8}), {.padding = 2}),
                       "avg_pool2d: padding (2, 2) must be at most half the kernel (2, 2)",
                       ValueError);
}
