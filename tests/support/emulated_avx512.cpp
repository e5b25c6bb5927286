// The kernels for AVX-512 with SIMDe's vectors in the place of the processor's, and those for AMX
// with tiles of our own, so that they are tested where no processor has them.

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "sfumato/core/half.hpp"

// What SIMDe 0.7 lacks.
#undef _mm512_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#undef _mm512_maskz_loadu_epi32
#undef _mm512_mask_storeu_epi32
#undef _mm512_shuffle_f32x4
#undef _mm512_cvtepu16_epi32
#undef _mm512_cvtepi32_epi16
#undef _mm256_maskz_loadu_epi16
#undef _mm256_mask_storeu_epi16
#undef _mm512_cvtps_epi32
#undef _mm512_maskz_cvtepi32_ps
#undef _tile_loadconfig
#undef _tile_release
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#undef _tile_dpbssd
#undef _tile_zero
#define _mm512_maskz_loadu_ps emulated_load
#define _mm512_mask_storeu_ps emulated_store
#define _mm512_maskz_loadu_epi32 emulated_load_integers
#define _mm512_mask_storeu_epi32 emulated_store_integers
#define _mm512_shuffle_f32x4 emulated_shuffle
#define _mm512_cvtepu16_epi32 emulated_widening
#define _mm512_cvtepi32_epi16 emulated_narrowing
#define _mm256_maskz_loadu_epi16 emulated_load_halves
#define _mm256_mask_storeu_epi16 emulated_store_halves
#define _mm512_cvtps_epi32 emulated_rounding
#define _mm512_maskz_cvtepi32_ps emulated_conversion
#define _tile_loadconfig emulated_configuration
#define _tile_release emulated_release
#define _tile_loadd emulated_tile_load
#define _tile_stored emulated_tile_store
#define _tile_dpbf16ps emulated_tile_products
#define _tile_dpbssd emulated_tile_byte_products
#define _tile_zero emulated_tile_zero

namespace {

constexpr unsigned kLanes = 16;

template <class Vector>
Vector load_lanes(unsigned mask, const void* from) {
  constexpr std::size_t kBytes = sizeof(Vector) / kLanes;
  Vector x;
  std::memset(&x, 0, sizeof(x));
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    std::memcpy(reinterpret_cast<char*>(&x) + lane * kBytes,
                static_cast<const char*>(from) + lane * kBytes, kBytes);
  }
  return x;
}

template <class Vector>
void store_lanes(unsigned mask, void* to, const Vector& x) {
  constexpr std::size_t kBytes = sizeof(Vector) / kLanes;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    std::memcpy(static_cast<char*>(to) + lane * kBytes,
                reinterpret_cast<const char*>(&x) + lane * kBytes, kBytes);
  }
}

/// Lane by lane from one size of integer to another.
template <class To, class ToVector, class From, class FromVector>
ToVector convert_lanes(const FromVector& x) {
  From from[kLanes];
  To to[kLanes];
  std::memcpy(from, &x, sizeof(from));
  for (unsigned lane = 0; lane < kLanes; ++lane) to[lane] = static_cast<To>(from[lane]);
  ToVector result;
  std::memcpy(&result, to, sizeof(to));
  return result;
}

simde__m512i emulated_widening(simde__m256i x) {
  return convert_lanes<std::uint32_t, simde__m512i, std::uint16_t>(x);
}
simde__m256i emulated_narrowing(simde__m512i x) {
  return convert_lanes<std::uint16_t, simde__m256i, std::uint32_t>(x);
}
simde__m256i emulated_load_halves(unsigned mask, const void* from) {
  return load_lanes<simde__m256i>(mask, from);
}
void emulated_store_halves(void* to, unsigned mask, simde__m256i x) {
  store_lanes(mask, to, x);
}

simde__m512i emulated_rounding(const simde__m512& x) {
  float from[kLanes];
  std::memcpy(from, &x, sizeof(from));
  for (float& value : from) value = std::nearbyint(value);
  simde__m512 rounded;
  std::memcpy(&rounded, from, sizeof(from));
  return convert_lanes<std::int32_t, simde__m512i, float>(rounded);
}
simde__m512 emulated_conversion(unsigned, const simde__m512i& x) {
  return convert_lanes<float, simde__m512, std::int32_t>(x);
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

// Tile registers: 16 rows of 64 bytes, which must have been configured.
struct Tile {
  unsigned char bytes[16][64];
};
thread_local Tile tiles[8];
thread_local bool configured = false;

Tile& tile(int index) {
  if (!configured) std::abort();
  return tiles[index];
}
void emulated_configuration(const void* configuration) {
  const auto* const bytes = static_cast<const unsigned char*>(configuration);
  configured = bytes[0] == 1;
  for (int i = 0; i < 8; ++i) {
    configured = configured && bytes[16 + 2 * i] == 64 && bytes[48 + i] == 16;
  }
}
void emulated_release() {
  configured = false;
}
void emulated_tile_load(int to, const void* from, std::ptrdiff_t stride) {
  for (int row = 0; row < 16; ++row) {
    std::memcpy(tile(to).bytes[row], static_cast<const unsigned char*>(from) + row * stride, 64);
  }
}
void emulated_tile_store(int from, void* to, std::ptrdiff_t stride) {
  for (int row = 0; row < 16; ++row) {
    std::memcpy(static_cast<unsigned char*>(to) + row * stride, tile(from).bytes[row], 64);
  }
}
template <class T>
T element(const Tile& from, int row, int column) {
  T value;
  std::memcpy(&value, from.bytes[row] + static_cast<int>(sizeof(T)) * column, sizeof(T));
  return value;
}
/// sums[i][j] += Σ over pairs k of a[i][2 k] b[k][2 j] + a[i][2 k + 1] b[k][2 j + 1]
void emulated_tile_products(int sums, int a, int b) {
  using sfumato::BFloat16;
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) {
      auto sum = element<float>(tile(sums), i, j);
      for (int k = 0; k < 32; ++k) {
        sum += static_cast<float>(element<BFloat16>(tile(a), i, k)) *
               static_cast<float>(element<BFloat16>(tile(b), k / 2, 2 * j + k % 2));
      }
      std::memcpy(tile(sums).bytes[i] + 4 * j, &sum, sizeof(sum));
    }
  }
}
/// sums[i][j] += Σ over k and q < 4 of a[i][4 k + q] b[k][4 j + q]
__attribute__((optimize("O3"))) void emulated_tile_byte_products(int sums, int a, int b) {
  const Tile left = tile(a);
  const Tile right = tile(b);
  float total[16][16] = {};  // exact, and faster than whole numbers without a processor's help
  for (int k = 0; k < 64; ++k) {
    float factors[16];
    for (int j = 0; j < 16; ++j)
      factors[j] = static_cast<std::int8_t>(right.bytes[k / 4][4 * j + k % 4]);
    for (int i = 0; i < 16; ++i) {
      const float x = static_cast<std::int8_t>(left.bytes[i][k]);
      for (int j = 0; j < 16; ++j) total[i][j] += x * factors[j];
    }
  }
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) {
      const int sum = element<std::int32_t>(tile(sums), i, j) + static_cast<int>(total[i][j]);
      std::memcpy(tile(sums).bytes[i] + 4 * j, &sum, sizeof(sum));
    }
  }
}
void emulated_tile_zero(int index) {
  std::memset(tile(index).bytes, 0, sizeof(Tile));
}

}  // namespace

using __mmask16 = std::uint16_t;
#define SFUMATO_AVX512
#define SFUMATO_AMX
#define SFUMATO_COMPILED_KERNELS
#include "sfumato/cpu/kernels/choose_kernels.hpp"
#include "sfumato/cpu/kernels/kernels.hpp"

namespace sfumato::cpu {

template <class Table>
const Table& kernels() {
  return kAmxKernels<Table>;
}

template const MatrixKernels& kernels();
template const ElementKernels<float>& kernels();
template const ElementKernels<BFloat16>& kernels();
template const ConvolutionKernels<float>& kernels();
template const ConvolutionKernels<BFloat16>& kernels();

}  // namespace sfumato::cpu
