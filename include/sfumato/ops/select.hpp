#pragma once

#include <cstdint>
#include <type_traits>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/share.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

namespace detail {
struct Where {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(std::uint8_t condition, T a, T b) const {
    return condition != 0 ? a : b;
  }
};
/// Who shares the gradient with a in max(a, b), or in min(a, b) when `sign` is -1: nobody, 1; b, 2;
/// b has all of it, 0. Beside a NaN both sides have all, since neither is known not to be it.
template <class T>
struct SharersWithFirst {
  T sign;
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    if (a == b) return T{2};
    return static_cast<T>(!(sign > T{0} ? a < b : b < a));
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
/// 1 where Clamp lets x pass, else 0.
template <class T>
struct Inside {
  T low;
  T high;
  SFUMATO_HOST_DEVICE T operator()(T x) const { return static_cast<T>(!(x < low || x > high)); }
};

template <class Extremum, class T, class Device>
Variable<T, Device> extremum(const char* op, const Extremum& function, T sign,
                             const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record(op, apply(op, function, a.value(op), b.value(op)), {a, b},
                [op, sign, a = a.value(op), b = b.value(op)](const Backward<T, Device>& ctx) {
                  const auto along = [&](const auto& own, const auto& other) {
                    const auto sharers = apply(op, SharersWithFirst<T>{sign}, own, other);
                    return sum_to(detail::share(op, ctx.gradient(), sharers), own.shape());
                  };
                  Gradients<T, Device> gradients(2);
                  if (ctx.needs(0)) gradients[0] = along(a, b);
                  if (ctx.needs(1)) gradients[1] = along(b, a);
                  return gradients;
                });
}
}  // namespace detail

/// The larger of a and b element by element, broadcast together; NaN if either is. Equal ones share
/// the gradient; beside a NaN each side gets all of it, as in PyTorch.
template <class T, class Device>
Variable<T, Device> maximum(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return detail::extremum("maximum", detail::Maximum{}, T{1}, a, b);
}

/// The smaller of a and b element by element, broadcast together; NaN and gradients as in maximum.
template <class T, class Device>
Variable<T, Device> minimum(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return detail::extremum("minimum", detail::Minimum{}, T{-1}, a, b);
}

/// x limited to [low, high]; NaN stays NaN. The gradient is 0 outside and 1 inside, at the bounds
/// and at NaN: what starts at a bound, as black and white pixels do, must be able to leave it.
/// PyTorch gave 1 at the bounds for years, too, but gives 0 in version 2.15.
/// Throws ValueError when low > high or one of them is NaN.
template <class T, class Device>
Variable<T, Device> clamp(const Variable<T, Device>& x, std::type_identity_t<T> low,
                          std::type_identity_t<T> high) {
  if (low > high) throw ValueError(message("clamp: low ", low, " is above high ", high));
  if (low != low || high != high) {
    throw ValueError(message("clamp: the bounds ", low, " and ", high, " must be numbers"));
  }
  return record("clamp", apply("clamp", detail::Clamp<T>{low, high}, x.value()), {x},
                [low, high, x = x.value()](const Backward<T, Device>& ctx) {
                  return detail::share("clamp", ctx.gradient(),
                                       apply("clamp", detail::Inside<T>{low, high}, x));
                });
}

/// x limited to [low, high], tensors that are broadcast; what equals a bound shares its gradient
/// with the bound.
template <class T, class Device>
Variable<T, Device> clamp(const Variable<T, Device>& x, const Variable<T, Device>& low,
                          const Variable<T, Device>& high) {
  return minimum(maximum(x, low), high);
}

/// a where the condition is not 0, else b, element by element; all three broadcast together.
template <class T, class Device>
Variable<T, Device> where(const Tensor<std::uint8_t, Device>& condition,
                          const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return record(
      "where", apply("where", detail::Where{}, condition, a.value(), b.value()), {a, b},
      [condition, from_a = a.shape(), from_b = b.shape()](const Backward<T, Device>& ctx) {
        const Variable<T, Device> zero(Tensor<T, Device>::scalar(T{0}));
        Gradients<T, Device> gradients(2);
        if (ctx.needs(0)) {
          gradients[0] = sum_to(where(condition, ctx.gradient(), zero), from_a);
        }
        if (ctx.needs(1)) {
          gradients[1] = sum_to(where(condition, zero, ctx.gradient()), from_b);
        }
        return gradients;
      },
      {condition.version()});
}

}  // namespace sfumato::ops
