#pragma once

#include <cmath>
#include <numbers>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/share.hpp"

namespace sfumato::ops {

namespace detail {
struct Exp {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::exp;
    return exp(x);
  }
};
struct Log {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::log;
    return log(x);
  }
};
struct Sqrt {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::sqrt;
    return sqrt(x);
  }
};
struct Square {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    return static_cast<T>(static_cast<sfumato::detail::Modular<T>>(x) *
                          static_cast<sfumato::detail::Modular<T>>(x));
  }
};
struct Abs {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    return x < T{0} ? static_cast<T>(-static_cast<sfumato::detail::Modular<T>>(x)) : x;
  }
};
struct Sign {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    if (x != x) return x;
    return static_cast<T>(static_cast<int>(x > T{0}) - static_cast<int>(x < T{0}));
  }
};
struct Sin {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::sin;
    return sin(x);
  }
};
struct Cos {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::cos;
    return cos(x);
  }
};
struct Tan {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::tan;
    return tan(x);
  }
};
struct Erf {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::erf;
    return erf(x);
  }
};
struct Log1p {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::log1p;
    return log1p(x);
  }
};
struct Expm1 {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::expm1;
    return expm1(x);
  }
};
struct Floor {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::floor;
    return floor(x);
  }
};
struct Round {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::rint;
    return rint(x);
  }
};
struct Rsqrt {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::sqrt;
    return static_cast<T>(1 / sqrt(static_cast<Compute<T>>(x)));
  }
};
}  // namespace detail

/// e^x element by element.
template <Real T, class Device>
Variable<T, Device> exp(const Variable<T, Device>& x) {
  Tensor<T, Device> y = apply("exp", detail::Exp{}, x.value());
  return record("exp", y, {x},
                [y](const Backward<T, Device>& ctx) { return mul(ctx.gradient(), ctx.result(y)); });
}

/// The natural logarithm element by element; -infinity at 0, NaN below, as std::log.
template <Real T, class Device>
Variable<T, Device> log(const Variable<T, Device>& x) {
  return record("log", apply("log", detail::Log{}, x.value()), {x},
                [x](const Backward<T, Device>& ctx) { return div(ctx.gradient(), x); });
}

/// √x element by element; the gradient 1 / (2√x) is infinite at 0.
template <Real T, class Device>
Variable<T, Device> sqrt(const Variable<T, Device>& x) {
  Tensor<T, Device> y = apply("sqrt", detail::Sqrt{}, x.value());
  return record("sqrt", y, {x}, [y](const Backward<T, Device>& ctx) {
    return div(ctx.gradient(), scale(ctx.result(y), T{2}));
  });
}

/// x² element by element.
template <class T, class Device>
Variable<T, Device> square(const Variable<T, Device>& x) {
  return record(
      "square", apply("square", detail::Square{}, x.value()), {x},
      [x](const Backward<T, Device>& ctx) { return scale(mul(ctx.gradient(), x), T{2}); });
}

/// |x| element by element; the gradient at 0 is 0, and NaN at NaN.
template <class T, class Device>
Variable<T, Device> abs(const Variable<T, Device>& x) {
  return record("abs", apply("abs", detail::Abs{}, x.value()), {x},
                [x = x.value()](const Backward<T, Device>& ctx) {
                  return detail::share("abs", ctx.gradient(), apply("abs", detail::Sign{}, x));
                });
}

/// -1, 0 or 1 element by element, NaN of NaN; the gradient is 0 everywhere.
template <class T, class Device>
Variable<T, Device> sign(const Variable<T, Device>& x) {
  return record(
      "sign", apply("sign", detail::Sign{}, x.value()), {x},
      [](const Backward<T, Device>& ctx) { return detail::nothing_of("sign", ctx.gradient()); });
}

/// e^x - 1 element by element, exact where x is small.
template <Real T, class Device>
Variable<T, Device> expm1(const Variable<T, Device>& x) {
  Tensor<T, Device> y = apply("expm1", detail::Expm1{}, x.value());
  return record("expm1", y, {x}, [y](const Backward<T, Device>& ctx) {
    return mul(ctx.gradient(), affine(ctx.result(y), T{1}, T{1}));
  });
}

/// log(1 + x) element by element, exact where x is small; -infinity at -1, NaN below.
template <Real T, class Device>
Variable<T, Device> log1p(const Variable<T, Device>& x) {
  return record(
      "log1p", apply("log1p", detail::Log1p{}, x.value()), {x},
      [x](const Backward<T, Device>& ctx) { return div(ctx.gradient(), affine(x, T{1}, T{1})); });
}

/// 1 / √x element by element; infinite at 0.
template <Real T, class Device>
Variable<T, Device> rsqrt(const Variable<T, Device>& x) {
  Tensor<T, Device> y = apply("rsqrt", detail::Rsqrt{}, x.value());
  return record("rsqrt", y, {x}, [y](const Backward<T, Device>& ctx) {
    const auto result = ctx.result(y);
    return scale(mul(ctx.gradient(), mul(square(result), result)), T{-0.5});
  });
}

/// cos x element by element, of radians; d/dx = -sin x.
template <Real T, class Device>
Variable<T, Device> cos(const Variable<T, Device>& x);

/// sin x element by element, of radians; d/dx = cos x.
template <Real T, class Device>
Variable<T, Device> sin(const Variable<T, Device>& x) {
  return record("sin", apply("sin", detail::Sin{}, x.value()), {x},
                [x](const Backward<T, Device>& ctx) { return mul(ctx.gradient(), cos(x)); });
}

template <Real T, class Device>
Variable<T, Device> cos(const Variable<T, Device>& x) {
  return record("cos", apply("cos", detail::Cos{}, x.value()), {x},
                [x](const Backward<T, Device>& ctx) { return mul(neg(ctx.gradient()), sin(x)); });
}

/// tan x element by element, of radians; d/dx = 1 + tan² x.
template <Real T, class Device>
Variable<T, Device> tan(const Variable<T, Device>& x) {
  Tensor<T, Device> y = apply("tan", detail::Tan{}, x.value());
  return record("tan", y, {x}, [y](const Backward<T, Device>& ctx) {
    return mul(ctx.gradient(), affine(square(ctx.result(y)), T{1}, T{1}));
  });
}

/// The error function 2/√π ∫₀ˣ e^(-t²) dt element by element.
template <Real T, class Device>
Variable<T, Device> erf(const Variable<T, Device>& x) {
  return record("erf", apply("erf", detail::Erf{}, x.value()), {x},
                [x](const Backward<T, Device>& ctx) {
                  const auto slope = static_cast<T>(2.0 * std::numbers::inv_sqrtpi);
                  return scale(mul(ctx.gradient(), exp(neg(square(x)))), slope);
                });
}

/// The largest whole number not above x, element by element; the gradient is 0 everywhere.
template <Real T, class Device>
Variable<T, Device> floor(const Variable<T, Device>& x) {
  return record(
      "floor", apply("floor", detail::Floor{}, x.value()), {x},
      [](const Backward<T, Device>& ctx) { return detail::nothing_of("floor", ctx.gradient()); });
}

/// The nearest whole number element by element, the even one of two; the gradient is 0 everywhere.
template <Real T, class Device>
Variable<T, Device> round(const Variable<T, Device>& x) {
  return record(
      "round", apply("round", detail::Round{}, x.value()), {x},
      [](const Backward<T, Device>& ctx) { return detail::nothing_of("round", ctx.gradient()); });
}

}  // namespace sfumato::ops
