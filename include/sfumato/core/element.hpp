#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "sfumato/core/device.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/half.hpp"

namespace sfumato {

namespace detail {
/// One question, to which a compiler's complaint is one line.
template <class T, class... Types>
inline constexpr bool is_one_of = (std::is_same_v<T, Types> || ...);
}  // namespace detail

/// What a tensor may hold: float and double for values, Half and BFloat16 for values that should
/// take little memory, integers for indices, labels and pixels.
template <class T>
concept Element =
    detail::is_one_of<T, float, double, Half, BFloat16, std::uint8_t, std::int32_t, std::int64_t>;

/// A device whose memory the processor can read and write in place.
template <class Device>
concept HostAccessible = requires {
  requires Device::kHostAccessible;
};

template <Element T = float, class Device = Cpu>
class Tensor;

/// One element of a tensor: reads as its value, and only an assignment is a change.
template <Element T, class Device>
class ElementReference {
 public:
  ElementReference(Tensor<T, Device> tensor, std::int64_t offset)
      : tensor_(std::move(tensor)), offset_(offset) {}
  operator T() const { return tensor_.read(offset_); }  // NOLINT(google-explicit-constructor)
  ElementReference& operator=(T value) {
    Device::copy_from_host(tensor_.data() + offset_, &value, sizeof(T));
    return *this;
  }
  ElementReference& operator+=(T value) {
    return *this = static_cast<T>(number() + static_cast<detail::Modular<T>>(value));
  }
  ElementReference& operator-=(T value) {
    return *this = static_cast<T>(number() - static_cast<detail::Modular<T>>(value));
  }
  ElementReference& operator*=(T value) {
    return *this = static_cast<T>(number() * static_cast<detail::Modular<T>>(value));
  }
  /// Throws ValueError where integers have no quotient.
  ElementReference& operator/=(T value) {
    if constexpr (std::is_integral_v<T>) {
      const bool overflows = std::is_signed_v<T> && value == static_cast<T>(-1) &&
                             static_cast<T>(*this) == std::numeric_limits<T>::min();
      if (value == 0 || overflows) {
        throw ValueError("tensor: an integer is divided by 0, or the least of all by -1");
      }
    }
    return *this = static_cast<T>(static_cast<T>(*this) / value);
  }
  ElementReference(const ElementReference&) = default;
  ElementReference& operator=(const ElementReference& other) {
    return *this = static_cast<T>(other);
  }

 private:
  detail::Modular<T> number() const {
    return static_cast<detail::Modular<T>>(static_cast<T>(*this));
  }

  Tensor<T, Device> tensor_;  // a share, so that `auto last = x[1](2)` outlives x[1]
  std::int64_t offset_;
};

}  // namespace sfumato
