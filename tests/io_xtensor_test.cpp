// The bridge to xtensor.

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>
#include <xtensor/xarray.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/xtensor.hpp"
#include "support/complaint.hpp"

namespace sfumato::io_xtensor_test {

using Floats = std::vector<float>;

TEST_CASE("a view shares the tensor's memory in both directions") {
  auto x = Tensor<float>::arange(6).reshape({2, 3});
  auto view = io::as_xtensor(x);
  CHECK(view.data() == x.data());
  CHECK(view.dimension() == 2);
  CHECK(view.shape(0) == 2);
  CHECK(view.shape(1) == 3);
  CHECK(view(1, 2) == 5.0F);
  view += 1.0F;
  CHECK(x.to_vector() == Floats{1, 2, 3, 4, 5, 6});
  view(0, 1) = -1.0F;
  CHECK(x.at({0, 1}) == -1.0F);
  x.set({1, 0}, 9.0F);
  CHECK(view(1, 0) == 9.0F);
  // Parts of it, too.
  xt::view(view, xt::all(), 2) = 0.0F;
  CHECK(x.to_vector() == Floats{1, -1, 0, 9, 5, 0});
}

TEST_CASE("a view does not keep, free or move the memory") {
  auto x = Tensor<float>::ones({3});
  const float* const place = x.data();
  {
    auto view = io::as_xtensor(x);
    view = xt::xarray<float>{1, 2, 3};  // assigned into, not put in its place
    CHECK(view.data() == place);
  }
  CHECK(x.data() == place);
  CHECK(x.to_vector() == Floats{1, 2, 3});
}

TEST_CASE("a constant tensor gives a view that can't be written through") {
  const auto x = Tensor<float>::arange(6).reshape({2, 3});
  const auto view = io::as_xtensor(x);
  static_assert(std::is_same_v<decltype(view(0, 0)), const float&>);
  CHECK(view.data() == x.data());
  CHECK(view(1, 1) == 4.0F);
  CHECK(xt::sum(view)() == 15.0F);
}

TEST_CASE_TEMPLATE("tensors of every type can be seen", T, float, double, std::uint8_t,
                   std::int32_t, std::int64_t) {
  auto x = Tensor<T>::arange(24).reshape({2, 3, 4});
  const auto view = io::as_xtensor(x);
  CHECK(view(1, 2, 3) == T{23});
  CHECK(view(0, 1, 0) == T{4});
  const auto copied = io::from_xtensor<T>(view);
  CHECK(copied.shape() == x.shape());
  CHECK(copied.to_vector() == x.to_vector());
  CHECK_FALSE(copied.shares_storage_with(x));
}

TEST_CASE("scalars and empty tensors can be seen and copied") {
  auto scalar = Tensor<float>::scalar(7);
  auto view = io::as_xtensor(scalar);
  CHECK(view.dimension() == 0);
  view() = 8.0F;
  CHECK(scalar.item() == 8.0F);
  CHECK(io::from_xtensor<float>(view).shape() == Shape{});
  auto empty = Tensor<float>::empty({0, 3});
  const auto nothing = io::as_xtensor(empty);
  CHECK(nothing.size() == 0);
  CHECK(io::from_xtensor<float>(nothing).shape() == Shape{0, 3});
}

TEST_CASE("expressions are evaluated into the tensor") {
  auto x = Tensor<float>::arange(6).reshape({2, 3});
  const auto view = io::as_xtensor(x);
  const auto doubled = io::from_xtensor<float>(2.0F * view + 1.0F);
  CHECK(doubled.shape() == Shape{2, 3});
  CHECK(doubled.to_vector() == Floats{1, 3, 5, 7, 9, 11});
  CHECK(io::from_xtensor<float>(xt::sum(view, {0})).to_vector() == Floats{3, 5, 7});
  const auto transposed = io::from_xtensor<float>(xt::transpose(view));
  CHECK(transposed.shape() == Shape{3, 2});
  CHECK(transposed.to_vector() == Floats{0, 3, 1, 4, 2, 5});
  const auto part = io::from_xtensor<float>(xt::view(view, xt::all(), xt::range(1, 3)));
  CHECK(part.shape() == Shape{2, 2});
  CHECK(part.to_vector() == Floats{1, 2, 4, 5});
  const xt::xarray<float> row{10, 20, 30};
  CHECK(io::from_xtensor<float>(view + row).to_vector() == Floats{10, 21, 32, 13, 24, 35});
}

TEST_CASE("column-major arrays keep their indices") {
  const xt::xarray<float, xt::layout_type::column_major> columns{{1, 2, 3}, {4, 5, 6}};
  REQUIRE(*(columns.data() + 1) == 4.0F);  // so they lie in memory
  const auto x = io::from_xtensor<float>(columns);
  CHECK(x.shape() == Shape{2, 3});
  CHECK(x.to_vector() == Floats{1, 2, 3, 4, 5, 6});
  const xt::xtensor<double, 2, xt::layout_type::column_major> fixed{{1, 2}, {3, 4}, {5, 6}};
  CHECK(io::from_xtensor<double>(fixed).to_vector() == std::vector<double>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("values are converted to the type that is asked for") {
  const xt::xarray<double> doubles{0.5, -1.5, 2.0};
  CHECK(io::from_xtensor<float>(doubles).to_vector() == Floats{0.5F, -1.5F, 2.0F});
  const xt::xarray<int> integers{{1, 2}, {3, 4}};
  CHECK(io::from_xtensor<std::int64_t>(integers).to_vector() ==
        std::vector<std::int64_t>{1, 2, 3, 4});
}

TEST_CASE("a copy is independent of its source") {
  xt::xarray<float> source{1, 2, 3};
  auto x = io::from_xtensor<float>(source);
  source(0) = 9.0F;
  CHECK(x.to_vector() == Floats{1, 2, 3});
  x.set({1}, 7.0F);
  CHECK(source(1) == 2.0F);
}

TEST_CASE("arrays of more dimensions than tensors have are refused") {
  const std::vector<std::size_t> nine(9, 1);
  const xt::xarray<float> deep = xt::zeros<float>(nine);
  CHECK(complaint([&] { io::from_xtensor<float>(deep); }) == "shape: more than 8 dimensions");
}

}  // namespace sfumato::io_xtensor_test
