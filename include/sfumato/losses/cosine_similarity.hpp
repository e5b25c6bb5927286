#pragma once

#include <limits>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/ops/arithmetic.hpp"
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

}  // namespace sfumato::losses
