#pragma once

#include <cstdint>
#include <type_traits>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

namespace detail {
struct Where {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(std::uint8_t condition, T a, T b) const {
    return condition != 0 ? a : b;
  }
};
/// The share of a in max(a, b), or in min(a, b) when `sign` is -1: ties are halved.
template <class T>
struct ShareOfFirst {
  T sign;
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return a == b ? static_cast<T>(0.5) : static_cast<T>((a - b) * sign > T{0});
  }
};
struct Maximum {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return MaxReduction{}(a, b);
  }
};
struct Minimum {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return MinReduction{}(a, b);
  }
};
template <class T>
struct Clamp {
  T low;
  T high;
  SFUMATO_HOST_DEVICE T operator()(T x) const { return x < low ? low : (x > high ? high : x); }
};
template <class T>
struct Inside {
  T low;
  T high;
  SFUMATO_HOST_DEVICE T operator()(T x) const { return static_cast<T>(x >= low && x <= high); }
};

template <class Extremum, class T, class Device>
Variable<T, Device> extremum(const char* op, const Extremum& function, T sign,
                             const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record(op, apply(op, function, a.value(), b.value()), {a, b},
                [op, sign, a = a.value(), b = b.value()](const Backward<T, Device>& at) {
                  const Variable<T, Device> share(apply(op, ShareOfFirst<T>{sign}, a, b));
                  Gradients<T, Device> gradients(2);
                  if (at.needs(0)) gradients[0] = sum_to(mul(at.gradient(), share), a.shape());
                  if (at.needs(1)) {
                    gradients[1] =
                        sum_to(mul(at.gradient(), affine(share, T{-1}, T{1})), b.shape());
                  }
                  return gradients;
                });
}
}  // namespace detail

/// The larger of a and b element by element, broadcast together; ties share the gradient.
template <class T, class Device>
Variable<T, Device> maximum(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return detail::extremum("maximum", detail::Maximum{}, T{1}, a, b);
}

/// The smaller of a and b element by element, broadcast together; ties share the gradient.
template <class T, class Device>
Variable<T, Device> minimum(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return detail::extremum("minimum", detail::Minimum{}, T{-1}, a, b);
}

/// x limited to [low, high]; the gradient is 1 inside (bounds included) and 0 outside.
/// Throws ValueError when low > high.
template <class T, class Device>
Variable<T, Device> clamp(const Variable<T, Device>& x, std::type_identity_t<T> low,
                          std::type_identity_t<T> high) {
  if (low > high) throw ValueError(message("clamp: low ", low, " is above high ", high));
  return record("clamp", apply("clamp", detail::Clamp<T>{low, high}, x.value()), {x},
                [low, high, x = x.value()](const Backward<T, Device>& at) {
                  return mul(at.gradient(),
                             Variable<T, Device>(apply("clamp", detail::Inside<T>{low, high}, x)));
                });
}

/// a where the condition is not 0, else b, element by element; all three broadcast together.
template <class T, class Device>
Variable<T, Device> where(const Tensor<std::uint8_t, Device>& condition,
                          const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record("where", apply("where", detail::Where{}, condition, a.value(), b.value()), {a, b},
                [condition, from_a = a.shape(), from_b = b.shape()](const Backward<T, Device>& at) {
                  const Variable<T, Device> zero(Tensor<T, Device>::scalar(T{0}));
                  Gradients<T, Device> gradients(2);
                  if (at.needs(0)) {
                    gradients[0] = sum_to(where(condition, at.gradient(), zero), from_a);
                  }
                  if (at.needs(1)) {
                    gradients[1] = sum_to(where(condition, zero, at.gradient()), from_b);
                  }
                  return gradients;
                });
}

}  // namespace sfumato::ops
