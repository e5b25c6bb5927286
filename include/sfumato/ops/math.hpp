#pragma once

#include <cmath>

#include "sfumato/autodiff/variable.hpp"
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
    return static_cast<T>(x * x);
  }
};
struct Abs {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    return x < T{0} ? static_cast<T>(-x) : x;
  }
};
struct Sign {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    if (x != x) return x;
    return static_cast<T>(static_cast<int>(x > T{0}) - static_cast<int>(x < T{0}));
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

}  // namespace sfumato::ops
