#pragma once

#include "sfumato/core/tensor.hpp"

namespace sfumato {

/// A Variable's value, to be changed in place. Assigning copies the numbers into the storage that
/// all of its handles share, where assigning to a Tensor would only make it another handle. Throws
/// ShapeError when the shapes differ.
template <class T, class Device>
class ValueInPlace : public Tensor<T, Device> {
 public:
  explicit ValueInPlace(const Tensor<T, Device>& value) : Tensor<T, Device>(value) {}
  ValueInPlace(const ValueInPlace&) = default;
  ValueInPlace& operator=(const Tensor<T, Device>& source) {
    this->copy_from(source);
    return *this;
  }
  ValueInPlace& operator=(const ValueInPlace& source) {
    this->copy_from(source);
    return *this;
  }
};

}  // namespace sfumato
