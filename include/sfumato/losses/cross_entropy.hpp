#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/losses/mse_loss.hpp"
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

/// How a cross entropy treats its classes and labels.
struct CrossEntropyOptions {
  std::vector<double> class_weights = {};  ///< what each class counts; 1 when empty
  std::int64_t ignore_index = -100;        ///< a label that stands for none
  double label_smoothing = 0.0;            ///< the share of a label that all classes have alike
};

namespace detail {

/// Throws ValueError for a label that is none of so many classes.
inline void check_label(const char* loss, std::int64_t label, std::int64_t classes) {
  if (label >= 0 && label < classes) return;
  throw ValueError(
      message(loss, ": label ", label, " is not one of ", classes, " classes, 0 to ", classes - 1));
}

/// Σ share · log_probability; what is impossible counts nothing where its share is 0, as 0 · -∞ is
/// no number.
template <class T, class Device>
Variable<T, Device> expected_log(const Variable<T, Device>& log_probabilities,
                                 const Variable<T, Device>& shares) {
  const auto impossible = log_probabilities == -std::numeric_limits<T>::infinity();
  const auto possible = ops::masked_fill(log_probabilities, impossible, T{0});
  return ops::sum(ops::where(shares == T{0}, possible, log_probabilities) * shares);
}

/// Throws ValueError for options that do not fit so many classes.
inline void check_options(const char* loss, const CrossEntropyOptions& options,
                          std::int64_t classes) {
  if (!options.class_weights.empty() &&
      static_cast<std::int64_t>(options.class_weights.size()) != classes) {
    throw ValueError(
        message(loss, ": ", options.class_weights.size(), " weights for ", classes, " classes"));
  }
  if (!(options.label_smoothing >= 0.0 && options.label_smoothing <= 1.0)) {
    throw ValueError(
        message(loss, ": label smoothing ", options.label_smoothing, " must be from 0 to 1"));
  }
}

/// The weighted mean of -log_likelihoods(x)[label], whose classes are the last axis.
template <Real T, class Device, class LogLikelihoods>
Variable<T, Device> labelled(const char* loss, const Variable<T, Device>& x,
                             const Tensor<std::int64_t, Device>& labels,
                             const CrossEntropyOptions& options,
                             const LogLikelihoods& log_likelihoods) {
  const auto mistaken = [&] {
    return ShapeError(message(loss, ": ", x.shape(), " and labels ", labels.shape(),
                              " must be (n, classes, …) and (n, …)"));
  };
  if (x.rank(loss) < 2 || labels.rank() != x.rank() - 1) throw mistaken();
  if (labels.numel() == 0) {
    throw ShapeError(message(loss, ": no examples in ", x.shape(), ", so they have no mean"));
  }
  Axes classes_last;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis != 1) classes_last.push_back(axis);
    if (axis != 1 && x.size(axis) != labels.shape()[axis > 1 ? axis - 1 : axis]) throw mistaken();
  }
  classes_last.push_back(1);
  const std::int64_t classes = x.size(1);
  check_options(loss, options, classes);
  const auto weight_of = [&](std::int64_t label) {
    return options.class_weights.empty() ? 1.0
                                         : options.class_weights[static_cast<std::size_t>(label)];
  };
  // How much each class of each example counts.
  std::vector<Compute<T>> shares(static_cast<std::size_t>(x.numel()));
  double total = 0.0;
  auto share = shares.begin();
  for (const std::int64_t label : labels.to_vector()) {
    if (label == options.ignore_index) {
      share += classes;
      continue;
    }
    check_label(loss, label, classes);
    total += weight_of(label);
    for (std::int64_t i = 0; i < classes; ++i) {
      const double own = i == label ? 1.0 - options.label_smoothing : 0.0;
      *share++ = static_cast<Compute<T>>(
          weight_of(i) * (own + options.label_smoothing / static_cast<double>(classes)));
    }
  }
  const Variable<Compute<T>, Device> counts(
      Tensor<Compute<T>, Device>::from(shares, {labels.numel(), classes}));
  const auto rows = ops::reshape(ops::permute(x, classes_last), counts.shape());
  return ops::detail::in_float<T, Device>(
      loss, {rows}, [counts, total, log_likelihoods](const auto& in) {
        // An impossible class, of -∞, times 0 is no number.
        const auto counted = counts != Compute<T>{0};
        const auto zeros = counts * Compute<T>{0};
        const auto likelihoods = ops::where(counted, log_likelihoods(in[0]), zeros) * counts;
        return ops::neg(ops::sum(likelihoods) / static_cast<Compute<T>>(total));
      });
}

}  // namespace detail

/// The mean of -log softmax(logits)[label] over a batch, or the pixels of images: logits
/// (n, classes, …), labels (n, …) in 0 … classes - 1; a scalar. The mean is weighted: over the
/// weights of the labels that are not ignored, NaN when all are. As in PyTorch, whose label -100
/// counts nothing. Computed in float where logits have 16 bits. Throws ShapeError for shapes that
/// do not fit or an empty batch, and ValueError for a label out of range.
template <Real T, class Device>
Variable<T, Device> cross_entropy(const Variable<T, Device>& logits,
                                  const Tensor<std::int64_t, Device>& labels,
                                  const CrossEntropyOptions& options = {}) {
  return detail::labelled("cross_entropy", logits, labels, options,
                          [](const auto& rows) { return ops::log_softmax(rows); });
}

/// The same for probabilities of the classes in place of labels, in the logits' shape: the mean of
/// -Σ weight · probability · log softmax(logits) over the examples, whatever their weights. As in
/// PyTorch, but a class of probability 0 may be impossible. Throws ShapeError for other shapes or
/// an empty batch, and ValueError for options that do not fit, as an ignored label.
template <Real T, class Device>
Variable<T, Device> cross_entropy(const Variable<T, Device>& logits,
                                  const Variable<T, Device>& probabilities,
                                  const CrossEntropyOptions& options = {}) {
  detail::check_same_shape("cross_entropy", logits, probabilities);
  if (logits.rank() < 2 || logits.numel() == 0) {
    throw ShapeError(message("cross_entropy: logits ", logits.shape(),
                             " must be (n, classes, …), as the probabilities, and not empty"));
  }
  const std::int64_t classes = logits.size(1);
  detail::check_options("cross_entropy", options, classes);
  if (options.ignore_index >= 0) {
    throw ValueError(message("cross_entropy: label ", options.ignore_index,
                             " can't be ignored where the classes have probabilities; give those "
                             "examples probabilities of 0"));
  }
  return ops::detail::in_float<T, Device>(
      "cross_entropy", {logits, probabilities}, [options, classes](const auto& in) {
        using Number = Compute<T>;
        const auto smoothing = static_cast<Number>(options.label_smoothing);
        auto shares = in[1] * (Number{1} - smoothing) + smoothing / static_cast<Number>(classes);
        if (!options.class_weights.empty()) {
          std::vector<std::int64_t> along(static_cast<std::size_t>(in[0].rank()), 1);
          along[1] = classes;
          const std::vector<Number> weights(options.class_weights.begin(),
                                            options.class_weights.end());
          shares = shares *
                   Variable<Number, Device>(Tensor<Number, Device>::from(weights, Shape(along)));
        }
        const auto sum = detail::expected_log(ops::log_softmax(in[0], 1), shares);
        return sum * static_cast<Number>(-static_cast<double>(classes) /
                                         static_cast<double>(in[0].numel()));
      });
}

/// How nll_loss treats its classes and labels.
struct NllOptions {
  std::vector<double> class_weights = {};  ///< what each class counts; 1 when empty
  std::int64_t ignore_index = -100;        ///< a label that stands for none
};

/// The weighted mean of -log_probabilities[label], "negative log-likelihood": cross_entropy of what
/// log_softmax has made, (n, classes, …), with labels (n, …). Throws as cross_entropy does.
template <Real T, class Device>
Variable<T, Device> nll_loss(const Variable<T, Device>& log_probabilities,
                             const Tensor<std::int64_t, Device>& labels,
                             const NllOptions& options = {}) {
  return detail::labelled(
      "nll_loss", log_probabilities, labels,
      {.class_weights = options.class_weights, .ignore_index = options.ignore_index},
      [](const auto& rows) { return rows; });
}

}  // namespace sfumato::losses
