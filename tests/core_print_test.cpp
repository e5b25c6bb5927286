// Tensors as text, in NumPy's layout. The expected lines are what NumPy 2 prints.

#include <doctest/doctest.h>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"

namespace sfumato::core_print_test {

namespace {

template <class Value>
std::string text(const Value& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

}  // namespace

TEST_CASE("columns have one width, and numbers as few digits as they need") {
  CHECK(text(Tensor<float>::from({1.0F, 2.5F, -3.0F, 0.125F}, {2, 2})) ==
        "[[ 1.     2.5  ]\n [-3.     0.125]]");
  CHECK(text(Tensor<float>::from({0.1F, 0.25F, -3.0F}, {3})) == "[ 0.1   0.25 -3.  ]");
  CHECK(text(Tensor<float>::from({0.1F, 2e-7F, -3.0F}, {3})) == "[ 1.e-01  2.e-07 -3.e+00]");
  CHECK(text(Tensor<double>::from({1e-7, 1.5, 1e10}, {3})) == "[1.0e-07 1.5e+00 1.0e+10]");
  CHECK(text(Tensor<double>::from({NAN, 1.0, -INFINITY}, {3})) == "[ nan   1. -inf]");
  CHECK(text(Tensor<std::uint8_t>::from({1, 255}, {2})) == "[  1 255]");
  CHECK(text(Tensor<BFloat16>::from({BFloat16(0.1F), BFloat16(2.0F)}, {2})) ==
        "[0.10009766 2.        ]");
  CHECK(text(Tensor<double>::arange(0, 12).reshape({2, 2, 3})) ==
        "[[[ 0.  1.  2.]\n  [ 3.  4.  5.]]\n\n [[ 6.  7.  8.]\n  [ 9. 10. 11.]]]");
}

TEST_CASE("long rows go on in the next line, large tensors show their edges") {
  CHECK(text(Tensor<double>::arange(0, 20)) ==
        "[ 0.  1.  2.  3.  4.  5.  6.  7.  8.  9. 10. 11. 12. 13. 14. 15. 16. 17.\n 18. 19.]");
  CHECK(text(Tensor<std::int64_t>::arange(2000).reshape({40, 50})) ==
        "[[   0    1    2 ...   47   48   49]\n [  50   51   52 ...   97   98   99]\n"
        " [ 100  101  102 ...  147  148  149]\n ...\n"
        " [1850 1851 1852 ... 1897 1898 1899]\n [1900 1901 1902 ... 1947 1948 1949]\n"
        " [1950 1951 1952 ... 1997 1998 1999]]");
  // What is left out has no say in the layout.
  auto hidden = Tensor<double>::ones({2000});
  hidden(1000) = 1e30;
  CHECK(text(hidden) == "[1. 1. 1. ... 1. 1. 1.]");
}

TEST_CASE("scalars, nothing, shapes and Variables print, too") {
  CHECK(text(Tensor<float>::scalar(3.0F)) == "3.");
  CHECK(text(Tensor<float>()) == "undefined");
  CHECK(text(Tensor<float>::empty({0, 3})) == "[] of shape (0, 3)");
  CHECK(text(Shape{2, 3}) == "(2, 3)");
  CHECK(text(Variable<float>(Tensor<float>::ones({2}))) == "[1. 1.]");
  CHECK(text(Variable<float>()) == "undefined");
}

TEST_CASE("one element is read and assigned by its indices, and reading is no change") {
  auto t = Tensor<float>::zeros({2, 2});
  const auto version = t.version();
  const float zero = t(0, 1);
  CHECK(zero == 0.0F);
  CHECK(t.version() == version);
  t(0, 1) = 5.0F;
  t(1, 0) = t(0, 1);
  CHECK(t.version() != version);
  CHECK(t.to_vector() == std::vector<float>{0.0F, 5.0F, 5.0F, 0.0F});
  const auto& constant = t;
  CHECK(constant(1, 0) == 5.0F);
  CHECK_THROWS_WITH_AS(t(2, 0), "at: index 2 is out of range at axis 0 of (2, 2)", ShapeError);
}

}  // namespace sfumato::core_print_test
