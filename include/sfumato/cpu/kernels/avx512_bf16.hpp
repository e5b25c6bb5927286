#pragma once

#include <cstdint>
#include <cstring>

#include "sfumato/core/half.hpp"
#include "sfumato/cpu/kernels/avx512.hpp"
#include "sfumato/cpu/kernels/targets.hpp"

#ifdef SFUMATO_AVX512_BF16

/// AVX-512 with products of bfloat16: each lane adds two of them at a time to a float. Numbers
/// below 2⁻¹²⁶ count as zero. Intel, "Intel 64 and IA-32 Architectures Software Developer's
/// Manual", VDPBF16PS.
namespace sfumato::cpu::avx512_bf16 {

using namespace avx512;  // NOLINT(google-build-using-namespace): its vectors are this target's

inline constexpr bool kMultipliesBFloat16 = true;

SFUMATO_AVX512_BF16_INLINE Vector load_lanes(const BFloat16* from) {
  return load_bits(from);
}
SFUMATO_AVX512_BF16_INLINE Vector broadcast_lane(const BFloat16* from) {
  std::int32_t pair = 0;
  std::memcpy(&pair, from, sizeof(pair));
  return _mm512_castsi512_ps(_mm512_set1_epi32(pair));
}
SFUMATO_AVX512_BF16_INLINE Vector multiply_add_lanes(BFloat16 /*factors*/, Vector a, Vector b,
                                                     Vector sum) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}
/// Rounds to the nearest, ties to even.
SFUMATO_AVX512_BF16_INLINE void store_left(BFloat16* to, Vector x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
}
SFUMATO_AVX512_BF16_INLINE void store_lanes(BFloat16* to, const Vector (&x)[2]) {
  const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(x[1], x[0]));
  const __m512i places =
      _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                       21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(places, halves));
}

}  // namespace sfumato::cpu::avx512_bf16

#endif
