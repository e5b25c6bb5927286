#pragma once

#include <cstdint>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/ops/softmax.hpp"

namespace sfumato::losses {

namespace detail {
struct IsClass {
  SFUMATO_HOST_DEVICE bool operator()(std::int64_t label, std::int64_t class_number) const {
    return label == class_number;
  }
};
}  // namespace detail

/// The mean of -log softmax(logits)[label] over a batch: logits (n, classes), labels (n,) in
/// 0 … classes - 1; a scalar, NaN of an empty batch. Computed in float where logits have 16 bits.
/// Throws ShapeError for shapes that do not fit and ValueError for a label out of range.
template <Real T, class Device>
Variable<T, Device> cross_entropy(const Variable<T, Device>& logits,
                                  const Tensor<std::int64_t, Device>& labels) {
  if (logits.rank() != 2 || labels.shape() != Shape{logits.shape()[0]}) {
    throw ShapeError(message("cross_entropy: logits ", logits.shape(), " and labels ",
                             labels.shape(), " must be (n, classes) and (n,)"));
  }
  if (labels.elements() == 0) {
    throw ShapeError(message("cross_entropy: no examples in the logits ", logits.shape(),
                             ", so they have no mean"));
  }
  const std::int64_t n = logits.shape()[0];
  const std::int64_t classes = logits.shape()[1];
  for (const std::int64_t label : labels.to_vector()) {
    if (label < 0 || label >= classes) {
      throw ValueError(message("cross_entropy: label ", label, " is not one of ", classes,
                               " classes, 0 to ", classes - 1));
    }
  }
  const Tensor<std::uint8_t, Device> is_label =
      ops::apply("cross_entropy", detail::IsClass{}, labels.reshape({n, 1}),
                 Tensor<std::int64_t, Device>::arange(classes));
  // Chosen rather than multiplied by 0 and 1: an impossible class, of -∞, times 0 is no number.
  return ops::detail::in_float<T, Device>("cross_entropy", {logits}, [is_label](const auto& in) {
    const Variable<Compute<T>, Device> zero(Tensor<Compute<T>, Device>::scalar(0));
    const auto likelihoods = ops::where(is_label, ops::log_softmax(in[0]), zero);
    return ops::detail::divided_sum("cross_entropy", likelihoods, {}, false, -in[0].shape()[0]);
  });
}

}  // namespace sfumato::losses
