// The kernels for AVX-512 with SIMDe's vectors in the place of the processor's, so that they are
// tested where no processor has AVX-512.

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <cstdint>
#include <cstring>

// What SIMDe 0.7 lacks.
#undef _mm512_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#undef _mm512_maskz_loadu_epi32
#undef _mm512_mask_storeu_epi32
#undef _mm512_shuffle_f32x4
#define _mm512_maskz_loadu_ps emulated_load
#define _mm512_mask_storeu_ps emulated_store
#define _mm512_maskz_loadu_epi32 emulated_load_integers
#define _mm512_mask_storeu_epi32 emulated_store_integers
#define _mm512_shuffle_f32x4 emulated_shuffle

namespace {

template <class Vector>
Vector load_lanes(unsigned mask, const void* from) {
  Vector x;
  std::memset(&x, 0, sizeof(x));
  for (unsigned lane = 0; lane < 16; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    std::memcpy(reinterpret_cast<char*>(&x) + lane * 4, static_cast<const char*>(from) + lane * 4,
                4);
  }
  return x;
}

template <class Vector>
void store_lanes(unsigned mask, void* to, const Vector& x) {
  for (unsigned lane = 0; lane < 16; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    std::memcpy(static_cast<char*>(to) + lane * 4, reinterpret_cast<const char*>(&x) + lane * 4, 4);
  }
}

simde__m512 emulated_load(unsigned mask, const void* from) {
  return load_lanes<simde__m512>(mask, from);
}
void emulated_store(void* to, unsigned mask, simde__m512 x) {
  store_lanes(mask, to, x);
}
simde__m512i emulated_load_integers(unsigned mask, const void* from) {
  return load_lanes<simde__m512i>(mask, from);
}
void emulated_store_integers(void* to, unsigned mask, simde__m512i x) {
  store_lanes(mask, to, x);
}

/// Quarters 0 and 1 of the result are of a, the others of b; two bits of `which` choose each.
simde__m512 emulated_shuffle(simde__m512 a, simde__m512 b, unsigned which) {
  simde__m512 x;
  for (unsigned quarter = 0; quarter < 4; ++quarter) {
    const simde__m512& source = quarter < 2 ? a : b;
    std::memcpy(reinterpret_cast<char*>(&x) + quarter * 16,
                reinterpret_cast<const char*>(&source) + (which >> (2 * quarter) & 3U) * 16, 16);
  }
  return x;
}

}  // namespace

using __mmask16 = std::uint16_t;
#define SFUMATO_AVX512
#define SFUMATO_COMPILED_KERNELS
#include "sfumato/cpu/vectors/choose_kernels.hpp"
#include "sfumato/cpu/vectors/kernels.hpp"

const sfumato::cpu::VectorKernels* sfumato::cpu::vector_kernels() {
  return &avx512::kKernels;
}
