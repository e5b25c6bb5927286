#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/half.hpp"

namespace sfumato::io {

/// How numbers are stored in a file.
enum class StoredType { kF64, kF32, kF16, kBF16, kI64, kI32, kU8 };

namespace detail {

struct StoredTypeInfo {
  StoredType type;
  const char* name;
  std::size_t bytes;
};
inline constexpr std::array<StoredTypeInfo, 7> kStoredTypes{{{StoredType::kF64, "F64", 8},
                                                             {StoredType::kF32, "F32", 4},
                                                             {StoredType::kF16, "F16", 2},
                                                             {StoredType::kBF16, "BF16", 2},
                                                             {StoredType::kI64, "I64", 8},
                                                             {StoredType::kI32, "I32", 4},
                                                             {StoredType::kU8, "U8", 1}}};

inline const StoredTypeInfo& info(StoredType type) {
  return *std::find_if(kStoredTypes.begin(), kStoredTypes.end(),
                       [&](const StoredTypeInfo& known) { return known.type == type; });
}

/// The stored type of the same kind and size as T.
template <class T>
constexpr StoredType natural_type() {
  if constexpr (std::same_as<T, double>) return StoredType::kF64;
  if constexpr (std::same_as<T, float>) return StoredType::kF32;
  if constexpr (std::same_as<T, Half>) return StoredType::kF16;
  if constexpr (std::same_as<T, BFloat16>) return StoredType::kBF16;
  if constexpr (std::same_as<T, std::int64_t>) return StoredType::kI64;
  if constexpr (std::same_as<T, std::int32_t>) return StoredType::kI32;
  if constexpr (std::same_as<T, std::uint8_t>) return StoredType::kU8;
}

/// How many significant bits a T has.
template <Real T>
constexpr int significant_bits() {
  if constexpr (std::same_as<T, Half>) return 11;
  if constexpr (std::same_as<T, BFloat16>) return 8;
  if constexpr (std::floating_point<T>) return std::numeric_limits<T>::digits;
}

/// Whether a T holds a whole number exactly. Only Half has a range that is too small for some.
template <class T, std::integral From>
bool holds_exactly(From value) {
  if constexpr (Real<T>) {
    const auto bits = static_cast<std::uint64_t>(value);
    const std::uint64_t size = std::cmp_less(value, 0) ? ~bits + 1 : bits;
    if (size == 0) return true;
    const int width = static_cast<int>(std::bit_width(size)) - std::countr_zero(size);
    return width <= significant_bits<T>() && (!std::same_as<T, Half> || size <= 65504);
  } else {
    return std::in_range<T>(value);
  }
}

/// Stored values as T: floating-point types are converted into each other, and whole numbers that T
/// holds exactly into these; as whole numbers they must match. Returns false when they can't be.
/// `fail` is called with what is wrong, to stand after a tensor's name, where a finite number would
/// become infinity or a whole one another, and must throw.
template <class T, class Fail>
bool decode_values(StoredType type, const std::uint8_t* bytes, std::vector<T>& values,
                   const Fail& fail) {
  const auto convert = [&]<class From>(From stored, const auto& value_of) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::memcpy(&stored, bytes + i * sizeof(From), sizeof(From));
      const auto value = value_of(stored);
      values[i] = static_cast<T>(value);
      if constexpr (Real<T>) {
        if (std::isfinite(value) && !std::isfinite(static_cast<double>(values[i]))) {
          fail(message("holds ", value, " as ", info(type).name, ", which is too large for ",
                       info(natural_type<T>()).name, "; ask for another type"));
        }
      }
    }
    return true;
  };
  const auto convert_exactly = [&]<class From>(From stored) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::memcpy(&stored, bytes + i * sizeof(From), sizeof(From));
      if (!holds_exactly<T>(stored)) {
        fail(message("holds ", static_cast<std::int64_t>(stored), " as ", info(type).name,
                     ", which ", info(natural_type<T>()).name,
                     " can't hold exactly; ask for another type"));
      }
      values[i] = static_cast<T>(stored);
    }
    return true;
  };
  const auto same = [](auto value) { return value; };
  if constexpr (Real<T>) {
    if (type == StoredType::kF64) return convert(double{}, same);
    if (type == StoredType::kF32) return convert(float{}, same);
    if (type == StoredType::kF16) return convert(std::uint16_t{}, half_to_float);
    if (type == StoredType::kBF16) return convert(std::uint16_t{}, bfloat16_to_float);
    if (type == StoredType::kI64) return convert_exactly(std::int64_t{});
    if (type == StoredType::kI32) return convert_exactly(std::int32_t{});
    return convert_exactly(std::uint8_t{});
  } else {
    return type == natural_type<T>() && convert(T{}, same);
  }
}

}  // namespace detail

}  // namespace sfumato::io
