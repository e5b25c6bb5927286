#pragma once

#include <cstdint>
#include <vector>

#include "device.hpp"

namespace sfumato::tested {

using Double = Variable<double>;
using List = std::vector<double>;

inline Double scalar(double value, bool requires_grad = true) {
  return Double(Tensor<double>::scalar(value), requires_grad);
}
inline Double vector(const List& values, bool requires_grad = true) {
  return Double(Tensor<double>::from(values, {static_cast<std::int64_t>(values.size())}),
                requires_grad);
}
/// The gradient of a scalar.
inline double grad_of(const Double& x) {
  return x.grad().value().item();
}

}  // namespace sfumato::tested
