#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/comparison.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

/// What stands beyond the edge: zeros, the edge repeated (a|abc), the inside mirrored without
/// repeating the edge (b|abc), or the other end (c|abc).
enum class PaddingMode { kZeros, kReplicate, kReflect, kCircular };

/// x with `before` and `after` more elements along one axis, or fewer where they are negative.
/// Throws ValueError where nothing would be left, or the mode finds nothing to repeat or mirror.
template <class T, class Device>
Variable<T, Device> pad(const Variable<T, Device>& x, int axis, std::int64_t before,
                        std::int64_t after, PaddingMode mode = PaddingMode::kZeros) {
  const int normalized = x.shape().normalize_axis(axis);
  const std::int64_t extent = x.shape()[normalized];
  if (before < 0 || after < 0) {
    if (before < -extent || after < -extent || before + after < -extent) {
      throw ValueError(message("pad: amounts ", before, " and ", after, " take more than axis ",
                               axis, " of ", x.shape(), " has"));
    }
    const auto padded =
        pad(x, axis, std::max<std::int64_t>(before, 0), std::max<std::int64_t>(after, 0), mode);
    Range kept{.start = std::max<std::int64_t>(-before, 0)};
    if (after < 0) kept.stop = padded.size(normalized) + after;
    return slice(padded, normalized, kept);
  }
  // Refuses amounts that no shape can have, so that their sum can't overflow.
  const Shape widest = x.shape().with(normalized, std::max(before, after));
  if (mode == PaddingMode::kZeros || widest[normalized] == 0) {
    const Shape whole = x.shape().with(normalized, extent + before + after);
    return detail::write_window("pad", x, detail::axis_window(whole, normalized, before, extent));
  }
  const std::int64_t asked = std::max(before, after);
  const std::int64_t most = mode == PaddingMode::kReflect    ? extent - 1
                            : mode == PaddingMode::kCircular ? extent
                            : extent > 0                     ? asked
                                                             : 0;
  if (asked > most) {
    const char* const verb = mode == PaddingMode::kReplicate ? "replicate "
                             : mode == PaddingMode::kReflect ? "reflect "
                                                             : "repeat ";
    throw ValueError(message("pad: can't ", verb, asked, " elements at an edge of axis ", axis,
                             " of ", x.shape(), ", which has ", extent));
  }
  std::vector<Variable<T, Device>> parts;
  const auto add = [&](const Range& range) { parts.push_back(slice(x, normalized, range)); };
  const auto add_edge = [&](const Range& edge, std::int64_t count) {
    parts.push_back(broadcast_to(slice(x, normalized, edge), x.shape().with(normalized, count)));
  };
  if (before > 0) {
    if (mode == PaddingMode::kReplicate) add_edge({.stop = 1}, before);
    if (mode == PaddingMode::kReflect) add({.start = before, .stop = 0, .step = -1});
    if (mode == PaddingMode::kCircular) add({.start = extent - before});
  }
  parts.push_back(x);
  if (after > 0) {
    if (mode == PaddingMode::kReplicate) add_edge({.start = extent - 1}, after);
    if (mode == PaddingMode::kReflect) {
      const std::int64_t stop = extent - 2 - after;
      Range mirrored{.start = extent - 2, .step = -1};
      if (stop >= 0) mirrored.stop = stop;
      add(mirrored);
    }
    if (mode == PaddingMode::kCircular) add({.stop = after});
  }
  return cat(parts, normalized);
}

/// x with more elements at the edges of its last axes, as in PyTorch: before and after the last
/// axis, the one before it, and so on. Throws ValueError for an odd number of amounts, or too many.
///
///     pad(images, {1, 1, 2, 2});   // one column on each side, two rows above and below
template <class T, class Device>
Variable<T, Device> pad(const Variable<T, Device>& x, const std::vector<std::int64_t>& amounts,
                        PaddingMode mode = PaddingMode::kZeros) {
  if (amounts.size() % 2 != 0 || static_cast<int>(amounts.size() / 2) > x.rank()) {
    throw ValueError(message("pad: ", amounts.size(), " amounts for ", x.shape(),
                             "; give two for each axis, the last axis first"));
  }
  Variable<T, Device> padded = x;
  for (std::size_t i = 0; i < amounts.size(); i += 2) {
    padded = pad(padded, -1 - static_cast<int>(i / 2), amounts[i], amounts[i + 1], mode);
  }
  return padded;
}

/// x with `value` around it; the amounts as above.
template <class T, class Device>
Variable<T, Device> pad(const Variable<T, Device>& x, const std::vector<std::int64_t>& amounts,
                        std::type_identity_t<T> value) {
  const auto inside = pad(Variable<T, Device>(Tensor<T, Device>::ones(x.shape())), amounts);
  return masked_fill(pad(x, amounts), inside == T{0}, value);
}

}  // namespace sfumato::ops
