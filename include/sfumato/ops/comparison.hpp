#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/ops/sum.hpp"

/// Comparisons element by element, broadcast together: masks of 1 and 0, which have no gradient.
/// Beside NaN all are 0 but !=. They are ordinary operators:
///
///     auto positive = ops::where(x > 0.0F, x, ops::exp(x));
namespace sfumato {

/// 1 where something holds, else 0: what where() and masked_fill() take.
template <class Device>
using Mask = Tensor<std::uint8_t, Device>;

namespace ops::detail {
struct Less {
  template <class T>
  SFUMATO_HOST_DEVICE bool operator()(T a, T b) const {
    return a < b;
  }
};
struct LessEqual {
  template <class T>
  SFUMATO_HOST_DEVICE bool operator()(T a, T b) const {
    return a <= b;
  }
};
struct Equal {
  template <class T>
  SFUMATO_HOST_DEVICE bool operator()(T a, T b) const {
    return a == b;
  }
};
struct NotEqual {
  template <class T>
  SFUMATO_HOST_DEVICE bool operator()(T a, T b) const {
    return a != b;
  }
};
/// Neither NaN nor infinite.
struct IsFinite {
  template <class T>
  SFUMATO_HOST_DEVICE bool operator()(T x) const {
    return x - x == T{0};
  }
};
template <class T, class Device>
Variable<T, Device> as_variable(T value) {
  return Variable<T, Device>(Tensor<T, Device>::scalar(value));
}
}  // namespace ops::detail

template <class T, class Device>
Mask<Device> operator<(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return ops::apply("less", ops::detail::Less{}, a.value("less"), b.value("less"));
}
template <class T, class Device>
Mask<Device> operator<=(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return ops::apply("less_equal", ops::detail::LessEqual{}, a.value("less_equal"),
                    b.value("less_equal"));
}
template <class T, class Device>
Mask<Device> operator>(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return b < a;
}
template <class T, class Device>
Mask<Device> operator>=(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return b <= a;
}
template <class T, class Device>
Mask<Device> operator==(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return ops::apply("equal", ops::detail::Equal{}, a.value("equal"), b.value("equal"));
}
template <class T, class Device>
Mask<Device> operator!=(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  return ops::apply("not_equal", ops::detail::NotEqual{}, a.value("not_equal"),
                    b.value("not_equal"));
}

template <class T, class Device>
Mask<Device> operator<(const Variable<T, Device>& a, std::type_identity_t<T> b) {
  return a < ops::detail::as_variable<T, Device>(b);
}
template <class T, class Device>
Mask<Device> operator<=(const Variable<T, Device>& a, std::type_identity_t<T> b) {
  return a <= ops::detail::as_variable<T, Device>(b);
}
template <class T, class Device>
Mask<Device> operator>(const Variable<T, Device>& a, std::type_identity_t<T> b) {
  return a > ops::detail::as_variable<T, Device>(b);
}
template <class T, class Device>
Mask<Device> operator>=(const Variable<T, Device>& a, std::type_identity_t<T> b) {
  return a >= ops::detail::as_variable<T, Device>(b);
}
template <class T, class Device>
Mask<Device> operator==(const Variable<T, Device>& a, std::type_identity_t<T> b) {
  return a == ops::detail::as_variable<T, Device>(b);
}
template <class T, class Device>
Mask<Device> operator!=(const Variable<T, Device>& a, std::type_identity_t<T> b) {
  return a != ops::detail::as_variable<T, Device>(b);
}

// A fraction would lose what is behind its point before an integer is compared with it.
template <std::integral T, class Device, std::floating_point Scalar>
void operator<(const Variable<T, Device>& x, Scalar scalar) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator<=(const Variable<T, Device>& x, Scalar scalar) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator>(const Variable<T, Device>& x, Scalar scalar) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator>=(const Variable<T, Device>& x, Scalar scalar) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator==(const Variable<T, Device>& x, Scalar scalar) = delete;
template <std::integral T, class Device, std::floating_point Scalar>
void operator!=(const Variable<T, Device>& x, Scalar scalar) = delete;

namespace ops {

/// Where x is NaN.
template <class T, class Device>
Mask<Device> isnan(const Variable<T, Device>& x) {
  return x != x;
}

/// Where x is neither NaN nor infinite.
template <Real T, class Device>
Mask<Device> isfinite(const Variable<T, Device>& x) {
  return apply("isfinite", detail::IsFinite{}, x.value());
}

/// Whether a mask is not 0 anywhere, along `axes` (all when empty); of nothing 0.
template <class Device>
Mask<Device> any(const Mask<Device>& mask, const Axes& axes = {}) {
  const detail::ReducedAxes reduced("any", mask.shape(), axes);
  return detail::reduce<std::uint8_t>(MaxReduction{}, mask, reduced);
}

/// Whether a mask is not 0 everywhere, along `axes` (all when empty); of nothing not 0.
template <class Device>
Mask<Device> all(const Mask<Device>& mask, const Axes& axes = {}) {
  const detail::ReducedAxes reduced("all", mask.shape(), axes);
  return detail::reduce<std::uint8_t>(MinReduction{}, mask, reduced);
}

/// `value` where the mask is not 0, else x; broadcast together.
template <class T, class Device>
Variable<T, Device> masked_fill(const Variable<T, Device>& x, const Mask<Device>& mask,
                                std::type_identity_t<T> value) {
  return where(mask, detail::as_variable<T, Device>(value), x);
}

}  // namespace ops

}  // namespace sfumato
