#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/backend.hpp"
#include "sfumato/ops/sum.hpp"

/// Ops that move elements without changing them. All are one idea: a window that says which
/// elements of a larger array a smaller one is. Reading a window and writing into one (with zeros
/// around it) are each other's gradient.
namespace sfumato::ops {

namespace detail {

/// Element i of an array of `shape` is element offset + Σ i · strides of one of `whole`; no two are
/// the same.
struct Window {
  Shape shape;
  Shape whole;
  std::int64_t offset = 0;
  Strides strides{};
};

template <class T, class Device>
void copy_out_of_window(const Tensor<T, Device>& whole, const Window& window,
                        Tensor<T, Device>& part) {
  Device::map(sfumato::detail::Identity{}, window.shape,
              Strided<T>{part.data(), row_major_strides(window.shape)},
              Strided<const T>{whole.data() + window.offset, window.strides});
}

template <class T, class Device>
void copy_into_window(const Tensor<T, Device>& part, const Window& window,
                      Tensor<T, Device>& whole) {
  Device::map(sfumato::detail::Identity{}, window.shape,
              Strided<T>{whole.data() + window.offset, window.strides},
              Strided<const T>{part.data(), row_major_strides(window.shape)});
}

template <class T, class Device>
Variable<T, Device> write_window(const char* op, const Variable<T, Device>& x,
                                 const Window& window);

template <class T, class Device>
Variable<T, Device> read_window(const char* op, const Variable<T, Device>& x,
                                const Window& window) {
  auto part = Tensor<T, Device>::empty(window.shape);
  copy_out_of_window(x.value(), window, part);
  return record(op, std::move(part), {x}, [op, window](const Backward<T, Device>& ctx) {
    return write_window(op, ctx.gradient(), window);
  });
}

template <class T, class Device>
Variable<T, Device> write_window(const char* op, const Variable<T, Device>& x,
                                 const Window& window) {
  auto whole = Tensor<T, Device>::zeros(window.whole);
  copy_into_window(x.value(), window, whole);
  return record(op, std::move(whole), {x}, [op, window](const Backward<T, Device>& ctx) {
    return read_window(op, ctx.gradient(), window);
  });
}

/// The part of `whole` that begins at `begin` along `axis` and has the extent `count` there.
inline Window axis_window(const Shape& whole, int axis, std::int64_t begin, std::int64_t count,
                          std::int64_t step = 1) {
  const auto own = static_cast<std::size_t>(axis);
  Window window{whole.with(axis, count), whole, 0, row_major_strides(whole)};
  window.offset = begin * window.strides[own];
  window.strides[own] *= step;
  return window;
}

}  // namespace detail

/// Dimension i of the result is dimension axes[i] of x.
/// Throws ValueError when `axes` does not name every axis once.
template <class T, class Device>
Variable<T, Device> permute(const Variable<T, Device>& x, const Axes& axes) {
  const int rank = x.rank();
  const Strides strides = row_major_strides(x.shape());
  detail::Window window{{}, x.shape(), 0, {}};
  std::array<bool, kMaxRank> seen{};
  for (const int axis : axes) {
    const int source = x.shape().normalize_axis(axis);
    if (std::exchange(seen[static_cast<std::size_t>(source)], true)) {
      throw ValueError(message("permute: axis ", axis, " is named twice for ", x.shape()));
    }
    window.strides[static_cast<std::size_t>(window.shape.rank())] =
        strides[static_cast<std::size_t>(source)];
    window.shape.push_back(x.shape()[source]);
  }
  if (window.shape.rank() != rank) {
    throw ValueError(message("permute: ", axes.size(), " axes for ", x.shape(), ", which has ",
                             rank, " dimensions; name every axis once"));
  }
  return detail::read_window("permute", x, window);
}

/// Exchanges two axes, the last two unless others are named.
template <class T, class Device>
Variable<T, Device> transpose(const Variable<T, Device>& x, int first = -2, int second = -1) {
  Axes axes(static_cast<std::size_t>(x.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[static_cast<std::size_t>(x.shape().normalize_axis(first))],
            axes[static_cast<std::size_t>(x.shape().normalize_axis(second))]);
  return permute(x, axes);
}

/// A range along an axis as Python writes it, `start:stop:step`: negative positions count from the
/// end, what is left out means from or to the end, and a negative step walks backwards.
struct Range {
  std::optional<std::int64_t> start = std::nullopt;
  std::optional<std::int64_t> stop = std::nullopt;
  std::int64_t step = 1;
};

/// The elements of x in a range along one axis. Positions past the end are cut off, as in Python.
/// Throws ValueError for a step of zero.
///
///     slice(x, 1, {.start = 2, .stop = 8, .step = 2});   // x[:, 2:8:2]
///     slice(x, -1, {.step = -1});                        // x[..., ::-1]
template <class T, class Device>
Variable<T, Device> slice(const Variable<T, Device>& x, int axis, const Range& range) {
  const int normalized = x.shape().normalize_axis(axis);
  const std::int64_t extent = x.shape()[normalized];
  // A step past the end picks one element, however long it is; a shorter one can't overflow.
  const std::int64_t step = std::clamp(range.step, -extent - 1, extent + 1);
  if (step == 0) throw ValueError(message("slice: the step is 0 along axis ", axis));
  const std::int64_t lowest = step > 0 ? 0 : -1;
  const std::int64_t highest = step > 0 ? extent : extent - 1;
  const auto position = [&](std::optional<std::int64_t> given, std::int64_t otherwise) {
    if (!given) return otherwise;
    return std::clamp(*given < 0 ? *given + extent : *given, lowest, highest);
  };
  const std::int64_t start = position(range.start, step > 0 ? lowest : highest);
  const std::int64_t stop = position(range.stop, step > 0 ? highest : lowest);
  const std::int64_t distance = step > 0 ? stop - start : start - stop;
  const std::int64_t stride = step > 0 ? step : -step;
  const std::int64_t count = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  return detail::read_window(
      "slice", x, detail::axis_window(x.shape(), normalized, count == 0 ? 0 : start, count, step));
}

/// The parts one after the other along an axis. Throws ShapeError when other extents differ.
template <class T, class Device>
Variable<T, Device> cat(const std::vector<Variable<T, Device>>& parts, int axis) {
  if (parts.empty()) throw ValueError("cat: no parts to join");
  const Shape& first = parts[0].shape();
  const int normalized = first.normalize_axis(axis);
  std::int64_t total = 0;
  for (const auto& part : parts) {
    if (part.rank() != first.rank() ||
        part.shape().with(normalized, 0) != first.with(normalized, 0)) {
      throw ShapeError(message("cat: ", part.shape(), " does not fit ", first, " along axis ", axis,
                               "; all other extents must agree"));
    }
    total += part.shape()[normalized];
  }
  const Shape whole = first.with(normalized, total);
  auto out = Tensor<T, Device>::empty(whole);
  std::vector<detail::Window> windows;
  std::int64_t begin = 0;
  for (const auto& part : parts) {
    windows.push_back(detail::axis_window(whole, normalized, begin, part.shape()[normalized]));
    detail::copy_into_window(part.value(), windows.back(), out);
    begin += part.shape()[normalized];
  }
  return record("cat", std::move(out), parts, [windows](const Backward<T, Device>& ctx) {
    Gradients<T, Device> gradients(windows.size());
    for (std::size_t i = 0; i < windows.size(); ++i) {
      if (ctx.needs(i)) gradients[i] = detail::read_window("cat", ctx.gradient(), windows[i]);
    }
    return gradients;
  });
}

template <class T, class Device>
Variable<T, Device> cat(std::initializer_list<Variable<T, Device>> parts, int axis) {
  return cat(std::vector<Variable<T, Device>>(parts), axis);
}

/// x with a new axis of extent 1, number `axis` of the result. Throws ShapeError out of range.
template <class T, class Device>
Variable<T, Device> unsqueeze(const Variable<T, Device>& x, int axis) {
  const int rank = x.rank() + 1;
  const int added = axis < 0 ? axis + rank : axis;
  if (added < 0 || added >= rank) {
    throw ShapeError(message("unsqueeze: axis ", axis, " is out of range for ", x.shape()));
  }
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    shape.push_back(i == added ? 1 : x.shape()[i < added ? i : i - 1]);
  }
  return reshape(x, shape);
}

/// Parts of one shape along a new axis. Throws ShapeError when the shapes differ.
template <class T, class Device>
Variable<T, Device> stack(const std::vector<Variable<T, Device>>& parts, int axis = 0) {
  if (parts.empty()) throw ValueError("stack: no parts to stack");
  const Shape& shape = parts[0].shape();
  const int rank = shape.rank() + 1;
  const int normalized = axis < 0 ? axis + rank : axis;
  if (normalized < 0 || normalized >= rank) {
    throw ShapeError(message("stack: axis ", axis, " is out of range for parts of ", shape));
  }
  std::vector<Variable<T, Device>> slabs;
  for (const auto& part : parts) {
    if (part.shape() != shape) {
      throw ShapeError(message("stack: ", part.shape(), " does not fit ", shape));
    }
    slabs.push_back(unsqueeze(part, normalized));
  }
  return cat(slabs, normalized);
}

template <class T, class Device>
Variable<T, Device> stack(std::initializer_list<Variable<T, Device>> parts, int axis = 0) {
  return stack(std::vector<Variable<T, Device>>(parts), axis);
}

}  // namespace sfumato::ops
