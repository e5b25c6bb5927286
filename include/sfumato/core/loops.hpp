#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sfumato/core/device.hpp"
#include "sfumato/core/shape.hpp"

namespace sfumato::detail {

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

  std::size_t levels() const { return levels_; }
  std::int64_t extent(std::size_t level) const { return extents_[level]; }
  const Offsets& strides(std::size_t level) const { return strides_[level]; }

  SFUMATO_HOST_DEVICE std::int64_t inner() const { return extents_[last()]; }
  SFUMATO_HOST_DEVICE const Offsets& inner_strides() const { return strides_[last()]; }

  std::int64_t rows() const {
    std::int64_t product = 1;
    for (std::size_t level = 0; level + 1 < levels_; ++level) product *= extents_[level];
    return product;
  }

  /// Where row number `row` begins in each operand.
  SFUMATO_HOST_DEVICE Offsets row_offsets(std::int64_t row) const {
    return offsets_before(last(), row);
  }

  /// Where element number `index` is in each operand.
  SFUMATO_HOST_DEVICE Offsets offsets(std::int64_t index) const {
    return offsets_before(levels_, index);
  }

 private:
  SFUMATO_HOST_DEVICE std::size_t last() const { return levels_ - 1; }

  SFUMATO_HOST_DEVICE Offsets offsets_before(std::size_t level, std::int64_t index) const {
    // Graphics processors divide 32 bits several times faster than 64.
    return index >> 32 == 0 ? walk(level, static_cast<std::uint32_t>(index)) : walk(level, index);
  }

  template <class Index>
  SFUMATO_HOST_DEVICE Offsets walk(std::size_t level, Index index) const {
    Offsets offsets{};
    while (level > 0) {
      --level;
      // An extent that Index does not hold is above all its numbers.
      const auto extent = static_cast<Index>(extents_[level]);
      const bool divides = level > 0 && static_cast<std::int64_t>(extent) == extents_[level];
      const Index quotient = divides ? static_cast<Index>(index / extent) : Index{0};
      const auto place = static_cast<std::int64_t>(index - quotient * extent);
      for (std::size_t i = 0; i < Operands; ++i) offsets[i] += place * strides_[level][i];
      index = quotient;
    }
    return offsets;
  }

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

}  // namespace sfumato::detail
