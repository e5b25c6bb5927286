#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"

namespace sfumato::ops {

namespace detail {
/// A Variable's place on the tape without its value, which may be large.
template <class T, class Device>
Variable<T, Device> place_of(const Variable<T, Device>& x) {
  return Variable<T, Device>(Tensor<T, Device>(), x.node());
}
}  // namespace detail

/// A sum of losses in T of what is computed from x in another element type; a scalar whose gradient
/// reaches x. A graph has one element type, so that of Stored is swept on its own, from the losses'
/// gradients, which are found as soon as each loss is known.
///
/// `compute(stored_x, visit)` calls `visit(i, result)` with each of its results, Variables of
/// Stored; `loss(i, result)` is given the same as Variables of T and returns a scalar. The sum can
/// be swept once, and its gradient has no gradient itself: asking for more throws GraphError.
template <class Stored, class T, class Device, class Compute, class Loss>
Variable<T, Device> mixed_precision_sum(Variable<T, Device> x, const Compute& compute,
                                        const Loss& loss) {
  struct Sweep {
    Variable<Stored, Device> from;
    std::vector<Variable<Stored, Device>> results;
    std::vector<Variable<Stored, Device>> seeds;
  };
  const bool needed = x.requires_grad() && grad_enabled();
  const auto sweep = std::make_shared<Sweep>();
  Variable<Stored, Device> stored(x.value().template cast<Stored>(), needed);
  sweep->from = detail::place_of(stored);
  x = detail::place_of(x);
  auto total = Variable<T, Device>(Tensor<T, Device>::scalar(T{0}));
  compute(std::move(stored), [&](std::size_t i, const Variable<Stored, Device>& result) {
    const Variable<T, Device> leaf(result.value().template cast<T>(), needed);
    const Variable<T, Device> part = loss(i, leaf);
    total = total + part.detach();
    if (!needed) return;
    sweep->seeds.emplace_back(grad({part}, {leaf})[0].value().template cast<Stored>());
    // At the result's place, but with a value that is there anyway.
    sweep->results.emplace_back(sweep->seeds.back().value(), result.node());
  });
  return record("mixed_precision_sum", total.value(), {x}, [sweep](const Backward<T, Device>& at) {
    const Sweep once = std::exchange(*sweep, {});
    if (grad_enabled() || once.results.empty()) {
      throw GraphError("mixed_precision_sum: can be swept once, and without create_graph");
    }
    const auto gradient = grad(once.results, {once.from}, {}, once.seeds)[0];
    auto scaled = gradient.value().template cast<T>();
    apply_into("mixed_precision_sum", detail::Multiply{}, scaled, scaled, at.gradient().value());
    return Variable<T, Device>(std::move(scaled));
  });
}

}  // namespace sfumato::ops
