// Random shapes, with axes of no and of one element, and random values, some of them special,
// against loops over indices.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/device.hpp"

namespace sfumato::tested::ops_fuzz {

namespace {

using Index = std::vector<std::int64_t>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The values of a tensor on the host.
struct Plain {
  Shape shape;
  std::vector<double> values;

  explicit Plain(const Tensor<double>& x) : shape(x.shape()), values(x.to_vector()) {}

  /// The element at an index of a shape that this one broadcasts to.
  double at(const Index& index) const {
    const Strides strides = row_major_strides(shape);
    const std::size_t missing = index.size() - static_cast<std::size_t>(shape.rank());
    std::int64_t place = 0;
    for (std::size_t axis = 0; axis + missing < index.size(); ++axis) {
      const bool repeated = shape[static_cast<int>(axis)] == 1;
      place += repeated ? 0 : index[axis + missing] * strides[axis];
    }
    return values[static_cast<std::size_t>(place)];
  }
};

/// Calls visit(index) for every index of a shape, in the order of the elements.
template <class Visit>
void for_each_index(const Shape& shape, const Visit& visit) {
  const Strides strides = row_major_strides(shape);
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    Index index;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      index.push_back(i / strides[static_cast<std::size_t>(axis)] % shape[axis]);
    }
    visit(index);
  }
}

class Cases {
 public:
  explicit Cases(std::uint64_t seed) : random_(seed) {}

  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(random_.uniform() * static_cast<double>(count));
  }
  Shape shape(int rank) {
    Shape result;
    for (int i = 0; i < rank; ++i) result.push_back(below(8) == 0 ? 0 : 1 + below(4));
    return result;
  }
  /// A shape that broadcasts to `whole`.
  Shape broadcastable(const Shape& whole) {
    Shape result;
    for (int axis = static_cast<int>(below(whole.rank() + 1)); axis < whole.rank(); ++axis) {
      result.push_back(below(3) == 0 ? 1 : whole[axis]);
    }
    return result;
  }
  Variable<double> values(const Shape& shape, bool special) {
    const std::vector<double> choice{0.0, -0.0, 1.0,  -1.0,      2.0,        0.5,
                                     3.0, kNan, -2.5, kInfinity, -kInfinity, 5e-324};
    std::vector<double> result(static_cast<std::size_t>(shape.numel()));
    for (double& value : result) {
      const bool chosen = special && below(2) == 0;
      value = chosen ? choice[static_cast<std::size_t>(below(12))] : random_.normal();
    }
    return Variable<double>(Tensor<double>::from(result, shape), true);
  }

 private:
  Random random_;
};

/// Checks that `found` has the shape and, up to rounding, the values of visiting every index.
template <class Function>
void check(const char* name, const Tensor<double>& found, const Shape& shape,
           const Function& expected) {
  CAPTURE(name);
  CAPTURE(shape.to_string());
  REQUIRE(found.shape() == shape);
  const Plain plain(found);
  for_each_index(shape, [&](const Index& index) {
    const double wanted = expected(index);
    const double value = plain.at(index);
    const double error = std::abs(value - wanted);
    const bool right = std::isnan(wanted)
                           ? std::isnan(value)
                           : value == wanted || error <= 1e-12 * std::abs(wanted) || error <= 1e-14;
    CHECK_MESSAGE(right, value, " for ", wanted);
  });
}

}  // namespace

TEST_CASE("random operations of two operands") {
  Cases cases(1);
  for (int round = 0; round < 150; ++round) {
    const Shape whole = cases.shape(static_cast<int>(cases.below(5)));
    const auto a = cases.values(cases.broadcastable(whole), true);
    const auto b = cases.values(cases.broadcastable(whole), true);
    const Shape shape = broadcast_shapes("test", a.shape(), b.shape());
    const Plain left(a.value());
    const Plain right(b.value());
    const auto compare = [&](const char* name, const Variable<double>& y, const auto& function) {
      check(name, y.value(), shape,
            [&](const Index& index) { return function(left.at(index), right.at(index)); });
    };
    compare("add", a + b, [](double x, double y) { return x + y; });
    compare("sub", a - b, [](double x, double y) { return x - y; });
    compare("mul", a * b, [](double x, double y) { return x * y; });
    compare("div", a / b, [](double x, double y) { return x / y; });
    compare("pow", ops::pow(a, b), [](double x, double y) { return std::pow(x, y); });
    const auto either_nan = [](double x, double y) { return std::isnan(x) || std::isnan(y); };
    compare("maximum", ops::maximum(a, b),
            [&](double x, double y) { return either_nan(x, y) ? kNan : std::max(x, y); });
    compare("minimum", ops::minimum(a, b),
            [&](double x, double y) { return either_nan(x, y) ? kNan : std::min(x, y); });
    // What is broadcast gets the sum of its copies' gradients.
    const auto seed = cases.values(shape, false);
    const auto slopes = grad(std::vector{a * b}, std::vector{a, b}, {}, std::vector{seed.detach()});
    const Plain upstream(seed.value());
    const auto summed = [&](const Variable<double>& own, const Plain& other) {
      std::vector<double> sums(static_cast<std::size_t>(own.numel()), 0.0);
      const Strides strides = broadcast_strides(own.shape(), shape);
      for_each_index(shape, [&](const Index& index) {
        std::int64_t place = 0;
        for (std::size_t i = 0; i < index.size(); ++i) place += index[i] * strides[i];
        sums[static_cast<std::size_t>(place)] += upstream.at(index) * other.at(index);
      });
      return Plain(Tensor<double>::from(sums, own.shape()));
    };
    const Plain along_a = summed(a, right);
    const Plain along_b = summed(b, left);
    check("slope of mul", slopes[0].value(), a.shape(),
          [&](const Index& index) { return along_a.at(index); });
    check("slope of mul", slopes[1].value(), b.shape(),
          [&](const Index& index) { return along_b.at(index); });
  }
}

TEST_CASE("random reductions") {
  Cases cases(2);
  for (int round = 0; round < 200; ++round) {
    const int rank = static_cast<int>(cases.below(5));
    const auto x = cases.values(cases.shape(rank), round % 2 == 0);
    const Plain plain(x.value());
    ops::Axes axes;
    Shape reduced;
    for (int axis = 0; axis < rank; ++axis) {
      const bool chosen = cases.below(2) == 0;
      if (chosen) axes.push_back(cases.below(2) == 0 ? axis : axis - rank);
      reduced.push_back(chosen ? 1 : x.shape()[axis]);
    }
    if (axes.empty()) {
      for (int axis = 0; axis < rank; ++axis) reduced = reduced.with(axis, 1);
    }
    // The elements that become one result.
    const auto members = [&](const Index& index) {
      std::vector<double> result;
      for_each_index(x.shape(), [&](const Index& place) {
        bool belongs = true;
        for (std::size_t i = 0; i < place.size(); ++i) {
          const auto axis = static_cast<int>(i);
          const bool kept = reduced[axis] != 1 || x.shape()[axis] == 1;
          belongs = belongs && (!kept || place[i] == index[i]);
        }
        if (belongs) result.push_back(plain.at(place));
      });
      return result;
    };
    const auto total = [](const std::vector<double>& values) {
      double sum = 0.0;
      for (const double value : values) sum += value;
      return sum;
    };
    const auto compare = [&](const char* name, const Variable<double>& y, const auto& function) {
      check(name, y.value(), reduced, [&](const Index& index) { return function(members(index)); });
    };
    compare("sum", ops::sum(x, axes, true), total);
    bool nothing = false;
    for (int axis = 0; axis < rank; ++axis) {
      nothing = nothing || (reduced[axis] == 1 && x.shape()[axis] == 0);
    }
    if (nothing) {
      CHECK_THROWS_AS(ops::mean(x, axes), ValueError);
      CHECK_THROWS_AS(ops::max(x, axes), ValueError);
      continue;
    }
    const auto average = [&](const std::vector<double>& values) {
      return total(values) / static_cast<double>(values.size());
    };
    compare("mean", ops::mean(x, axes, true), average);
    compare("var", ops::var(x, axes, true, 0), [&](const std::vector<double>& values) {
      std::vector<double> squares;
      for (const double value : values) squares.push_back(std::pow(value - average(values), 2));
      return average(squares);
    });
    const auto has_nan = [](const std::vector<double>& values) {
      return std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
    };
    compare("max", ops::max(x, axes, true), [&](const std::vector<double>& values) {
      return has_nan(values) ? kNan : *std::max_element(values.begin(), values.end());
    });
    compare("min", ops::min(x, axes, true), [&](const std::vector<double>& values) {
      return has_nan(values) ? kNan : *std::min_element(values.begin(), values.end());
    });
  }
}

TEST_CASE("random products, parts and paddings") {
  Cases cases(3);
  for (int round = 0; round < 150; ++round) {
    const Shape batch = cases.shape(static_cast<int>(cases.below(3)));
    const Shape sizes = cases.shape(3);
    const auto matrices = [&](std::int64_t rows, std::int64_t columns) {
      Shape shape = cases.broadcastable(batch);
      shape.push_back(rows);
      shape.push_back(columns);
      return cases.values(shape, false);
    };
    const auto a = matrices(sizes[0], sizes[1]);
    const auto b = matrices(sizes[1], sizes[2]);
    const auto product = ops::matmul(a, b);
    const Plain left(a.value());
    const Plain right(b.value());
    check("matmul", product.value(), product.shape(), [&](const Index& index) {
      double sum = 0.0;
      for (std::int64_t k = 0; k < sizes[1]; ++k) {
        Index in_a = index;
        Index in_b = index;
        in_a.back() = k;
        in_b[in_b.size() - 2] = k;
        sum += left.at(in_a) * right.at(in_b);
      }
      return sum;
    });
    const auto x = cases.values(cases.shape(1 + static_cast<int>(cases.below(4))), true);
    const int axis = static_cast<int>(cases.below(x.rank()));
    const auto place = static_cast<std::size_t>(axis);
    const Plain plain(x.value());
    const std::int64_t before = cases.below(3);
    const auto padded = ops::pad(x, axis - x.rank(), before, cases.below(3));
    check("pad", padded.value(), padded.shape(), [&](const Index& index) {
      Index source = index;
      source[place] -= before;
      const bool inside = source[place] >= 0 && source[place] < x.shape()[axis];
      return inside ? plain.at(source) : 0.0;
    });
    const auto twice = ops::cat({x, padded}, axis);
    const Plain second(padded.value());
    check("cat", twice.value(), x.shape().with(axis, x.shape()[axis] + padded.shape()[axis]),
          [&](const Index& index) {
            Index rest = index;
            rest[place] -= x.shape()[axis];
            // An axis of one element would count as repeated.
            return rest[place] < 0 ? plain.at(index) : second.at(rest);
          });
    const auto softmax = ops::softmax(cases.values(x.shape(), false), axis);
    const auto sums = ops::sum(softmax, {axis}, true);
    if (x.numel() > 0) {
      check("softmax", sums.value(), sums.shape(), [](const Index&) { return 1.0; });
    }
  }
}

}  // namespace sfumato::tested::ops_fuzz
