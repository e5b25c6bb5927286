#pragma once

#include <limits>
#include <utility>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/comparison.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/select.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::losses {

/// a · b / (‖a‖ ‖b‖), the cosine of the angle between vectors along one axis, which goes; norms
/// below epsilon count as epsilon. a and b are broadcast together. Computed in float where they
/// have 16 bits. Throws ShapeError for shapes that do not fit or have no such axis.
template <Real T, class Device>
Variable<T, Device> cosine_similarity(const Variable<T, Device>& a, const Variable<T, Device>& b,
                                      int axis = 1, double epsilon = 1e-8) {
  const Shape shape = broadcast_shapes("cosine_similarity", a.shape(), b.shape());
  const int along = shape.normalize_axis(axis);
  return ops::detail::in_float<T, Device>(
      "cosine_similarity", {a, b}, [shape, along, epsilon](const auto& in) {
        using Number = Compute<T>;
        const auto unit = [&](const Variable<Number, Device>& narrow) {
          const auto x = ops::broadcast_to(narrow, shape);
          const auto squares = ops::sum(ops::square(x), {along}, true);
          // The root of 0 would have an infinite slope.
          return x / ops::sqrt(ops::clamp(squares, static_cast<Number>(epsilon * epsilon),
                                          std::numeric_limits<Number>::infinity()));
        };
        return ops::sum(unit(in[0]) * unit(in[1]), {along});
      });
}

namespace detail {

/// a b - c d.
struct DifferenceOfProducts {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b, T c, T d) const {
    return static_cast<T>(a * b - c * d);
  }
};

/// The cosines (1, 1, h, w) of the angles between the vectors of x and of goals (1, c, h, w), the
/// latter of length 1: as cosine_similarity(), in fewer steps, of which less is kept.
template <class T, class Device>
Variable<T, Device> cosines_to_units(const Variable<T, Device>& x,
                                     const Variable<T, Device>& goals) {
  using Numbers = Variable<T, Device>;
  constexpr auto kLeast = static_cast<T>(1e-8 * 1e-8);  // square of a length
  const auto over_channels = [](const Numbers& a) { return ops::sum(a, {1}, true); };
  const auto squares_of = [=](const Numbers& a) { return over_channels(ops::square(a)); };
  const auto inverse_root = [=](const Numbers& squares) {
    return ops::rsqrt(ops::clamp(squares, kLeast, std::numeric_limits<T>::infinity()));
  };
  const auto [squares, cosines] = no_grad([&] {
    const auto of_x = squares_of(x);
    return std::pair{of_x, over_channels(x * goals) * inverse_root(of_x)};
  });
  return record(
      "cosines_to_units", cosines.value(), {x},
      [=, squares = squares, cosines = cosines](const Backward<T, Device>& ctx) {
        // Whose own gradient is asked for is computed so that there is one.
        const auto of_x = grad_enabled() ? squares_of(x) : squares;
        const auto inverse = inverse_root(of_x);
        const auto now = grad_enabled() ? over_channels(x * goals) * inverse : cosines;
        // (goal - cos x / |x|) / |x|, or, where a length is held, goal / |x|
        const auto factor = ctx.gradient() * inverse;
        const auto along = ops::masked_fill(now * inverse, of_x <= kLeast, T{0}) * factor;
        if (grad_enabled()) return goals * factor - x * along;
        return Numbers(ops::apply("cosines_to_units", DifferenceOfProducts(), goals.value(),
                                  factor.value(), x.value(), along.value()));
      });
}

}  // namespace detail

}  // namespace sfumato::losses
