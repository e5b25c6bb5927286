// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_COLUMNS) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_COLUMNS
#undef SFUMATO_CPU_KERNELS_COLUMNS
#else
#define SFUMATO_CPU_KERNELS_COLUMNS
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "sfumato/core/geometry.hpp"
#include "sfumato/cpu/kernels/convolution_task.hpp"
#include "sfumato/cpu/kernels/target.hpp"

/// Columns of an image as vectors, with zeros outside the image and where a mask has zeros.
namespace sfumato::cpu::SFUMATO_NAMESPACE {

inline constexpr std::int64_t kLaneBytes = kLanes / 8;  ///< of a vector's bits

/// The bits of a row from column `start` on, which may be a little below zero.
inline std::uint32_t bits_from(const std::uint8_t* row, std::int64_t start) {
  const std::int64_t first = std::max<std::int64_t>(start, 0);
  std::uint32_t bits = 0;
  std::memcpy(&bits, row + first / 8, sizeof(bits));
  return bits >> (first % 8) << (first - start);
}

/// The pixels of kLanes columns from `start` on of a row of a plane; zeros outside the image and
/// where the task's mask has zeros.
template <class S>
SFUMATO_INLINE Vector load_columns(const Convolution<S>& task, std::int64_t plane, std::int64_t row,
                                   std::int64_t start) {
  const Conv2dGeometry& g = task.g;
  if (row < 0 || row >= g.in_h || start <= -kLanes || start >= g.in_w) return zero();
  const std::int64_t line = plane * g.in_h + row;
  Mask mask = mask_between(-start, g.in_w - start);
  if (task.mask != nullptr) {
    const std::int64_t bytes = BitRows{1, g.in_w}.bytes_per_row();
    mask = mask_with_bits(mask, bits_from(task.mask + line * bytes, start));
  }
  return load(mask, task.x + line * g.in_w + start);
}

/// x where the bits of a row from column `start` on are set, and zeros elsewhere.
SFUMATO_INLINE Vector let_through(const std::uint8_t* row, std::int64_t start, Vector x) {
  return if_then_else_zero(mask_with_bits(mask_between(0, kLanes), bits_from(row, start)), x);
}

/// Writes the first `count` columns of x, all if there are more, rectified if `relu`, and where
/// they are positive unless `positive` is null.
template <class S>
SFUMATO_INLINE void store_columns(bool relu, Vector x, std::int64_t count, S* y,
                                  std::uint8_t* positive) {
  const Vector value = relu ? rectify(x) : x;
  if (count >= kLanes) {
    store(y, value);
  } else {
    store(mask_between(0, count), y, value);
  }
  if (positive != nullptr) {
    const std::uint32_t bits = positive_bits(value);
    std::memcpy(positive, &bits, kLaneBytes);
  }
}

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
