#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

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

template <class From, class T, class Convert>
void convert_values(const std::uint8_t* bytes, std::vector<T>& values, const Convert& convert) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    From stored;
    std::memcpy(&stored, bytes + i * sizeof(From), sizeof(From));
    values[i] = static_cast<T>(convert(stored));
  }
}

/// Stored values as T: floating-point types are converted into each other, integers must match.
/// Returns false when they can't be.
template <class T>
bool decode_values(StoredType type, const std::uint8_t* bytes, std::vector<T>& values) {
  const auto same = [](auto value) { return value; };
  if constexpr (Real<T>) {
    switch (type) {
      case StoredType::kF64:
        convert_values<double>(bytes, values, same);
        return true;
      case StoredType::kF32:
        convert_values<float>(bytes, values, same);
        return true;
      case StoredType::kF16:
        convert_values<std::uint16_t>(bytes, values, half_to_float);
        return true;
      case StoredType::kBF16:
        convert_values<std::uint16_t>(bytes, values, bfloat16_to_float);
        return true;
      default:
        return false;
    }
  } else {
    if (type != natural_type<T>()) return false;
    convert_values<T>(bytes, values, same);
    return true;
  }
}

}  // namespace detail

}  // namespace sfumato::io
