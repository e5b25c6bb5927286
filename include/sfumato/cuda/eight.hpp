#pragma once

#include <cstdint>

#include "sfumato/core/device.hpp"

namespace sfumato::cuda {

/// Eight neighbours, which move as 16 bytes at a time where they lie so: GPUs are slow to fetch
/// them one by one.
template <class T>
struct alignas(sizeof(T) == 1 ? 8 : 16) Eight {
  T values[8];

  static SFUMATO_HOST_DEVICE bool fits(const T* place, std::int64_t count) {
    return count >= 8 && reinterpret_cast<std::uintptr_t>(place) % alignof(Eight) == 0;
  }
  /// The first `count` come from memory, the others are zero.
  static SFUMATO_HOST_DEVICE Eight load(const T* from, std::int64_t count) {
    if (fits(from, count)) return *reinterpret_cast<const Eight*>(from);
    Eight eight{};
    for (int i = 0; i < 8; ++i) {
      if (i < count) eight.values[i] = from[i];
    }
    return eight;
  }
  static SFUMATO_HOST_DEVICE Eight repeat(T value) {
    Eight eight{};
    for (T& each : eight.values) each = value;
    return eight;
  }
  /// Writes the first `count`.
  SFUMATO_HOST_DEVICE void store(T* to, std::int64_t count) const {
    if (fits(to, count)) {
      *reinterpret_cast<Eight*>(to) = *this;
      return;
    }
    for (int i = 0; i < 8; ++i) {
      if (i < count) to[i] = values[i];
    }
  }
};

}  // namespace sfumato::cuda
