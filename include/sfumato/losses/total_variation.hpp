#pragma once

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/difference.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/padding.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::losses {

namespace detail {
template <class T, class Device>
void check_variation(const char* op, const Variable<T, Device>& image) {
  if (image.rank() == 4 && image.shape()[2] >= 2 && image.shape()[3] >= 2) return;
  throw ShapeError(
      message(op, ": ", image.shape(), " must be images (n, c, h, w) of at least 2 × 2 pixels"));
}
}  // namespace detail

/// How much neighbouring pixels of images (n, c, h, w) differ:
/// (mean |x[i + 1, j] - x[i, j]| + mean |x[i, j + 1] - x[i, j]|) / 2, a scalar.
/// Computed in float where the image has 16 bits. Throws ShapeError for images smaller than 2 × 2.
template <Real T, class Device>
Variable<T, Device> total_variation_loss(const Variable<T, Device>& image) {
  detail::check_variation("total_variation_loss", image);
  return ops::detail::in_float<T, Device>("total_variation_loss", {image}, [](const auto& in) {
    const auto variation = [&](int axis) { return ops::mean(ops::abs(ops::diff(in[0], axis))); };
    return (variation(2) + variation(3)) / Compute<T>{2};
  });
}

/// The same as a sum, not halved: Σ |x[i + 1, j] - x[i, j]| + Σ |x[i, j + 1] - x[i, j]|, as in J.
/// Johnson's neural-style.
template <Real T, class Device>
Variable<T, Device> total_variation_sum(const Variable<T, Device>& image) {
  detail::check_variation("total_variation_sum", image);
  return ops::detail::in_float<T, Device>("total_variation_sum", {image}, [](const auto& in) {
    const auto variation = [&](int axis) { return ops::sum(ops::abs(ops::diff(in[0], axis))); };
    return variation(2) + variation(3);
  });
}

/// How much the neighbours of each pixel differ from it, squared, those at its corners a quarter as
/// heavy: ⅔ (mean (x[i + 1, j] - x[i, j])² + mean (x[i, j + 1] - x[i, j])²) +
/// ⅙ (mean (x[i + 1, j + 1] - x[i, j])² + mean (x[i + 1, j] - x[i, j + 1])²), beyond the edge the
/// edge; as in K. Crowson's style-transfer-pytorch.
template <Real T, class Device>
Variable<T, Device> nine_point_variation(const Variable<T, Device>& image) {
  detail::check_variation("nine_point_variation", image);
  return ops::detail::in_float<T, Device>("nine_point_variation", {image}, [](const auto& in) {
    const auto padded = ops::pad(in[0], {1, 1, 1, 1}, ops::PaddingMode::kReplicate);
    const auto rows = [](const auto& x, const ops::Range& range) {
      return ops::slice(x, 2, range);
    };
    const auto columns = [](const auto& x, const ops::Range& range) {
      return ops::slice(x, 3, range);
    };
    const auto difference = [](const auto& a, const auto& b) {
      return ops::mean(ops::square(a - b));
    };
    const ops::Range inner{.start = 1, .stop = -1};
    const ops::Range next{.start = 2};
    const ops::Range first{.stop = -1};
    const ops::Range last{.start = 1};
    const auto centre = columns(rows(padded, inner), inner);
    const auto straight = difference(columns(rows(padded, inner), next), centre) +
                          difference(columns(rows(padded, next), inner), centre);
    const auto across =
        difference(columns(rows(padded, last), last), columns(rows(padded, first), first)) +
        difference(columns(rows(padded, last), first), columns(rows(padded, first), last));
    return straight * Compute<T>(2.0 / 3.0) + across / Compute<T>{6};
  });
}

}  // namespace sfumato::losses
