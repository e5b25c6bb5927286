#pragma once

#include <type_traits>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::losses {

namespace detail {

/// Throws ShapeError, naming the loss, for different shapes: broadcasting here is nearly always a
/// mistake.
template <class T, class Device>
void check_same_shape(const char* loss, const Variable<T, Device>& prediction,
                      const Variable<T, Device>& target) {
  if (prediction.shape(loss) == target.shape(loss)) return;  // an undefined one is the loss's
  throw ShapeError(message(loss, ": prediction ", prediction.shape(), " and target ",
                           target.shape(), " must have the same shape"));
}

/// a b / divisor.
template <class T>
struct ProductOver {
  T divisor;
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const { return static_cast<T>(a * b / divisor); }
};

template <class T, class Device>
Variable<T, Device> product_over(const Variable<T, Device>& a, const Variable<T, Device>& b,
                                 std::type_identity_t<T> divisor) {
  const ProductOver<T> function{divisor};
  return record("product_over", ops::apply("product_over", function, a.value(), b.value()), {a, b},
                [a, b, divisor](const Backward<T, Device>& ctx) {
                  const auto along = [&](const auto& own, const auto& other) {
                    return ops::sum_to(product_over(ctx.gradient(), other, divisor), own.shape());
                  };
                  Gradients<T, Device> gradients(2);
                  if (ctx.needs(0)) gradients[0] = along(a, b);
                  if (ctx.needs(1)) gradients[1] = along(b, a);
                  return gradients;
                });
}

/// mean(x²). Its gradient, 2 x / count, is one product here, where mean and square would make
/// four passes of it.
template <class T, class Device>
Variable<T, Device> mean_square(const Variable<T, Device>& x) {
  const auto mean = no_grad([&] { return ops::mean(ops::square(x)); });
  return record("mean_square", mean.value(), {x}, [x](const Backward<T, Device>& ctx) {
    return product_over(x, ctx.gradient(), static_cast<T>(x.numel()) / T{2});
  });
}

}  // namespace detail

/// mean((prediction - target)²) over all elements; a scalar. Computed in float where they have 16
/// bits. Throws ShapeError unless the shapes are equal: broadcasting here is nearly always a
/// mistake; and ValueError when there is nothing to average.
template <Real T, class Device>
Variable<T, Device> mse_loss(const Variable<T, Device>& prediction,
                             const Variable<T, Device>& target) {
  detail::check_same_shape("mse_loss", prediction, target);
  return ops::detail::in_float<T, Device>("mse_loss", {prediction, target}, [](const auto& in) {
    return detail::mean_square(in[0] - in[1]);
  });
}

}  // namespace sfumato::losses
