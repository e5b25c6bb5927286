#pragma once

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/losses/cross_entropy.hpp"
#include "sfumato/losses/mse_loss.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/comparison.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::losses {

/// What kl_div is given and what it divides by.
struct KlDivOptions {
  bool log_target = false;  ///< the targets are logarithms of probabilities, too
  /// Divides by the extent of the first axis, as the definition asks for, where PyTorch and we
  /// divide by the number of elements if nothing is said.
  bool batchmean = false;
};

/// The divergence of Kullback and Leibler, Σ target (log target - log_probabilities) divided by the
/// number of elements; a scalar. A target of 0 adds nothing, and its gradient leaves out log 0.
/// Computed in float where they have 16 bits. Throws ShapeError unless the shapes are equal.
template <Real T, class Device>
Variable<T, Device> kl_div(const Variable<T, Device>& log_probabilities,
                           const Variable<T, Device>& target, const KlDivOptions& options = {}) {
  detail::check_same_shape("kl_div", log_probabilities, target);
  return ops::detail::in_float<T, Device>(
      "kl_div", {log_probabilities, target}, [options](const auto& in) {
        using Number = Compute<T>;
        const auto shares = options.log_target ? ops::exp(in[1]) : in[1];
        const auto logs =
            options.log_target ? in[1] : ops::log(ops::masked_fill(in[1], in[1] == 0, 1));
        const bool by_batch = options.batchmean && in[0].rank() > 0;
        return (detail::expected_log(logs, shares) - detail::expected_log(in[0], shares)) /
               static_cast<Number>(by_batch ? in[0].size(0) : in[0].numel());
      });
}

}  // namespace sfumato::losses
