#pragma once

#include <cmath>
#include <cstdint>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/optim/optimizer.hpp"

namespace sfumato::style {

/// A running mean of pictures, the latest of which weighs 1 - decay and each one before it `decay`
/// times as much; corrected for its start at zero, as in Kingma and Ba, "Adam" (2014).
template <class T, class Device = Cpu>
struct AveragePicture {
  double decay = 0.0;
  std::int64_t count = 0;      ///< of the pictures in it
  Tensor<T, Device> sum = {};  ///< weighted, not yet corrected

  /// The part of an update that is the same every time, and so may be part of a Repeat.
  void add(const Tensor<T, Device>& picture) {
    const optim::detail::Average<T> average{static_cast<T>(decay), static_cast<T>(1.0 - decay)};
    ops::apply_into("average", average, sum, sum, picture);
  }
  Tensor<T, Device> mean() const {
    const double weight = 1.0 - std::pow(decay, static_cast<double>(count));
    return no_grad([&] { return Variable<T, Device>(sum) / static_cast<T>(weight); }).value();
  }
};

}  // namespace sfumato::style
