#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::style::detail {

template <class T>
bool is_finite(T value) {
  return std::isfinite(static_cast<double>(value));
}

/// Σ x² of an image (1, c, h, w), a scalar; a channel at a time, for the memory.
template <class T, class Device>
Variable<T, Device> sum_of_squares(const Tensor<T, Device>& image) {
  const NoGrad off;
  Variable<T, Device> sum(Tensor<T, Device>::zeros({}));
  for (std::int64_t c = 0; c < image.size(1); ++c) {
    sum = sum + ops::sum(ops::square(Variable<T, Device>(image[0][c])));
  }
  return sum;
}

/// What went wrong, and what to do; `steps` says of which kind they are.
inline std::string divergence_text(const char* what, double value, std::int64_t iteration,
                                   const std::string& steps) {
  return message("style transfer: ", what, " of iteration ", iteration, " is ",
                 std::isnan(value) ? "not a number" : "too large", ", probably because ",
                 iteration == 1
                     ? std::string("the network's weights, or the weight of a loss, are not "
                                   "finite or too large; correct them")
                     : message("steps ", steps,
                               ", or the weight of a loss, are too large; take a smaller "
                               "one"));
}

}  // namespace sfumato::style::detail
