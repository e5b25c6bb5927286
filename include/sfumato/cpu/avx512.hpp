#pragma once

#include <cstdint>
#include <cstdlib>

// Where the compiler can compile single functions for AVX-512, they are there whatever processor
// the program is compiled for, and are called only where the processor has it.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define SFUMATO_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#define SFUMATO_AVX512_INLINE SFUMATO_AVX512 __attribute__((always_inline)) inline
#if defined(__GNUC__) && !defined(__clang__)
// Some vectors in GCC's header are uninitialised on purpose, which GCC 12 warns its users about.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
#endif

namespace sfumato::cpu {

/// Whether this processor runs what SFUMATO_AVX512 marks, and the environment variable
/// SFUMATO_PORTABLE does not forbid it.
inline bool has_avx512() {
#ifdef SFUMATO_AVX512
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl") &&
                          std::getenv("SFUMATO_PORTABLE") == nullptr;
  return has;
#else
  return false;
#endif
}

#ifdef SFUMATO_AVX512
namespace avx512 {

inline constexpr std::int64_t kLanes = 16;  ///< floats of a vector

/// The lowest `count` of 16 bits; none for a negative count, all from 16 on.
inline __mmask16 first_lanes(std::int64_t count) {
  if (count <= 0) return 0;
  return static_cast<__mmask16>(count >= kLanes ? 0xffffU : (1U << count) - 1U);
}

/// Exchanges rows and columns of a 16 × 16 matrix.
SFUMATO_AVX512_INLINE void transpose(__m512 (&rows)[16]) {
  __m512 pairs[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  // Now columns 4 j + i of rows 4 k … 4 k + 3 are together in lane j of fours[4 k + i].
  __m512 fours[16];
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

}  // namespace avx512
#endif

}  // namespace sfumato::cpu
