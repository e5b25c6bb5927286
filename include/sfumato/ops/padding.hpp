#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

/// What stands beyond the edge: zeros, the edge repeated (a|aab), or the inside mirrored without
/// repeating the edge (b|ab).
enum class PaddingMode { kZeros, kReplicate, kReflect };

/// x with `before` and `after` more elements along one axis.
/// Throws ValueError for negative amounts, and where the mode finds nothing to repeat or mirror.
template <class T, class Device>
Variable<T, Device> pad(const Variable<T, Device>& x, int axis, std::int64_t before,
                        std::int64_t after, PaddingMode mode = PaddingMode::kZeros) {
  const int normalized = x.shape().normalize_axis(axis);
  const std::int64_t extent = x.shape()[normalized];
  if (before < 0 || after < 0) {
    throw ValueError(message("pad: amounts ", before, " and ", after, " must not be negative"));
  }
  // Refuses amounts that no shape can have, so that their sum can't overflow.
  const Shape widest = x.shape().with(normalized, std::max(before, after));
  if (mode == PaddingMode::kZeros || widest[normalized] == 0) {
    const Shape whole = x.shape().with(normalized, extent + before + after);
    return detail::write_window("pad", x, detail::axis_window(whole, normalized, before, extent));
  }
  const std::int64_t needed = mode == PaddingMode::kReplicate ? 0 : std::max(before, after);
  if (extent <= needed) {
    throw ValueError(message("pad: can't ", needed > 0 ? "reflect " : "replicate ",
                             std::max(before, after), " elements at an edge of axis ", axis, " of ",
                             x.shape(), ", which has ", extent));
  }
  std::vector<Variable<T, Device>> parts;
  if (mode == PaddingMode::kReplicate) {
    if (before > 0) {
      parts.push_back(broadcast_to(slice(x, normalized, {.start = 0, .stop = 1}),
                                   x.shape().with(normalized, before)));
    }
    parts.push_back(x);
    if (after > 0) {
      parts.push_back(broadcast_to(slice(x, normalized, {.start = extent - 1}),
                                   x.shape().with(normalized, after)));
    }
  } else {
    if (before > 0) parts.push_back(slice(x, normalized, {.start = before, .stop = 0, .step = -1}));
    parts.push_back(x);
    if (after > 0) {
      const std::int64_t stop = extent - 2 - after;
      Range mirrored{.start = extent - 2, .step = -1};
      if (stop >= 0) mirrored.stop = stop;
      parts.push_back(slice(x, normalized, mirrored));
    }
  }
  return cat(parts, normalized);
}

/// x with `rows` more rows above and below, and `columns` more columns on both sides.
template <class T, class Device>
Variable<T, Device> pad2d(const Variable<T, Device>& x, std::int64_t rows, std::int64_t columns,
                          PaddingMode mode = PaddingMode::kZeros) {
  return pad(pad(x, -2, rows, rows, mode), -1, columns, columns, mode);
}

}  // namespace sfumato::ops
