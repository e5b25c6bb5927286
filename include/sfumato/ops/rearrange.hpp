#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/sum.hpp"

/// Other shapes and orders of the same elements, composed of reshape, slice, permute and cat.
namespace sfumato::ops {

/// x without an axis of extent 1. Throws ShapeError for another extent.
template <class T, class Device>
Variable<T, Device> squeeze(const Variable<T, Device>& x, int axis) {
  const int dropped = x.shape().normalize_axis(axis);
  if (x.shape()[dropped] != 1) {
    throw ShapeError(message("squeeze: axis ", axis, " of ", x.shape(), " has the extent ",
                             x.shape()[dropped], ", not 1"));
  }
  Shape rest;
  for (int i = 0; i < x.rank(); ++i) {
    if (i != dropped) rest.push_back(x.shape()[i]);
  }
  return reshape(x, rest);
}
/// x without all axes of extent 1.
template <class T, class Device>
Variable<T, Device> squeeze(const Variable<T, Device>& x) {
  Shape rest;
  for (const std::int64_t extent : x.shape()) {
    if (extent != 1) rest.push_back(extent);
  }
  return reshape(x, rest);
}

/// The axes from `first` to `last` as one, all of them by default.
template <class T, class Device>
Variable<T, Device> flatten(const Variable<T, Device>& x, int first = 0, int last = -1) {
  if (x.rank() == 0) return reshape(x, Shape{1});
  const int begin = x.shape().normalize_axis(first);
  const int end = x.shape().normalize_axis(last);
  if (begin > end) {
    throw ShapeError(
        message("flatten: axis ", first, " stands behind axis ", last, " in ", x.shape()));
  }
  Shape shape;
  std::int64_t product = 1;
  for (int i = 0; i < x.rank(); ++i) {
    product *= x.shape()[i];
    if (i < begin || i >= end) {
      shape.push_back(product);
      product = 1;
    }
  }
  return reshape(x, shape);
}

/// Element number `index` along an axis, which disappears: x[index] where the axis is 0; negative
/// ones count from the end. Throws ShapeError out of range.
template <class T, class Device>
Variable<T, Device> select(const Variable<T, Device>& x, int axis, std::int64_t index) {
  const std::int64_t extent = x.shape()[axis];
  const std::int64_t position = index < 0 ? index + extent : index;
  if (position < 0 || position >= extent) {
    throw ShapeError(
        message("select: index ", index, " is out of range at axis ", axis, " of ", x.shape()));
  }
  return squeeze(slice(x, axis, {.start = position, .stop = position + 1}), axis);
}

/// Pieces of `size` along an axis, the last of which may be smaller. Throws ValueError for a size
/// below 1.
template <class T, class Device>
std::vector<Variable<T, Device>> split(const Variable<T, Device>& x, std::int64_t size,
                                       int axis = 0) {
  if (size < 1) throw ValueError(message("split: pieces of ", size, "; they must have at least 1"));
  std::vector<Variable<T, Device>> pieces;
  for (std::int64_t begin = 0; begin < x.shape()[axis]; begin += size) {
    pieces.push_back(slice(x, axis, {.start = begin, .stop = begin + size}));
  }
  if (pieces.empty()) pieces.push_back(x);
  return pieces;
}

/// At most `count` pieces of one size along an axis, the last of which may be smaller. Throws
/// ValueError for a count below 1.
template <class T, class Device>
std::vector<Variable<T, Device>> chunk(const Variable<T, Device>& x, std::int64_t count,
                                       int axis = 0) {
  if (count < 1) throw ValueError(message("chunk: ", count, " pieces; there must be at least 1"));
  const std::int64_t extent = x.shape()[axis];
  return split(x, std::max<std::int64_t>(1, extent / count + (extent % count != 0)), axis);
}

/// x backwards along each of the axes. Throws ValueError for an axis named twice.
template <class T, class Device>
Variable<T, Device> flip(const Variable<T, Device>& x, const Axes& axes) {
  detail::ReducedAxes("flip", x.shape(), axes);  // refuses what is named twice
  Variable<T, Device> result = x;
  for (const int axis : axes) result = slice(result, axis, {.step = -1});
  return result;
}

/// x moved by `shift` along an axis; what leaves at the end comes back at the beginning.
template <class T, class Device>
Variable<T, Device> roll(const Variable<T, Device>& x, std::int64_t shift, int axis) {
  const std::int64_t extent = x.shape()[axis];
  if (extent == 0) return x;
  const std::int64_t cut = extent - (shift % extent + extent) % extent;
  return cat({slice(x, axis, {.start = cut}), slice(x, axis, {.stop = cut})}, axis);
}

/// x so many times one after the other along each axis; more counts than axes are new axes in
/// front. Throws ValueError for fewer counts, or negative ones.
template <class T, class Device>
Variable<T, Device> repeat(const Variable<T, Device>& x, const std::vector<std::int64_t>& counts) {
  Variable<T, Device> result = x;
  while (result.rank() < static_cast<int>(counts.size())) result = unsqueeze(result, 0);
  if (static_cast<int>(counts.size()) < x.rank()) {
    throw ValueError(message("repeat: ", counts.size(), " counts for the axes of ", x.shape()));
  }
  for (int axis = 0; axis < result.rank(); ++axis) {
    const std::int64_t count = counts[static_cast<std::size_t>(axis)];
    if (count < 0) throw ValueError(message("repeat: count ", count, " must not be negative"));
    const Shape shape = result.shape();
    std::int64_t outer = 1;
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    const std::int64_t inner = outer == 0 ? 0 : shape.numel() / outer;
    const Shape side_by_side{outer, count, inner};  // throws where the product would overflow
    const Shape along{shape[axis], count};          // and does so where other extents are 0
    const auto repeated = broadcast_to(reshape(result, Shape{outer, 1, inner}), side_by_side);
    result = reshape(repeated, shape.with(axis, along.numel()));
  }
  return result;
}

/// Images (…, c · r², h, w) as (…, c, h · r, w · r), the r² values of a pixel side by side: Shi et
/// al. (2016). Throws ShapeError where r² does not divide the channels.
template <class T, class Device>
Variable<T, Device> pixel_shuffle(const Variable<T, Device>& x, std::int64_t r) {
  if (x.rank() < 3 || r < 1 || r > x.size(-3) / r || x.size(-3) % (r * r) != 0) {
    throw ShapeError(message("pixel_shuffle: factor ", r, " for ", x.shape(),
                             "; its square must divide the channels of (…, c, h, w)"));
  }
  const std::int64_t channels = x.size(-3) / (r * r);
  const std::int64_t h = x.size(-2);
  const std::int64_t w = x.size(-1);
  Shape shape;
  for (int i = 0; i + 3 < x.rank(); ++i) shape.push_back(x.size(i));
  const auto parts = reshape(x, Shape{shape.numel(), channels, r, r, h, w});
  for (const std::int64_t extent : {channels, h * r, w * r}) shape.push_back(extent);
  return reshape(permute(parts, {0, 1, 4, 2, 5, 3}), shape);
}

}  // namespace sfumato::ops
