// Half precision and bfloat16.

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "sfumato/core/half.hpp"
#include "sfumato/core/random.hpp"
#include "sfumato/cpu/cpu.hpp"

namespace sfumato::core_half_test {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A half's value by the definition of IEEE 754, in double precision.
double half_value(std::uint16_t half) {
  const int exponent = (half >> 10) & 0x1F;
  const int mantissa = half & 0x3FF;
  const double sign = (half & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) return mantissa == 0 ? sign * HUGE_VAL : std::nan("");
  return sign *
         (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

/// The float halfway between the finite half `bits` and the next larger one; exact.
float midpoint(std::uint16_t bits) {
  const auto next = static_cast<std::uint16_t>(bits + 1);
  // Halves end at 65504; the next would be 65536.
  const double above = next == 0x7C00 ? 65536.0 : half_value(next);
  return static_cast<float>((half_value(bits) + above) / 2.0);
}

std::uint32_t bits_of(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

}  // namespace

TEST_CASE("every half has the value that IEEE 754 defines") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto half = static_cast<std::uint16_t>(i);
    const double expected = half_value(half);
    const float value = half_to_float(half);
    if (std::isnan(expected) ? !std::isnan(value) : static_cast<double>(value) != expected) ++wrong;
    if (std::signbit(value) != ((half & 0x8000) != 0)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("all 65536 halves round trip") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto half = static_cast<std::uint16_t>(i);
    const std::uint16_t back = float_to_half(half_to_float(half));
    const bool is_nan = (half & 0x7FFF) > 0x7C00;
    if (is_nan ? (back & 0x7FFF) <= 0x7C00 || ((back ^ half) & 0x8000) != 0 : back != half) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("floats round to the nearest half, ties to even") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 0x7C00; ++i) {
    const auto half = static_cast<std::uint16_t>(i);
    const auto next = static_cast<std::uint16_t>(i + 1);
    const std::uint16_t even = (half & 1) == 0 ? half : next;
    const float middle = midpoint(half);
    const float below = std::nextafter(middle, -kInfinity);
    const float above = std::nextafter(middle, kInfinity);
    if (float_to_half(middle) != even) ++wrong;
    if (float_to_half(below) != half || float_to_half(above) != next) ++wrong;
    if (float_to_half(-middle) != (even | 0x8000)) ++wrong;
    if (float_to_half(-below) != (half | 0x8000)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("known halves") {
  CHECK(half_to_float(0x3C00) == 1.0F);
  CHECK(half_to_float(0xC000) == -2.0F);
  CHECK(half_to_float(0x3555) == 0.333251953125F);
  CHECK(half_to_float(0x7BFF) == 65504.0F);
  CHECK(half_to_float(0x0400) == 0x1p-14F);  // the smallest normal
  CHECK(half_to_float(0x03FF) == 1023.0F * 0x1p-24F);
  CHECK(half_to_float(0x0001) == 0x1p-24F);  // the smallest subnormal
  CHECK(bits_of(half_to_float(0x8000)) == bits_of(-0.0F));
  CHECK(half_to_float(0xFC00) == -kInfinity);
  CHECK(float_to_half(1.0F / 3.0F) == 0x3555);
}

TEST_CASE("floats too large for a half become infinity") {
  CHECK(float_to_half(65519.996F) == 0x7BFF);
  CHECK(float_to_half(65520.0F) == 0x7C00);  // the tie between 65504 and 65536
  CHECK(float_to_half(-65520.0F) == 0xFC00);
  CHECK(float_to_half(std::numeric_limits<float>::max()) == 0x7C00);
  CHECK(float_to_half(kInfinity) == 0x7C00);
  CHECK(float_to_half(-kInfinity) == 0xFC00);
}

TEST_CASE("floats too small for a half become zero of their sign") {
  CHECK(float_to_half(0x1p-25F) == 0);  // the tie between 0 and 2^-24
  CHECK(float_to_half(std::nextafter(0x1p-25F, 1.0F)) == 1);
  CHECK(float_to_half(-0x1p-25F) == 0x8000);
  CHECK(float_to_half(-0.0F) == 0x8000);
  CHECK(float_to_half(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(float_to_half(std::nextafter(0x1p-14F, 0.0F)) == 0x0400);  // up into the normals
}

TEST_CASE("NaN stays NaN, whatever its payload") {
  for (const std::uint32_t bits : {0x7F800001U, 0x7F801000U, 0x7FBFFFFFU, 0x7FC00000U, 0x7FFFFFFFU,
                                   0xFF800001U, 0xFFC00000U, 0xFFFFFFFFU}) {
    CAPTURE(bits);
    const auto value = std::bit_cast<float>(bits);
    const float half = half_to_float(float_to_half(value));
    const float brain = bfloat16_to_float(float_to_bfloat16(value));
    CHECK(std::isnan(half));
    CHECK(std::isnan(brain));
    CHECK(std::signbit(half) == ((bits >> 31) != 0));
    CHECK(std::signbit(brain) == ((bits >> 31) != 0));
  }
}

TEST_CASE("every bfloat16 is the upper half of a float and round trips") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto brain = static_cast<std::uint16_t>(i);
    const float value = bfloat16_to_float(brain);
    if ((brain & 0x7FFF) > 0x7F80) {
      if (!std::isnan(value) || !std::isnan(bfloat16_to_float(float_to_bfloat16(value)))) {
        ++wrong;
      }
    } else if (bits_of(value) != i << 16 || float_to_bfloat16(value) != brain) {
      ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("floats round to the nearest bfloat16, ties to even") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 0x7F80; ++i) {  // the last one rounds up to infinity
    const std::uint32_t even = (i & 1) == 0 ? i : i + 1;
    const auto converted = [&](std::uint32_t lower) -> std::uint32_t {
      return float_to_bfloat16(std::bit_cast<float>(i << 16 | lower));
    };
    if (converted(0x7FFF) != i || converted(0x8000) != even || converted(0x8001) != i + 1) ++wrong;
    const auto negative = std::bit_cast<float>(0x80000000U | i << 16 | 0x8000U);
    if (float_to_bfloat16(negative) != (even | 0x8000U)) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(float_to_bfloat16(1.0F + 0x1p-8F) == 0x3F80);
  CHECK(float_to_bfloat16(std::numeric_limits<float>::max()) == 0x7F80);
  CHECK(float_to_bfloat16(-kInfinity) == 0xFF80);
}

TEST_CASE("doubles are rounded once, not to a float first, where they would be ties") {
  const double little = 0x1p-40;
  int wrong = 0;
  for (std::uint32_t i = 0; i < 0x7C00; ++i) {
    const auto half = static_cast<std::uint16_t>(i);
    const auto next = static_cast<std::uint16_t>(i + 1);
    const auto middle = static_cast<double>(midpoint(half));
    for (const double sign : {1.0, -1.0}) {
      const auto negative = static_cast<std::uint16_t>(sign < 0.0 ? 0x8000 : 0);
      const auto bits = [&](double factor) { return Half(sign * middle * factor).bits(); };
      if (bits(1.0 - little) != (half | negative)) ++wrong;
      if (bits(1.0 + little) != (next | negative)) ++wrong;
      if (bits(1.0) != (((half & 1) == 0 ? half : next) | negative)) ++wrong;
    }
  }
  CHECK(wrong == 0);
  CHECK(BFloat16(1.0 + 0x1p-8 + little).bits() == 0x3F81);
  CHECK(BFloat16(1.0 + 0x3p-8 - little).bits() == 0x3F81);
  CHECK(BFloat16(-1.0 - 0x1p-8 - little).bits() == 0xBF81);
  CHECK(BFloat16((std::int64_t{1} << 40) + (std::int64_t{1} << 32) + 1).bits() == 0x5381);
  CHECK(Half(65520.0 - 1e-9).bits() == 0x7BFF);
  CHECK(Half(1e300).bits() == 0x7C00);
  CHECK(BFloat16(-1e300).bits() == 0xFF80);
  CHECK(Half(-1e-300).bits() == 0x8000);
  CHECK(BFloat16(-static_cast<double>(kInfinity)).bits() == 0xFF80);
  CHECK(std::isnan(static_cast<float>(Half(std::nan("")))));
}

TEST_CASE("random floats end at the nearest half") {
  Random random(7);
  int wrong = 0;
  for (int i = 0; i < 200'000; ++i) {
    // All exponents that halves have, and some that they don't.
    const double magnitude =
        std::ldexp(1.0 + random.uniform(), static_cast<int>(random.below(44)) - 27);
    const auto value = static_cast<float>(magnitude);
    if (value >= 65520.0F) continue;
    const std::uint16_t half = float_to_half(value);
    const double distance = std::abs(half_value(half) - static_cast<double>(value));
    const auto other = [&](int step) {
      return half_value(static_cast<std::uint16_t>(std::clamp(half + step, 0, 0x7BFF)));
    };
    if (distance > std::abs(other(1) - static_cast<double>(value))) ++wrong;
    if (distance > std::abs(other(-1) - static_cast<double>(value))) ++wrong;
  }
  CHECK(wrong == 0);
}

}  // namespace sfumato::core_half_test
