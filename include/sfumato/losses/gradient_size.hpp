#pragma once

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::losses {

/// x, whose gradient is scaled so that Σ |gradient| is `size`, but for 1e-8, which keeps a gradient
/// of 0: losses of different layers pull with equal force, as in J. Johnson's neural-style.
template <Real T, class Device>
Variable<T, Device> with_gradient_size(const Variable<T, Device>& x, double size) {
  return record("with_gradient_size", x.value(), {x}, [size](const Backward<T, Device>& ctx) {
    using Number = Compute<T>;
    const auto gradient = ops::cast<Number>(ctx.gradient());
    const auto total = ops::sum(ops::abs(gradient)) + static_cast<Number>(1e-8);
    return ops::cast<T>(gradient * (static_cast<Number>(size) / total));
  });
}

}  // namespace sfumato::losses
