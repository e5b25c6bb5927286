#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

#include "sfumato/core/half.hpp"
#include "sfumato/cpu/kernels/targets.hpp"

/// Vectors of 8 floats for any processor, by the vector extensions of GCC and Clang: two of four,
/// as SSE and NEON have registers for. (Of one vector of eight, GCC 12 would keep nothing in
/// registers.) See avx512.hpp for what each function does.
namespace sfumato::cpu::portable {

using Floats = float __attribute__((vector_size(16)));
using Words = std::int32_t __attribute__((vector_size(16)));
using Bits = std::uint32_t __attribute__((vector_size(16)));
using Halves = std::uint16_t __attribute__((vector_size(16)));

struct Vector {
  Floats low;
  Floats high;
};
struct Integers {
  Words low;
  Words high;
};
using Mask = Integers;  ///< all bits set in the elements that are meant

inline constexpr std::int64_t kLanes = 8;
inline constexpr std::int64_t kTileRows = 4;
inline constexpr bool kMultipliesBFloat16 = false;

SFUMATO_ALWAYS_INLINE Vector zero() {
  return {Floats{}, Floats{}};
}
SFUMATO_ALWAYS_INLINE Vector broadcast(float x) {
  const Floats all{x, x, x, x};
  return {all, all};
}
SFUMATO_ALWAYS_INLINE Vector load(const float* from) {
  Vector x;
  __builtin_memcpy(&x, from, sizeof(x));
  return x;
}
SFUMATO_ALWAYS_INLINE void store(float* to, Vector x) {
  __builtin_memcpy(to, &x, sizeof(x));
}

SFUMATO_ALWAYS_INLINE Vector add(Vector a, Vector b) {
  return {a.low + b.low, a.high + b.high};
}
SFUMATO_ALWAYS_INLINE Vector subtract(Vector a, Vector b) {
  return {a.low - b.low, a.high - b.high};
}
SFUMATO_ALWAYS_INLINE Vector multiply(Vector a, Vector b) {
  return {a.low * b.low, a.high * b.high};
}
SFUMATO_ALWAYS_INLINE Vector multiply_add(Vector a, Vector b, Vector c) {
  return {a.low * b.low + c.low, a.high * b.high + c.high};
}
SFUMATO_ALWAYS_INLINE Vector negated_multiply_add(Vector a, Vector b, Vector c) {
  return {c.low - a.low * b.low, c.high - a.high * b.high};
}

SFUMATO_ALWAYS_INLINE Mask mask_below(std::int64_t count) {
  const auto last = static_cast<std::int32_t>(std::clamp<std::int64_t>(count, 0, kLanes));
  const Words end{last, last, last, last};
  return {Words{0, 1, 2, 3} < end, Words{4, 5, 6, 7} < end};
}
SFUMATO_ALWAYS_INLINE Mask mask_between(std::int64_t first, std::int64_t last) {
  const Mask below = mask_below(last);
  const Mask left_out = mask_below(first);
  return {below.low & ~left_out.low, below.high & ~left_out.high};
}
SFUMATO_ALWAYS_INLINE Mask mask_with_bits(Mask mask, std::uint32_t bits) {
  const auto all = static_cast<std::int32_t>(bits);
  const Words set{all, all, all, all};
  return {mask.low & ((set & Words{1, 2, 4, 8}) != Words{}),
          mask.high & ((set & Words{16, 32, 64, 128}) != Words{})};
}
/// A bit for each lane that is meant.
SFUMATO_ALWAYS_INLINE std::uint32_t bits_of(Mask mask) {
  const Words own = (mask.low & Words{1, 2, 4, 8}) | (mask.high & Words{16, 32, 64, 128});
  return static_cast<std::uint32_t>(own[0] | own[1] | own[2] | own[3]);
}
SFUMATO_ALWAYS_INLINE std::uint32_t positive_bits(Vector x) {
  return bits_of({~(x.low <= Floats{}), ~(x.high <= Floats{})});
}
SFUMATO_ALWAYS_INLINE Mask exceeds(Vector b, Vector a) {
  return {~(b.low <= a.low) & (a.low == a.low), ~(b.high <= a.high) & (a.high == a.high)};
}
SFUMATO_ALWAYS_INLINE Integers select(Mask mask, Integers a, Integers otherwise) {
  return {(mask.low & a.low) | (~mask.low & otherwise.low),
          (mask.high & a.high) | (~mask.high & otherwise.high)};
}
SFUMATO_ALWAYS_INLINE Vector select(Mask mask, Vector a, Vector otherwise) {
  return std::bit_cast<Vector>(
      select(mask, std::bit_cast<Integers>(a), std::bit_cast<Integers>(otherwise)));
}
SFUMATO_ALWAYS_INLINE Vector if_then_else_zero(Mask mask, Vector x) {
  return select(mask, x, zero());
}
SFUMATO_ALWAYS_INLINE Vector rectify(Vector x) {
  return if_then_else_zero({~(x.low < Floats{}), ~(x.high < Floats{})}, x);
}

SFUMATO_ALWAYS_INLINE Vector load(const BFloat16* from) {
  Halves halves;
  __builtin_memcpy(&halves, from, sizeof(halves));
  const Halves none{};
  return {std::bit_cast<Floats>(__builtin_shufflevector(none, halves, 0, 8, 1, 9, 2, 10, 3, 11)),
          std::bit_cast<Floats>(__builtin_shufflevector(none, halves, 4, 12, 5, 13, 6, 14, 7, 15))};
}
SFUMATO_ALWAYS_INLINE Halves round_to_halves(Floats x) {
  const Bits bits = std::bit_cast<Bits>(x);
  const Bits rounded = bits + (bits >> 16 & 1U) + 0x7fffU;
  const Bits quiet = bits | 0x400000U;
  const Bits nan = std::bit_cast<Bits>(x != x);
  return std::bit_cast<Halves>(((nan & quiet) | (~nan & rounded)) >> 16);
}
SFUMATO_ALWAYS_INLINE void store(BFloat16* to, Vector x) {
  const Halves halves = __builtin_shufflevector(round_to_halves(x.low), round_to_halves(x.high), 0,
                                                2, 4, 6, 8, 10, 12, 14);
  __builtin_memcpy(static_cast<void*>(to), &halves, sizeof(halves));
}

SFUMATO_ALWAYS_INLINE Integers broadcast(std::int32_t x) {
  const Words all{x, x, x, x};
  return {all, all};
}
SFUMATO_ALWAYS_INLINE Mask equal(Integers a, Integers b) {
  return {a.low == b.low, a.high == b.high};
}
SFUMATO_ALWAYS_INLINE Integers load(const std::uint8_t* from) {
  return {Words{from[0], from[1], from[2], from[3]}, Words{from[4], from[5], from[6], from[7]}};
}
SFUMATO_ALWAYS_INLINE void store(std::uint8_t* to, Integers x) {
  for (int i = 0; i < 4; ++i) {
    to[i] = static_cast<std::uint8_t>(x.low[i]);
    to[4 + i] = static_cast<std::uint8_t>(x.high[i]);
  }
}

template <class S>
SFUMATO_ALWAYS_INLINE auto load(Mask mask, const S* from) {
  const std::uint32_t meant = bits_of(mask);
  if (meant == 0xff) return load(from);
  S values[kLanes] = {};
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    if ((meant >> lane & 1U) != 0) values[lane] = from[lane];
  }
  return load(values);
}
template <class S, class Elements>
SFUMATO_ALWAYS_INLINE void store(Mask mask, S* to, Elements x) {
  const std::uint32_t meant = bits_of(mask);
  if (meant == 0xff) return store(to, x);
  S values[kLanes];
  store(values, x);
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    if ((meant >> lane & 1U) != 0) to[lane] = values[lane];
  }
}

SFUMATO_ALWAYS_INLINE void separate(Vector low, Vector high, Vector& even, Vector& odd) {
  even = {__builtin_shufflevector(low.low, low.high, 0, 2, 4, 6),
          __builtin_shufflevector(high.low, high.high, 0, 2, 4, 6)};
  odd = {__builtin_shufflevector(low.low, low.high, 1, 3, 5, 7),
         __builtin_shufflevector(high.low, high.high, 1, 3, 5, 7)};
}
SFUMATO_ALWAYS_INLINE void interleave(Vector even, Vector odd, Vector& low, Vector& high) {
  low = {__builtin_shufflevector(even.low, odd.low, 0, 4, 1, 5),
         __builtin_shufflevector(even.low, odd.low, 2, 6, 3, 7)};
  high = {__builtin_shufflevector(even.high, odd.high, 0, 4, 1, 5),
          __builtin_shufflevector(even.high, odd.high, 2, 6, 3, 7)};
}

/// Exchanges rows and columns of a 4 × 4 matrix.
SFUMATO_ALWAYS_INLINE void transpose(Floats& a, Floats& b, Floats& c, Floats& d) {
  const Floats ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Floats ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Floats cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Floats cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}
/// The same of an 8 × 8 matrix.
SFUMATO_ALWAYS_INLINE void transpose(Vector (&rows)[kLanes]) {
  transpose(rows[0].low, rows[1].low, rows[2].low, rows[3].low);
  transpose(rows[0].high, rows[1].high, rows[2].high, rows[3].high);
  transpose(rows[4].low, rows[5].low, rows[6].low, rows[7].low);
  transpose(rows[4].high, rows[5].high, rows[6].high, rows[7].high);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) std::swap(rows[i].high, rows[4 + i].low);
}

template <class S>
SFUMATO_ALWAYS_INLINE void load_nines(const S* first, std::int64_t stride, std::int64_t rows,
                                      Vector (&columns)[9]) {
  Vector eight[kLanes];
  float last[kLanes] = {};
#pragma GCC unroll 8
  for (int row = 0; row < kLanes; ++row) {
    eight[row] = row < rows ? load(first + row * stride) : zero();
    if (row < rows) last[row] = first[row * stride + 8];
  }
  transpose(eight);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) columns[i] = eight[i];
  columns[8] = load(last);
}

}  // namespace sfumato::cpu::portable
