#pragma once

#include <cstdint>

#include "sfumato/core/half.hpp"
#include "sfumato/cpu/kernels/targets.hpp"

#ifdef SFUMATO_AVX2

/// Vectors of 8 floats: what the kernels needs to know of AVX2. See avx512.hpp for what
/// each function does.
namespace sfumato::cpu::avx2 {

using Vector = __m256;
using Integers = __m256i;
using Mask = __m256i;  ///< all bits set in the elements that are meant

inline constexpr std::int64_t kLanes = 8;
inline constexpr std::int64_t kTileRows = 6;
inline constexpr bool kMultipliesBFloat16 = false;

SFUMATO_AVX2_INLINE Vector zero() {
  return _mm256_setzero_ps();
}
SFUMATO_AVX2_INLINE Vector broadcast(float x) {
  return _mm256_set1_ps(x);
}
SFUMATO_AVX2_INLINE Vector load(const float* from) {
  return _mm256_loadu_ps(from);
}
SFUMATO_AVX2_INLINE void store(float* to, Vector x) {
  _mm256_storeu_ps(to, x);
}
SFUMATO_AVX2_INLINE Vector load(Mask mask, const float* from) {
  return _mm256_maskload_ps(from, mask);
}
SFUMATO_AVX2_INLINE void store(Mask mask, float* to, Vector x) {
  _mm256_maskstore_ps(to, mask, x);
}

SFUMATO_AVX2_INLINE Vector add(Vector a, Vector b) {
  return _mm256_add_ps(a, b);
}
SFUMATO_AVX2_INLINE Vector subtract(Vector a, Vector b) {
  return _mm256_sub_ps(a, b);
}
SFUMATO_AVX2_INLINE Vector multiply(Vector a, Vector b) {
  return _mm256_mul_ps(a, b);
}
SFUMATO_AVX2_INLINE Vector multiply_add(Vector a, Vector b, Vector c) {
  return _mm256_fmadd_ps(a, b, c);
}
SFUMATO_AVX2_INLINE Vector negated_multiply_add(Vector a, Vector b, Vector c) {
  return _mm256_fnmadd_ps(a, b, c);
}
SFUMATO_AVX2_INLINE Vector rectify(Vector x) {
  return _mm256_max_ps(_mm256_setzero_ps(), x);
}

SFUMATO_AVX2_INLINE Mask mask_below(std::int64_t count) {
  const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const std::int64_t clamped = count < 0 ? 0 : count > kLanes ? kLanes : count;
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<std::int32_t>(clamped)), places);
}
SFUMATO_AVX2_INLINE Mask mask_between(std::int64_t first, std::int64_t last) {
  return _mm256_andnot_si256(mask_below(first), mask_below(last));
}
SFUMATO_AVX2_INLINE Mask mask_with_bits(Mask mask, std::uint32_t bits) {
  const __m256i own = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<std::int32_t>(bits)), own);
  return _mm256_and_si256(mask, _mm256_cmpeq_epi32(set, own));
}
SFUMATO_AVX2_INLINE std::uint32_t positive_bits(Vector x) {
  return static_cast<std::uint32_t>(
      _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NLE_UQ)));
}
SFUMATO_AVX2_INLINE Mask exceeds(Vector b, Vector a) {
  return _mm256_castps_si256(
      _mm256_and_ps(_mm256_cmp_ps(b, a, _CMP_NLE_UQ), _mm256_cmp_ps(a, a, _CMP_ORD_Q)));
}
SFUMATO_AVX2_INLINE Vector select(Mask mask, Vector a, Vector otherwise) {
  return _mm256_blendv_ps(otherwise, a, _mm256_castsi256_ps(mask));
}

SFUMATO_AVX2_INLINE Vector if_then_else_zero(Mask mask, Vector x) {
  return _mm256_and_ps(x, _mm256_castsi256_ps(mask));
}

SFUMATO_AVX2_INLINE Vector load(const BFloat16* from) {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
SFUMATO_AVX2_INLINE __m128i round_to_halves(Vector x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  const __m256i upper = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
}
SFUMATO_AVX2_INLINE void store(BFloat16* to, Vector x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), round_to_halves(x));
}
SFUMATO_AVX2_INLINE Integers load(const std::uint8_t* from) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
SFUMATO_AVX2_INLINE void store(std::uint8_t* to, Integers x) {
  const __m128i pairs = _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(pairs, pairs));
}

// AVX2 has no masks for elements of 8 or 16 bits; these are for the edges of images.
template <class S>
SFUMATO_AVX2_INLINE auto load(Mask mask, const S* from) {
  const auto meant = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(mask)));
  if (meant == 0xff) return load(from);
  S values[kLanes] = {};
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    if ((meant >> lane & 1U) != 0) values[lane] = from[lane];
  }
  return load(values);
}
template <class S, class Elements>
SFUMATO_AVX2_INLINE void store(Mask mask, S* to, Elements x) {
  const auto meant = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(mask)));
  if (meant == 0xff) return store(to, x);
  S values[kLanes];
  store(values, x);
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    if ((meant >> lane & 1U) != 0) to[lane] = values[lane];
  }
}

SFUMATO_AVX2_INLINE Integers broadcast(std::int32_t x) {
  return _mm256_set1_epi32(x);
}
SFUMATO_AVX2_INLINE Mask equal(Integers a, Integers b) {
  return _mm256_cmpeq_epi32(a, b);
}
SFUMATO_AVX2_INLINE Integers select(Mask mask, Integers a, Integers otherwise) {
  return _mm256_blendv_epi8(otherwise, a, mask);
}

/// Swaps the two middle quarters, as shuffles that work on each half alone need it.
SFUMATO_AVX2_INLINE Vector swap_middle(Vector x) {
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(x), 0xd8));
}
SFUMATO_AVX2_INLINE void separate(Vector low, Vector high, Vector& even, Vector& odd) {
  even = swap_middle(_mm256_shuffle_ps(low, high, 0x88));
  odd = swap_middle(_mm256_shuffle_ps(low, high, 0xdd));
}
SFUMATO_AVX2_INLINE void interleave(Vector even, Vector odd, Vector& low, Vector& high) {
  const Vector a = swap_middle(even);
  const Vector b = swap_middle(odd);
  low = _mm256_unpacklo_ps(a, b);
  high = _mm256_unpackhi_ps(a, b);
}

/// Exchanges rows and columns of an 8 × 8 matrix.
SFUMATO_AVX2_INLINE void transpose(Vector (&rows)[kLanes]) {
  Vector fours[8];
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    const Vector a = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    const Vector b = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    const Vector c = _mm256_unpacklo_ps(rows[i + 2], rows[i + 3]);
    const Vector d = _mm256_unpackhi_ps(rows[i + 2], rows[i + 3]);
    fours[i] = _mm256_shuffle_ps(a, c, 0x44);
    fours[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    fours[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    fours[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    rows[i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x20);
    rows[4 + i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x31);
  }
}

template <class S>
SFUMATO_AVX2_INLINE void load_nines(const S* first, std::int64_t stride, std::int64_t rows,
                                    Vector (&columns)[9]) {
  Vector eight[kLanes];
#pragma GCC unroll 8
  for (int row = 0; row < kLanes; ++row) {
    eight[row] = row < rows ? load(first + row * stride) : zero();
  }
  transpose(eight);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) columns[i] = eight[i];
  const S* last = first + 8;
  if (rows >= kLanes) {
    columns[8] =
        _mm256_setr_ps(last[0], last[stride], last[2 * stride], last[3 * stride], last[4 * stride],
                       last[5 * stride], last[6 * stride], last[7 * stride]);
  } else {
    float values[kLanes] = {};
    for (std::int64_t row = 0; row < rows; ++row) values[row] = last[row * stride];
    columns[8] = load(values);
  }
}

}  // namespace sfumato::cpu::avx2

#endif
