#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sfumato/core/tensor.hpp"

namespace neural_style {

namespace detail {

inline constexpr std::int64_t kLetterWidth = 5;
inline constexpr std::int64_t kLetterHeight = 9;  // two rows of which are below the line
using Letter = std::array<std::uint8_t, static_cast<std::size_t>(kLetterHeight)>;

/// Letters of 5 x 9 dots, a number for each row; its bits from 16 to 1 are dots from the left.
inline constexpr std::array<std::pair<char, Letter>, 49> kLetters{{
    {'a', {0, 0, 14, 1, 15, 17, 15, 0, 0}},    {'b', {16, 16, 30, 17, 17, 17, 30, 0, 0}},
    {'c', {0, 0, 14, 17, 16, 17, 14, 0, 0}},   {'d', {1, 1, 15, 17, 17, 17, 15, 0, 0}},
    {'e', {0, 0, 14, 17, 31, 16, 14, 0, 0}},   {'f', {6, 9, 8, 28, 8, 8, 8, 0, 0}},
    {'g', {0, 0, 15, 17, 17, 17, 15, 1, 14}},  {'h', {16, 16, 22, 25, 17, 17, 17, 0, 0}},
    {'i', {4, 0, 12, 4, 4, 4, 14, 0, 0}},      {'j', {2, 0, 6, 2, 2, 2, 2, 18, 12}},
    {'k', {16, 16, 18, 20, 24, 20, 18, 0, 0}}, {'l', {12, 4, 4, 4, 4, 4, 14, 0, 0}},
    {'m', {0, 0, 26, 21, 21, 21, 21, 0, 0}},   {'n', {0, 0, 22, 25, 17, 17, 17, 0, 0}},
    {'o', {0, 0, 14, 17, 17, 17, 14, 0, 0}},   {'p', {0, 0, 30, 17, 17, 17, 30, 16, 16}},
    {'q', {0, 0, 15, 17, 17, 17, 15, 1, 1}},   {'r', {0, 0, 22, 25, 16, 16, 16, 0, 0}},
    {'s', {0, 0, 15, 16, 14, 1, 30, 0, 0}},    {'t', {8, 8, 28, 8, 8, 9, 6, 0, 0}},
    {'u', {0, 0, 17, 17, 17, 19, 13, 0, 0}},   {'v', {0, 0, 17, 17, 17, 10, 4, 0, 0}},
    {'w', {0, 0, 17, 17, 21, 21, 10, 0, 0}},   {'x', {0, 0, 17, 10, 4, 10, 17, 0, 0}},
    {'y', {0, 0, 17, 17, 17, 17, 15, 1, 14}},  {'z', {0, 0, 31, 2, 4, 8, 31, 0, 0}},
    {'0', {14, 17, 17, 21, 17, 17, 14, 0, 0}}, {'1', {4, 12, 4, 4, 4, 4, 14, 0, 0}},
    {'2', {14, 17, 1, 2, 4, 8, 31, 0, 0}},     {'3', {14, 17, 1, 6, 1, 17, 14, 0, 0}},
    {'4', {2, 6, 10, 18, 31, 2, 2, 0, 0}},     {'5', {31, 16, 30, 1, 1, 17, 14, 0, 0}},
    {'6', {6, 8, 16, 30, 17, 17, 14, 0, 0}},   {'7', {31, 1, 2, 4, 8, 8, 8, 0, 0}},
    {'8', {14, 17, 17, 14, 17, 17, 14, 0, 0}}, {'9', {14, 17, 17, 15, 1, 2, 12, 0, 0}},
    {' ', {0, 0, 0, 0, 0, 0, 0, 0, 0}},        {'-', {0, 0, 0, 14, 0, 0, 0, 0, 0}},
    {'_', {0, 0, 0, 0, 0, 0, 31, 0, 0}},       {'.', {0, 0, 0, 0, 0, 12, 12, 0, 0}},
    {',', {0, 0, 0, 0, 0, 12, 12, 4, 8}},      {':', {0, 12, 12, 0, 12, 12, 0, 0, 0}},
    {'=', {0, 0, 31, 0, 31, 0, 0, 0, 0}},      {'+', {0, 4, 4, 31, 4, 4, 0, 0, 0}},
    {'/', {1, 1, 2, 4, 8, 16, 16, 0, 0}},      {'%', {24, 25, 2, 4, 8, 19, 3, 0, 0}},
    {'(', {2, 4, 8, 8, 8, 4, 2, 0, 0}},        {')', {8, 4, 2, 2, 2, 4, 8, 0, 0}},
    {'?', {14, 17, 1, 2, 4, 0, 4, 0, 0}},
}};

inline const Letter& letter_of(char wanted) {
  const char small = static_cast<char>(std::tolower(static_cast<unsigned char>(wanted)));
  for (const auto& [letter, rows] : kLetters) {
    if (letter == small) return rows;
  }
  return kLetters.back().second;
}

}  // namespace detail

/// How wide a line of letters is whose dots have sides of `dot` pixels; each is followed by a gap.
inline std::int64_t width_of_line(std::string_view line, std::int64_t dot) {
  return static_cast<std::int64_t>(line.size()) * (detail::kLetterWidth + 1) * dot;
}

/// How high it is.
inline std::int64_t height_of_line(std::int64_t dot) {
  return detail::kLetterHeight * dot;
}

/// Writes a line in black onto pixels (height, width, 3), its upper left corner at (top, left);
/// what is beyond their edges is left out.
inline void draw_line(sfumato::Tensor<std::uint8_t>& pixels, std::int64_t top, std::int64_t left,
                      std::string_view line, std::int64_t dot) {
  constexpr std::uint8_t kInk = 20;
  const auto draw_dot = [&](std::int64_t y, std::int64_t x) {
    for (std::int64_t i = std::max<std::int64_t>(y, 0); i < std::min(y + dot, pixels.size(0));
         ++i) {
      for (std::int64_t j = std::max<std::int64_t>(x, 0); j < std::min(x + dot, pixels.size(1));
           ++j) {
        std::fill_n(pixels.data() + 3 * (i * pixels.size(1) + j), 3, kInk);
      }
    }
  };
  for (const char each : line) {
    const detail::Letter& letter = detail::letter_of(each);
    for (std::int64_t row = 0; row < detail::kLetterHeight; ++row) {
      for (std::int64_t column = 0; column < detail::kLetterWidth; ++column) {
        const unsigned bits = letter[static_cast<std::size_t>(row)];
        if ((bits >> (detail::kLetterWidth - 1 - column) & 1U) == 0) continue;
        draw_dot(top + row * dot, left + column * dot);
      }
    }
    left += (detail::kLetterWidth + 1) * dot;
  }
}

}  // namespace neural_style
