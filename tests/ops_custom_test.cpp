// What a user writes to add an elementwise op, outside the library.

#include <doctest/doctest.h>

#include <cmath>

#include "sfumato/sfumato.hpp"

namespace {

struct Softplus {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    return std::log1p(std::exp(x));
  }
};

template <class T, class Device>
sfumato::Variable<T, Device> softplus(const sfumato::Variable<T, Device>& x) {
  return sfumato::record("softplus", sfumato::ops::apply("softplus", Softplus{}, x.value()), {x},
                         [x](const auto& at) { return at.gradient() * sfumato::ops::sigmoid(x); });
}

}  // namespace

TEST_CASE("an elementwise op of the user's own is differentiable twice") {
  const sfumato::Variable<double> x(sfumato::Tensor<double>::from({-2, -0.5, 0.1, 3}, {4}), true);
  CHECK(softplus(x).value().at({3}) == doctest::Approx(std::log1p(std::exp(3.0))));
  const auto function = [](const auto& in) { return softplus(in[0]); };
  CHECK(gradcheck(function, std::vector{x}));
  CHECK(gradgradcheck(function, std::vector{x}));
}
