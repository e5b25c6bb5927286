#pragma once

#include <cmath>
#include <type_traits>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato {

namespace ops {

namespace detail {
struct Subtract {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return a - b;
  }
};
struct Multiply {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return a * b;
  }
};
struct Divide {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return a / b;
  }
};
struct Power {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T base, T exponent) const {
    using std::pow;
    return pow(base, exponent);
  }
};
/// log x, but 0 for 0: 0^y does not change with y > 0, although log 0 is infinite.
struct LogOrZero {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::log;
    return x == T{0} ? T{0} : static_cast<T>(log(x));
  }
};
/// x · scale + shift.
template <class T>
struct Affine {
  T scale;
  T shift;
  SFUMATO_HOST_DEVICE T operator()(T x) const { return x * scale + shift; }
};
template <class T>
struct ScalarPower {
  T exponent;
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::pow;
    return pow(x, exponent);
  }
};
}  // namespace detail

/// x · scale + shift with scalars.
template <class T, class Device>
Variable<T, Device> affine(const Variable<T, Device>& x, std::type_identity_t<T> scale,
                           std::type_identity_t<T> shift) {
  return record(
      "affine", apply("affine", detail::Affine<T>{scale, shift}, x.value()), {x},
      [scale](const Backward<T, Device>& at) { return affine(at.gradient(), scale, T{0}); });
}

template <class T, class Device>
Variable<T, Device> neg(const Variable<T, Device>& x) {
  return affine(x, T{-1}, T{0});
}

/// a + b, broadcast together.
template <class T, class Device>
Variable<T, Device> add(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record("add", apply("add", sfumato::detail::Plus{}, a.value(), b.value()), {a, b},
                [from_a = a.shape(), from_b = b.shape()](const Backward<T, Device>& at) {
                  return Gradients<T, Device>{
                      at.needs(0) ? sum_to(at.gradient(), from_a) : Variable<T, Device>(),
                      at.needs(1) ? sum_to(at.gradient(), from_b) : Variable<T, Device>()};
                });
}

/// a - b, broadcast together.
template <class T, class Device>
Variable<T, Device> sub(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record("sub", apply("sub", detail::Subtract{}, a.value(), b.value()), {a, b},
                [from_a = a.shape(), from_b = b.shape()](const Backward<T, Device>& at) {
                  return Gradients<T, Device>{
                      at.needs(0) ? sum_to(at.gradient(), from_a) : Variable<T, Device>(),
                      at.needs(1) ? neg(sum_to(at.gradient(), from_b)) : Variable<T, Device>()};
                });
}

/// a · b element by element, broadcast together. Keeps a factor only if the other needs a gradient.
template <class T, class Device>
Variable<T, Device> mul(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record("mul", apply("mul", detail::Multiply{}, a.value(), b.value()), {a, b},
                [factor_a = b.requires_grad() ? a : Variable<T, Device>(),
                 factor_b = a.requires_grad() ? b : Variable<T, Device>(), from_a = a.shape(),
                 from_b = b.shape()](const Backward<T, Device>& at) {
                  Gradients<T, Device> gradients(2);
                  if (at.needs(0)) gradients[0] = sum_to(mul(at.gradient(), factor_b), from_a);
                  if (at.needs(1)) gradients[1] = sum_to(mul(at.gradient(), factor_a), from_b);
                  return gradients;
                });
}

/// a / b element by element, broadcast together.
template <class T, class Device>
Variable<T, Device> div(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  Tensor<T, Device> quotient = apply("div", detail::Divide{}, a.value(), b.value());
  return record("div", quotient, {a, b},
                [b, quotient = b.requires_grad() ? quotient : Tensor<T, Device>(),
                 from_a = a.shape()](const Backward<T, Device>& at) {
                  const Variable<T, Device> by_a = div(at.gradient(), b);
                  Gradients<T, Device> gradients(2);
                  if (at.needs(0)) gradients[0] = sum_to(by_a, from_a);
                  if (at.needs(1)) {
                    gradients[1] = neg(sum_to(mul(by_a, at.result(quotient)), b.shape()));
                  }
                  return gradients;
                });
}

/// x^exponent element by element, for a constant exponent: d/dx = exponent · x^(exponent - 1).
template <class T, class Device>
Variable<T, Device> pow(const Variable<T, Device>& x, std::type_identity_t<T> exponent) {
  return record("pow", apply("pow", detail::ScalarPower<T>{exponent}, x.value()), {x},
                [x, exponent](const Backward<T, Device>& at) {
                  if (exponent == T{0}) return affine(at.gradient(), T{0}, T{0});
                  return affine(mul(at.gradient(), pow(x, exponent - T{1})), exponent, T{0});
                });
}

/// base^exponent element by element, broadcast together; differentiable in both where base > 0.
template <class T, class Device>
Variable<T, Device> pow(const Variable<T, Device>& base, const Variable<T, Device>& exponent);

namespace detail {
/// log x with 0 for 0; see LogOrZero.
template <class T, class Device>
Variable<T, Device> log_or_zero(const Variable<T, Device>& x) {
  return record("log_or_zero", apply("log", LogOrZero{}, x.value()), {x},
                [x](const Backward<T, Device>& at) { return div(at.gradient(), x); });
}
}  // namespace detail

template <class T, class Device>
Variable<T, Device> pow(const Variable<T, Device>& base, const Variable<T, Device>& exponent) {
  Tensor<T, Device> power = apply("pow", detail::Power{}, base.value(), exponent.value());
  return record("pow", power, {base, exponent},
                [base, exponent, power](const Backward<T, Device>& at) {
                  Gradients<T, Device> gradients(2);
                  if (at.needs(0)) {
                    const auto slope = mul(exponent, pow(base, affine(exponent, T{1}, T{-1})));
                    gradients[0] = sum_to(mul(at.gradient(), slope), base.shape());
                  }
                  if (at.needs(1)) {
                    const auto slope = mul(at.result(power), detail::log_or_zero(base));
                    gradients[1] = sum_to(mul(at.gradient(), slope), exponent.shape());
                  }
                  return gradients;
                });
}

}  // namespace ops

template <class T, class Device>
Variable<T, Device> operator+(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return ops::add(a, b);
}
template <class T, class Device>
Variable<T, Device> operator-(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return ops::sub(a, b);
}
template <class T, class Device>
Variable<T, Device> operator*(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return ops::mul(a, b);
}
template <class T, class Device>
Variable<T, Device> operator/(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return ops::div(a, b);
}
template <class T, class Device>
Variable<T, Device> operator-(const Variable<T, Device>& x) {
  return ops::neg(x);
}
template <class T, class Device>
Variable<T, Device> operator+(const Variable<T, Device>& x, std::type_identity_t<T> scalar) {
  return ops::affine(x, T{1}, scalar);
}
template <class T, class Device>
Variable<T, Device> operator+(std::type_identity_t<T> scalar, const Variable<T, Device>& x) {
  return ops::affine(x, T{1}, scalar);
}
template <class T, class Device>
Variable<T, Device> operator-(const Variable<T, Device>& x, std::type_identity_t<T> scalar) {
  return ops::affine(x, T{1}, -scalar);
}
template <class T, class Device>
Variable<T, Device> operator-(std::type_identity_t<T> scalar, const Variable<T, Device>& x) {
  return ops::affine(x, T{-1}, scalar);
}
template <class T, class Device>
Variable<T, Device> operator*(const Variable<T, Device>& x, std::type_identity_t<T> scalar) {
  return ops::affine(x, scalar, T{0});
}
template <class T, class Device>
Variable<T, Device> operator*(std::type_identity_t<T> scalar, const Variable<T, Device>& x) {
  return ops::affine(x, scalar, T{0});
}
template <class T, class Device>
Variable<T, Device> operator/(const Variable<T, Device>& x, std::type_identity_t<T> scalar) {
  return ops::affine(x, T{1} / scalar, T{0});
}
template <class T, class Device>
Variable<T, Device> operator/(std::type_identity_t<T> scalar, const Variable<T, Device>& x) {
  return ops::div(Variable<T, Device>(Tensor<T, Device>::scalar(scalar)), x);
}

}  // namespace sfumato
