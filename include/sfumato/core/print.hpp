#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <type_traits>
#include <vector>

#include "sfumato/core/half.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/tensor.hpp"

/// Tensors as text, in NumPy's layout: columns of one width, and of many elements only the first
/// and the last three along each axis.
namespace sfumato {

namespace detail {

/// A number of few digits in double, where its own type writes it so: 0.1F is not 0.100000001.
template <class T>
double shortest(T value) {
  if constexpr (std::is_same_v<T, double>) {
    return value;
  } else {
    std::array<char, 32> text{};
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), static_cast<float>(value));
    double result = static_cast<double>(static_cast<float>(value));  // where the text is nan or inf
    std::from_chars(text.data(), end.ptr, result);
    return result;
  }
}

/// How all numbers of one tensor are written.
class NumberFormat {
 public:
  explicit NumberFormat(const std::vector<double>& values) {
    double largest = 0.0;
    double smallest = HUGE_VAL;  // of those that are not 0
    for (const double value : values) {
      if (!std::isfinite(value) || value == 0.0) continue;
      largest = std::max(largest, std::abs(value));
      smallest = std::min(smallest, std::abs(value));
    }
    // NumPy's rule.
    scientific_ =
        largest >= 1e8 || (largest > 0.0 && (smallest < 1e-4 || largest > 1e3 * smallest));
    for (const double value : values) {
      if (std::isfinite(value)) digits_ = std::max(digits_, (*this)(value).digits);
    }
  }

  /// What stands before the point and from it on, of which `digits` are no zeros at the end.
  struct Text {
    std::string before;
    std::string after;
    std::size_t digits = 0;
  };
  Text operator()(double value) const {
    constexpr int kDigits = 8;
    std::array<char, 512> buffer{};
    const auto end = std::to_chars(
        buffer.data(), buffer.data() + buffer.size(), value,
        scientific_ ? std::chars_format::scientific : std::chars_format::fixed, kDigits);
    const std::string text(buffer.data(), end.ptr);
    const std::size_t point = text.find('.');
    if (point == std::string::npos) return {text, "", 0};  // nan, inf
    const std::size_t exponent = std::min(text.find('e'), text.size());
    const std::size_t digits = text.find_last_not_of('0', exponent - 1) - point;
    const std::size_t shown = scientific_ ? std::max(digits, digits_) : digits;
    return {text.substr(0, point), text.substr(point, shown + 1) + text.substr(exponent), digits};
  }
  Text operator()(std::int64_t value) const { return {std::to_string(value), "", 0}; }

 private:
  bool scientific_ = false;
  std::size_t digits_ = 0;  // of the longest number, which are all written with an exponent
};

/// The lines of one tensor. What is left out of many elements is not looked at.
template <class T>
class TensorText {
 public:
  using Number = std::conditional_t<Real<T>, double, std::int64_t>;

  TensorText(const Shape& shape, const std::vector<T>& values)
      : shape_(shape), abbreviated_(values.size() > 1000) {
    std::vector<Number> shown;
    collect(shown, values, 0, 0);
    const NumberFormat format({shown.begin(), shown.end()});
    for (const Number number : shown) {
      texts_.push_back(format(number));
      const auto& [before, after, digits] = texts_.back();
      if (!after.empty() || std::is_integral_v<Number>) before_ = std::max(before_, before.size());
      after_ = std::max(after_, after.size());
    }
    for (const auto& text : texts_) {  // nan and inf stand at the right end of a column
      if (text.before.size() > before_ + after_) before_ = text.before.size() - after_;
    }
  }

  std::string to_string() const {
    if (shape_.numel() == 0) return "[] of shape " + shape_.to_string();
    std::string text;
    std::size_t next = 0;
    add(text, 0, next);
    return text;
  }

 private:
  /// Calls visit(index, is_left_out) for what is shown along an axis; for the gap with true.
  template <class Visit>
  void for_each_shown(int axis, const Visit& visit) const {
    constexpr std::int64_t kEdge = 3;
    const std::int64_t extent = shape_[axis];
    const bool has_gap = abbreviated_ && extent > 2 * kEdge;
    for (std::int64_t i = 0; i < extent; ++i) {
      if (has_gap && i == kEdge) {
        visit(i, true);
        i = extent - kEdge;
      }
      visit(i, false);
    }
  }

  void collect(std::vector<Number>& shown, const std::vector<T>& values, int axis,
               std::size_t first) const {
    if (axis == shape_.rank()) {
      if constexpr (Real<T>) {
        shown.push_back(shortest(values[first]));
      } else {
        shown.push_back(values[first]);
      }
      return;
    }
    for_each_shown(axis, [&](std::int64_t i, bool is_gap) {
      const std::size_t inside = first * static_cast<std::size_t>(shape_[axis]);
      if (!is_gap) collect(shown, values, axis + 1, inside + static_cast<std::size_t>(i));
    });
  }

  /// `next` is the number of the next text.
  void add(std::string& text, int axis, std::size_t& next) const {
    if (axis == shape_.rank()) {
      const auto& [before, after, digits] = texts_[next++];
      const std::size_t right = after.empty() ? after_ : 0;
      text += std::string(before_ + right - before.size(), ' ') + before + after;
      if (right == 0) text += std::string(after_ - after.size(), ' ');
      return;
    }
    const bool is_last = axis + 1 == shape_.rank();
    const std::string between =
        is_last ? " "
                : std::string(static_cast<std::size_t>(shape_.rank() - axis - 1), '\n') +
                      std::string(static_cast<std::size_t>(axis + 1), ' ');
    text += '[';
    for_each_shown(axis, [&](std::int64_t i, bool is_gap) {
      if (i > 0) text += between;
      if (is_gap) {
        text += "...";
      } else {
        if (is_last) wrap(text, axis);
        add(text, axis + 1, next);
      }
    });
    text += ']';
  }

  /// Begins a new line where the next number would reach beyond column 75.
  void wrap(std::string& text, int axis) const {
    constexpr std::size_t kWidth = 75;
    const std::size_t line = text.rfind('\n') + 1;  // 0 where there is none
    if (text.size() - line + before_ + after_ < kWidth) return;
    if (text.back() == ' ') text.pop_back();
    text += '\n' + std::string(static_cast<std::size_t>(axis + 1), ' ');
  }

  Shape shape_;
  bool abbreviated_;
  std::vector<NumberFormat::Text> texts_;  // of what is shown, in order
  std::size_t before_ = 0;
  std::size_t after_ = 0;
};

}  // namespace detail

/// The values in NumPy's layout; "undefined" where there are none.
template <class T, class Device>
std::string to_string(const Tensor<T, Device>& tensor) {
  if (!tensor.defined()) return "undefined";
  return detail::TensorText<T>(tensor.shape(), tensor.to_vector()).to_string();
}

// With <iosfwd> alone: whoever prints has included the stream.

template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                             const Shape& shape) {
  return out << shape.to_string();
}

template <class Traits, class T, class Device>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                             const Tensor<T, Device>& tensor) {
  return out << to_string(tensor);
}

}  // namespace sfumato
