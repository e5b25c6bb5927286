#pragma once

#include <concepts>
#include <iterator>
#include <type_traits>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/comparison.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

/// The operators of Variables for Tensors, without a tape: of two tensors, broadcast together, or
/// of a tensor and a number. Beside a Variable a tensor is a constant.
///
///     Tensor<float> grey = (t[0] + t[1] + t[2]) / 3;
namespace sfumato {

namespace detail {

template <class T>
inline constexpr bool is_tensor = false;
template <class T, class Device>
inline constexpr bool is_tensor<Tensor<T, Device>> = true;

/// A tensor and another, or a number that it can be computed with: none with a fraction where the
/// tensor has integers.
template <class A, class B>
concept TensorAndNumber = is_tensor<A> && std::is_arithmetic_v<B> &&
    (Real<typename A::value_type> || std::integral<B>);
template <class A, class B>
concept TensorOperands =
    (is_tensor<A> && std::same_as<A, B>) || TensorAndNumber<A, B> || TensorAndNumber<B, A>;

template <class V, class A>
concept VariableBeside =
    is_tensor<A> && std::same_as<V, Variable<typename A::value_type, typename A::device_type>>;
template <class A, class B>
concept TensorAndVariable = VariableBeside<A, B> || VariableBeside<B, A>;

template <class V>
inline constexpr bool is_variable = false;
template <class T, class Device>
inline constexpr bool is_variable<Variable<T, Device>> = true;

/// Lists and texts, which nothing is computed with.
template <class B>
concept NoOperand = !is_tensor<B> && !is_variable<B> && (requires(const B& list) {
  std::begin(list);
} || std::is_pointer_v<B> || std::is_null_pointer_v<B>);
template <class A, class B>
concept OneIsNoOperand = ((is_tensor<A> || is_variable<A>)&&NoOperand<B>) ||
                         ((is_tensor<B> || is_variable<B>)&&NoOperand<A>);

/// An operand as what the operators of Variables take. Throws ValueError for a number that the
/// integers of the other operand can't be: 200 < 300 is true, though 300 is no uint8_t.
template <class A, class Other>
auto as_operand(const A& a) {
  if constexpr (is_tensor<A>) {
    return Variable<typename A::value_type, typename A::device_type>(a);
  } else if constexpr (is_tensor<Other> && VariableBeside<A, Other>) {
    return a;
  } else {
    using T = typename Other::value_type;
    const auto number = static_cast<Compute<T>>(a);
    if constexpr (std::integral<T>) {
      // What goes out of range comes back far away, so that doubles tell them apart.
      if (static_cast<double>(number) != static_cast<double>(a)) {
        throw ValueError(message("tensor: ", a, " is out of range for its integers of ",
                                 8 * sizeof(T), " bits; cast() it"));
      }
    }
    return number;
  }
}

}  // namespace detail

template <class A, class B>
requires detail::TensorOperands<A, B>
auto operator+(const A& a, const B& b) {
  return (detail::as_operand<A, B>(a) + detail::as_operand<B, A>(b)).value();
}
template <class A, class B>
requires detail::TensorOperands<A, B>
auto operator-(const A& a, const B& b) {
  return (detail::as_operand<A, B>(a) - detail::as_operand<B, A>(b)).value();
}
template <class A, class B>
requires detail::TensorOperands<A, B>
auto operator*(const A& a, const B& b) {
  return (detail::as_operand<A, B>(a) * detail::as_operand<B, A>(b)).value();
}
template <class A, class B>
requires detail::TensorOperands<A, B>
auto operator/(const A& a, const B& b) {
  return (detail::as_operand<A, B>(a) / detail::as_operand<B, A>(b)).value();
}
template <class T, class Device>
Tensor<T, Device> operator-(const Tensor<T, Device>& x) {
  return ops::neg(Variable<T, Device>(x)).value();
}

template <class A, class B>
requires detail::TensorAndVariable<A, B>
auto operator+(const A& a, const B& b) {
  return detail::as_operand<A, B>(a) + detail::as_operand<B, A>(b);
}
template <class A, class B>
requires detail::TensorAndVariable<A, B>
auto operator-(const A& a, const B& b) {
  return detail::as_operand<A, B>(a) - detail::as_operand<B, A>(b);
}
template <class A, class B>
requires detail::TensorAndVariable<A, B>
auto operator*(const A& a, const B& b) {
  return detail::as_operand<A, B>(a) * detail::as_operand<B, A>(b);
}
template <class A, class B>
requires detail::TensorAndVariable<A, B>
auto operator/(const A& a, const B& b) {
  return detail::as_operand<A, B>(a) / detail::as_operand<B, A>(b);
}

// Without these a compiler would list every operator that there is; make a Tensor of a list.
template <class A, class B>
requires detail::OneIsNoOperand<A, B>
void operator+(const A& a, const B& no_operand) = delete;
template <class A, class B>
requires detail::OneIsNoOperand<A, B>
void operator-(const A& a, const B& no_operand) = delete;
template <class A, class B>
requires detail::OneIsNoOperand<A, B>
void operator*(const A& a, const B& no_operand) = delete;
template <class A, class B>
requires detail::OneIsNoOperand<A, B>
void operator/(const A& a, const B& no_operand) = delete;

namespace detail {
/// `a` with other values. Throws ShapeError for a result of another shape.
template <class T, class Device>
Tensor<T, Device> assign(const char* op, Tensor<T, Device> a, const Tensor<T, Device>& result) {
  if (result.shape() != a.shape()) {
    throw ShapeError(message(op, ": the result ", result.shape(), " does not fit into ", a.shape(),
                             ", whose shape stays"));
  }
  a.copy_from(result);
  return a;
}
}  // namespace detail

// In place, for all who share the storage; of a view, too: x[0] += y.
template <class T, class Device, class B>
Tensor<T, Device> operator+=(Tensor<T, Device> a, const B& b) {
  return detail::assign("operator+=", a, a + b);
}
template <class T, class Device, class B>
Tensor<T, Device> operator-=(Tensor<T, Device> a, const B& b) {
  return detail::assign("operator-=", a, a - b);
}
template <class T, class Device, class B>
Tensor<T, Device> operator*=(Tensor<T, Device> a, const B& b) {
  return detail::assign("operator*=", a, a * b);
}
template <class T, class Device, class B>
Tensor<T, Device> operator/=(Tensor<T, Device> a, const B& b) {
  return detail::assign("operator/=", a, a / b);
}

template <class A, class B>
requires(detail::is_tensor<A>&& detail::TensorOperands<A, B>) auto operator<(const A& a,
                                                                             const B& b) {
  return detail::as_operand<A, B>(a) < detail::as_operand<B, A>(b);
}
template <class A, class B>
requires(detail::is_tensor<A>&& detail::TensorOperands<A, B>) auto operator<=(const A& a,
                                                                              const B& b) {
  return detail::as_operand<A, B>(a) <= detail::as_operand<B, A>(b);
}
template <class A, class B>
requires(detail::is_tensor<A>&& detail::TensorOperands<A, B>) auto operator>(const A& a,
                                                                             const B& b) {
  return detail::as_operand<A, B>(a) > detail::as_operand<B, A>(b);
}
template <class A, class B>
requires(detail::is_tensor<A>&& detail::TensorOperands<A, B>) auto operator>=(const A& a,
                                                                              const B& b) {
  return detail::as_operand<A, B>(a) >= detail::as_operand<B, A>(b);
}
template <class A, class B>
requires(detail::is_tensor<A>&& detail::TensorOperands<A, B>) auto operator==(const A& a,
                                                                              const B& b) {
  return detail::as_operand<A, B>(a) == detail::as_operand<B, A>(b);
}
template <class A, class B>
requires(detail::is_tensor<A>&& detail::TensorOperands<A, B>) auto operator!=(const A& a,
                                                                              const B& b) {
  return detail::as_operand<A, B>(a) != detail::as_operand<B, A>(b);
}

template <Element T, class Device>
Tensor<std::conditional_t<std::integral<T>, std::int64_t, T>, Device> Tensor<T, Device>::sum(
    const Axes& axes, bool keepdim) const {
  using Total = std::conditional_t<std::integral<T>, std::int64_t, T>;
  return ops::sum(Variable<Total, Device>(cast<Total>()), axes, keepdim).value();
}
template <Element T, class Device>
Tensor<T, Device> Tensor<T, Device>::mean(const Axes& axes, bool keepdim) const requires Real<T> {
  return ops::mean(Variable<T, Device>(*this), axes, keepdim).value();
}
template <Element T, class Device>
Tensor<T, Device> Tensor<T, Device>::max(const Axes& axes, bool keepdim) const {
  return ops::max(Variable<T, Device>(*this), axes, keepdim).value();
}
template <Element T, class Device>
Tensor<T, Device> Tensor<T, Device>::min(const Axes& axes, bool keepdim) const {
  return ops::min(Variable<T, Device>(*this), axes, keepdim).value();
}

}  // namespace sfumato
