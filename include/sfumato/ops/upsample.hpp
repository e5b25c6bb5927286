#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/matmul.hpp"

namespace sfumato::ops {

/// How values between the samples are made up.
enum class Interpolation { kNearest, kBilinear };

namespace detail {

/// The (to × from) matrix that resamples a line: row i weighs the samples that make output i, whose
/// centre lies at (i + 1/2) · from / to - 1/2.
template <class T, class Device>
Variable<T, Device> interpolation_matrix(std::int64_t from, std::int64_t to, Interpolation mode) {
  const auto room = Tensor<T, Device>::empty({to, from});  // throws where std::vector would
  std::vector<T> weights(static_cast<std::size_t>(room.elements()), T{0});
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (std::int64_t i = 0; i < to; ++i) {
    const auto weight = [&](std::int64_t sample) -> T& {
      return weights[static_cast<std::size_t>(i * from +
                                              std::clamp<std::int64_t>(sample, 0, from - 1))];
    };
    if (mode == Interpolation::kNearest) {
      weight(i * from / to) = T{1};
    } else {
      const double centre = std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
      const auto below = static_cast<std::int64_t>(centre);
      const double fraction = centre - static_cast<double>(below);
      weight(below) += static_cast<T>(1.0 - fraction);
      weight(below + 1) += static_cast<T>(fraction);
    }
  }
  return Variable<T, Device>(Tensor<T, Device>::from(weights, room.shape()));
}

}  // namespace detail

/// Images (n, c, h, w) at another size: each sample repeated, or straight lines between the samples
/// (PyTorch's align_corners = false; no antialiasing, so for enlarging).
///
/// Resampling is linear and works on rows and columns separately, so it is two matrix products, and
/// its gradients are theirs. Throws ShapeError or ValueError for anything but images and positive
/// sizes.
template <class T, class Device>
Variable<T, Device> upsample2d(const Variable<T, Device>& x, std::int64_t height,
                               std::int64_t width, Interpolation mode = Interpolation::kNearest) {
  if (x.rank() != 4 || x.elements() == 0) {
    throw ShapeError(message("upsample2d: input ", x.shape(),
                             " must have four dimensions (n, c, h, w), none of them empty"));
  }
  if (height < 1 || width < 1) {
    throw ValueError(message("upsample2d: size ", height, " × ", width, " must be at least 1 × 1"));
  }
  const auto rows = detail::interpolation_matrix<T, Device>(x.shape()[2], height, mode);
  const auto columns = detail::interpolation_matrix<T, Device>(x.shape()[3], width, mode);
  return matmul(rows, matmul(x, columns, {.transpose_b = true}));
}

}  // namespace sfumato::ops
