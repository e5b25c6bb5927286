// The bridge to Eigen.

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/eigen.hpp"
#include "support/complaint.hpp"

namespace sfumato::io_eigen_test {

TEST_CASE_TEMPLATE("a matrix shares the tensor's memory in both directions", T, float, double,
                   std::int32_t, std::int64_t, std::uint8_t) {
  auto x = Tensor<T>::from({0, 1, 2, 3, 4, 5}, {2, 3});
  const auto version = x.version();
  auto view = io::as_eigen(x);
  CHECK(x.version() != version);
  CHECK(view.data() == std::as_const(x).data());
  CHECK(view.rows() == 2);
  CHECK(view.cols() == 3);
  CHECK(view(1, 0) == T(3));
  view *= T(2);
  CHECK(x.to_vector() == std::vector<T>{0, 2, 4, 6, 8, 10});
  x.set({1, 0}, T(9));
  CHECK(view(1, 0) == T(9));
  const auto product = io::from_eigen(view * view.transpose());
  CHECK(product.shape() == Shape{2, 2});
  CHECK(product.at({0, 0}) == T(20));
}

TEST_CASE("a vector, too") {
  auto x = Tensor<double>::from({3, 4}, {2});
  CHECK(io::as_eigen_vector(x).norm() == 5.0);
  io::as_eigen_vector(x).array() += 1.0;
  CHECK(x.to_vector() == std::vector<double>{4, 5});
  CHECK(io::as_eigen(x.reshape({1, 2}))(0, 1) == 5.0);
}

TEST_CASE("a const tensor can't be written to, and looking at it changes nothing") {
  const auto x = Tensor<float>::ones({2, 2});
  const auto version = x.version();
  auto matrix = io::as_eigen(x);
  auto vector = io::as_eigen_vector(std::as_const(x).reshape({4}));
  CHECK(x.version() == version);
  static_assert(std::is_same_v<decltype(matrix.data()), const float*>);
  static_assert(std::is_same_v<decltype(vector.data()), const float*>);
  CHECK(matrix.sum() == 4.0F);
}

TEST_CASE("columns of Eigen's become rows of a tensor's") {
  Eigen::MatrixXf matrix(2, 3);
  matrix << 0, 1, 2, 3, 4, 5;
  CHECK(io::from_eigen(matrix).to_vector() == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(io::from_eigen(matrix.col(1)).shape() == Shape{2, 1});
  CHECK(io::from_eigen(Eigen::MatrixXd(0, 3)).shape() == Shape{0, 3});
  auto none = Tensor<float>::empty({0, 3});
  CHECK(io::as_eigen(none).rows() == 0);
}

TEST_CASE("other ranks are refused") {
  auto x = Tensor<float>::ones({2, 2, 2});
  CHECK(complaint([&] { io::as_eigen(x); }) ==
        "as_eigen: (2, 2, 2) has 3 dimensions, and not 2; reshape() it");
  CHECK(complaint([&] { io::as_eigen_vector(x); }) ==
        "as_eigen: (2, 2, 2) has 3 dimensions, and not 1; reshape() it");
}

}  // namespace sfumato::io_eigen_test
