// Matrix products against a plain sum: batches, broadcasting, transposition, long sums and empty
// matrices, with their gradients.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_matmul {

namespace {

/// Small whole numbers: sums of their products are exact in float and double, so results must be
/// equal whatever the order of summation.
template <class T>
Variable<T> whole(const Shape& shape, std::uint64_t seed, bool requires_grad = true) {
  Random random(seed);
  auto x = HostTensor<T>::empty(shape);
  for (T& value : x.span()) value = static_cast<T>(random.below(7) - 3);
  return Variable<T>(x.template to<Device>(), requires_grad);
}

/// The value of x at a place in the batch shape, where x is broadcast to it, and in the matrix.
template <class T>
T& element(HostTensor<T>& x, const Shape& batch, std::int64_t batch_index, std::int64_t row,
           std::int64_t column) {
  Shape own;
  for (int axis = 0; axis + 2 < x.rank(); ++axis) own.push_back(x.shape()[axis]);
  const Strides strides = broadcast_strides(own, batch);
  std::int64_t matrix = 0;
  for (int axis = batch.rank() - 1; axis >= 0; --axis) {
    matrix += batch_index % batch[axis] * strides[static_cast<std::size_t>(axis)];
    batch_index /= batch[axis];
  }
  return x.data()[(matrix * x.shape()[-2] + row) * x.shape()[-1] + column];
}

struct Case {
  Shape a;
  Shape b;
  Shape batch;  ///< of the result
};

template <class T>
void check_product(const Case& c, bool ta, bool tb) {
  const auto turned = [](const Shape& shape, bool turn) {
    return turn ? shape.with(-1, shape[-2]).with(-2, shape[-1]) : shape;
  };
  CAPTURE(c.a.to_string());
  CAPTURE(c.b.to_string());
  const std::int64_t m = c.a[-2];
  const std::int64_t k = c.a[-1];
  const std::int64_t n = c.b[-1];
  const auto a = whole<T>(turned(c.a, ta), 1);
  const auto b = whole<T>(turned(c.b, tb), 2);
  const auto y = ops::matmul(a, b, {.transpose_a = ta, .transpose_b = tb});
  const auto dy = whole<T>(y.shape(), 3, false);
  backward(y, {}, dy);

  Shape expected_shape = c.batch;
  expected_shape.push_back(m);
  expected_shape.push_back(n);
  REQUIRE(y.shape() == expected_shape);
  auto expected = HostTensor<T>::zeros(expected_shape);
  auto expected_da = HostTensor<T>::zeros(a.shape());
  auto expected_db = HostTensor<T>::zeros(b.shape());
  auto left = a.value().template to<Cpu>();
  auto right = b.value().template to<Cpu>();
  const std::vector<T> seeds = dy.value().to_vector();
  for (std::int64_t i = 0; i < c.batch.numel(); ++i) {
    for (std::int64_t row = 0; row < m; ++row) {
      for (std::int64_t column = 0; column < n; ++column) {
        const std::int64_t place = (i * m + row) * n + column;
        const T seed = seeds[static_cast<std::size_t>(place)];
        for (std::int64_t l = 0; l < k; ++l) {
          const auto of_a = [&](HostTensor<T>& x) -> T& {
            return element(x, c.batch, i, ta ? l : row, ta ? row : l);
          };
          const auto of_b = [&](HostTensor<T>& x) -> T& {
            return element(x, c.batch, i, tb ? column : l, tb ? l : column);
          };
          expected.data()[place] += of_a(left) * of_b(right);
          of_a(expected_da) += seed * of_b(right);
          of_b(expected_db) += seed * of_a(left);
        }
      }
    }
  }
  CHECK(y.value().to_vector() == expected.to_vector());
  CHECK(a.grad().value().to_vector() == expected_da.to_vector());
  CHECK(b.grad().value().to_vector() == expected_db.to_vector());
}

}  // namespace

TEST_CASE_TEMPLATE("products and their gradients equal plain sums for every kind of batch", T,
                   float, double) {
  for (const Case& c :
       {Case{{3, 4}, {4, 5}, {}}, Case{{2, 3, 4}, {2, 4, 5}, {2}}, Case{{3, 4}, {2, 4, 5}, {2}},
        Case{{2, 3, 4}, {4, 5}, {2}}, Case{{1, 3, 4}, {6, 4, 1}, {6}},
        Case{{2, 1, 3, 4}, {5, 4, 2}, {2, 5}}, Case{{2, 1, 1, 3, 2}, {3, 1, 2, 2}, {2, 3, 1}},
        Case{{1, 1, 3, 4}, {4, 5}, {1, 1}}, Case{{1, 1}, {1, 1}, {}}, Case{{1, 70}, {70, 1}, {}},
        Case{{70, 1}, {1, 70}, {}}, Case{{130, 40}, {40, 260}, {}}}) {
    for (const auto& [ta, tb] : {std::pair(false, false), std::pair(true, false),
                                 std::pair(false, true), std::pair(true, true)}) {
      check_product<T>(c, ta, tb);
    }
  }
}

TEST_CASE_TEMPLATE("long sums in small products are cut into slices that leave out nothing", T,
                   float, double) {
  // Around the length from which the sum is sliced, and where slices do not divide it.
  for (const std::int64_t k : {16383, 16384, 16385, 40001}) {
    check_product<T>({{3, k}, {k, 2}, {}}, false, false);
    check_product<T>({{2, k}, {k, 3}, {}}, false, true);
    check_product<T>({{2, k}, {k, 3}, {}}, true, false);
    check_product<T>({{2, k}, {k, 1}, {}}, true, true);
  }
  check_product<T>({{2, 2, 20000}, {20000, 2}, {2}}, false, false);
}

TEST_CASE("empty matrices give empty products, and empty sums give zeros") {
  for (const bool transposed : {false, true}) {
    check_product<double>({{0, 3}, {3, 2}, {}}, transposed, transposed);
    check_product<double>({{2, 3}, {3, 0}, {}}, transposed, !transposed);
    check_product<double>({{2, 0}, {0, 3}, {}}, transposed, transposed);
    check_product<double>({{0, 0}, {0, 0}, {}}, transposed, transposed);
    check_product<double>({{0, 2, 3}, {3, 4}, {0}}, transposed, transposed);
    check_product<double>({{0, 2, 3}, {1, 3, 4}, {0}}, transposed, transposed);
    check_product<double>({{4, 2, 0}, {0, 4}, {4}}, transposed, transposed);
  }
}

TEST_CASE("a factor that needs no gradient gets none, and a matrix may be multiplied by itself") {
  const auto frozen = whole<double>({3, 3}, 4, false);
  const auto x = whole<double>({3, 3}, 5);
  backward(ops::sum(ops::matmul(frozen, x)));
  CHECK_FALSE(frozen.grad().defined());
  CHECK(x.grad().defined());
  // d sum(X X) / dX = 1 Xᵀ + Xᵀ 1.
  const auto gradient = grad({ops::sum(ops::matmul(x, x))}, {x})[0].value();
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) {
      double expected = 0.0;
      for (std::int64_t l = 0; l < 3; ++l) {
        expected += x.value().at({j, l}) + x.value().at({l, i});
      }
      CHECK(gradient.at({i, j}) == expected);
    }
  }
}

TEST_CASE("matmul shows NaN and infinity") {
  const Variable<double> x(Tensor<double>::from({std::nan(""), 1.0, HUGE_VAL, 1.0}, {2, 2}));
  const auto y = ops::matmul(x, Variable<double>(Tensor<double>::from({0.0, 2.0}, {2, 1})));
  CHECK(std::isnan(y.value().at({0, 0})));
  CHECK(std::isnan(y.value().at({1, 0})));
}

TEST_CASE("matmul names shapes, transpositions and inner extents that do not agree") {
  const auto multiply = [](const Shape& a, const Shape& b, const ops::MatmulOptions& options = {}) {
    const auto zeros = [](const Shape& shape) {
      return Variable<float>(Tensor<float>::zeros(shape));
    };
    return complaint([&] { ops::matmul(zeros(a), zeros(b), options); });
  };
  CHECK(multiply({2, 3}, {4, 5}) ==
        "matmul: (2, 3) and (4, 5) have inner extents 3 and 4, which must agree");
  CHECK(multiply({2, 3}, {3, 5}, {.transpose_a = true}) ==
        "matmul: (2, 3) transposed and (3, 5) have inner extents 2 and 3, which must agree");
  CHECK(multiply({2, 3}, {3, 5}, {.transpose_b = true}) ==
        "matmul: (2, 3) and (3, 5) transposed have inner extents 3 and 5, which must agree");
  CHECK(multiply({}, {2, 2}) ==
        "matmul: () and (2, 2) must be vectors or matrices, and matrices to be transposed");
  CHECK(multiply({2, 2}, {2}, {.transpose_b = true}) ==
        "matmul: (2, 2) and (2,) must be vectors or matrices, and matrices to be transposed");
  CHECK(multiply({4, 2, 3}, {5, 3, 2}) ==
        "matmul: shapes (4,) and (5,) do not broadcast together: extents must agree or be 1, "
        "aligned at the last dimension");
}

}  // namespace sfumato::tested::ops_matmul
