// Cpu::map and Cpu::reduce, called as the ops call them, against loops over every index.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/cpu.hpp"

namespace sfumato::cpu_map_reduce_test {

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Calls `visit(index)` for every index of the shape, in row-major order.
template <class Visit>
void for_each_index(const Shape& shape, const Visit& visit) {
  std::array<std::int64_t, kMaxRank> index{};
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    visit(index);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (++index[static_cast<std::size_t>(axis)] < shape[axis]) break;
      index[static_cast<std::size_t>(axis)] = 0;
    }
  }
}

std::int64_t place(const std::array<std::int64_t, kMaxRank>& index, const Strides& strides) {
  std::int64_t sum = 0;
  for (std::size_t axis = 0; axis < index.size(); ++axis) sum += index[axis] * strides[axis];
  return sum;
}

struct Combine {
  template <class T>
  T operator()(T a, T b, T c) const {
    return a * T{1000000} + b * T{1000} + c;
  }
};

/// Maps three inputs with these strides over the shape, and compares with a loop. The inputs'
/// element 0 is in the middle of their memory, so that strides may be negative.
void check_map(const Shape& shape, const std::array<Strides, 3>& in, const Strides& out) {
  CAPTURE(shape.to_string());
  constexpr std::int64_t kReach = 20000;
  const auto memory = Tensor<std::int64_t>::arange(2 * kReach);
  auto result = Tensor<std::int64_t>::full({2 * kReach}, -1);
  auto expected = result.clone();
  for_each_index(shape, [&](const auto& index) {
    const auto value = [&](std::size_t input) {
      return memory.data()[kReach + place(index, in[input])];
    };
    expected.data()[kReach + place(index, out)] = Combine{}(value(0), value(1), value(2));
  });
  const auto input = [&](std::size_t i) {
    return Strided<const std::int64_t>{memory.data() + kReach, in[i]};
  };
  Cpu::map(Combine{}, shape, Strided<std::int64_t>{result.data() + kReach, out}, input(0), input(1),
           input(2));
  // Equal everywhere: nothing beside the target was written either.
  CHECK(result.to_vector() == expected.to_vector());
}

template <class Reduction, class T>
void check_reduce(const Reduction& reduction, const Tensor<T>& x, unsigned mask, double tolerance) {
  CAPTURE(mask);
  const Strides strides = row_major_strides(x.shape());
  Shape kept;
  Shape reduced;
  Strides kept_strides{};
  Strides reduced_strides{};
  for (int axis = 0; axis < x.rank(); ++axis) {
    const bool is_reduced = (mask >> axis & 1U) != 0;
    Shape& side = is_reduced ? reduced : kept;
    (is_reduced ? reduced_strides : kept_strides)[static_cast<std::size_t>(side.rank())] =
        strides[static_cast<std::size_t>(axis)];
    side.push_back(x.shape()[axis]);
  }
  auto out = Tensor<T>::full(kept, T{-12345});
  Cpu::reduce(reduction, kept, reduced, out.data(), x.data(), kept_strides, reduced_strides);
  std::size_t position = 0;
  const std::vector<T> actual = out.to_vector();
  bool all_close = true;
  for_each_index(kept, [&](const auto& outer) {
    double total = Reduction::template identity<double>();
    for_each_index(reduced, [&](const auto& inner) {
      const T value = x.data()[place(outer, kept_strides) + place(inner, reduced_strides)];
      total = reduction(total, static_cast<double>(value));
    });
    const double error = std::abs(static_cast<double>(actual[position++]) - total);
    all_close = all_close && error <= tolerance * std::max(1.0, std::abs(total));
  });
  CHECK(all_close);
}

}  // namespace

TEST_CASE("map reads and writes any strides") {
  const Strides dense = row_major_strides({5, 7, 11});
  check_map({5, 7, 11}, {dense, dense, dense}, dense);
  // Broadcast along each axis; all but one walked backwards; transposed; every third element.
  check_map({5, 7, 11}, {Strides{0, 11, 1}, Strides{77, 0, 1}, Strides{77, 11, 0}}, dense);
  check_map({5, 7, 11}, {Strides{-77, 11, 1}, Strides{77, -11, 1}, Strides{77, 11, -1}}, dense);
  check_map({5, 7, 11}, {Strides{1, 5, 35}, dense, Strides{}}, Strides{1, 55, 5});
  check_map({5, 7, 11}, {Strides{231, 33, 3}, dense, dense}, Strides{-77, -11, -1});
  check_map({5, 7, 11}, {dense, Strides{154, 22, 2}, dense}, Strides{300, 40, 3});
}

TEST_CASE("map works in every rank from a scalar to eight dimensions") {
  Shape shape;
  check_map(shape, {Strides{}, Strides{}, Strides{}}, Strides{});
  for (const std::int64_t extent : {2, 3, 1, 2, 3, 2, 1, 4}) {
    shape.push_back(extent);
    const Strides dense = row_major_strides(shape);
    Strides backwards{};
    Strides some_repeated = dense;
    Strides wide{};
    for (std::size_t axis = 0; axis < 8; ++axis) {
      backwards[axis] = -dense[axis];
      if (axis % 2 == 1) some_repeated[axis] = 0;
      wide[axis] = 5 * dense[axis];
    }
    check_map(shape, {dense, backwards, some_repeated}, dense);
    check_map(shape, {some_repeated, dense, backwards}, wide);
  }
}

TEST_CASE("map over rows longer than a piece of the loop leaves out nothing") {
  const Strides dense = row_major_strides({16385});
  check_map({16385}, {dense, Strides{}, Strides{-1}}, dense);
  check_map({3, 5461}, {Strides{0, 1}, Strides{5461, 1}, Strides{1, 0}}, Strides{1, 3});
}

TEST_CASE("map repeats operands that stay where they are over long rows") {
  const Strides dense = row_major_strides({3, 201});
  check_map({3, 201}, {dense, Strides{1, 0}, Strides{-7, 0}}, dense);
  check_map({3, 201}, {Strides{5, 0}, Strides{}, dense}, dense);
  check_map({2, 64}, {Strides{1, 0}, Strides{2, 0}, Strides{3, 0}}, Strides{64, 1});
}

TEST_CASE("map over no elements touches nothing") {
  for (const Shape& shape : {Shape{0}, Shape{3, 0}, Shape{0, 3}, Shape{2, 0, 5}}) {
    Cpu::map(detail::Identity{}, shape, Strided<float>{nullptr, row_major_strides(shape)},
             Strided<const float>{nullptr, row_major_strides(shape)});
  }
}

TEST_CASE("map may write over one of its inputs") {
  auto x = Tensor<double>::arange(40000);
  const Strides dense{1};
  const auto twice_plus = [](double a, double b) { return 2.0 * a + b; };
  Cpu::map(twice_plus, x.shape(), Strided<double>{x.data(), dense},
           Strided<const double>{x.data(), dense}, Strided<const double>{x.data(), dense});
  bool right = true;
  for (std::size_t i = 0; i < 40000; ++i) right = right && x.span()[i] == 3.0 * double(i);
  CHECK(right);
}

TEST_CASE("map converts from the inputs' types to the result's") {
  const auto mask = Tensor<std::uint8_t>::from({0, 1, 2, 255}, {4});
  const auto x = Tensor<float>::from({0.5F, 1.5F, -2.5F, 3.0F}, {4});
  auto y = Tensor<std::int32_t>::zeros({4});
  Cpu::map([](std::uint8_t m, float v) { return static_cast<std::int32_t>(v * 2.0F) + m; },
           x.shape(), Strided<std::int32_t>{y.data(), Strides{1}},
           Strided<const std::uint8_t>{mask.data(), Strides{1}},
           Strided<const float>{x.data(), Strides{1}});
  CHECK(y.to_vector() == std::vector<std::int32_t>{1, 4, -3, 261});
}

TEST_CASE_TEMPLATE("reductions over every set of axes equal plain loops", T, float, double) {
  const double tolerance = sizeof(T) == sizeof(float) ? 1e-6 : 1e-13;
  Random random(1);
  for (const Shape& shape : {Shape{3, 4, 5, 7}, Shape{1, 6, 1, 5}, Shape{2, 1, 33, 70},
                             Shape{70, 3, 1, 2}, Shape{2, 2, 2, 2000}, Shape{2000, 2, 1, 3}}) {
    CAPTURE(shape.to_string());
    const auto x = Tensor<T>::randn(shape, random);
    for (unsigned mask = 0; mask < 16; ++mask) {
      check_reduce(SumReduction{}, x, mask, tolerance * 30.0);
      check_reduce(MaxReduction{}, x, mask, 0.0);
      check_reduce(MinReduction{}, x, mask, 0.0);
    }
  }
}

TEST_CASE("empty sums are zero and reductions to nothing write nothing") {
  std::array<float, 3> out{7.0F, 7.0F, 7.0F};
  const Strides none{};
  Cpu::reduce(SumReduction{}, Shape{3}, Shape{0}, out.data(), static_cast<const float*>(nullptr),
              none, none);
  CHECK(out == std::array<float, 3>{});
  Cpu::reduce(MaxReduction{}, Shape{3}, Shape{2, 0}, out.data(), static_cast<const float*>(nullptr),
              none, none);
  CHECK(out == std::array<float, 3>{-kInfinity, -kInfinity, -kInfinity});
  Cpu::reduce(SumReduction{}, Shape{0}, Shape{3}, static_cast<float*>(nullptr),
              static_cast<const float*>(nullptr), none, none);
}

TEST_CASE("NaN wins maxima and minima wherever it stands") {
  // Long enough for vector lanes, a remainder, and several threads' parts.
  for (const std::int64_t count : {1, 5, 16, 33, 255, 256, 300, 1500, 70000}) {
    for (const std::int64_t at : {std::int64_t{0}, count / 2, count - 1}) {
      std::vector<float> values(static_cast<std::size_t>(count), 1.0F);
      values[static_cast<std::size_t>(count - 1)] = kInfinity;
      values[0] = -kInfinity;
      values[static_cast<std::size_t>(at)] = kNan;
      float largest = 0.0F;
      float smallest = 0.0F;
      // Along the last axis and, seen as columns of one, along the first.
      Cpu::reduce(MaxReduction{}, Shape{}, Shape{count}, &largest, values.data(), {}, Strides{1});
      Cpu::reduce(MinReduction{}, Shape{}, Shape{count}, &smallest, values.data(), {}, Strides{1});
      CHECK(std::isnan(largest));
      CHECK(std::isnan(smallest));
    }
  }
  auto rows = Tensor<float>::zeros({100, 600});
  rows.set({57, 3}, kNan);
  rows.set({99, 599}, kNan);
  auto out = Tensor<float>::empty({600});
  Cpu::reduce(MaxReduction{}, Shape{600}, Shape{100}, out.data(), rows.data(), Strides{1},
              Strides{600});
  for (std::size_t i = 0; i < 600; ++i) {
    CHECK(std::isnan(out.span()[i]) == (i == 3 || i == 599));
  }
}

TEST_CASE("infinities and the most negative values are ordinary values") {
  const std::vector<float> low(100, std::numeric_limits<float>::lowest());
  float largest = 0.0F;
  Cpu::reduce(MaxReduction{}, Shape{}, Shape{100}, &largest, low.data(), {}, Strides{1});
  CHECK(largest == std::numeric_limits<float>::lowest());
  const std::vector<float> infinite(100, -kInfinity);
  Cpu::reduce(MaxReduction{}, Shape{}, Shape{100}, &largest, infinite.data(), {}, Strides{1});
  CHECK(largest == -kInfinity);
}

TEST_CASE("sums read negative and zero strides") {
  const auto x = Tensor<double>::arange(12);
  std::array<double, 3> out{};
  // Rows of four, the last row first, walked backwards; then one element four times.
  Cpu::reduce(SumReduction{}, Shape{3}, Shape{4}, out.data(), x.data() + 11, Strides{-4},
              Strides{-1});
  CHECK(out == std::array<double, 3>{38.0, 22.0, 6.0});
  Cpu::reduce(SumReduction{}, Shape{3}, Shape{4}, out.data(), x.data(), Strides{1}, Strides{0});
  CHECK(out == std::array<double, 3>{0.0, 4.0, 8.0});
}

TEST_CASE("long sums of floats lose nothing to rounding") {
  constexpr std::int64_t kCount = 10'000'000;
  const auto tenths = Tensor<float>::full({kCount}, 0.1F);
  const double exact = static_cast<double>(0.1F) * kCount;
  float total = 0.0F;
  Cpu::reduce(SumReduction{}, Shape{}, Shape{kCount}, &total, tenths.data(), {}, Strides{1});
  CHECK(std::abs(static_cast<double>(total) - exact) < 1e-6 * exact);
  // The same by columns, where outputs are neighbours.
  std::array<float, 10> columns{};
  Cpu::reduce(SumReduction{}, Shape{10}, Shape{kCount / 10}, columns.data(), tenths.data(),
              Strides{1}, Strides{10});
  for (const float column : columns) {
    CHECK(std::abs(static_cast<double>(column) - exact / 10) < 1e-6 * exact / 10);
  }
}

}  // namespace sfumato::cpu_map_reduce_test
