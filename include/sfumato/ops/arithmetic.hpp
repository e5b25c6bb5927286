#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato {

namespace ops {

namespace detail {
struct Subtract {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return static_cast<T>(static_cast<sfumato::detail::Modular<T>>(a) -
                          static_cast<sfumato::detail::Modular<T>>(b));
  }
};
struct Multiply {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return static_cast<T>(static_cast<sfumato::detail::Modular<T>>(a) *
                          static_cast<sfumato::detail::Modular<T>>(b));
  }
};
struct Divide {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return static_cast<T>(a / b);
  }
};
/// x / divisor, computed in the divisor's type.
template <class T, class Divisor>
struct DivideBy {
  Divisor divisor;
  SFUMATO_HOST_DEVICE T operator()(Divisor x) const { return static_cast<T>(x / divisor); }
};
/// Whether a / b, of integers, stops the program: by 0, and the least by -1.
struct HasNoQuotient {
  template <class T>
  SFUMATO_HOST_DEVICE bool operator()(T a, T b) const {
    if constexpr (std::is_signed_v<T>) {
      if (a == std::numeric_limits<T>::min() && b == T{-1}) return true;
    }
    return b == T{0};
  }
};
/// x · scale + shift.
template <class T>
struct Affine {
  Compute<T> scale;
  Compute<T> shift;
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using Number = sfumato::detail::Modular<Compute<T>>;
    return static_cast<T>(static_cast<Number>(x) * static_cast<Number>(scale) +
                          static_cast<Number>(shift));
  }
};

/// Throws ValueError where integers have no quotient.
template <class T, class Device>
void check_quotients(const Tensor<T, Device>& a, const Tensor<T, Device>& b) {
  if constexpr (std::integral<T>) {
    for (const std::uint8_t missing : apply("div", HasNoQuotient{}, a, b).to_vector()) {
      if (missing != 0) {
        throw ValueError(message("div: an integer of ", a.shape(), " is divided by 0 in ",
                                 b.shape(), ", or the least of all by -1"));
      }
    }
  }
}
}  // namespace detail

template <class T, class Device>
Variable<T, Device> scale(const Variable<T, Device>& x, std::type_identity_t<Compute<T>> factor);

/// x · scale + shift with scalars, which for 16 bits are floats.
template <class T, class Device>
Variable<T, Device> affine(const Variable<T, Device>& x, std::type_identity_t<Compute<T>> scale,
                           std::type_identity_t<Compute<T>> shift) {
  return record(
      "affine", apply("affine", detail::Affine<T>{scale, shift}, x.value()), {x},
      [scale](const Backward<T, Device>& ctx) { return ops::scale(ctx.gradient(), scale); });
}

/// x · factor.
template <class T, class Device>
Variable<T, Device> scale(const Variable<T, Device>& x, std::type_identity_t<Compute<T>> factor) {
  // + 0 would turn -0 into 0, and + -0 changes nothing.
  return affine(x, factor, static_cast<Compute<T>>(-Compute<T>{0}));
}

/// -x; of integers modulo 2^bits.
template <class T, class Device>
Variable<T, Device> neg(const Variable<T, Device>& x) {
  return scale(x, -1);
}

/// a + b, broadcast together.
template <class T, class Device>
Variable<T, Device> add(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record("add", apply("add", sfumato::detail::Plus{}, a.value(), b.value()), {a, b},
                [from_a = a.shape(), from_b = b.shape()](const Backward<T, Device>& ctx) {
                  return Gradients<T, Device>{
                      ctx.needs(0) ? sum_to(ctx.gradient(), from_a) : Variable<T, Device>(),
                      ctx.needs(1) ? sum_to(ctx.gradient(), from_b) : Variable<T, Device>()};
                });
}

/// a - b, broadcast together.
template <class T, class Device>
Variable<T, Device> sub(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record("sub", apply("sub", detail::Subtract{}, a.value(), b.value()), {a, b},
                [from_a = a.shape(), from_b = b.shape()](const Backward<T, Device>& ctx) {
                  return Gradients<T, Device>{
                      ctx.needs(0) ? sum_to(ctx.gradient(), from_a) : Variable<T, Device>(),
                      ctx.needs(1) ? neg(sum_to(ctx.gradient(), from_b)) : Variable<T, Device>()};
                });
}

/// a · b element by element, broadcast together. Keeps a factor only if the other needs a gradient.
template <class T, class Device>
Variable<T, Device> mul(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record("mul", apply("mul", detail::Multiply{}, a.value(), b.value()), {a, b},
                [factor_a = b.requires_grad() ? a : Variable<T, Device>(),
                 factor_b = a.requires_grad() ? b : Variable<T, Device>(), from_a = a.shape(),
                 from_b = b.shape()](const Backward<T, Device>& ctx) {
                  Gradients<T, Device> gradients(2);
                  if (ctx.needs(0)) gradients[0] = sum_to(mul(ctx.gradient(), factor_b), from_a);
                  if (ctx.needs(1)) gradients[1] = sum_to(mul(ctx.gradient(), factor_a), from_b);
                  return gradients;
                });
}

/// a / b element by element, broadcast together. Integers are divided as C++ divides them, towards
/// zero; throws ValueError where they have no quotient.
template <class T, class Device>
Variable<T, Device> div(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  detail::check_quotients(a.value(), b.value());
  Tensor<T, Device> quotient = apply("div", detail::Divide{}, a.value(), b.value());
  return record("div", quotient, {a, b},
                [b, quotient = b.requires_grad() ? quotient : Tensor<T, Device>(),
                 from_a = a.shape()](const Backward<T, Device>& ctx) {
                  Gradients<T, Device> gradients(2);
                  if (ctx.needs(0)) gradients[0] = sum_to(div(ctx.gradient(), b), from_a);
                  if (ctx.needs(1)) {
                    // In this order nothing is infinite that the quotient's slope is not.
                    const auto slope = div(ctx.result(quotient), b);
                    gradients[1] = neg(sum_to(mul(ctx.gradient(), slope), b.shape()));
                  }
                  return gradients;
                });
}

/// x / divisor, which for 16 bits is a float; see the other one.
template <class T, class Device>
Variable<T, Device> div(const Variable<T, Device>& x, std::type_identity_t<Compute<T>> divisor) {
  if constexpr (std::integral<T>) {
    detail::check_quotients(x.value(), Tensor<T, Device>::scalar(divisor));
  }
  const detail::DivideBy<T, Compute<T>> divide{divisor};
  return record("div", apply("div", divide, x.value()), {x},
                [divisor](const Backward<T, Device>& ctx) { return div(ctx.gradient(), divisor); });
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
Variable<T, Device> operator+(const Variable<T, Device>& x,
                              std::type_identity_t<Compute<T>> scalar) {
  return ops::affine(x, 1, scalar);
}
template <class T, class Device>
Variable<T, Device> operator+(std::type_identity_t<Compute<T>> scalar,
                              const Variable<T, Device>& x) {
  return ops::affine(x, 1, scalar);
}
template <class T, class Device>
Variable<T, Device> operator-(const Variable<T, Device>& x,
                              std::type_identity_t<Compute<T>> scalar) {
  return ops::affine(x, 1, ops::detail::Multiply{}(scalar, static_cast<Compute<T>>(-1)));
}
template <class T, class Device>
Variable<T, Device> operator-(std::type_identity_t<Compute<T>> scalar,
                              const Variable<T, Device>& x) {
  return ops::affine(x, -1, scalar);
}
template <class T, class Device>
Variable<T, Device> operator*(const Variable<T, Device>& x,
                              std::type_identity_t<Compute<T>> scalar) {
  return ops::scale(x, scalar);
}
template <class T, class Device>
Variable<T, Device> operator*(std::type_identity_t<Compute<T>> scalar,
                              const Variable<T, Device>& x) {
  return ops::scale(x, scalar);
}
template <class T, class Device>
Variable<T, Device> operator/(const Variable<T, Device>& x,
                              std::type_identity_t<Compute<T>> scalar) {
  return ops::div(x, scalar);
}
template <class T, class Device>
Variable<T, Device> operator/(std::type_identity_t<Compute<T>> scalar,
                              const Variable<T, Device>& x) {
  return ops::detail::in_float<T, Device>("div", {x}, [scalar](const auto& in) {
    return ops::div(Variable<Compute<T>, Device>(Tensor<Compute<T>, Device>::scalar(scalar)),
                    in[0]);
  });
}

// A fraction would lose what is behind its point before an integer is computed with.
template <std::integral T, class Device, std::floating_point Scalar>
void operator+(const Variable<T, Device>& x, Scalar scalar) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator+(Scalar scalar, const Variable<T, Device>& x) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator-(const Variable<T, Device>& x, Scalar scalar) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator-(Scalar scalar, const Variable<T, Device>& x) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator*(const Variable<T, Device>& x, Scalar scalar) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator*(Scalar scalar, const Variable<T, Device>& x) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator/(const Variable<T, Device>& x, Scalar scalar) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator/(Scalar scalar, const Variable<T, Device>& x) = delete;

}  // namespace sfumato
