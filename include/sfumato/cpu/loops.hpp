#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "sfumato/core/shape.hpp"

namespace sfumato::cpu {

/// How many elements one piece of a parallel loop handles: enough to outweigh waking a thread.
inline constexpr std::int64_t kElementsPerChunk = 16384;

/// The nested loops over a shape, for `Operands` arrays with strides of their own, with as few
/// levels as possible: extents of one are dropped, and two levels that every operand walks as one
/// are merged. The innermost level is `inner`, the others together are the `rows`.
template <std::size_t Operands>
class StridedLoops {
 public:
  using Offsets = std::array<std::int64_t, Operands>;

  StridedLoops(const Shape& shape, const std::array<Strides, Operands>& strides) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      Offsets level{};
      for (std::size_t i = 0; i < Operands; ++i)
        level[i] = strides[i][static_cast<std::size_t>(axis)];
      push(shape[axis], level);
    }
    if (levels_ == 0) push_level(1, Offsets{});
  }

  std::int64_t inner() const { return extents_[last()]; }
  const Offsets& inner_strides() const { return strides_[last()]; }

  std::int64_t rows() const {
    std::int64_t product = 1;
    for (std::size_t level = 0; level + 1 < levels_; ++level) product *= extents_[level];
    return product;
  }

  /// Where row number `row` begins in each operand.
  Offsets row_offsets(std::int64_t row) const {
    Offsets offsets{};
    for (std::size_t level = last(); level-- > 0;) {
      const std::int64_t index = row % extents_[level];
      row /= extents_[level];
      for (std::size_t i = 0; i < Operands; ++i) offsets[i] += index * strides_[level][i];
    }
    return offsets;
  }

 private:
  std::size_t last() const { return levels_ - 1; }

  void push(std::int64_t extent, const Offsets& strides) {
    if (extent == 1) return;
    if (levels_ > 0 && continues(extent, strides)) {
      extents_[last()] *= extent;
      strides_[last()] = strides;
    } else {
      push_level(extent, strides);
    }
  }

  bool continues(std::int64_t extent, const Offsets& strides) const {
    for (std::size_t i = 0; i < Operands; ++i) {
      if (strides_[last()][i] != strides[i] * extent) return false;
    }
    return true;
  }

  void push_level(std::int64_t extent, const Offsets& strides) {
    extents_[levels_] = extent;
    strides_[levels_] = strides;
    ++levels_;
  }

  std::size_t levels_ = 0;
  std::array<std::int64_t, kMaxRank + 1> extents_{};
  std::array<Offsets, kMaxRank + 1> strides_{};
};

}  // namespace sfumato::cpu
