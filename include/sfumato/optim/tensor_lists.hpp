#pragma once

#include <cstddef>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/sum.hpp"

/// All parameters, or what belongs to each of them, as one long vector. Sums are in double, or
/// those of millions of floats would lose their last digits.
namespace sfumato::optim::detail {

template <class T, class Device>
using Tensors = std::vector<Tensor<T, Device>>;

/// Σ a · b.
template <class T, class Device>
double dot(const Tensors<T, Device>& a, const Tensors<T, Device>& b) {
  double total = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const NoGrad off;
    const auto wide = [](const auto& x) { return ops::cast<Compute<T>>(Variable(x)); };
    total += ops::detail::wide_sum((wide(a[i]) * wide(b[i])).value());
  }
  return total;
}

/// Σ |a|.
template <class T, class Device>
double sum_of_sizes(const Tensors<T, Device>& a) {
  double total = 0.0;
  for (const auto& x : a) {
    const NoGrad off;
    total += ops::detail::wide_sum(ops::abs(Variable(x)).value());
  }
  return total;
}

/// a + factor · b.
template <class T, class Device>
Tensors<T, Device> sum(const Tensors<T, Device>& a, const Tensors<T, Device>& b, double factor) {
  Tensors<T, Device> result;
  for (std::size_t i = 0; i < a.size(); ++i) {
    result.push_back(no_grad([&] {
                       return Variable(a[i]) + Variable(b[i]) * static_cast<Compute<T>>(factor);
                     }).value());
  }
  return result;
}

/// factor · a.
template <class T, class Device>
Tensors<T, Device> scaled(const Tensors<T, Device>& a, double factor) {
  Tensors<T, Device> result;
  for (const auto& x : a) {
    result.push_back(
        no_grad([&] { return Variable(x) * static_cast<Compute<T>>(factor); }).value());
  }
  return result;
}

}  // namespace sfumato::optim::detail
