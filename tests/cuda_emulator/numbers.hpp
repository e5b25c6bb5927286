#pragma once

// The element types that cuBLAS and cuDNN know. The emulated libraries compute in double and round
// once, where a result is stored.

#include <Eigen/Core>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sfumato/core/half.hpp"

namespace emulator {

enum class Number { kFloat, kDouble, kHalf, kBFloat16 };

/// body(a pointer to const elements of that type), for values of any of them.
template <class Body>
decltype(auto) with_type(Number type, const void* values, const Body& body) {
  switch (type) {
    case Number::kFloat:
      return body(static_cast<const float*>(values));
    case Number::kDouble:
      return body(static_cast<const double*>(values));
    case Number::kHalf:
      return body(static_cast<const sfumato::Half*>(values));
    default:
      return body(static_cast<const sfumato::BFloat16*>(values));
  }
}

inline std::size_t bytes_of(Number type) {
  return with_type(type, nullptr, [](const auto* value) { return sizeof(*value); });
}

/// What a tensor core makes of a float: eight bits of exponent, ten of mantissa.
inline float tf32(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x1000u) & 0xffffe000u;
  return std::bit_cast<float>(bits);
}

/// Values of any type as doubles: themselves, or copies.
class Doubles {
 public:
  Doubles(Number type, const void* values, std::int64_t count, bool round_to_tf32 = false) {
    if (type == Number::kDouble) {
      data_ = static_cast<const double*>(values);
      return;
    }
    copies_.resize(static_cast<std::size_t>(count));
    with_type(type, values, [&](const auto* from) {
      if (round_to_tf32) {
        std::transform(from, from + count, copies_.begin(),
                       [](auto value) { return double{tf32(static_cast<float>(value))}; });
      } else {
        std::transform(from, from + count, copies_.begin(),
                       [](auto value) { return static_cast<double>(value); });
      }
    });
    data_ = copies_.data();
  }
  Doubles(const Doubles&) = delete;
  Doubles& operator=(const Doubles&) = delete;

  const double* data() const { return data_; }

 private:
  std::vector<double> copies_;
  const double* data_;
};

/// A double as the type holds it. To 16 bits it goes by float, as on the device.
template <class T>
T rounded(double value) {
  if constexpr (std::same_as<T, double>) {
    return value;
  } else {
    return static_cast<T>(static_cast<float>(value));
  }
}

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColumnMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

}  // namespace emulator
