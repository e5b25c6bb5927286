// Tensors: how they are made, read, viewed and copied; random numbers.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "support/complaint.hpp"
#include "support/device.hpp"

namespace sfumato::tested::core_tensor {

TEST_CASE_TEMPLATE("tensors are made and read", T, float, double, std::uint8_t, std::int32_t,
                   std::int64_t) {
  CHECK(Tensor<T>::zeros({2, 2}).to_vector() == std::vector<T>{0, 0, 0, 0});
  CHECK(Tensor<T>::ones({2}).to_vector() == std::vector<T>{1, 1});
  CHECK(Tensor<T>::arange(4).to_vector() == std::vector<T>{0, 1, 2, 3});
  CHECK(Tensor<T>::arange(2, 9, 3).to_vector() == std::vector<T>{2, 5, 8});
  auto x = Tensor<T>::from({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(x.at({1, 2}) == 6);
  x.set({0, 1}, 9);
  CHECK(x.to_vector() == std::vector<T>{1, 9, 3, 4, 5, 6});
  if constexpr (HostAccessible<Device>) CHECK(x.span()[1] == 9);
  CHECK(Tensor<T>::scalar(7).item() == 7);
  CHECK(Tensor<T>::empty({0, 3}).to_vector().empty());
}

TEST_CASE("arange walks backwards and refuses to walk forever") {
  CHECK(Tensor<int>::arange(5, 0, -2).to_vector() == std::vector<int>{5, 3, 1});
  CHECK(Tensor<double>::arange(0.0, 1.0, 0.25).numel() == 4);
  CHECK_THROWS_WITH_AS(Tensor<int>::arange(0, 3, 0),
                       "arange: can't go from 0 to 3 in steps of 0; the step must be non-zero and "
                       "lead from start to stop",
                       ValueError);
  CHECK_THROWS_AS(Tensor<int>::arange(0, 3, -1), ValueError);
  CHECK(Tensor<float>::arange(1.0F, 0.0F, -0.25F).to_vector() ==
        std::vector<float>{1.0F, 0.75F, 0.5F, 0.25F});
  CHECK(Tensor<double>::arange(0.0, 1.1, 0.5).to_vector() == std::vector<double>{0.0, 0.5, 1.0});
  CHECK(Tensor<int>::arange(3, 3).shape() == Shape{0});
  CHECK(Tensor<int>::arange(3, 3, -1).shape() == Shape{0});
  CHECK(Tensor<std::uint8_t>::arange(250, 255).to_vector() ==
        std::vector<std::uint8_t>{250, 251, 252, 253, 254});
  // A step that overshoots in the wrong direction is as wrong as a short one.
  CHECK(complaint([] { Tensor<int>::arange(0, 1, -2); }) ==
        "arange: can't go from 0 to 1 in steps of -2; the step must be non-zero and lead from "
        "start to stop");
  CHECK(complaint([] {
          Tensor<double>::arange(0.0, std::nan(""));
        }).starts_with("arange: can't go from 0 to "));
  CHECK_THROWS_AS(Tensor<double>::arange(std::numeric_limits<double>::infinity()), ValueError);
}

TEST_CASE("arange stops before its stop, in every type") {
  using Floats = std::vector<float>;
  CHECK(Tensor<float>::arange(0.0F, 0.3F, 0.1F).to_vector() == Floats{0.0F, 0.1F, 0.2F});
  CHECK(Tensor<double>::arange(0.0, 0.3, 0.1).to_vector() == std::vector<double>{0.0, 0.1, 0.2});
  CHECK(Tensor<double>::arange(0.0, 1.0, 0.1).numel() == 10);
  CHECK(Tensor<float>::arange(1.0F, -0.5F, -0.5F).to_vector() == Floats{1.0F, 0.5F, 0.0F});
  CHECK(Tensor<float>::arange(2.0F, 2.0F, 0.5F).numel() == 0);
  CHECK(Tensor<float>::arange(0.0F, 0.1F, 5.0F).to_vector() == Floats{0.0F});
  for (int n = 1; n < 200; ++n) {
    const auto parts = Tensor<float>::arange(0.0F, 1.0F, 1.0F / static_cast<float>(n)).to_vector();
    CAPTURE(n);
    CHECK(parts.back() < 1.0F);
    const auto last = static_cast<double>(1.0F / static_cast<float>(n));
    CHECK(static_cast<float>(static_cast<double>(parts.size()) * last) >= 1.0F);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      CHECK(parts[i] == static_cast<float>(static_cast<double>(i) * last));
    }
  }
  // A step that floats of this size do not see still ends.
  const auto large = Tensor<float>::arange(16777216.0F, 16777220.0F, 0.5F).to_vector();
  CHECK(large.back() < 16777220.0F);
  CHECK(Tensor<Half>::arange(Half(0.0F), Half(1.0F), Half(0.25F)).numel() == 4);
}

TEST_CASE("arange of integers is exact wherever they are") {
  using Integers = std::vector<std::int64_t>;
  const auto range = [](std::int64_t start, std::int64_t stop, std::int64_t step) {
    return Tensor<std::int64_t>::arange(start, stop, step).to_vector();
  };
  constexpr std::int64_t kFloats = std::int64_t{1} << 53;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  CHECK(range(kFloats, kFloats + 3, 1) == Integers{kFloats, kFloats + 1, kFloats + 2});
  CHECK(range(kFloats + 1, kFloats + 4, 2) == Integers{kFloats + 1, kFloats + 3});
  CHECK(range(kMost - 2, kMost, 1) == Integers{kMost - 2, kMost - 1});
  CHECK(range(kLeast + 1, kLeast, -1) == Integers{kLeast + 1});
  CHECK(range(kLeast, kMost, kMost) == Integers{kLeast, -1, kMost - 1});
  CHECK(range(kMost, kLeast, kLeast) == Integers{kMost, -1});
  CHECK(range(5, 5, -1).empty());
  CHECK(range(0, 10, 4) == Integers{0, 4, 8});
  CHECK(range(0, -10, -4) == Integers{0, -4, -8});
  CHECK_THROWS_AS(range(kFloats + 1, kFloats, 1), ValueError);
  CHECK_THROWS_AS(range(kLeast, kMost, 1), ValueError);
  CHECK_THROWS_AS(range(0, 1, 0), ValueError);
  CHECK(Tensor<std::uint8_t>::arange(250, 255).to_vector() ==
        std::vector<std::uint8_t>{250, 251, 252, 253, 254});
  CHECK(Tensor<std::int32_t>::arange(2147483646, 2147483647).to_vector() ==
        std::vector<std::int32_t>{2147483646});
  CHECK_THROWS_AS(Tensor<float>::arange(0.0F, std::nanf(""), 1.0F), ValueError);
  CHECK_THROWS_AS(Tensor<float>::arange(0.0F, 1.0F, std::nanf("")), ValueError);
  CHECK_THROWS_AS(Tensor<double>::arange(0.0, HUGE_VAL), ValueError);
}

TEST_CASE("reshape shares storage and clone does not") {
  auto x = Tensor<float>::arange(6);
  auto view = x.reshape({3, -1});
  CHECK(view.shape() == Shape{3, 2});
  view.set({0, 0}, 42.0F);
  CHECK(x.at({0}) == 42.0F);
  CHECK(view.shares_storage_with(x));
  auto copy = x.clone();
  copy.set({0}, 1.0F);
  CHECK(x.at({0}) == 42.0F);
  CHECK(x.cast<int>().to_vector() == std::vector<int>{42, 1, 2, 3, 4, 5});
  x.copy_from(copy);
  CHECK(view.at({0, 0}) == 1.0F);
}

TEST_CASE_TEMPLATE("tensors are copied out of spans and vectors, not kept", T, float, double,
                   std::uint8_t, std::int32_t, std::int64_t) {
  std::vector<T> values{1, 2, 3, 4};
  const auto x = Tensor<T>::from(std::span<const T>(values), {2, 2});
  values[0] = 9;
  CHECK(x.to_vector() == std::vector<T>{1, 2, 3, 4});
  CHECK(x.shape() == Shape{2, 2});
  CHECK(x.rank() == 2);
  CHECK(x.at({1, 0}) == T{3});
  CHECK(Tensor<T>::full({3}, 5).to_vector() == std::vector<T>{5, 5, 5});
  CHECK(Tensor<T>::from({}, {0, 3}).numel() == 0);
  CHECK(complaint([&] { Tensor<T>::from(values, {5}); }) ==
        "tensor: 4 values for the shape (5,), which has 5 elements");
}

TEST_CASE("a tensor without storage is undefined and empty") {
  const Tensor<float> nothing;
  CHECK_FALSE(nothing.defined());
  CHECK(nothing.shape() == Shape{0});
  CHECK(nothing.to_vector().empty());
  CHECK_FALSE(nothing.clone().defined());
  CHECK(nothing.clone().shape() == Shape{0});
  CHECK(Tensor<float>::empty({0}).defined());
  CHECK(complaint([&] { nothing.item(); }) ==
        "item: the shape (0,) has 0 elements; item() reads tensors of one");
}

TEST_CASE("a tensor that was moved from is undefined, and nothing is made of nothing") {
  auto tensor = Tensor<float>::from({1, 2}, {2});
  auto taken = std::move(tensor);
  CHECK_FALSE(tensor.defined());  // NOLINT(bugprone-use-after-move)
  CHECK(tensor.shape() == Shape{0});
  CHECK(tensor.to_vector().empty());
  CHECK_THROWS_AS(tensor.item(), ShapeError);
  tensor = std::move(taken);
  CHECK(tensor.to_vector() == std::vector<float>{1, 2});
  CHECK(taken.shape() == Shape{0});  // NOLINT(bugprone-use-after-move)
  const Tensor<float> none;
  CHECK_FALSE(none.clone().defined());
  CHECK_FALSE(none.cast<double>().defined());
}

TEST_CASE("values are read and written at their place in row-major order") {
  auto x = Tensor<int>::arange(24).reshape({2, 3, 4});
  CHECK(x.at({1, 2, 3}) == 23);
  CHECK(x.at({1, 0, 2}) == 14);
  x.set({0, 2, 1}, -1);
  CHECK(x.to_vector()[9] == -1);
  CHECK(Tensor<int>::scalar(5).at({}) == 5);
  CHECK(Tensor<int>::full({1, 1, 1}, 6).item() == 6);
  CHECK(complaint([&] {
          x.set({0, 3, 0}, 1);
        }) == "at: index 3 is out of range at axis 1 of (2, 3, 4)");
  CHECK(complaint([&] {
          x.at({-3, 0, 0});
        }) == "at: index -3 is out of range at axis 0 of (2, 3, 4)");
  x(-1, -1, -1) = 7;
  x(1, 2, 3) += 2;
  CHECK(x.to_vector()[23] == 9);
  CHECK_THROWS_AS(x(1, 2, 3) /= 0, ValueError);
  x(1, 2, 3) = std::numeric_limits<int>::min();
  CHECK_THROWS_AS(x(1, 2, 3) /= -1, ValueError);
  CHECK(complaint([&] { x.at({0, 0, 0, 0}); }) == "at: 4 indices for the shape (2, 3, 4)");
  CHECK(complaint([&] {
          Tensor<int>::empty({2, 0}).at({0, 0});
        }) == "at: index 0 is out of range at axis 1 of (2, 0)");
}

TEST_CASE("reshape works out one extent and refuses what it can't") {
  const auto x = Tensor<float>::zeros({2, 6});
  CHECK(x.reshape({-1}).shape() == Shape{12});
  CHECK(x.reshape({3, -1, 2}).shape() == Shape{3, 2, 2});
  CHECK(x.reshape({12, 1, -1}).shape() == Shape{12, 1, 1});
  CHECK(Tensor<float>::zeros({0, 3}).reshape({-1, 7}).shape() == Shape{0, 7});
  CHECK(Tensor<float>::scalar(1.0F).reshape({-1}).shape() == Shape{1});
  CHECK(x.reshape(std::vector<std::int64_t>{4, 3}).shape() == Shape{4, 3});
  CHECK_THROWS_AS(Tensor<float>::zeros({0, 3}).reshape({-1, 0}), ShapeError);
  CHECK(complaint([&] { x.reshape({-2, -6}); }) == "shape: extent -2 is negative");
  CHECK(complaint([&] { x.reshape({-1, -6}); }) == "shape: extent -6 is negative");
  // 2^32 · 2^32 must not wrap around to something that divides 12.
  CHECK(complaint([&] {
          x.reshape({-1, 1LL << 32, 1LL << 32});
        }) == "shape: (1, 4294967296) times 4294967296 has too many elements");
  CHECK(complaint([&] {
          x.reshape({-1, 1, 1, 1, 1, 1, 1, 1, 1});
        }) == "shape: more than 8 dimensions");
}

TEST_CASE("copy_from overwrites for everyone who shares the storage") {
  auto x = Tensor<double>::zeros({2, 2});
  const auto view = x.reshape({4});
  const Tensor<double> handle = x;
  x.copy_from(Tensor<double>::full({2, 2}, 3.0));
  CHECK(view.to_vector() == std::vector<double>(4, 3.0));
  CHECK(handle.at({1, 1}) == 3.0);
  x.copy_from(handle);  // itself
  CHECK(x.at({0, 0}) == 3.0);
  CHECK_FALSE(x.clone().shares_storage_with(x));
}

TEST_CASE("the version tells of changes in place, and not of reading") {
  auto x = Tensor<double>::zeros({2, 2});
  const auto view = x.reshape({4});
  const auto copy = x.clone();
  std::uint64_t before = x.version();
  const auto changed = [&] { return x.version() != std::exchange(before, x.version()); };
  CHECK(view.version() == before);

  (void)view.data();
  (void)view.at({3});
  (void)view.to_vector();
  (void)view.clone();
  (void)view.cast<float>();
  (void)view.to<Device>();
  (void)view.reshape({2, 2});
  // In a template, as where memory is the device's own there is no span().
  const auto ask_for_span = [](auto& tensor) {
    if constexpr (HostAccessible<Device>) (void)tensor.span();
    return HostAccessible<Device>;
  };
  ask_for_span(view);
  x.copy_from(x);
  CHECK_FALSE(changed());

  x.copy_from(copy);
  CHECK(changed());
  x.set({1, 1}, 2.0);
  CHECK(changed());
  (void)x.data();
  CHECK(changed());
  const bool has_span = ask_for_span(x);
  CHECK(changed() == has_span);
  x.reshape({4}).set({2}, 3.0);  // by another who shares the storage
  CHECK(changed());
  CHECK(view.version() == x.version());

  auto other = Tensor<double>::zeros({2, 2});
  other.set({0, 0}, 1.0);
  CHECK_FALSE(changed());
  x = other;  // other storage, and no change of what `view` holds
  CHECK(view.version() == before);
  CHECK(Tensor<double>().version() == 0);
}

TEST_CASE("cast converts as static_cast does and to returns the same tensor") {
  const auto x = Tensor<double>::from({-1.75, 0.0, 2.99, 1e10}, {2, 2});
  CHECK(x.cast<float>().to_vector() == std::vector<float>{-1.75F, 0.0F, 2.99F, 1e10F});
  CHECK(x.cast<std::int64_t>().to_vector() == std::vector<std::int64_t>{-1, 0, 2, 10000000000});
  CHECK(x.cast<float>().shape() == Shape{2, 2});
  CHECK(x.cast<double>().shares_storage_with(x));
  CHECK(x.to<Device>().shares_storage_with(x));
  CHECK(std::isnan(Tensor<float>::full({1}, std::nanf("")).cast<double>().item()));
}

TEST_CASE("NaN and infinities are kept bit by bit") {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto x = Tensor<float>::from({std::nanf(""), infinity, -infinity, -0.0F}, {4});
  const auto copy = x.clone().reshape({2, 2}).to_vector();
  CHECK(std::isnan(copy[0]));
  CHECK(copy[1] == infinity);
  CHECK(copy[2] == -infinity);
  CHECK(std::signbit(copy[3]));
}

TEST_CASE("tensors larger than any memory are refused with a ResourceError") {
  // Each way to make one: none may fail with std::bad_alloc or std::length_error instead.
  const Shape huge{1LL << 55};
  Random random(1);
  CHECK_THROWS_AS(Tensor<double>::empty(huge), ResourceError);
  CHECK_THROWS_AS(Tensor<double>::zeros(huge), ResourceError);
  CHECK_THROWS_AS(Tensor<std::uint8_t>::ones({1LL << 59}), ResourceError);
  CHECK_THROWS_AS(Tensor<double>::rand(huge, random), ResourceError);
  CHECK_THROWS_AS(Tensor<double>::randn(huge, random), ResourceError);
  CHECK_THROWS_AS(Tensor<double>::arange(0.0, 0x1p39, 0x1p-14), ValueError);
}

TEST_CASE("tensors say what does not fit") {
  const auto x = Tensor<float>::zeros({2, 3});
  CHECK_THROWS_WITH_AS(Tensor<float>::from({1, 2}, {3}),
                       "tensor: 2 values for the shape (3,), which has 3 elements", ShapeError);
  CHECK_THROWS_WITH_AS(x.reshape({4}), "reshape: (2, 3) has 6 elements, but (4,) has 4",
                       ShapeError);
  CHECK_THROWS_WITH_AS(x.reshape({-1, 4}),
                       "reshape: the extent -1 can't be worked out for (2, 3): there must be one, "
                       "and the others must divide its 6 elements",
                       ShapeError);
  CHECK_THROWS_AS(x.reshape({-1, -1}), ShapeError);
  CHECK_THROWS_WITH_AS(
      x.item(), "item: the shape (2, 3) has 6 elements; item() reads tensors of one", ShapeError);
  CHECK_THROWS_WITH_AS(x.at({1}), "at: 1 indices for the shape (2, 3)", ShapeError);
  CHECK_THROWS_WITH_AS(x.at({0, 3}), "at: index 3 is out of range at axis 1 of (2, 3)", ShapeError);
  CHECK_THROWS_WITH_AS(x.clone().copy_from(Tensor<float>::zeros({3, 2})),
                       "copy_from: source (3, 2) does not fit (2, 3)", ShapeError);
}

TEST_CASE("random numbers are the same everywhere") {
  Random random(42);
  const auto uniform = Tensor<double>::rand({3}, random).to_vector();
  // The first outputs of the standard's mt19937_64 seeded with 42, over 2^53.
  CHECK(uniform[0] == static_cast<double>(13930160852258120406ULL >> 11) * 0x1p-53);
  CHECK(uniform[1] == static_cast<double>(11788048577503494824ULL >> 11) * 0x1p-53);
  Random again(7);
  const auto normal = Tensor<double>::randn({200000}, again, 1.0, 2.0).to_vector();
  double mean = 0.0;
  double square = 0.0;
  for (const double value : normal) mean += value;
  mean /= static_cast<double>(normal.size());
  for (const double value : normal) square += (value - mean) * (value - mean);
  CHECK(mean == doctest::Approx(1.0).epsilon(0.02));
  CHECK(std::sqrt(square / static_cast<double>(normal.size())) ==
        doctest::Approx(2.0).epsilon(0.01));
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t value = again.below(7);
    CHECK((value >= 0 && value < 7));
  }
}

TEST_CASE("seed 42 gives the same normal numbers everywhere") {
  // Worked out apart from the library from the first outputs of mt19937_64, Box and Muller's way.
  const std::vector<double> expected{-1.0771745442782885, -1.2860634502166481, 1.0945198485006107,
                                     1.2616856516484893,  1.7947316657951717,  1.2044003699942827};
  Random random(42);
  const auto normal = Tensor<double>::randn({6}, random).to_vector();
  Random again(42);
  const auto single = Tensor<float>::randn({2, 3}, again, 10.0F, 0.5F).to_vector();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(normal[i] == doctest::Approx(expected[i]).epsilon(1e-14));
    CHECK(single[i] == doctest::Approx(10.0 + 0.5 * expected[i]).epsilon(1e-6));
  }
  CHECK(random.uniform() != Random(43).uniform());
}

TEST_CASE("random numbers in no range are refused") {
  Random random(1);
  CHECK(complaint([&] { Tensor<float>::rand({2}, random, -3e38F, 3e38F); }) ==
        "rand: from -3e+38 to 3e+38 is wider than the largest number; choose bounds that are "
        "closer");
  CHECK_THROWS_AS(Tensor<double>::rand({2}, random, 0.0, std::nan("")), ValueError);
  CHECK(complaint([&] { random.below(0); }) == "Random: below(0): there is no such number");
  CHECK_THROWS_AS(random.below(-3), ValueError);
}

TEST_CASE("x[i] is a view of the same storage") {
  Tensor<float> x{{1, 2, 3}, {4, 5, 6}};
  const Tensor<float> row = x[1];
  CHECK(row.shape() == Shape{3});
  CHECK(row.shares_storage_with(x));
  CHECK_FALSE(row.owns_alone());
  const auto version = x.version();
  x[-1][2].copy_from(Tensor<float>::scalar(60));
  CHECK(x.version() != version);
  CHECK(row.to_vector() == std::vector<float>{4, 5, 60});
  x[0].copy_from(row);
  CHECK(x.to_vector() == std::vector<float>{4, 5, 60, 4, 5, 60});
  x[0] += x[1];
  CHECK(x.to_vector() == std::vector<float>{8, 10, 120, 4, 5, 60});
  CHECK(row.reshape({3, 1}).at({2, 0}) == 60.0F);
  CHECK(row.clone().to_vector() == row.to_vector());
  CHECK((row + row).to_vector() == std::vector<float>{8, 10, 120});
  CHECK(x[0][1].item() == 10.0F);
  Tensor<float> moved = x[1];
  const Tensor<float> taken = std::move(moved);
  CHECK(taken.to_vector() == std::vector<float>{4, 5, 60});
  CHECK(std::as_const(moved).data() == nullptr);
  // What stands for an element holds a share of the memory.
  const auto last = Tensor<float>{{1, 2}, {3, 4}}[1](1);
  CHECK(static_cast<float>(last) == 4.0F);
  moved = {};
  CHECK_FALSE(moved.defined());
  // It would change nothing.
  CHECK_FALSE(std::is_assignable_v<Tensor<float>&&, Tensor<float>>);
  CHECK(complaint([&] { x[2]; }) == "[]: index 2 is out of range at axis 0 of (2, 3)");
  CHECK(complaint([&] { x[0][0][0]; }) == "[]: index 0 is out of range at axis 0 of ()");
}

TEST_CASE("numbers in nested braces are tensors of up to three axes") {
  CHECK(Tensor<float>{1, 2.5F}.shape() == Shape{2});
  CHECK(Tensor<double>{{1, 2}, {3, 4}, {5, 6}}.shape() == Shape{3, 2});
  const Tensor<std::int64_t> deep{{{1, 2}, {3, 4}, {5, 6}}, {{7, 8}, {9, 10}, {11, 12}}};
  CHECK(deep.shape() == Shape{2, 3, 2});
  CHECK(deep.at({1, 0, 1}) == 8);
  CHECK(complaint([] {
          Tensor<float>{{1, 2}, {3}};
        }) == "tensor: braces with (1,) beside some that make (2, 2); all must be alike");
  CHECK(Tensor<float>::eye(2).to_vector() == std::vector<float>{1, 0, 0, 1});
}

TEST_CASE("numbers without a Random come from this thread's own") {
  manual_seed(7);
  const auto first = Tensor<float>::randn({4});
  CHECK(Tensor<float>::randn({4}).to_vector() != first.to_vector());
  Random random(7);
  CHECK(Tensor<float>::randn({4}, random).to_vector() == first.to_vector());
}

TEST_CASE_TEMPLATE("uniform numbers fill their interval and stay below its end", T, float, double) {
  Random random(5);
  const auto values = Tensor<T>::rand({100000}, random, T(-3), T(1)).to_vector();
  double mean = 0.0;
  double square = 0.0;
  for (const T value : values) {
    CHECK(value >= T(-3));
    CHECK(value < T(1));
    mean += static_cast<double>(value) / 1e5;
  }
  for (const T value : values) square += std::pow(static_cast<double>(value) - mean, 2.0) / 1e5;
  CHECK(mean == doctest::Approx(-1.0).epsilon(0.02));
  CHECK(square == doctest::Approx(16.0 / 12.0).epsilon(0.02));
  // This seed's first number is so close to 1 that it rounds to 1 as a float.
  for (const T high : {T(1), T(0x1p20)}) {
    Random near_one(3138459);
    const T value = Tensor<T>::rand({1}, near_one, T(0), high).item();
    CHECK(value < high);
    CHECK(value > high * T(0.999999));
  }
  Random fixed(6);
  CHECK(Tensor<T>::rand({1}, fixed, T(2), T(2)).item() == T(2));
}

}  // namespace sfumato::tested::core_tensor
