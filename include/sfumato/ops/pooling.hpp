#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/geometry.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/convolution.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/resample.hpp"

namespace sfumato::ops {

/// How a window moves over its input; a stride of 0 stands for the kernel's size.
struct Pool2dOptions {
  Size2d kernel = 2;
  Size2d stride = 0;
  Size2d padding = 0;
};

namespace detail {

inline Pool2dGeometry pool2d_geometry(const char* op, const Shape& input,
                                      const Pool2dOptions& options) {
  const Size2d stride(options.stride.h == 0 ? options.kernel.h : options.stride.h,
                      options.stride.w == 0 ? options.kernel.w : options.stride.w);
  if (input.rank() != 4) {
    throw ShapeError(message(op, ": input ", input, " must have four dimensions (n, c, h, w)"));
  }
  if (options.kernel.h < 1 || options.kernel.w < 1 || stride.h < 1 || stride.w < 1) {
    throw ValueError(
        message(op, ": kernel ", options.kernel, " and stride ", stride, " must be at least 1"));
  }
  if (std::max({options.kernel.h, options.kernel.w, stride.h, stride.w}) > kLargestStep) {
    throw ValueError(message(op, ": kernel ", options.kernel, " and stride ", stride,
                             " must be at most ", kLargestStep));
  }
  if (options.padding.h < 0 || options.padding.w < 0 || options.padding.h > options.kernel.h / 2 ||
      options.padding.w > options.kernel.w / 2) {
    throw ValueError(message(op, ": padding ", options.padding, " must be at most half the kernel ",
                             options.kernel));
  }
  const Pool2dGeometry g{
      .planes = input[0] * input[1],
      .in_h = input[2],
      .in_w = input[3],
      .out_h = window_count(input[2], options.kernel.h, stride.h, options.padding.h),
      .out_w = window_count(input[3], options.kernel.w, stride.w, options.padding.w),
      .kernel_h = options.kernel.h,
      .kernel_w = options.kernel.w,
      .stride_h = stride.h,
      .stride_w = stride.w,
      .padding_h = options.padding.h,
      .padding_w = options.padding.w};
  // An image without pixels has no maximum, even where its padding would hold a window.
  if (g.in_h < 1 || g.in_w < 1 || g.out_h < 1 || g.out_w < 1) {
    throw ShapeError(
        message(op, ": the kernel ", options.kernel, " does not fit into the input ", input));
  }
  if (g.in_h * g.in_w > std::numeric_limits<std::int32_t>::max()) {
    throw ShapeError(message(op, ": the planes of ", input, " are too large to index"));
  }
  return g;
}

/// Where the maxima were found, and the shapes on both sides.
template <class Device>
struct MaxIndices {
  Pool2dGeometry geometry;
  Shape in;
  Shape out;
  Tensor<std::int32_t, Device> indices;
};

template <class T, class Device>
Variable<T, Device> max_pool2d_gather(const Variable<T, Device>& x,
                                      const MaxIndices<Device>& chosen);

template <class T, class Device>
Variable<T, Device> max_pool2d_scatter(const Variable<T, Device>& dy,
                                       const MaxIndices<Device>& chosen) {
  auto dx = Tensor<T, Device>::empty(chosen.in);
  Device::max_pool2d_scatter(chosen.geometry, dy.value().data(), chosen.indices.data(), dx.data());
  return record("max_pool2d_scatter", std::move(dx), {dy},
                [chosen](const Backward<T, Device>& ctx) {
                  return max_pool2d_gather(ctx.gradient(), chosen);
                });
}

template <class T, class Device>
Variable<T, Device> max_pool2d_gather(const Variable<T, Device>& x,
                                      const MaxIndices<Device>& chosen) {
  auto y = Tensor<T, Device>::empty(chosen.out);
  Device::max_pool2d_gather(chosen.geometry, x.value().data(), chosen.indices.data(), y.data());
  return record("max_pool2d_gather", std::move(y), {x}, [chosen](const Backward<T, Device>& ctx) {
    return max_pool2d_scatter(ctx.gradient(), chosen);
  });
}

template <class T, class Device>
Variable<T, Device> avg_pool2d(const Pool2dGeometry& g, const Shape& out,
                               const Variable<T, Device>& x);

template <class T, class Device>
Variable<T, Device> avg_pool2d_gradient(const Pool2dGeometry& g, const Shape& in,
                                        const Variable<T, Device>& dy) {
  auto dx = Tensor<T, Device>::empty(in);
  Device::avg_pool2d_gradient(g, dy.value().data(), dx.data());
  return record("avg_pool2d_gradient", std::move(dx), {dy},
                [g, out = dy.shape()](const Backward<T, Device>& ctx) {
                  return avg_pool2d(g, out, ctx.gradient());
                });
}

template <class T, class Device>
Variable<T, Device> avg_pool2d(const Pool2dGeometry& g, const Shape& out,
                               const Variable<T, Device>& x) {
  auto y = Tensor<T, Device>::empty(out);
  Device::avg_pool2d(g, x.value().data(), y.data());
  return record("avg_pool2d", std::move(y), {x},
                [g, in = x.shape()](const Backward<T, Device>& ctx) {
                  return avg_pool2d_gradient(g, in, ctx.gradient());
                });
}

}  // namespace detail

/// The largest value of each window of (n, c, h, w); padding never wins. The gradient goes to the
/// first of equal maxima. Keeps only where the maxima are.
/// Throws ShapeError or ValueError when the window does not fit.
template <class T, class Device>
Variable<T, Device> max_pool2d(const Variable<T, Device>& x, const Pool2dOptions& options = {}) {
  const Pool2dGeometry g = detail::pool2d_geometry("max_pool2d", x.shape(), options);
  const Shape out{x.shape()[0], x.shape()[1], g.out_h, g.out_w};
  auto y = Tensor<T, Device>::empty(out);
  const detail::MaxIndices<Device> chosen{g, x.shape(), out, [&] {
                                            auto indices = Tensor<std::int32_t, Device>::empty(out);
                                            Device::max_pool2d(g, x.value().data(), y.data(),
                                                               indices.data());
                                            return indices;
                                          }()};
  return record("max_pool2d", std::move(y), {x}, [chosen](const Backward<T, Device>& ctx) {
    return detail::max_pool2d_scatter(ctx.gradient(), chosen);
  });
}

/// The mean of each window of (n, c, h, w); padding counts as zeros.
/// Throws ShapeError or ValueError when the window does not fit.
template <class T, class Device>
Variable<T, Device> avg_pool2d(const Variable<T, Device>& x, const Pool2dOptions& options = {}) {
  const Pool2dGeometry g = detail::pool2d_geometry("avg_pool2d", x.shape(), options);
  return detail::avg_pool2d(g, {x.shape()[0], x.shape()[1], g.out_h, g.out_w}, x);
}

namespace detail {

/// Of a line of `from` elements, `to` ranges of about equal length that cover it.
struct Ranges {
  std::int64_t from;
  std::int64_t to;
  std::int64_t begin(std::int64_t i) const { return i * from / to; }
  std::int64_t end(std::int64_t i) const { return ((i + 1) * from + to - 1) / to; }

  /// The (to × from) matrix that adds them up.
  SparseMatrix sums() const {
    SparseMatrix matrix{from, {}};
    for (std::int64_t i = 0; i < to; ++i) {
      auto& row = matrix.rows.emplace_back();
      for (std::int64_t j = begin(i); j < end(i); ++j) row.push_back({j, 1.0});
    }
    return matrix;
  }
};

/// How many elements each of the products of two ranges has; shape (rows.to, columns.to).
template <class T, class Device>
Tensor<T, Device> areas(const Ranges& rows, const Ranges& columns) {
  std::vector<T> sizes;
  for (std::int64_t i = 0; i < rows.to; ++i) {
    for (std::int64_t j = 0; j < columns.to; ++j) {
      sizes.push_back(
          static_cast<T>((rows.end(i) - rows.begin(i)) * (columns.end(j) - columns.begin(j))));
    }
  }
  return Tensor<T, Device>::from(sizes, {rows.to, columns.to});
}

}  // namespace detail

/// Images (n, c, h, w) averaged over a grid of height × width ranges of about equal size, whatever
/// the size of the images. An output depends on what is in its range, and on nothing else. The
/// batch may be empty. Computed in float where images have 16 bits. Throws ShapeError for anything
/// but images and positive sizes.
template <class T, class Device>
Variable<T, Device> adaptive_avg_pool2d(const Variable<T, Device>& x, std::int64_t height,
                                        std::int64_t width) {
  if (x.rank() != 4 || x.shape()[2] == 0 || x.shape()[3] == 0 || height < 1 || width < 1) {
    throw ShapeError(message("adaptive_avg_pool2d: can't average ", x.shape(), " to ", height,
                             " × ", width, "; the input must be images (n, c, h, w)"));
  }
  if (x.numel() == 0) return detail::resample_nothing(x, height, width);
  const detail::Ranges rows{x.shape()[2], height};
  const detail::Ranges columns{x.shape()[3], width};
  if (rows.from % height == 0 && columns.from % width == 0) {
    return avg_pool2d(x, {.kernel = {rows.from / height, columns.from / width}});
  }
  Tensor<T, Device>::empty({height, width});  // throws where std::vector would
  return detail::in_float<T, Device>("adaptive_avg_pool2d", {x}, [rows, columns](const auto& in) {
    const auto sums = detail::resample2d("adaptive_avg_pool2d", in[0], rows.sums(), columns.sums());
    return div(sums,
               Variable<Compute<T>, Device>(detail::areas<Compute<T>, Device>(rows, columns)));
  });
}

}  // namespace sfumato::ops
