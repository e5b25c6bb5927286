// What a user writes to add an elementwise op, outside the library.

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/device.hpp"

namespace sfumato::tested::ops_custom {

namespace {

struct Softplus {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    return std::log1p(std::exp(x));
  }
};

template <class T, class Device>
sfumato::Variable<T, Device> softplus(const sfumato::Variable<T, Device>& x) {
  return sfumato::record(
      "softplus", sfumato::ops::apply("softplus", Softplus{}, x.value()), {x},
      [x](const auto& ctx) { return ctx.gradient() * sfumato::ops::sigmoid(x); });
}

/// √(a² + b²), of two operands that are broadcast together.
struct Hypotenuse {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return std::hypot(a, b);
  }
};

template <class T, class Device>
sfumato::Variable<T, Device> hypotenuse(const sfumato::Variable<T, Device>& a,
                                        const sfumato::Variable<T, Device>& b) {
  namespace ops = sfumato::ops;
  const auto length = ops::apply("hypotenuse", Hypotenuse{}, a.value(), b.value());
  return sfumato::record(
      "hypotenuse", length, {a, b},
      [a, b, length](const auto& ctx) -> sfumato::Gradients<T, Device> {
        const auto scaled = ctx.gradient() / ctx.result(length);
        return {ops::sum_to(scaled * a, a.shape()), ops::sum_to(scaled * b, b.shape())};
      });
}

}  // namespace

TEST_CASE("an elementwise op of the user's own is differentiable twice") {
  const Variable<double> x(Tensor<double>::from({-2, -0.5, 0.1, 3}, {4}), true);
  CHECK(softplus(x).value().at({3}) == doctest::Approx(std::log1p(std::exp(3.0))));
  const auto function = [](const auto& in) { return softplus(in[0]); };
  CHECK(gradcheck(function, std::vector{x}));
  CHECK(gradgradcheck(function, std::vector{x}));
}

TEST_CASE("an op of the user's own broadcasts, works in float and is differentiable twice") {
  const Variable<float> three(Tensor<float>::scalar(3.0F));
  const auto lengths = hypotenuse(three, Variable<float>(Tensor<float>::from({4, 0}, {2, 1})));
  CHECK(lengths.value().to_vector() == std::vector<float>{5, 3});
  CHECK(lengths.shape() == Shape{2, 1});
  CHECK(lengths.node() == nullptr);  // nothing needs a gradient
  const Variable<double> a(Tensor<double>::from({1.0, -2.0, 0.5}, {3}), true);
  const Variable<double> b(Tensor<double>::from({0.3, 1.5}, {2, 1}), true);
  const auto function = [](const auto& in) { return hypotenuse(in[0], in[1]); };
  CHECK(gradcheck(function, std::vector{a, b}));
  CHECK(gradgradcheck(function, std::vector{a, b}));
}

TEST_CASE("an op of the user's own names itself in errors and graphs") {
  const Variable<double> a(Tensor<double>::ones({3}), true);
  const Variable<double> b(Tensor<double>::ones({2}));
  CHECK_THROWS_WITH_AS(hypotenuse(a, b),
                       "hypotenuse: shapes (3,) and (2,) do not broadcast together: extents must "
                       "agree or be 1, aligned at the last dimension",
                       ShapeError);
  CHECK(to_graphviz(softplus(a)).find("softplus\\n(3,)") != std::string::npos);
}

}  // namespace sfumato::tested::ops_custom
