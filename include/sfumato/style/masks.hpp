#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/style/colors.hpp"

/// Masks: pictures that show by plain colours where regions are. What is between two colours, as
/// at a soft edge, belongs in part to both regions.
namespace sfumato::style {

/// Red, green and blue.
using Color = std::array<std::uint8_t, 3>;

namespace detail {

/// How far two colours may be apart, in a channel, that are taken for one: JPEG changes them a bit.
inline constexpr int kSameColor = 16;

inline bool same_color(const Color& a, const Color& b) {
  for (std::size_t c = 0; c < 3; ++c) {
    if (std::abs(int{a[c]} - int{b[c]}) > kSameColor) return false;
  }
  return true;
}

inline bool holds_color(const std::vector<Color>& colors, const Color& color) {
  return std::any_of(colors.begin(), colors.end(),
                     [&](const Color& each) { return same_color(each, color); });
}

/// "#ff0000, #00ff00".
inline std::string hexadecimal(const std::vector<Color>& colors) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const Color& color : colors) {
    text += text.empty() ? "#" : ", #";
    for (const std::uint8_t level : color) {
      text += kDigits[level / 16];
      text += kDigits[level % 16];
    }
  }
  return text;
}

inline Color color_at(const Tensor<std::uint8_t>& pixels, std::int64_t i) {
  const std::uint8_t* const pixel = pixels.data() + 3 * i;
  return {pixel[0], pixel[1], pixel[2]};
}

/// How much of each of two or more colours is in another: of the two between which it is, or
/// nearly so. In parts of 255.
inline std::vector<std::uint8_t> parts_of(const Color& color, const std::vector<Color>& of) {
  std::vector<std::uint8_t> parts(of.size(), 0);
  double least = 1e9;
  for (std::size_t a = 0; a < of.size(); ++a) {
    for (std::size_t b = a + 1; b < of.size(); ++b) {
      double along = 0.0;
      double length = 0.0;
      for (std::size_t c = 0; c < 3; ++c) {
        const int side = int{of[b][c]} - of[a][c];
        along += (int{color[c]} - of[a][c]) * side;
        length += side * side;
      }
      const double part = std::clamp(along / length, 0.0, 1.0);
      double distance = 0.0;
      for (std::size_t c = 0; c < 3; ++c) {
        const int side = int{of[b][c]} - of[a][c];
        distance += std::pow(of[a][c] + part * side - color[c], 2.0);
      }
      if (distance >= least) continue;
      least = distance;
      std::fill(parts.begin(), parts.end(), std::uint8_t{0});
      parts[b] = static_cast<std::uint8_t>(std::lround(255.0 * part));
      parts[a] = static_cast<std::uint8_t>(255 - parts[b]);
    }
  }
  return parts;
}

}  // namespace detail

/// The colours that fill some of a mask (height, width, 3), at least a two hundredth of its pixels
/// that are like their neighbours, the most frequent first. Throws ShapeError for anything but
/// pixels.
inline std::vector<Color> colors_of_mask(const Tensor<std::uint8_t>& mask) {
  detail::check_pixels("colors_of_mask", mask);
  constexpr std::int64_t kPart = 200;
  const std::int64_t height = mask.shape()[0];
  const std::int64_t width = mask.shape()[1];
  std::unordered_map<std::uint32_t, std::int64_t> counts;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const Color own = detail::color_at(mask, y * width + x);
      const auto like = [&](std::int64_t row, std::int64_t column) {
        if (row < 0 || row >= height || column < 0 || column >= width) return true;
        return detail::color_at(mask, row * width + column) == own;
      };
      if (!like(y - 1, x) || !like(y + 1, x) || !like(y, x - 1) || !like(y, x + 1)) continue;
      ++counts[std::uint32_t{own[0]} << 16 | std::uint32_t{own[1]} << 8 | own[2]];
    }
  }
  std::vector<std::pair<std::int64_t, std::uint32_t>> frequent;
  for (const auto& [color, count] : counts) {
    if (count * kPart >= height * width) frequent.emplace_back(-count, color);
  }
  std::sort(frequent.begin(), frequent.end());
  std::vector<Color> colors;
  for (const auto& [count, color] : frequent) {
    const Color one{static_cast<std::uint8_t>(color >> 16), static_cast<std::uint8_t>(color >> 8),
                    static_cast<std::uint8_t>(color)};
    if (!detail::holds_color(colors, one)) colors.push_back(one);
  }
  return colors;
}

/// The colours that the masks of a content and of one or more styles have in common, each of which
/// means a region. Throws ValueError for a mask without colours or with more than 16, and for a
/// colour of the content that is in no style, or of a style that is not in the content.
inline std::vector<Color> colors_of_masks(const Tensor<std::uint8_t>& content,
                                          const std::vector<Tensor<std::uint8_t>>& styles) {
  constexpr std::size_t kMost = 16;
  const auto colors_of = [&](const Tensor<std::uint8_t>& mask, const char* whose) {
    const std::vector<Color> colors = colors_of_mask(mask);
    if (!colors.empty() && colors.size() <= kMost) return colors;
    throw ValueError(message("the ", whose, "'s mask has ", colors.size(),
                             " plain colours; paint each region in one, at most ", kMost));
  };
  const auto refuse_missing = [](const std::vector<Color>& some, const char* of,
                                 const std::vector<Color>& others, const char* in) {
    for (const Color& color : some) {
      if (detail::holds_color(others, color)) continue;
      throw ValueError(message("the ", of, "'s mask has the colour ", detail::hexadecimal({color}),
                               ", the ", in, "'s only ", detail::hexadecimal(others),
                               "; regions that belong together have the same colour in both"));
    }
  };
  const std::vector<Color> regions = colors_of(content, "content");
  std::vector<Color> of_styles;
  for (const Tensor<std::uint8_t>& mask : styles) {
    const std::vector<Color> colors = colors_of(mask, "style");
    refuse_missing(colors, "style", regions, "content");
    of_styles.insert(of_styles.end(), colors.begin(), colors.end());
  }
  refuse_missing(regions, "content", of_styles, "style");
  return regions;
}

/// Where the regions of these colours are in a mask (height, width, 3): (height, width, regions),
/// 255 within a region, less at soft edges, 0 outside. Throws ShapeError for anything but pixels,
/// and ValueError for no colours.
inline Tensor<std::uint8_t> regions_of_mask(const Tensor<std::uint8_t>& mask,
                                            const std::vector<Color>& colors) {
  detail::check_pixels("regions_of_mask", mask);
  if (colors.empty()) throw ValueError("regions_of_mask: name at least one colour");
  const std::int64_t pixels = mask.shape()[0] * mask.shape()[1];
  const auto count = static_cast<std::int64_t>(colors.size());
  auto regions =
      Tensor<std::uint8_t>::full({mask.shape()[0], mask.shape()[1], count}, std::uint8_t{255});
  if (count == 1) return regions;
  std::unordered_map<std::uint32_t, std::vector<std::uint8_t>> known;
  for (std::int64_t i = 0; i < pixels; ++i) {
    const Color own = detail::color_at(mask, i);
    auto& parts = known[std::uint32_t{own[0]} << 16 | std::uint32_t{own[1]} << 8 | own[2]];
    if (parts.empty()) parts = detail::parts_of(own, colors);
    std::copy(parts.begin(), parts.end(), regions.data() + i * count);
  }
  return regions;
}

}  // namespace sfumato::style
