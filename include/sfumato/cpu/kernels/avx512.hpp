#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "sfumato/core/half.hpp"
#include "sfumato/cpu/kernels/targets.hpp"

#ifdef SFUMATO_AVX512

/// Vectors of 16 floats: what the kernels needs to know of AVX-512.
namespace sfumato::cpu::avx512 {

using Vector = __m512;
using Integers = __m512i;
using Mask = __mmask16;  ///< which elements of a vector are meant

inline constexpr std::int64_t kLanes = 16;     ///< floats of a vector
inline constexpr std::int64_t kTileRows = 12;  ///< rows of two vectors that fit the registers
inline constexpr bool kMultipliesBFloat16 = false;

SFUMATO_AVX512_INLINE Vector zero() {
  return _mm512_setzero_ps();
}
SFUMATO_AVX512_INLINE Vector broadcast(float x) {
  return _mm512_set1_ps(x);
}
SFUMATO_AVX512_INLINE Vector load(const float* from) {
  return _mm512_loadu_ps(from);
}
SFUMATO_AVX512_INLINE void store(float* to, Vector x) {
  _mm512_storeu_ps(to, x);
}
/// The lanes that are meant; zeros in the others, whose memory is not touched.
SFUMATO_AVX512_INLINE Vector load(Mask mask, const float* from) {
  return _mm512_maskz_loadu_ps(mask, from);
}
SFUMATO_AVX512_INLINE void store(Mask mask, float* to, Vector x) {
  _mm512_mask_storeu_ps(to, mask, x);
}

SFUMATO_AVX512_INLINE Vector add(Vector a, Vector b) {
  return _mm512_add_ps(a, b);
}
SFUMATO_AVX512_INLINE Vector subtract(Vector a, Vector b) {
  return _mm512_sub_ps(a, b);
}
SFUMATO_AVX512_INLINE Vector multiply(Vector a, Vector b) {
  return _mm512_mul_ps(a, b);
}
/// a · b + c
SFUMATO_AVX512_INLINE Vector multiply_add(Vector a, Vector b, Vector c) {
  return _mm512_fmadd_ps(a, b, c);
}
/// c - a · b
SFUMATO_AVX512_INLINE Vector negated_multiply_add(Vector a, Vector b, Vector c) {
  return _mm512_fnmadd_ps(a, b, c);
}
/// max(x, 0); NaN stays NaN.
SFUMATO_AVX512_INLINE Vector rectify(Vector x) {
  return _mm512_max_ps(_mm512_setzero_ps(), x);
}

/// The lanes `first` … `last` - 1; either may lie outside the vector.
SFUMATO_AVX512_INLINE Mask mask_between(std::int64_t first, std::int64_t last) {
  const auto below = [](std::int64_t count) {
    return count <= 0 ? 0U : count >= kLanes ? 0xffffU : (1U << count) - 1U;
  };
  return static_cast<Mask>(below(last) & ~below(first));
}
/// The lanes of `mask` whose bit is set.
SFUMATO_AVX512_INLINE Mask mask_with_bits(Mask mask, std::uint32_t bits) {
  return static_cast<Mask>(mask & bits);
}
/// A bit for each lane that is positive or NaN.
SFUMATO_AVX512_INLINE std::uint32_t positive_bits(Vector x) {
  return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NLE_UQ);
}
/// Whether b replaces a as the largest: the first NaN wins over everything.
SFUMATO_AVX512_INLINE Mask exceeds(Vector b, Vector a) {
  return static_cast<Mask>(_mm512_cmp_ps_mask(b, a, _CMP_NLE_UQ) &
                           _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q));
}
SFUMATO_AVX512_INLINE Vector select(Mask mask, Vector a, Vector otherwise) {
  return _mm512_mask_mov_ps(otherwise, mask, a);
}

/// x in the lanes that are meant, zeros in the others.
SFUMATO_AVX512_INLINE Vector if_then_else_zero(Mask mask, Vector x) {
  return _mm512_maskz_mov_ps(mask, x);
}

/// bfloat16 is the upper half of a float.
SFUMATO_AVX512_INLINE Vector widen(__m256i halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
/// To the nearest, ties to even; NaN stays NaN.
SFUMATO_AVX512_INLINE __m256i round_to_halves(Vector x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const Mask nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, nan, quiet), 16));
}
SFUMATO_AVX512_INLINE Vector load(const BFloat16* from) {
  return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
SFUMATO_AVX512_INLINE void store(BFloat16* to, Vector x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), round_to_halves(x));
}
SFUMATO_AVX512_INLINE Vector load(Mask mask, const BFloat16* from) {
  return widen(_mm256_maskz_loadu_epi16(mask, from));
}
SFUMATO_AVX512_INLINE void store(Mask mask, BFloat16* to, Vector x) {
  _mm256_mask_storeu_epi16(to, mask, round_to_halves(x));
}

/// Elements that bfloat16 holds, of two vectors, in pairs of 16 bits.
SFUMATO_AVX512_INLINE Vector pair_up(Vector even, Vector odd) {
  const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(even), 16);
  return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_castps_si512(odd)));
}
SFUMATO_AVX512_INLINE void store_bits(void* to, Vector x) {
  _mm512_storeu_si512(to, _mm512_castps_si512(x));
}
SFUMATO_AVX512_INLINE void store_bits(void* to, Integers x) {
  _mm512_storeu_si512(to, x);
}
SFUMATO_AVX512_INLINE Vector load_bits(const void* from) {
  return _mm512_castsi512_ps(_mm512_loadu_si512(from));
}

SFUMATO_AVX512_INLINE Integers broadcast(std::int32_t x) {
  return _mm512_set1_epi32(x);
}
/// 0, 2, 4, …
SFUMATO_AVX512_INLINE Integers even_numbers() {
  return _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
SFUMATO_AVX512_INLINE Integers add(Integers a, Integers b) {
  return _mm512_add_epi32(a, b);
}
SFUMATO_AVX512_INLINE Mask equal(Integers a, Integers b) {
  return _mm512_cmpeq_epi32_mask(a, b);
}
SFUMATO_AVX512_INLINE Integers select(Mask mask, Integers a, Integers otherwise) {
  return _mm512_mask_mov_epi32(otherwise, mask, a);
}
SFUMATO_AVX512_INLINE Integers load(Mask mask, const std::uint8_t* from) {
  return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, from));
}
/// The lowest byte of each element.
SFUMATO_AVX512_INLINE void store(Mask mask, std::uint8_t* to, Integers x) {
  _mm512_mask_cvtepi32_storeu_epi8(to, mask, x);
}

SFUMATO_AVX512_INLINE Integers round_to_integers(Vector x) {
  return _mm512_cvtps_epi32(x);
}
SFUMATO_AVX512_INLINE Vector to_floats(const std::int32_t* from) {
  // GCC 12 takes the one without lanes for the use of something uninitialised.
  return _mm512_maskz_cvtepi32_ps(0xffff, _mm512_loadu_si512(from));
}
/// The larger one of magnitudes that are given by their bits, of which NaN is the largest.
SFUMATO_AVX512_INLINE Integers larger_magnitude(Integers largest, Vector x) {
  const __m512i magnitude = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
  return _mm512_max_epi32(largest, magnitude);
}
SFUMATO_AVX512_INLINE float largest_lane(Integers magnitudes) {
  std::int32_t lanes[kLanes];
  _mm512_storeu_si512(lanes, magnitudes);
  return std::bit_cast<float>(*std::max_element(lanes, lanes + kLanes));
}

/// Of each bit, a where `which` is set, else b.
SFUMATO_AVX512_INLINE __m512i choose_bits(std::uint32_t which, __m512i a, __m512i b) {
  return _mm512_ternarylogic_epi32(_mm512_set1_epi32(static_cast<int>(which)), a, b, 0xca);
}
/// The slices of four vectors, which are the bytes of numbers below 2²⁴, each increased by 128: of
/// each lane side by side.
SFUMATO_AVX512_INLINE void join_slices(const Integers (&x)[4], Integers& high, Integers& middle,
                                       Integers& low) {
  constexpr std::uint32_t kEvenBytes = 0x00ff00ff;
  constexpr std::uint32_t kEvenPairs = 0x0000ffff;
  const __m512i outer_01 = choose_bits(kEvenBytes, x[0], _mm512_slli_epi32(x[1], 8));
  const __m512i outer_23 = choose_bits(kEvenBytes, x[2], _mm512_slli_epi32(x[3], 8));
  const __m512i middle_01 = choose_bits(kEvenBytes, _mm512_srli_epi32(x[0], 8), x[1]);
  const __m512i middle_23 = choose_bits(kEvenBytes, _mm512_srli_epi32(x[2], 8), x[3]);
  const __m512i offset = _mm512_set1_epi8(-128);
  low = choose_bits(kEvenPairs, outer_01, _mm512_slli_epi32(outer_23, 16));
  middle = choose_bits(kEvenPairs, middle_01, _mm512_slli_epi32(middle_23, 16));
  high = choose_bits(kEvenPairs, _mm512_srli_epi32(outer_01, 16), outer_23);
  low = _mm512_xor_si512(low, offset);
  middle = _mm512_xor_si512(middle, offset);
  high = _mm512_xor_si512(high, offset);
}

/// Of neighbours in two vectors, those in even places and those in odd ones.
SFUMATO_AVX512_INLINE void separate(Vector low, Vector high, Vector& even, Vector& odd) {
  const __m512i places = even_numbers();
  even = _mm512_permutex2var_ps(low, places, high);
  odd = _mm512_permutex2var_ps(low, _mm512_add_epi32(places, _mm512_set1_epi32(1)), high);
}
/// The inverse of separate().
SFUMATO_AVX512_INLINE void interleave(Vector even, Vector odd, Vector& low, Vector& high) {
  const __m512i places = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  low = _mm512_permutex2var_ps(even, places, odd);
  high = _mm512_permutex2var_ps(even, _mm512_add_epi32(places, _mm512_set1_epi32(8)), odd);
}

/// Exchanges rows and columns of a 16 × 16 matrix.
SFUMATO_AVX512_INLINE void transpose(Vector (&rows)[kLanes]) {
  Vector pairs[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  // Now columns 4 j + i of rows 4 k … 4 k + 3 are together in lane j of fours[4 k + i].
  Vector fours[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    const __m512d a = _mm512_castps_pd(pairs[i]);
    const __m512d b = _mm512_castps_pd(pairs[i + 1]);
    const __m512d c = _mm512_castps_pd(pairs[i + 2]);
    const __m512d d = _mm512_castps_pd(pairs[i + 3]);
    fours[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    fours[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    fours[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    fours[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512 even_low = _mm512_shuffle_f32x4(fours[i], fours[4 + i], 0x88);
    const __m512 odd_low = _mm512_shuffle_f32x4(fours[i], fours[4 + i], 0xdd);
    const __m512 even_high = _mm512_shuffle_f32x4(fours[8 + i], fours[12 + i], 0x88);
    const __m512 odd_high = _mm512_shuffle_f32x4(fours[8 + i], fours[12 + i], 0xdd);
    rows[i] = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
    rows[4 + i] = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    rows[8 + i] = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
    rows[12 + i] = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
  }
}

/// The columns of a matrix of nine numbers in each row, of which the first `rows` are there and
/// `stride` apart; zeros for the others.
template <class S>
SFUMATO_AVX512_INLINE void load_nines(const S* first, std::int64_t stride, std::int64_t rows,
                                      Vector (&columns)[9]) {
  Vector nine[kLanes];
#pragma GCC unroll 16
  for (int row = 0; row < kLanes; ++row) {
    nine[row] = row < rows ? load(mask_between(0, 9), first + row * stride) : zero();
  }
  transpose(nine);
#pragma GCC unroll 9
  for (int i = 0; i < 9; ++i) columns[i] = nine[i];
}

}  // namespace sfumato::cpu::avx512

#endif
