#pragma once

// Matrix products for the emulated libraries, by Eigen: nothing of sfumato's own kernels is in
// them, so that the two can be held against each other.

#include <Eigen/Core>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace emulator {

template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using ColumnMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

/// What a tensor core makes of a float: eight bits of exponent, ten of mantissa.
inline float tf32(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x1000u) & 0xffffe000u;
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

/// The values themselves, or rounded copies of them in `copies`.
template <class T>
const T* operand(const T* values, std::int64_t count, bool round_to_tf32, std::vector<T>& copies) {
  if constexpr (std::is_same_v<T, float>) {
    if (round_to_tf32) {
      copies.resize(static_cast<std::size_t>(count));
      for (std::int64_t i = 0; i < count; ++i)
        copies[static_cast<std::size_t>(i)] = tf32(values[i]);
      return copies.data();
    }
  }
  return values;
}

}  // namespace emulator
