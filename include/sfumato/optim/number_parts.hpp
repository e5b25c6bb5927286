#pragma once

#include <cmath>
#include <string>

#include "sfumato/core/tensor.hpp"

/// Numbers of an optimiser's state, which consists of tensors.
namespace sfumato::optim::detail {

/// A double as a sum of three numbers that together hold all of its bits, even when T is float.
template <class T, class Device>
Tensor<T, Device> to_parts(double value) {
  const T high = static_cast<T>(value);
  const double rest = value - static_cast<double>(high);
  const T middle = static_cast<T>(rest);
  const T low = static_cast<T>(rest - static_cast<double>(middle));
  return Tensor<T, Device>::from({high, middle, low}, {3});
}
template <class T, class Device>
double from_parts(const std::string& name, const Tensor<T, Device>& parts) {
  if (!parts.defined()) {
    throw ValueError(message("load_state_dict: the optimiser's state has no ", name));
  }
  if (parts.shape() != Shape{3}) {
    throw ValueError(message("load_state_dict: the optimiser's ", name, " has the shape ",
                             parts.shape(), " and not (3,)"));
  }
  double value = 0.0;
  for (const T part : parts.to_vector()) value += static_cast<double>(part);
  return value;
}
/// The same, of a whole number up to `most`.
template <class T, class Device>
double to_count(const std::string& name, const Tensor<T, Device>& parts, double most) {
  const double count = from_parts(name, parts);
  if (!(count >= 0.0 && count <= most && count == std::floor(count))) {
    throw ValueError(message("load_state_dict: the optimiser's ", name, " can't be ", count));
  }
  return count;
}

}  // namespace sfumato::optim::detail
