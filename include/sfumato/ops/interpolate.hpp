#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/convolution.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/resample.hpp"

namespace sfumato::ops {

/// How values between the samples are made up: by the nearest one, straight lines, or cubic
/// polynomials (Keys, 1981).
enum class Interpolation { kNearest, kBilinear, kBicubic };

/// To which size images go, and how; as PyTorch's interpolate.
struct InterpolateOptions {
  Size2d size = 0;            ///< of the result; 0 × 0 for what scale_factor makes of the input
  double scale_factor = 0.0;  ///< of the sides, in the place of a size
  Interpolation mode = Interpolation::kNearest;
  bool align_corners = false;  ///< the outermost samples stay, instead of the outermost edges
  bool antialias = false;      ///< when shrinking, an output averages all that it covers
};

namespace detail {

/// The kernel of cubic convolution with the slope `a` at 1.
inline double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  return x < 2.0 ? ((x - 5.0) * x + 8.0) * x * a - 4.0 * a : 0.0;
}

/// A line of `from` samples on its way to `to`, `scale` of the former for one of the latter.
struct Resampling {
  std::int64_t from;
  std::int64_t to;
  double scale;

  Resampling(std::int64_t old_extent, std::int64_t new_extent, const InterpolateOptions& options)
      : from(old_extent), to(new_extent) {
    scale = static_cast<double>(from) / static_cast<double>(to);
    if (options.align_corners) {
      scale = to > 1 ? static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0.0;
    } else if (options.scale_factor != 0.0) {
      scale = 1.0 / options.scale_factor;
    }
  }

  /// The (to × from) matrix: row i weighs the samples that make output i.
  SparseMatrix matrix(const InterpolateOptions& options) const {
    SparseMatrix matrix{.columns = from};
    for (std::int64_t i = 0; i < to; ++i) {
      if (options.mode == Interpolation::kNearest) {
        add_nearest(matrix, i, options.scale_factor != 0.0);
      } else if (options.antialias) {
        add_average(matrix, i, options.mode);
      } else {
        add_neighbours(matrix, i, options);
      }
      matrix.end_row();
    }
    return matrix;
  }

 private:
  void add_nearest(SparseMatrix& matrix, std::int64_t i, bool by_factor) const {
    const auto scaled = static_cast<std::int64_t>(static_cast<double>(i) * scale);
    matrix.add(by_factor ? std::min(scaled, from - 1) : i * from / to, 1.0);
  }

  /// The two neighbours of where output i lies, or the four; beyond the edge stands the edge.
  void add_neighbours(SparseMatrix& matrix, std::int64_t i,
                      const InterpolateOptions& options) const {
    const auto index = static_cast<double>(i);
    const double centre = options.align_corners ? index * scale : (index + 0.5) * scale - 0.5;
    const bool is_linear = options.mode == Interpolation::kBilinear;
    const double last = static_cast<double>(from - 1);
    const double position = is_linear ? std::clamp(centre, 0.0, last) : centre;
    const auto below = static_cast<std::int64_t>(std::floor(position));
    const std::int64_t reach = is_linear ? 1 : 2;
    for (std::int64_t j = below - reach + 1; j <= below + reach; ++j) {
      const double distance = static_cast<double>(j) - position;
      const double weight = is_linear ? 1.0 - std::abs(distance) : cubic(distance, -0.75);
      if (weight != 0.0) matrix.add(std::clamp<std::int64_t>(j, 0, from - 1), weight);
    }
  }

  /// All samples under the kernel, which is as wide as what output i covers.
  void add_average(SparseMatrix& matrix, std::int64_t i, Interpolation mode) const {
    const double width = std::max(scale, 1.0);
    const double reach = (mode == Interpolation::kBilinear ? 1.0 : 2.0) * width;
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto begin = std::max<std::int64_t>(static_cast<std::int64_t>(centre - reach + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(centre + reach + 0.5), from);
    std::vector<double> weights;
    double total = 0.0;
    for (std::int64_t j = begin; j < end; ++j) {
      const double distance = (static_cast<double>(j) + 0.5 - centre) / width;
      weights.push_back(mode == Interpolation::kBilinear ? std::max(0.0, 1.0 - std::abs(distance))
                                                         : cubic(distance, -0.5));
      total += weights.back();
    }
    for (std::int64_t j = begin; j < end; ++j) {
      const double weight = weights[static_cast<std::size_t>(j - begin)];
      if (weight != 0.0) matrix.add(j, weight / total);
    }
  }
};

/// Throws unless images of that shape can be resampled so.
inline void check_interpolation(const Shape& shape, const InterpolateOptions& options) {
  if (shape.rank() != 4 || shape[2] == 0 || shape[3] == 0) {
    throw ShapeError(message("interpolate: input ", shape,
                             " must have four dimensions (n, c, h, w), none of them empty"));
  }
  const bool by_factor = options.scale_factor != 0.0;
  const bool by_size = options.size.h != 0 || options.size.w != 0;
  if (by_factor == by_size || !(options.scale_factor >= 0.0 && options.scale_factor < 1e9)) {
    throw ValueError(message("interpolate: size ", options.size, " and scale factor ",
                             options.scale_factor, "; give one of them, and a positive one"));
  }
  if (options.mode == Interpolation::kNearest && (options.align_corners || options.antialias)) {
    throw ValueError(
        "interpolate: align_corners and antialias go with kBilinear and kBicubic, not kNearest");
  }
}

}  // namespace detail

/// Images (n, c, h, w) at another size. Without `antialias` an output depends on its one, four or
/// sixteen nearest samples and on no others, which is for enlarging. Computed in float where x has
/// 16 bits; integers are rounded to the nearest. The batch may be empty.
///
///     interpolate(x, {.size = {300, 450}, .mode = Interpolation::kBilinear});
///     interpolate(x, {.scale_factor = 0.5, .mode = Interpolation::kBicubic, .antialias = true});
///
/// Resampling is linear and works on rows and columns separately, so it is two products with sparse
/// matrices, and its gradients are those with the transposes. Throws ShapeError or ValueError for
/// anything but images and positive sizes.
template <class T, class Device>
Variable<T, Device> interpolate(const Variable<T, Device>& x, const InterpolateOptions& options) {
  detail::check_interpolation(x.shape(), options);
  const auto scaled = [&](std::int64_t extent, std::int64_t asked) {
    const double length = std::floor(static_cast<double>(extent) * options.scale_factor);
    return options.scale_factor == 0.0 ? asked : static_cast<std::int64_t>(length);
  };
  const std::int64_t height = scaled(x.size(2), options.size.h);
  const std::int64_t width = scaled(x.size(3), options.size.w);
  if (height < 1 || width < 1) {
    throw ValueError(
        message("interpolate: size ", height, " × ", width, " must be at least 1 × 1"));
  }
  if (x.numel() == 0) return detail::resample_nothing(x, height, width);
  Tensor<T, Device>::empty({height, width});  // throws where std::vector would
  const auto rows = detail::Resampling(x.size(2), height, options).matrix(options);
  const auto columns = detail::Resampling(x.size(3), width, options).matrix(options);
  return detail::in_float<T, Device>("interpolate", {x}, [rows, columns](const auto& in) {
    return detail::resample2d("interpolate", in[0], rows, columns);
  });
}

}  // namespace sfumato::ops
