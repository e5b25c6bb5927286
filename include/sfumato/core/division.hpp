#pragma once

#include <cstdint>

#include "sfumato/core/device.hpp"

namespace sfumato {

/// The quotient of whole numbers that are not negative, rounded up.
SFUMATO_HOST_DEVICE constexpr std::int64_t ceil_div(std::int64_t value, std::int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

/// The next multiple of `unit` from `value` on.
SFUMATO_HOST_DEVICE constexpr std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return ceil_div(value, unit) * unit;
}

}  // namespace sfumato
