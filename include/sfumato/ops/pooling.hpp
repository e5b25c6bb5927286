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
#include "sfumato/ops/cast.hpp"
#include "sfumato/ops/convolution.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/reduction.hpp"
#include "sfumato/ops/resample.hpp"

namespace sfumato::ops {

/// How the windows of max pooling move over their input; a stride of 0 is the kernel's size.
struct MaxPool2dOptions {
  Size2d kernel = 2;
  Size2d stride = 0;
  Size2d padding = 0;
  Size2d dilation = 1;
  bool ceil_mode = false;  ///< with windows that reach beyond the input
};

/// How the windows of average pooling move over their input; a stride of 0 is the kernel's size.
struct AvgPool2dOptions {
  Size2d kernel = 2;
  Size2d stride = 0;
  Size2d padding = 0;
  bool ceil_mode = false;             ///< with windows that reach beyond the input
  bool count_include_pad = true;      ///< padding counts as zeros, and not as nothing
  std::int64_t divisor_override = 0;  ///< what sums are divided by, if not by what they count
};

namespace detail {

inline Pool2dGeometry pool2d_geometry(const char* op, const Shape& input,
                                      const MaxPool2dOptions& options) {
  const Size2d stride(options.stride.h == 0 ? options.kernel.h : options.stride.h,
                      options.stride.w == 0 ? options.kernel.w : options.stride.w);
  if (input.rank() != 4) {
    throw ShapeError(message(op, ": input ", input, " must be (n, c, h, w) or (c, h, w)"));
  }
  if (std::min({options.kernel.h, options.kernel.w, stride.h, stride.w, options.dilation.h,
                options.dilation.w}) < 1) {
    throw ValueError(message(op, ": kernel ", options.kernel, ", stride ", stride, " and dilation ",
                             options.dilation, " must be at least 1"));
  }
  if (std::max({options.kernel.h, options.kernel.w, stride.h, stride.w, options.dilation.h,
                options.dilation.w}) > kLargestStep) {
    throw ValueError(message(op, ": kernel ", options.kernel, ", stride ", stride, " and dilation ",
                             options.dilation, " must be at most ", kLargestStep));
  }
  if (options.padding.h < 0 || options.padding.w < 0 || options.padding.h > options.kernel.h / 2 ||
      options.padding.w > options.kernel.w / 2) {
    throw ValueError(message(op, ": padding ", options.padding, " must be at most half the kernel ",
                             options.kernel));
  }
  const auto count = options.ceil_mode ? window_count_with_partial : window_count;
  const Pool2dGeometry g{
      .planes = input[0] * input[1],
      .in_h = input[2],
      .in_w = input[3],
      .out_h = count(input[2], options.kernel.h, stride.h, options.padding.h, options.dilation.h),
      .out_w = count(input[3], options.kernel.w, stride.w, options.padding.w, options.dilation.w),
      .kernel_h = options.kernel.h,
      .kernel_w = options.kernel.w,
      .stride_h = stride.h,
      .stride_w = stride.w,
      .padding_h = options.padding.h,
      .padding_w = options.padding.w,
      .dilation_h = options.dilation.h,
      .dilation_w = options.dilation.w};
  // An image without pixels has no maximum, even where its padding would hold a window.
  if (g.in_h < 1 || g.in_w < 1 || g.out_h < 1 || g.out_w < 1) {
    throw ShapeError(
        message(op, ": the kernel ", options.kernel, " does not fit into the input ", input));
  }
  // A dilation may step over the whole image.
  for (std::int64_t i = 0; i < std::max(g.out_h, g.out_w); ++i) {
    if ((i < g.out_h && g.top(i) >= g.in_h) || (i < g.out_w && g.left(i) >= g.in_w)) {
      throw ShapeError(message(op, ": a window of the kernel ", options.kernel, " with dilation ",
                               options.dilation, " sees nothing of the input ", input));
    }
  }
  return g;
}

/// Where in their windows the maxima were found, and the shapes on both sides.
template <class Device, class Place>
struct MaxPlaces {
  Pool2dGeometry geometry;
  Shape in;
  Shape out;
  Tensor<Place, Device> places;
};

template <class T, class Device, class Place>
Variable<T, Device> max_pool2d_gather(const Variable<T, Device>& x,
                                      const MaxPlaces<Device, Place>& chosen);

template <class T, class Device, class Place>
Variable<T, Device> max_pool2d_scatter(const Variable<T, Device>& dy,
                                       const MaxPlaces<Device, Place>& chosen) {
  auto dx = Tensor<T, Device>::empty(chosen.in);
  Device::max_pool2d_scatter(chosen.geometry, dy.value().data(), chosen.places.data(), dx.data());
  return record("max_pool2d_scatter", std::move(dx), {dy},
                [chosen](const Backward<T, Device>& ctx) {
                  return max_pool2d_gather(ctx.gradient(), chosen);
                });
}

template <class T, class Device, class Place>
Variable<T, Device> max_pool2d_gather(const Variable<T, Device>& x,
                                      const MaxPlaces<Device, Place>& chosen) {
  auto y = Tensor<T, Device>::empty(chosen.out);
  Device::max_pool2d_gather(chosen.geometry, x.value().data(), chosen.places.data(), y.data());
  return record("max_pool2d_gather", std::move(y), {x}, [chosen](const Backward<T, Device>& ctx) {
    return max_pool2d_scatter(ctx.gradient(), chosen);
  });
}

template <class Place, class T, class Device>
Variable<T, Device> max_pool2d(const Pool2dGeometry& g, const Variable<T, Device>& x) {
  const Shape out{x.shape()[0], x.shape()[1], g.out_h, g.out_w};
  auto y = Tensor<T, Device>::empty(out);
  auto places = Tensor<Place, Device>::empty(out);
  Device::max_pool2d(g, x.value().data(), y.data(), places.data());
  const MaxPlaces<Device, Place> chosen{g, x.shape(), out, places};
  return record("max_pool2d", std::move(y), {x}, [chosen](const Backward<T, Device>& ctx) {
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

/// The largest value of each window of (n, c, h, w) or (c, h, w); padding never wins. The gradient
/// goes to the first of equal maxima. Keeps only where in their windows the maxima are, a byte each
/// if windows have at most 256 elements.
/// Throws ShapeError or ValueError when the window does not fit.
template <class T, class Device>
Variable<T, Device> max_pool2d(const Variable<T, Device>& x, const MaxPool2dOptions& options = {}) {
  if (x.rank() == 3) return squeeze(max_pool2d(unsqueeze(x, 0), options), 0);
  const Pool2dGeometry g = detail::pool2d_geometry("max_pool2d", x.shape(), options);
  constexpr std::int64_t kByte = std::int64_t{std::numeric_limits<std::uint8_t>::max()} + 1;
  return g.kernel_h * g.kernel_w <= kByte ? detail::max_pool2d<std::uint8_t>(g, x)
                                          : detail::max_pool2d<std::int64_t>(g, x);
}

/// max_pool2d(x, 2) is max_pool2d(x, {.kernel = 2}).
template <class T, class Device>
Variable<T, Device> max_pool2d(const Variable<T, Device>& x, std::int64_t kernel,
                               std::int64_t stride = 0) {
  return max_pool2d(x, {.kernel = kernel, .stride = stride});
}

namespace detail {

/// Windows along one side of images: what each of them sums up, and how many elements it counts.
struct Windows {
  SparseMatrix sums;
  std::vector<double> counts{};

  void add(std::int64_t begin, std::int64_t end, std::int64_t count) {
    for (std::int64_t i = begin; i < end; ++i) sums.add(i, 1.0);
    sums.end_row();
    counts.push_back(static_cast<double>(count));
  }
};

/// The sum of each window of `rows` and of `columns` over how many elements both count: in double
/// and rounded once, so that what floats are everywhere their means are, too.
template <class T, class Device>
Variable<T, Device> mean_of_windows(const char* op, const Variable<T, Device>& x,
                                    const Windows& rows, const Windows& columns) {
  using Doubles = Tensor<double, Device>;
  const Variable<double, Device> high(Doubles::from(rows.counts, {rows.sums.rows(), 1}));
  const Variable<double, Device> wide(Doubles::from(columns.counts, {columns.sums.rows()}));
  const auto sums = resample2d(op, cast<double>(x), rows.sums, columns.sums);
  return cast<T>(div(sums, mul(high, wide)));
}

}  // namespace detail

/// The mean of each window of (n, c, h, w) or (c, h, w).
/// Throws ShapeError or ValueError when the window does not fit.
template <class T, class Device>
Variable<T, Device> avg_pool2d(const Variable<T, Device>& x, const AvgPool2dOptions& options = {}) {
  if (x.rank() == 3) return squeeze(avg_pool2d(unsqueeze(x, 0), options), 0);
  const Pool2dGeometry g = detail::pool2d_geometry("avg_pool2d", x.shape(),
                                                   {.kernel = options.kernel,
                                                    .stride = options.stride,
                                                    .padding = options.padding,
                                                    .ceil_mode = options.ceil_mode});
  if (options.divisor_override < 0) {
    throw ValueError(message("avg_pool2d: divisor ", options.divisor_override,
                             " must be positive, or 0 for the size of the windows"));
  }
  const Shape out{x.shape()[0], x.shape()[1], g.out_h, g.out_w};
  const bool has_padding = g.padding_h > 0 || g.padding_w > 0;
  if (!options.ceil_mode && options.divisor_override == 0 &&
      (options.count_include_pad || !has_padding)) {
    return detail::avg_pool2d(g, out, x);
  }
  const std::int64_t divisor = options.divisor_override;
  if constexpr (Real<T>) {
    if (divisor > 0) {  // what pools in networks that rescale: fast, and rounded twice
      const double size =
          static_cast<double>(g.kernel_h * g.kernel_w) / static_cast<double>(divisor);
      return detail::in_float<T, Device>("avg_pool2d", {x}, [g, out, size](const auto& in) {
        return scale(detail::avg_pool2d(g, out, in[0]), static_cast<Compute<T>>(size));
      });
    }
  }
  const auto counted = [&](std::int64_t start, std::int64_t kernel, std::int64_t size,
                           std::int64_t padding) {
    const std::int64_t edge = options.count_include_pad ? padding : 0;
    return std::min(start + kernel, size + edge) - std::max(start, -edge);
  };
  detail::Windows rows{{.columns = g.in_h}};
  for (std::int64_t i = 0; i < g.out_h; ++i) {
    const std::int64_t start = i * g.stride_h - g.padding_h;
    rows.add(g.top(i), g.bottom(i),
             divisor > 0 ? divisor : counted(start, g.kernel_h, g.in_h, g.padding_h));
  }
  detail::Windows columns{{.columns = g.in_w}};
  for (std::int64_t j = 0; j < g.out_w; ++j) {
    const std::int64_t start = j * g.stride_w - g.padding_w;
    columns.add(g.left(j), g.right(j),
                divisor > 0 ? 1 : counted(start, g.kernel_w, g.in_w, g.padding_w));
  }
  return detail::mean_of_windows("avg_pool2d", x, rows, columns);
}

/// avg_pool2d(x, 2) is avg_pool2d(x, {.kernel = 2}).
template <class T, class Device>
Variable<T, Device> avg_pool2d(const Variable<T, Device>& x, std::int64_t kernel,
                               std::int64_t stride = 0) {
  return avg_pool2d(x, {.kernel = kernel, .stride = stride});
}

namespace detail {

/// Of a line of `from` elements, `to` ranges of about equal length that cover it.
struct Ranges {
  std::int64_t from;
  std::int64_t to;
  std::int64_t begin(std::int64_t i) const { return i * from / to; }
  std::int64_t end(std::int64_t i) const { return ((i + 1) * from + to - 1) / to; }

  Windows windows() const {
    Windows all{{.columns = from}};
    for (std::int64_t i = 0; i < to; ++i) all.add(begin(i), end(i), end(i) - begin(i));
    return all;
  }
};

/// Throws ShapeError for anything but images and positive sizes.
inline void check_adaptive(const char* op, const Shape& shape, Size2d size) {
  if (shape.rank() == 4 && shape[2] > 0 && shape[3] > 0 && size.h > 0 && size.w > 0) return;
  throw ShapeError(
      message(op, ": can't make ", size, " of ", shape, "; the input must be images (n, c, h, w)"));
}

}  // namespace detail

/// Images (n, c, h, w) or (c, h, w) averaged over a grid of ranges of about equal size, whatever
/// the size of the images. An output depends on what is in its range, and on nothing else. The
/// batch may be empty. Summed in double and rounded once. Throws ShapeError for anything but images
/// and positive sizes.
template <class T, class Device>
Variable<T, Device> adaptive_avg_pool2d(const Variable<T, Device>& x, Size2d size) {
  if (x.rank() == 3) return squeeze(adaptive_avg_pool2d(unsqueeze(x, 0), size), 0);
  detail::check_adaptive("adaptive_avg_pool2d", x.shape(), size);
  if (x.numel() == 0) return detail::resample_nothing(x, size.h, size.w);
  const detail::Ranges rows{x.shape()[2], size.h};
  const detail::Ranges columns{x.shape()[3], size.w};
  if (rows.from % size.h == 0 && columns.from % size.w == 0) {
    return avg_pool2d(x, {.kernel = {rows.from / size.h, columns.from / size.w}});
  }
  Tensor<T, Device>::empty({size.h, size.w});  // throws where std::vector would
  return detail::mean_of_windows("adaptive_avg_pool2d", x, rows.windows(), columns.windows());
}

/// The largest value of each range; otherwise as adaptive_avg_pool2d. Equal ones in a row, or rows
/// whose largest are equal, share the gradient.
template <class T, class Device>
Variable<T, Device> adaptive_max_pool2d(const Variable<T, Device>& x, Size2d size) {
  if (x.rank() == 3) return squeeze(adaptive_max_pool2d(unsqueeze(x, 0), size), 0);
  detail::check_adaptive("adaptive_max_pool2d", x.shape(), size);
  if (x.numel() == 0) return detail::resample_nothing(x, size.h, size.w);
  Tensor<T, Device>::empty({size.h, size.w});  // throws before all maxima are tried
  const auto along = [](const Variable<T, Device>& in, int axis, std::int64_t to) {
    const detail::Ranges ranges{in.shape()[axis], to};
    std::vector<Variable<T, Device>> maxima;
    for (std::int64_t i = 0; i < to; ++i) {
      const auto range = slice(in, axis, {.start = ranges.begin(i), .stop = ranges.end(i)});
      maxima.push_back(max(range, {axis}, true));
    }
    return cat(maxima, axis);
  };
  return along(along(x, 3, size.w), 2, size.h);
}

}  // namespace sfumato::ops
