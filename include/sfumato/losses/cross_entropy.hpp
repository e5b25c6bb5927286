#pragma once

#include <cstdint>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/comparison.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/ops/softmax.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::losses {

namespace detail {
struct IsClass {
  SFUMATO_HOST_DEVICE bool operator()(std::int64_t label, std::int64_t class_number) const {
    return label == class_number;
  }
};

/// Throws ValueError for a label that is none of so many classes.
inline void check_label(std::int64_t label, std::int64_t classes) {
  if (label >= 0 && label < classes) return;
  throw ValueError(message("cross_entropy: label ", label, " is not one of ", classes,
                           " classes, 0 to ", classes - 1));
}
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
  if (labels.numel() == 0) {
    throw ShapeError(message("cross_entropy: no examples in the logits ", logits.shape(),
                             ", so they have no mean"));
  }
  const std::int64_t n = logits.shape()[0];
  const std::int64_t classes = logits.shape()[1];
  for (const std::int64_t label : labels.to_vector()) detail::check_label(label, classes);
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

/// How a cross entropy treats its classes and labels.
struct CrossEntropyOptions {
  std::vector<double> class_weights = {};  ///< what each class counts; 1 when empty
  std::int64_t ignore_index = -100;        ///< a label that stands for none
  double label_smoothing = 0.0;            ///< the share of a label that all classes have alike
};

/// The same with options, and also of images: logits (n, classes, …), labels (n, …). The mean is
/// weighted: over the weights of the labels that are not ignored, NaN when all are. As in PyTorch.
/// Throws ShapeError and ValueError for what does not fit.
template <Real T, class Device>
Variable<T, Device> cross_entropy(const Variable<T, Device>& logits,
                                  const Tensor<std::int64_t, Device>& labels,
                                  const CrossEntropyOptions& options) {
  const auto mistaken = [&] {
    return ShapeError(message("cross_entropy: logits ", logits.shape(), " and labels ",
                              labels.shape(), " must be (n, classes, …) and (n, …)"));
  };
  if (logits.rank() < 2 || labels.rank() != logits.rank() - 1) throw mistaken();
  Axes classes_last;
  for (int axis = 0; axis < logits.rank(); ++axis) {
    if (axis != 1) classes_last.push_back(axis);
    if (axis != 1 && logits.size(axis) != labels.size(axis > 1 ? axis - 1 : axis)) throw mistaken();
  }
  classes_last.push_back(1);
  const std::int64_t classes = logits.size(1);
  const auto weight_of = [&](std::int64_t label) {
    return options.class_weights.empty() ? 1.0
                                         : options.class_weights[static_cast<std::size_t>(label)];
  };
  if (!options.class_weights.empty() &&
      static_cast<std::int64_t>(options.class_weights.size()) != classes) {
    throw ValueError(message("cross_entropy: ", options.class_weights.size(), " weights for ",
                             classes, " classes"));
  }
  if (!(options.label_smoothing >= 0.0 && options.label_smoothing <= 1.0)) {
    throw ValueError(message("cross_entropy: label smoothing ", options.label_smoothing,
                             " must be from 0 to 1"));
  }
  // How much each class of each example counts.
  std::vector<Compute<T>> shares(static_cast<std::size_t>(logits.numel()));
  double total = 0.0;
  auto share = shares.begin();
  for (const std::int64_t label : labels.to_vector()) {
    if (label == options.ignore_index) {
      share += classes;
      continue;
    }
    detail::check_label(label, classes);
    total += weight_of(label);
    for (std::int64_t i = 0; i < classes; ++i) {
      const double own = i == label ? 1.0 - options.label_smoothing : 0.0;
      *share++ = static_cast<Compute<T>>(
          weight_of(i) * (own + options.label_smoothing / static_cast<double>(classes)));
    }
  }
  const Variable<Compute<T>, Device> counts(
      Tensor<Compute<T>, Device>::from(shares, {labels.numel(), classes}));
  const auto rows = ops::reshape(ops::permute(logits, classes_last), counts.shape());
  return ops::detail::in_float<T, Device>("cross_entropy", {rows}, [counts, total](const auto& in) {
    // An impossible class, of -∞, times 0 is no number.
    const auto counted = counts != Compute<T>{0};
    const auto zeros = counts * Compute<T>{0};
    const auto likelihoods = ops::where(counted, ops::log_softmax(in[0]), zeros) * counts;
    return ops::neg(ops::sum(likelihoods) / static_cast<Compute<T>>(total));
  });
}

}  // namespace sfumato::losses
