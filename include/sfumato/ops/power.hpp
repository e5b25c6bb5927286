#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/share.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

namespace detail {

/// What powers of T are computed in.
template <class T>
using PowerCompute = std::conditional_t<std::integral<T>, double, Compute<T>>;

/// base^exponent; of integers exactly, modulo 2^bits, for exponents that are not negative.
template <class T>
SFUMATO_HOST_DEVICE T power(T base, T exponent) {
  if constexpr (std::integral<T>) {
    std::uint64_t result = 1;
    auto factor = static_cast<std::uint64_t>(base);
    for (auto rest = static_cast<std::uint64_t>(exponent); rest > 0; rest /= 2) {
      if (rest % 2 != 0) result *= factor;
      factor *= factor;
    }
    return static_cast<T>(result);
  } else {
    using std::pow;
    return static_cast<T>(pow(Compute<T>{base}, Compute<T>{exponent}));
  }
}

template <class T>
struct ScalarPower {
  T exponent;
  SFUMATO_HOST_DEVICE T operator()(T x) const { return power(x, exponent); }
};

/// Throws ValueError for negative powers of integers, which are no integers.
template <class T, class Device>
void check_exponents(const Tensor<T, Device>& exponents) {
  if constexpr (std::signed_integral<T>) {
    for (const T exponent : exponents.to_vector()) {
      if (exponent < 0) {
        throw ValueError(message("pow: ", exponent, " is no exponent for integers; cast them"));
      }
    }
  }
}

/// (∂/∂a)^m (∂/∂b)^k a^b: by Leibniz's rule, that of b (b - 1) … (b - m + 1) times a^(b - m). At
/// a = 0, a^b (ln a)^j is its limit 0 for b > 0, and 0 for b = 0 as in PyTorch. What has the factor
/// 0 is 0, whatever the other is.
struct PowerDerivative {
  static constexpr int kMostInExponent = 8;
  int in_base;
  int in_exponent;

  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T base, T exponent) const {
    using Number = PowerCompute<T>;
    using std::log;
    using std::pow;
    if (in_base == 0 && in_exponent == 0) return power(base, exponent);
    const auto a = static_cast<Number>(base);
    const auto b = static_cast<Number>(exponent);
    // The derivative number j of b (b - 1) …, over j!.
    Number factors[kMostInExponent + 1] = {Number{1}};
    for (int i = 0; i < in_base; ++i) {
      const Number next = b - static_cast<Number>(i);
      for (int j = in_exponent; j > 0; --j) factors[j] = factors[j] * next + factors[j - 1];
      factors[0] *= next;
    }
    const Number rest = b - static_cast<Number>(in_base);
    const Number logarithm = a == 0 && rest >= 0 ? Number{0} : log(a);
    Number slope = 0;
    Number ways = 1;  // k! / (k - j)!
    for (int j = 0; j <= in_exponent; ++j) {
      Number term = factors[j] * ways;
      for (int i = j; i < in_exponent && term != 0; ++i) term *= logarithm;
      slope += term;
      ways *= static_cast<Number>(in_exponent - j);
    }
    return slope == 0 ? T{0} : static_cast<T>(slope * pow(a, rest));
  }
};

/// A derivative of base^exponent, whose own derivatives are the next ones.
template <class T, class Device>
Variable<T, Device> power_derivative(const Variable<T, Device>& base,
                                     const Variable<T, Device>& exponent,
                                     const PowerDerivative& which) {
  if (which.in_exponent > PowerDerivative::kMostInExponent) {
    throw GraphError(message("pow: only ", PowerDerivative::kMostInExponent,
                             " derivatives with respect to the exponent are supported"));
  }
  return record("pow", apply("pow", which, base.value(), exponent.value()), {base, exponent},
                [base, exponent, which](const Backward<T, Device>& ctx) {
                  const auto along = [&](const Variable<T, Device>& input, int a, int b) {
                    const auto slope = power_derivative(base, exponent,
                                                        {which.in_base + a, which.in_exponent + b});
                    return sum_to(mul(ctx.gradient(), slope), input.shape());
                  };
                  Gradients<T, Device> gradients(2);
                  if (ctx.needs(0)) gradients[0] = along(base, 1, 0);
                  if (ctx.needs(1)) gradients[1] = along(exponent, 0, 1);
                  return gradients;
                });
}

}  // namespace detail

/// x^exponent element by element, for a constant exponent: d/dx = exponent · x^(exponent - 1), and
/// 0 for the exponent 0. Integers are exact modulo 2^bits; throws ValueError for negative powers of
/// them. Computed in float where x has 16 bits.
template <class T, class Device>
Variable<T, Device> pow(const Variable<T, Device>& x, std::type_identity_t<Compute<T>> exponent) {
  if constexpr (std::integral<T>) detail::check_exponents(Tensor<T, Device>::scalar(exponent));
  return detail::in_float<T, Device>("pow", {x}, [exponent](const auto& in) {
    using Number = Compute<T>;
    const auto& base = in[0];
    return record("pow", apply("pow", detail::ScalarPower<Number>{exponent}, base.value()), {base},
                  [base, exponent](const Backward<Number, Device>& ctx) {
                    if (exponent == Number{0}) return detail::nothing_of("pow", ctx.gradient());
                    const auto slope = pow(base, static_cast<Number>(exponent - Number{1}));
                    return scale(mul(ctx.gradient(), slope), exponent);
                  });
  });
}

/// base^exponent element by element, broadcast together. At base 0 derivatives of every order are
/// those of x^n for whole n, and with respect to the exponent 0 where it is not negative; below 0
/// that one is NaN. Integers as above.
template <class T, class Device>
Variable<T, Device> pow(const Variable<T, Device>& base, const Variable<T, Device>& exponent) {
  detail::check_exponents(exponent.value());
  return detail::power_derivative(base, exponent, {0, 0});
}

}  // namespace sfumato::ops
