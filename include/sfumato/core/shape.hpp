#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "sfumato/core/error.hpp"

namespace sfumato {

/// The most dimensions that a Shape can have.
inline constexpr int kMaxRank = 8;

/// The extents of a tensor, outermost first: up to kMaxRank dimensions, rank 0 for a scalar.
///
///     Shape shape{64, 3, 3, 3};
///     shape.rank();      // 4
///     shape[-1];         // 3: negative axes count from the end
///     shape.numel();  // 1728
class Shape {
 public:
  Shape() = default;
  /// Throws ShapeError for more than kMaxRank extents, a negative one, or more than 2^59 elements.
  Shape(std::initializer_list<std::int64_t> extents)
      : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const std::int64_t> extents) {
    if (extents.size() > kMaxRank) {
      throw ShapeError(message("shape: ", extents.size(), " dimensions, but at most ", kMaxRank,
                               " are supported"));
    }
    for (const std::int64_t extent : extents) push_back(extent);
  }

  int rank() const { return rank_; }
  const std::int64_t* begin() const { return extents_.data(); }
  const std::int64_t* end() const { return extents_.data() + rank_; }

  /// The extent along `axis`; a negative axis counts from the end.
  std::int64_t operator[](int axis) const {
    return extents_[static_cast<std::size_t>(normalize_axis(axis))];
  }

  /// The product of all extents: 1 for a scalar.
  std::int64_t numel() const {
    std::int64_t product = 1;
    for (const std::int64_t extent : *this) product *= extent;
    return product;
  }

  /// `axis` counted from the front. Throws ShapeError when the shape has no such axis.
  int normalize_axis(int axis) const {
    if (axis < -rank_ || axis >= rank_) {
      throw ShapeError(message("shape: axis ", axis, " is out of range for ", to_string(),
                               ", which has ", rank_, " dimensions"));
    }
    return axis < 0 ? axis + rank_ : axis;
  }

  /// A copy in which `axis` has another extent.
  Shape with(int axis, std::int64_t extent) const {
    Shape result;
    const int changed = normalize_axis(axis);
    for (int i = 0; i < rank_; ++i) result.push_back(i == changed ? extent : (*this)[i]);
    return result;
  }

  /// Adds an innermost dimension.
  void push_back(std::int64_t extent) {
    constexpr std::int64_t kMostElements = std::int64_t{1}
                                           << 59;  // of any type, their bytes are countable
    if (rank_ == kMaxRank) {
      throw ShapeError(message("shape: more than ", kMaxRank, " dimensions"));
    }
    if (extent < 0) throw ShapeError(message("shape: extent ", extent, " is negative"));
    if (extent > 0 && bound_ > kMostElements / extent) {
      throw ShapeError(
          message("shape: ", to_string(), " times ", extent, " has too many elements"));
    }
    // Zero extents do not shrink the bound: the product of the others must be representable too.
    bound_ *= std::max<std::int64_t>(extent, 1);
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }

  /// "(64, 3, 3, 3)", "(5,)" or "()", as Python writes them.
  std::string to_string() const {
    std::string text = "(";
    for (int i = 0; i < rank_; ++i) {
      text += std::to_string(extents_[static_cast<std::size_t>(i)]);
      if (i + 1 < rank_) text += ", ";
    }
    if (rank_ == 1) text += ",";
    return text + ")";
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
  std::int64_t bound_ = 1;
};

/// Some axes of a shape, or a single one; negative ones count from the end.
class Axes : public std::vector<int> {
 public:
  using std::vector<int>::vector;
  Axes(int axis) : std::vector<int>{axis} {}  // NOLINT(google-explicit-constructor): one is a list
};

/// One distance in elements per dimension; zero repeats, negative walks backwards.
using Strides = std::array<std::int64_t, kMaxRank>;

/// The strides of a dense row-major array of `shape`.
inline Strides row_major_strides(const Shape& shape) {
  Strides strides{};
  std::int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[static_cast<std::size_t>(i)] = stride;
    stride *= shape[i];
  }
  return strides;
}

/// The strides with which a dense array of `shape` is read as if it had the shape `target`:
/// dimensions that are missing or have extent one are repeated.
inline Strides broadcast_strides(const Shape& shape, const Shape& target) {
  const Strides dense = row_major_strides(shape);
  const int shift = target.rank() - shape.rank();
  Strides strides{};
  for (int i = 0; i < shape.rank(); ++i) {
    const bool repeated = shape[i] == 1 && target[i + shift] != 1;
    strides[static_cast<std::size_t>(i + shift)] =
        repeated ? 0 : dense[static_cast<std::size_t>(i)];
  }
  return strides;
}

/// True when NumPy's rules let `shape` be broadcast to exactly `target`.
inline bool broadcasts_to(const Shape& shape, const Shape& target) {
  const int shift = target.rank() - shape.rank();
  if (shift < 0) return false;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] != 1 && shape[i] != target[i + shift]) return false;
  }
  return true;
}

/// The shape that `a` and `b` broadcast to together under NumPy's rules: aligned at the innermost
/// dimension, extents must agree or be one. Throws ShapeError, naming `op`, when they do not.
inline Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  Shape result;
  const int rank = std::max(a.rank(), b.rank());
  for (int i = 0; i < rank; ++i) {
    const int in_a = i - (rank - a.rank());
    const int in_b = i - (rank - b.rank());
    const std::int64_t extent_a = in_a < 0 ? 1 : a[in_a];
    const std::int64_t extent_b = in_b < 0 ? 1 : b[in_b];
    if (extent_a != extent_b && extent_a != 1 && extent_b != 1) {
      throw ShapeError(message(op, ": shapes ", a, " and ", b,
                               " do not broadcast together: extents must agree or be 1, aligned at "
                               "the last dimension"));
    }
    result.push_back(extent_a == 1 ? extent_b : extent_a);
  }
  return result;
}

/// Where the element at `index` stands in a row-major array; negative indices count from the end.
/// Throws ShapeError out of range.
inline std::int64_t row_major_offset(const Shape& shape,
                                     std::initializer_list<std::int64_t> index) {
  if (static_cast<int>(index.size()) != shape.rank()) {
    throw ShapeError(message("at: ", index.size(), " indices for the shape ", shape));
  }
  const Strides strides = row_major_strides(shape);
  std::int64_t position = 0;
  int axis = 0;
  for (const std::int64_t i : index) {
    const std::int64_t extent = shape[axis];
    if (i < -extent || i >= extent) {
      throw ShapeError(message("at: index ", i, " is out of range at axis ", axis, " of ", shape));
    }
    position += (i < 0 ? i + extent : i) * strides[static_cast<std::size_t>(axis++)];
  }
  return position;
}

/// The shape of as many elements as `from` has, one extent of which may be -1, to be worked out.
/// Throws ShapeError where it can't be.
inline Shape complete_shape(const Shape& from, std::span<const std::int64_t> extents) {
  const auto unknown = std::count(extents.begin(), extents.end(), -1);
  if (unknown == 0) return Shape(extents);
  Shape others;
  for (const std::int64_t extent : extents) others.push_back(extent == -1 ? 1 : extent);
  const std::int64_t known = others.numel();
  if (unknown > 1 || known == 0 || from.numel() % known != 0) {
    throw ShapeError(message("reshape: the extent -1 can't be worked out for ", from,
                             ": there must be one, and the others must divide its ", from.numel(),
                             " elements"));
  }
  Shape shape;
  for (const std::int64_t extent : extents) {
    shape.push_back(extent == -1 ? from.numel() / known : extent);
  }
  return shape;
}

}  // namespace sfumato
