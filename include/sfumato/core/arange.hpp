#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>

namespace sfumato::detail {

/// start, start + step, … as long as it is before stop: what Tensor::arange holds.
template <class T>
class Progression {
 public:
  Progression(T start, T stop, T step) : start_(start), stop_(stop), step_(step) {}

  /// How many there are; -1 where step is zero or leads away from stop, or they are 2^40 or more.
  std::int64_t count() const {
    if (step_ == T{0} || (step_ > T{0} ? stop_ < start_ : stop_ > start_)) return -1;
    if constexpr (std::integral<T>) {
      // Modulo 2^64, in which nothing overflows.
      const bool up = step_ > T{0};
      const std::uint64_t distance = up ? wrap(stop_) - wrap(start_) : wrap(start_) - wrap(stop_);
      const std::uint64_t stride = up ? wrap(step_) : 0 - wrap(step_);
      const std::uint64_t count = distance / stride + (distance % stride != 0 ? 1 : 0);
      return count < kTooMany ? static_cast<std::int64_t>(count) : -1;
    } else {
      const auto steps = std::ceil((static_cast<double>(stop_) - static_cast<double>(start_)) /
                                   static_cast<double>(step_));
      if (!(steps < static_cast<double>(kTooMany))) return -1;
      // Dividing may be wrong by one, or by more where a step is less than the distance of
      // neighbouring numbers; what counts is which of them come before stop once rounded.
      std::int64_t before = 0;
      std::int64_t end = start_ == stop_ ? 0 : static_cast<std::int64_t>(steps) + 1;
      while (before < end) {
        const std::int64_t middle = before + (end - before) / 2;
        if (step_ > T{0} ? element(middle) < stop_ : element(middle) > stop_) {
          before = middle + 1;
        } else {
          end = middle;
        }
      }
      return before;
    }
  }

  T element(std::int64_t i) const {
    if constexpr (std::integral<T>) {
      return static_cast<T>(wrap(start_) + static_cast<std::uint64_t>(i) * wrap(step_));
    } else {
      return static_cast<T>(static_cast<double>(start_) +
                            static_cast<double>(i) * static_cast<double>(step_));
    }
  }

 private:
  static constexpr std::uint64_t kTooMany = std::uint64_t{1} << 40;
  static std::uint64_t wrap(T value) { return static_cast<std::uint64_t>(value); }

  T start_;
  T stop_;
  T step_;
};

}  // namespace sfumato::detail
