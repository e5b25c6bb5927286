#pragma once

#include <cmath>
#include <cstdint>

#include "sfumato/core/tensor.hpp"

/// Random starting values for weights of the shape (out, in, …), where the further extents are
/// those of a filter. All draw from the same kinds of distribution; only the scale differs.
namespace sfumato::nn {

/// How many inputs an output of a weight sums over, and the other way round.
struct Fans {
  explicit Fans(const Shape& weight) {
    if (weight.rank() < 2) {
      throw ShapeError(message("initializer: a weight ", weight,
                               " must have at least two dimensions (out, in, …)"));
    }
    std::int64_t filter = 1;
    for (int axis = 2; axis < weight.rank(); ++axis) filter *= weight[axis];
    in = static_cast<double>(weight[1] * filter);
    out = static_cast<double>(weight[0] * filter);
  }
  double in;
  double out;
};

namespace detail {
template <class T, class Device>
Tensor<T, Device> uniform_around_zero(const Shape& shape, Random& random, double bound) {
  return Tensor<T, Device>::rand(shape, random, static_cast<T>(-bound), static_cast<T>(bound));
}
template <class T, class Device>
Tensor<T, Device> normal_around_zero(const Shape& shape, Random& random, double deviation) {
  return Tensor<T, Device>::randn(shape, random, T{0}, static_cast<T>(deviation));
}
}  // namespace detail

/// Normal with variance 2 / fan_in, which keeps the scale of activations through ReLU layers.
/// He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).
template <class T = float, class Device = Cpu>
Tensor<T, Device> kaiming_normal(const Shape& shape, Random& random = default_random()) {
  return detail::normal_around_zero<T, Device>(shape, random, std::sqrt(2.0 / Fans(shape).in));
}

/// Uniform with the same variance as kaiming_normal: bound √(6 / fan_in).
template <class T = float, class Device = Cpu>
Tensor<T, Device> kaiming_uniform(const Shape& shape, Random& random = default_random()) {
  return detail::uniform_around_zero<T, Device>(shape, random, std::sqrt(6.0 / Fans(shape).in));
}

/// Normal with variance 2 / (fan_in + fan_out).
/// Glorot and Bengio, "Understanding the difficulty of training deep feedforward networks" (2010).
template <class T = float, class Device = Cpu>
Tensor<T, Device> xavier_normal(const Shape& shape, Random& random = default_random()) {
  const Fans fans(shape);
  return detail::normal_around_zero<T, Device>(shape, random,
                                               std::sqrt(2.0 / (fans.in + fans.out)));
}

/// Uniform with the same variance as xavier_normal: bound √(6 / (fan_in + fan_out)).
template <class T = float, class Device = Cpu>
Tensor<T, Device> xavier_uniform(const Shape& shape, Random& random = default_random()) {
  const Fans fans(shape);
  return detail::uniform_around_zero<T, Device>(shape, random,
                                                std::sqrt(6.0 / (fans.in + fans.out)));
}

}  // namespace sfumato::nn
