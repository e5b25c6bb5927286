// Shapes, tensors, random numbers and the pool.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/cpu.hpp"

using namespace sfumato;

TEST_CASE("shapes know their extents and print like Python's") {
  const Shape shape{64, 3, 3, 3};
  CHECK(shape.rank() == 4);
  CHECK(shape[-1] == 3);
  CHECK(shape.elements() == 1728);
  CHECK(shape.to_string() == "(64, 3, 3, 3)");
  CHECK(Shape{5}.to_string() == "(5,)");
  CHECK(Shape{}.to_string() == "()");
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{2, 0, 3}.elements() == 0);
  CHECK(shape.with(1, 7) == Shape{64, 7, 3, 3});
  CHECK_THROWS_WITH_AS(shape[4],
                       "shape: axis 4 is out of range for (64, 3, 3, 3), which has 4 dimensions",
                       ShapeError);
  CHECK_THROWS_WITH_AS(Shape({2, -1}), "shape: extent -1 is negative", ShapeError);
  CHECK_THROWS_WITH_AS(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}),
                       "shape: 9 dimensions, but at most 8 are supported", ShapeError);
  CHECK_THROWS_WITH_AS(Shape({1LL << 40, 1LL << 20}),
                       "shape: (1099511627776,) times 1048576 has too many elements", ShapeError);
  CHECK_THROWS_AS(Shape({0, 1LL << 40, 1LL << 20}), ShapeError);
}

TEST_CASE("broadcasting follows NumPy") {
  CHECK(broadcast_shapes("op", {4, 1, 3}, {2, 1}) == Shape{4, 2, 3});
  CHECK(broadcast_shapes("op", {}, {2, 3}) == Shape{2, 3});
  CHECK(broadcast_shapes("op", {1}, {0}) == Shape{0});
  CHECK(broadcasts_to({3, 1}, {2, 3, 4}));
  CHECK_FALSE(broadcasts_to({2, 3}, {3}));
  CHECK_THROWS_WITH_AS(
      broadcast_shapes("add", {2, 3}, {4, 3}),
      "add: shapes (2, 3) and (4, 3) do not broadcast together: extents must agree "
      "or be 1, aligned at the last dimension",
      ShapeError);
}

TEST_CASE_TEMPLATE("tensors are made and read", T, float, double, std::uint8_t, std::int32_t,
                   std::int64_t) {
  CHECK(Tensor<T>::zeros({2, 2}).to_vector() == std::vector<T>{0, 0, 0, 0});
  CHECK(Tensor<T>::ones({2}).to_vector() == std::vector<T>{1, 1});
  CHECK(Tensor<T>::arange(4).to_vector() == std::vector<T>{0, 1, 2, 3});
  CHECK(Tensor<T>::arange(2, 9, 3).to_vector() == std::vector<T>{2, 5, 8});
  auto x = Tensor<T>::from({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(x.at({1, 2}) == 6);
  x.set({0, 1}, 9);
  CHECK(x.span()[1] == 9);
  CHECK(Tensor<T>::scalar(7).item() == 7);
  CHECK(Tensor<T>::empty({0, 3}).to_vector().empty());
}

TEST_CASE("arange walks backwards and refuses to walk forever") {
  CHECK(Tensor<int>::arange(5, 0, -2).to_vector() == std::vector<int>{5, 3, 1});
  CHECK(Tensor<double>::arange(0.0, 1.0, 0.25).elements() == 4);
  CHECK_THROWS_WITH_AS(Tensor<int>::arange(0, 3, 0),
                       "arange: can't go from 0 to 3 in steps of 0; the step must be non-zero and "
                       "lead from start to stop",
                       ValueError);
  CHECK_THROWS_AS(Tensor<int>::arange(0, 3, -1), ValueError);
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
  const auto uniform = Tensor<double>::uniform({3}, random).to_vector();
  // The first outputs of the standard's mt19937_64 seeded with 42, over 2^53.
  CHECK(uniform[0] == static_cast<double>(13930160852258120406ULL >> 11) * 0x1p-53);
  CHECK(uniform[1] == static_cast<double>(11788048577503494824ULL >> 11) * 0x1p-53);
  Random again(7);
  const auto normal = Tensor<double>::normal({200000}, again, 1.0, 2.0).to_vector();
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

TEST_CASE("the pool gives freed blocks out again") {
  auto& pool = Pool<Cpu>::shared();
  const auto before = pool.statistics();
  { const auto x = Tensor<float>::zeros({12345}); }
  const auto allocations = pool.statistics().system_allocations;
  for (int i = 0; i < 10; ++i) {
    const auto x = Tensor<float>::zeros({12345});
    CHECK(pool.statistics().bytes_in_use > before.bytes_in_use);
  }
  CHECK(pool.statistics().system_allocations == allocations);
  CHECK(pool.statistics().bytes_in_use == before.bytes_in_use);
  pool.trim();
  CHECK(pool.statistics().bytes_held == pool.statistics().bytes_in_use);
  CHECK_THROWS_AS(Tensor<double>::empty({1LL << 50}), ResourceError);
  CHECK_THROWS_AS(Tensor<double>::empty({1LL << 58}), ResourceError);
  pool.reset_peak();
  CHECK(pool.statistics().peak_bytes_in_use == pool.statistics().bytes_in_use);
}

TEST_CASE("the pool serves several threads at once") {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (std::int64_t i = 0; i < 500; ++i) {
        const auto x = Tensor<std::int64_t>::full({1 + i % 37}, t * 1000 + i);
        if (x.at({i % 37}) != t * 1000 + i) std::abort();
      }
    });
  }
  for (auto& thread : threads) thread.join();
}
