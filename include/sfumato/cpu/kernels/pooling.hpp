// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_POOLING) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_POOLING
#undef SFUMATO_CPU_KERNELS_POOLING
#else
#define SFUMATO_CPU_KERNELS_POOLING
#endif

#include <cstdint>

#include "sfumato/core/geometry.hpp"
#include "sfumato/cpu/kernels/target.hpp"

/// Max pooling over windows of 2 × 2 side by side, a vector of windows at a time.
namespace sfumato::cpu::SFUMATO_NAMESPACE {

/// Neighbours of a row of the image that belong to a vector of windows: those in even columns and
/// those in odd ones.
struct Neighbours {
  Vector even;
  Vector odd;
};

template <class S>
SFUMATO_INLINE Neighbours load_neighbours(const S* row, std::int64_t windows) {
  Neighbours x;
  if (windows >= kLanes) {
    separate(load(row), load(row + kLanes), x.even, x.odd);
  } else {
    separate(load(mask_between(0, 2 * windows), row),
             load(mask_between(0, 2 * windows - kLanes), row + kLanes), x.even, x.odd);
  }
  return x;
}

template <class S>
SFUMATO_INLINE void store_neighbours(Vector even, Vector odd, S* row, std::int64_t windows) {
  Vector low;
  Vector high;
  interleave(even, odd, low, high);
  if (windows >= kLanes) {
    store(row, low);
    store(row + kLanes, high);
  } else {
    store(mask_between(0, 2 * windows), row, low);
    store(mask_between(0, 2 * windows - kLanes), row + kLanes, high);
  }
}

/// One row of windows: the maxima, of which the first wins, or the first NaN, and their places in
/// their windows, row by row.
template <class S>
SFUMATO_TARGET inline void max_pool2d_row(const Pool2dGeometry& g, std::int64_t out_row,
                                          const S* plane, S* y, std::uint8_t* places) {
  const S* const upper = plane + out_row * 2 * g.in_w;
  for (std::int64_t j = 0; j < g.out_w; j += kLanes) {
    const std::int64_t windows = g.out_w - j;
    const Neighbours above = load_neighbours(upper + j * 2, windows);
    const Neighbours below = load_neighbours(upper + g.in_w + j * 2, windows);
    const Vector others[3] = {above.odd, below.even, below.odd};
    Vector best = above.even;
    Integers place = broadcast(0);
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      const Mask better = exceeds(others[i], best);
      best = select(better, others[i], best);
      place = select(better, broadcast(i + 1), place);
    }
    const Mask mask = mask_between(0, windows);
    store(mask, y + j, best);
    store(mask, places + j, place);
  }
}

/// The two rows of the gradient that belong to one row of windows.
template <class S>
SFUMATO_TARGET inline void max_pool2d_scatter_row(const Pool2dGeometry& g, std::int64_t out_row,
                                                  const S* dy, const std::uint8_t* places,
                                                  S* plane) {
  S* const upper = plane + out_row * 2 * g.in_w;
  for (std::int64_t j = 0; j < g.out_w; j += kLanes) {
    const std::int64_t windows = g.out_w - j;
    const Mask mask = mask_between(0, windows);
    const Vector gradient = load(mask, dy + j);
    const Integers place = load(mask, places + j);
    for (int below = 0; below < 2; ++below) {
      store_neighbours(if_then_else_zero(equal(place, broadcast(2 * below)), gradient),
                       if_then_else_zero(equal(place, broadcast(2 * below + 1)), gradient),
                       upper + below * g.in_w + j * 2, windows);
    }
  }
  // A last column that is in no window.
  if (g.in_w > g.out_w * 2) upper[g.in_w - 1] = upper[2 * g.in_w - 1] = S{0};
}

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
