#pragma once

#include <concepts>
#include <type_traits>

#include "sfumato/core/device.hpp"

namespace sfumato {

/// The quotient of whole numbers that are not negative, rounded up.
template <std::integral T>
SFUMATO_HOST_DEVICE constexpr T ceil_div(T value, std::type_identity_t<T> divisor) {
  return (value + divisor - 1) / divisor;
}

/// The next multiple of `unit` from `value` on.
template <std::integral T>
SFUMATO_HOST_DEVICE constexpr T round_up(T value, std::type_identity_t<T> unit) {
  return ceil_div(value, unit) * unit;
}

}  // namespace sfumato
