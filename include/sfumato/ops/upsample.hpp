#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/resample.hpp"

namespace sfumato::ops {

/// How values between the samples are made up.
enum class Interpolation { kNearest, kBilinear };

namespace detail {

/// The (to × from) matrix that resamples a line: row i weighs the samples that make output i, whose
/// centre lies at (i + 1/2) · from / to - 1/2.
inline SparseMatrix interpolation_matrix(std::int64_t from, std::int64_t to, Interpolation mode) {
  SparseMatrix matrix{from, {}};
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (std::int64_t i = 0; i < to; ++i) {
    auto& row = matrix.rows.emplace_back();
    if (mode == Interpolation::kNearest) {
      row.push_back({i * from / to, 1.0});
      continue;
    }
    const double centre = std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
    const std::int64_t below = std::min(static_cast<std::int64_t>(centre), from - 1);
    const double fraction = below + 1 < from ? centre - static_cast<double>(below) : 0.0;
    row.push_back({below, 1.0 - fraction});
    if (fraction > 0.0) row.push_back({below + 1, fraction});
  }
  return matrix;
}

}  // namespace detail

/// Images (n, c, h, w) at another size: each sample repeated, or straight lines between the samples
/// (PyTorch's align_corners = false; no antialiasing, so for enlarging). An output depends on the
/// samples that have a part in it, and on no others. Computed in float where x has 16 bits;
/// integers are rounded to the nearest. The batch may be empty.
///
/// Resampling is linear and works on rows and columns separately, so it is two products with sparse
/// matrices, and its gradients are those with the transposes. Throws ShapeError or ValueError for
/// anything but images and positive sizes.
template <class T, class Device>
Variable<T, Device> upsample2d(const Variable<T, Device>& x, std::int64_t height,
                               std::int64_t width, Interpolation mode = Interpolation::kNearest) {
  if (x.rank() != 4 || x.shape()[2] == 0 || x.shape()[3] == 0) {
    throw ShapeError(message("upsample2d: input ", x.shape(),
                             " must have four dimensions (n, c, h, w), none of them empty"));
  }
  if (height < 1 || width < 1) {
    throw ValueError(message("upsample2d: size ", height, " × ", width, " must be at least 1 × 1"));
  }
  if (x.numel() == 0) return detail::resample_nothing(x, height, width);
  Tensor<T, Device>::empty({height, width});  // throws where std::vector would
  const auto rows = detail::interpolation_matrix(x.shape()[2], height, mode);
  const auto columns = detail::interpolation_matrix(x.shape()[3], width, mode);
  return detail::in_float<T, Device>("upsample2d", {x}, [rows, columns](const auto& in) {
    return detail::resample2d("upsample2d", in[0], rows, columns);
  });
}

}  // namespace sfumato::ops
