#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <optional>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/print.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/activation.hpp"
#include "sfumato/ops/argmax.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cumulative.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/matmul.hpp"
#include "sfumato/ops/norm.hpp"
#include "sfumato/ops/power.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/relu.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/ops/softmax.hpp"
#include "sfumato/ops/sum.hpp"

/// x.sum() is ops::sum(x), and so on: the members of Variable that are ops.
namespace sfumato {

template <class T, class Device>
Variable<T, Device> Variable<T, Device>::sum(const Axes& axes, bool keepdim) const {
  return ops::sum(*this, axes, keepdim);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::mean(const Axes& axes, bool keepdim) const {
  return ops::mean(*this, axes, keepdim);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::max(const Axes& axes, bool keepdim) const {
  return ops::max(*this, axes, keepdim);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::min(const Axes& axes, bool keepdim) const {
  return ops::min(*this, axes, keepdim);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::var(const Axes& axes, bool keepdim,
                                             std::int64_t correction) const {
  return ops::var(*this, axes, keepdim, correction);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::std(const Axes& axes, bool keepdim,
                                             std::int64_t correction) const {
  return ops::std(*this, axes, keepdim, correction);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::prod(const Axes& axes, bool keepdim) const {
  return ops::prod(*this, axes, keepdim);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::norm(double p, const Axes& axes, bool keepdim) const {
  return ops::norm(*this, p, axes, keepdim);
}
template <class T, class Device>
Tensor<std::int64_t, Device> Variable<T, Device>::argmax(std::optional<int> axis,
                                                         bool keepdim) const {
  return ops::argmax(*this, axis, keepdim);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::softmax(int axis) const {
  return ops::softmax(*this, axis);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::abs() const {
  return ops::abs(*this);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::exp() const {
  return ops::exp(*this);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::log() const {
  return ops::log(*this);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::sqrt() const {
  return ops::sqrt(*this);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::square() const {
  return ops::square(*this);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::pow(Compute<T> exponent) const {
  return ops::pow(*this, exponent);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::clamp(T low, T high) const {
  return ops::clamp(*this, low, high);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::relu() const {
  return ops::relu(*this);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::sigmoid() const {
  return ops::sigmoid(*this);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::tanh() const {
  return ops::tanh(*this);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::matmul(const Variable<T, Device>& other) const {
  return ops::matmul(*this, other);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::reshape(
    std::initializer_list<std::int64_t> extents) const {
  return ops::reshape(*this, extents);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::reshape(const Shape& shape) const {
  return ops::reshape(*this, shape);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::flatten(int first, int last) const {
  return ops::flatten(*this, first, last);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::squeeze(int axis) const {
  return ops::squeeze(*this, axis);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::unsqueeze(int axis) const {
  return ops::unsqueeze(*this, axis);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::permute(const Axes& axes) const {
  return ops::permute(*this, axes);
}
template <class T, class Device>
Variable<T, Device> Variable<T, Device>::transpose(int first, int second) const {
  return ops::transpose(*this, first, second);
}
template <class T, class Device>
Variable<T, Device>& Variable<T, Device>::operator+=(const Variable& other) & {
  return *this = *this + other;
}
template <class T, class Device>
Variable<T, Device>& Variable<T, Device>::operator-=(const Variable& other) & {
  return *this = *this - other;
}
template <class T, class Device>
Variable<T, Device>& Variable<T, Device>::operator*=(const Variable& other) & {
  return *this = *this * other;
}
template <class T, class Device>
Variable<T, Device>& Variable<T, Device>::operator/=(const Variable& other) & {
  return *this = *this / other;
}

template <class T, class Device>
Variable<T, Device> Variable<T, Device>::operator[](std::int64_t index) const {
  return ops::select(*this, 0, index);
}

/// The values in NumPy's layout.
template <class Traits, class T, class Device>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                             const Variable<T, Device>& x) {
  return out << (x.defined() ? x.value() : Tensor<T, Device>());
}

}  // namespace sfumato
