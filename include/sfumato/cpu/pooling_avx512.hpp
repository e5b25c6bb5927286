#pragma once

#include <cstdint>

#include "sfumato/core/geometry.hpp"
#include "sfumato/cpu/avx512.hpp"

#ifdef SFUMATO_AVX512

/// Max pooling over windows of 2 × 2 side by side, 16 windows at a time.
namespace sfumato::cpu::avx512 {

/// 32 neighbours of a row, those in even columns and those in odd ones.
struct Neighbours {
  __m512 even;
  __m512 odd;
};

SFUMATO_AVX512_INLINE Neighbours load_neighbours(const float* row, __mmask16 first,
                                                 __mmask16 second) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  const __m512 low = _mm512_maskz_loadu_ps(first, row);
  const __m512 high = _mm512_maskz_loadu_ps(second, row + kLanes);
  return {_mm512_permutex2var_ps(low, even, high), _mm512_permutex2var_ps(low, odd, high)};
}

SFUMATO_AVX512_INLINE void store_neighbours(const Neighbours& x, float* row, __mmask16 first,
                                            __mmask16 second) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
  _mm512_mask_storeu_ps(row, first, _mm512_permutex2var_ps(x.even, low, x.odd));
  _mm512_mask_storeu_ps(row + kLanes, second, _mm512_permutex2var_ps(x.even, high, x.odd));
}

/// Where in its plane the first element of each of 16 windows stands.
SFUMATO_AVX512_INLINE __m512i first_places(const Pool2dGeometry& g, std::int64_t out_row,
                                           std::int64_t column) {
  const __m512i steps =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_add_epi32(
      steps, _mm512_set1_epi32(static_cast<std::int32_t>(out_row * 2 * g.in_w + column * 2)));
}

/// One row of windows: the maxima, of which the first wins, or the first NaN, and their places.
SFUMATO_AVX512 inline void max_pool2d_row(const Pool2dGeometry& g, std::int64_t out_row,
                                          const float* plane, float* y, std::int32_t* indices) {
  const float* const upper = plane + out_row * 2 * g.in_w;
  for (std::int64_t j = 0; j < g.out_w; j += kLanes) {
    const __mmask16 windows = first_lanes(g.out_w - j);
    const __mmask16 first = first_lanes((g.out_w - j) * 2);
    const __mmask16 second = first_lanes((g.out_w - j) * 2 - kLanes);
    const Neighbours above = load_neighbours(upper + j * 2, first, second);
    const Neighbours below = load_neighbours(upper + g.in_w + j * 2, first, second);
    const __m512i start = first_places(g, out_row, j);
    const auto width = static_cast<std::int32_t>(g.in_w);
    const __m512 others[3] = {above.odd, below.even, below.odd};
    const std::int32_t offsets[3] = {1, width, width + 1};
    __m512 best = above.even;
    __m512i place = start;
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      // Not less or equal is true for NaN, which wins over all but another NaN.
      const __mmask16 better = _mm512_cmp_ps_mask(others[i], best, _CMP_NLE_UQ) &
                               _mm512_cmp_ps_mask(best, best, _CMP_ORD_Q);
      best = _mm512_mask_mov_ps(best, better, others[i]);
      place = _mm512_mask_add_epi32(place, better, start, _mm512_set1_epi32(offsets[i]));
    }
    _mm512_mask_storeu_ps(y + j, windows, best);
    _mm512_mask_storeu_epi32(indices + j, windows, place);
  }
}

/// The two rows of the gradient that belong to one row of windows.
SFUMATO_AVX512 inline void max_pool2d_scatter_row(const Pool2dGeometry& g, std::int64_t out_row,
                                                  const float* dy, const std::int32_t* indices,
                                                  float* plane) {
  float* const upper = plane + out_row * 2 * g.in_w;
  const __m512i width = _mm512_set1_epi32(static_cast<std::int32_t>(g.in_w));
  for (std::int64_t j = 0; j < g.out_w; j += kLanes) {
    const __mmask16 windows = first_lanes(g.out_w - j);
    const __mmask16 first = first_lanes((g.out_w - j) * 2);
    const __mmask16 second = first_lanes((g.out_w - j) * 2 - kLanes);
    const __m512 gradient = _mm512_maskz_loadu_ps(windows, dy + j);
    const __m512i place = _mm512_maskz_loadu_epi32(windows, indices + j);
    __m512i start = first_places(g, out_row, j);
    for (int below = 0; below < 2; ++below) {
      float* const row = upper + below * g.in_w;
      const __m512i next = _mm512_add_epi32(start, _mm512_set1_epi32(1));
      store_neighbours({_mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask(place, start), gradient),
                        _mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask(place, next), gradient)},
                       row + j * 2, first, second);
      start = _mm512_add_epi32(start, width);
    }
  }
  // A last column that is in no window.
  if (g.in_w > g.out_w * 2) upper[g.in_w - 1] = upper[2 * g.in_w - 1] = 0.0F;
}

}  // namespace sfumato::cpu::avx512

#endif
