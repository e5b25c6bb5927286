#pragma once

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops::detail {

struct Share {
  template <class T, class Divisor>
  SFUMATO_HOST_DEVICE T operator()(T x, Divisor divisor) const {
    return divisor == Divisor{0} ? T{0} : static_cast<T>(x / divisor);
  }
};

/// x / divisors, but 0 where a divisor is 0, even of infinity and NaN: how the gradient of a choice
/// goes to what was chosen, divided among those that share it, and to nothing else.
template <class T, class Divisor, class Device>
Variable<T, Device> share(const char* op, const Variable<T, Device>& x,
                          const Tensor<Divisor, Device>& divisors) {
  return record(op, apply(op, Share{}, x.value(), divisors), {x},
                [op, divisors, from = x.shape()](const Backward<T, Device>& ctx) {
                  return sum_to(share(op, ctx.gradient(), divisors), from);
                });
}

/// The share of those that had no part in it: 0, whatever x is.
template <class T, class Device>
Variable<T, Device> nothing_of(const char* op, const Variable<T, Device>& x) {
  return share(op, x, Tensor<T, Device>::scalar(T{0}));
}

}  // namespace sfumato::ops::detail
