#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "sfumato/core/device.hpp"

/// Numbers of 16 bits. They save memory, not work: whatever is computed with them is computed in
/// float and rounded once, when it is stored.
namespace sfumato {

/// IEEE 754 half precision to float; exact.
SFUMATO_HOST_DEVICE constexpr float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) {
    // Zero or subnormal: mantissa · 2^-24.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  const std::uint32_t wide_exponent = exponent == 0x1FU ? 0xFFU : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (mantissa << 13));
}

/// Float to the nearest half, ties to even; too large becomes infinity, NaN stays NaN.
SFUMATO_HOST_DEVICE constexpr std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);
  constexpr std::uint32_t kOverflow = 0x477FF000U;  // 65520 and above round to infinity
  if (magnitude >= kOverflow) return static_cast<std::uint16_t>(sign | 0x7C00U);
  constexpr std::uint32_t kSmallestNormal = 0x38800000U;  // 2^-14
  if (magnitude < kSmallestNormal) {
    // Adding 1/2 lets the float unit round to a multiple of 2^-24, the step of subnormal halves.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(
        sign | (std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5F)));
  }
  const std::uint32_t odd = (magnitude >> 13) & 1U;
  const std::uint32_t rounded = magnitude + 0xFFFU + odd - (std::uint32_t{127 - 15} << 23);
  return static_cast<std::uint16_t>(sign | (rounded >> 13));
}

/// bfloat16, the upper half of a float, to float; exact.
SFUMATO_HOST_DEVICE constexpr float bfloat16_to_float(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

/// Float to the nearest bfloat16, ties to even; NaN stays NaN.
SFUMATO_HOST_DEVICE constexpr std::uint16_t float_to_bfloat16(float value) {
  // Without a branch, so that loops over it become vectors.
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  const std::uint32_t rounded = bits + 0x7FFFU + ((bits >> 16) & 1U);
  return static_cast<std::uint16_t>((nan ? bits | 0x400000U : rounded) >> 16);
}

namespace detail {

/// A float that rounds to 16 bits as the number itself does: what it can't hold is left in its last
/// bit, which makes it odd, so that nothing between two numbers of 16 bits seems to lie in the
/// middle (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms
/// using rounding to odd", 2008).
SFUMATO_HOST_DEVICE constexpr float round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const double error = value - static_cast<double>(nearest);
  if (error == 0.0 || value - value != 0.0) return nearest;  // exact, infinite or NaN
  const auto bits = std::bit_cast<std::uint32_t>(nearest);
  const bool is_too_large = (error < 0.0) == (value > 0.0);
  return std::bit_cast<float>((is_too_large ? bits - 1 : bits) | 1U);
}

}  // namespace detail

/// IEEE 754 half precision: 11 significant bits, from 6e-8 to 65504. Converts to and from float by
/// itself, so arithmetic gives floats.
class Half {
 public:
  Half() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): what code for any T returns is stored as T
  SFUMATO_HOST_DEVICE constexpr Half(float value) : bits_(float_to_half(value)) {}
  template <class Number>
  requires std::is_arithmetic_v<Number> SFUMATO_HOST_DEVICE explicit constexpr Half(Number value)
      : Half(detail::round_to_odd(static_cast<double>(value))) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  SFUMATO_HOST_DEVICE constexpr operator float() const { return half_to_float(bits_); }
  SFUMATO_HOST_DEVICE constexpr std::uint16_t bits() const { return bits_; }

 private:
  std::uint16_t bits_;
};

/// bfloat16: 8 significant bits and the range of float. Converts to and from float by itself.
class BFloat16 {
 public:
  BFloat16() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): what code for any T returns is stored as T
  SFUMATO_HOST_DEVICE constexpr BFloat16(float value) : bits_(float_to_bfloat16(value)) {}
  template <class Number>
  requires std::is_arithmetic_v<Number> SFUMATO_HOST_DEVICE explicit constexpr BFloat16(
      Number value)
      : BFloat16(detail::round_to_odd(static_cast<double>(value))) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  SFUMATO_HOST_DEVICE constexpr operator float() const { return bfloat16_to_float(bits_); }
  SFUMATO_HOST_DEVICE constexpr std::uint16_t bits() const { return bits_; }

 private:
  std::uint16_t bits_;
};

/// Numbers that are stored in 16 bits and computed with in float.
template <class T>
concept SixteenBits = std::same_as<T, Half> || std::same_as<T, BFloat16>;

/// Numbers with a fraction, of any size.
template <class T>
concept Real = std::floating_point<T> || SixteenBits<T>;

/// What sums and products of T are computed in.
template <class T>
using Compute = std::conditional_t<SixteenBits<T>, float, T>;

namespace detail {
/// What T is added, subtracted and multiplied in: beyond the range of unsigned integers results are
/// modulo 2^bits, and of others undefined.
template <class T>
using Modular = typename std::conditional_t<std::signed_integral<T>, std::make_unsigned<T>,
                                            std::type_identity<T>>::type;
}  // namespace detail

/// What partial results of a reduction of T are combined in: long sums of floats then lose nothing
/// to rounding, and those of small integers do not overflow.
template <class T>
using Wide = std::conditional_t<Real<T>, double, std::int64_t>;

}  // namespace sfumato
