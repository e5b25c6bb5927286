#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"

/// Animated GIF 89a, each picture with 256 colours of its own.
namespace sfumato::io::detail {

using Rgb = std::array<std::uint8_t, 3>;

/// Colours of a picture by their upper 5 bits.
class ColorBins {
 public:
  static constexpr std::size_t kCount = 1 << 15;

  static std::size_t of(const std::uint8_t* rgb) {
    return std::size_t{rgb[0]} >> 3 << 10 | std::size_t{rgb[1]} >> 3 << 5 |
           std::size_t{rgb[2]} >> 3;
  }
  /// The middle of a bin.
  static int value(std::size_t bin, int channel) {
    return static_cast<int>(bin >> (10 - 5 * channel) & 31) * 8 + 4;
  }
};

/// Up to 256 colours that stand for those of a picture (height, width, 3): boxes of bins, of which
/// that with most pixels times the square of its length is cut at its median (Heckbert 1982).
inline std::vector<Rgb> median_cut(const Tensor<std::uint8_t>& pixels) {
  constexpr std::size_t kMost = 256;
  std::vector<std::int64_t> pixels_in(ColorBins::kCount);
  std::vector<std::array<std::int64_t, 3>> sums_in(ColorBins::kCount);
  for (std::int64_t i = 0; i + 2 < pixels.numel(); i += 3) {
    const std::uint8_t* const rgb = pixels.data() + i;
    const std::size_t bin = ColorBins::of(rgb);
    ++pixels_in[bin];
    for (std::size_t c = 0; c < 3; ++c) sums_in[bin][c] += rgb[c];
  }
  struct Box {
    std::vector<std::size_t> bins;
    int channel = 0;     // along which it is longest
    double worth = 0.0;  // of cutting it
  };
  const auto measured = [&](std::vector<std::size_t> bins) {
    Box box{std::move(bins)};
    std::int64_t count = 0;
    for (const std::size_t bin : box.bins) count += pixels_in[bin];
    for (int c = 0; c < 3; ++c) {
      const auto less = [&](std::size_t a, std::size_t b) {
        return ColorBins::value(a, c) < ColorBins::value(b, c);
      };
      const auto [least, most] = std::minmax_element(box.bins.begin(), box.bins.end(), less);
      const double length = ColorBins::value(*most, c) - ColorBins::value(*least, c);
      const double worth = static_cast<double>(count) * length * length;
      if (worth > box.worth) {
        box.worth = worth;
        box.channel = c;
      }
    }
    return box;
  };
  std::vector<std::size_t> all;
  for (std::size_t bin = 0; bin < ColorBins::kCount; ++bin) {
    if (pixels_in[bin] > 0) all.push_back(bin);
  }
  std::vector<Box> boxes{measured(std::move(all))};
  while (boxes.size() < kMost) {
    const auto best = std::max_element(
        boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.worth < b.worth; });
    if (best->worth == 0.0) break;  // every box is one colour
    std::vector<std::size_t> bins = std::move(best->bins);
    std::sort(bins.begin(), bins.end(), [&](std::size_t a, std::size_t b) {
      return ColorBins::value(a, best->channel) < ColorBins::value(b, best->channel);
    });
    std::int64_t half = 0;
    for (const std::size_t bin : bins) half += pixels_in[bin];
    half /= 2;
    std::size_t cut = 1;
    for (std::int64_t seen = pixels_in[bins[0]]; cut + 1 < bins.size() && seen < half; ++cut) {
      seen += pixels_in[bins[cut]];
    }
    const auto middle = bins.begin() + static_cast<std::ptrdiff_t>(cut);
    *best = measured({bins.begin(), middle});
    boxes.push_back(measured({middle, bins.end()}));
  }
  std::vector<Rgb> colors;
  for (const Box& box : boxes) {
    std::int64_t count = 0;
    std::array<std::int64_t, 3> sums{};
    for (const std::size_t bin : box.bins) {
      count += pixels_in[bin];
      for (std::size_t c = 0; c < 3; ++c) sums[c] += sums_in[bin][c];
    }
    Rgb color{};
    for (std::size_t c = 0; c < 3; ++c) {
      color[c] = static_cast<std::uint8_t>(sums[c] / std::max<std::int64_t>(count, 1));
    }
    colors.push_back(color);
  }
  return colors;
}

/// Each pixel's place in the palette. Steps between colours are hidden by a fixed pattern (Bayer
/// 1973), which does not flicker from one picture to the next as diffused errors do.
inline std::vector<std::uint8_t> dithered(const Tensor<std::uint8_t>& pixels,
                                          const std::vector<Rgb>& palette) {
  constexpr std::array<int, 16> kPattern{0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5};
  constexpr std::uint16_t kUnknown = 0xFFFF;
  std::vector<std::uint16_t> nearest(ColorBins::kCount, kUnknown);
  const auto place_of = [&](std::size_t bin) {
    int least = std::numeric_limits<int>::max();
    std::uint16_t place = 0;
    for (std::size_t i = 0; i < palette.size(); ++i) {
      int distance = 0;
      for (int c = 0; c < 3; ++c) {
        const int difference = ColorBins::value(bin, c) - palette[i][static_cast<std::size_t>(c)];
        distance += difference * difference;
      }
      if (distance < least) {
        least = distance;
        place = static_cast<std::uint16_t>(i);
      }
    }
    return place;
  };
  const std::int64_t width = pixels.shape()[1];
  std::vector<std::uint8_t> places(static_cast<std::size_t>(pixels.numel() / 3));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto x = static_cast<std::int64_t>(i) % width;
    const auto y = static_cast<std::int64_t>(i) / width;
    const int shift = kPattern[static_cast<std::size_t>(y % 4 * 4 + x % 4)] - 8;
    Rgb color{};
    for (std::size_t c = 0; c < 3; ++c) {
      color[c] = static_cast<std::uint8_t>(std::clamp(pixels.data()[3 * i + c] + shift, 0, 255));
    }
    std::uint16_t& place = nearest[ColorBins::of(color.data())];
    if (place == kUnknown) place = place_of(ColorBins::of(color.data()));
    places[i] = static_cast<std::uint8_t>(place);
  }
  return places;
}

/// Codes of growing length, the lowest bit first, in blocks of up to 255 bytes.
class GifBits {
 public:
  explicit GifBits(std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}

  void put(std::uint32_t code, int length) {
    waiting_ |= code << held_;
    for (held_ += length; held_ >= 8; held_ -= 8, waiting_ >>= 8) {
      block_.push_back(static_cast<std::uint8_t>(waiting_ & 0xFF));
      if (block_.size() == 255) end_block();
    }
  }
  void end() {
    if (held_ > 0) put(0, 8 - held_);
    if (!block_.empty()) end_block();
    bytes_.push_back(0);
  }

 private:
  void end_block() {
    bytes_.push_back(static_cast<std::uint8_t>(block_.size()));
    bytes_.insert(bytes_.end(), block_.begin(), block_.end());
    block_.clear();
  }

  std::vector<std::uint8_t>& bytes_;
  std::vector<std::uint8_t> block_;
  std::uint32_t waiting_ = 0;
  int held_ = 0;
};

/// Appends numbers below 256, packed by Lempel, Ziv and Welch's method as GIF has it.
inline void append_lzw(std::vector<std::uint8_t>& bytes, const std::vector<std::uint8_t>& values) {
  constexpr std::uint16_t kClear = 256;
  constexpr std::uint16_t kEnd = 257;
  constexpr std::uint16_t kFirst = 258;
  constexpr std::uint16_t kMostCodes = 4096;
  std::vector<std::uint16_t> longer(std::size_t{kMostCodes} * 256);  // by a code and a value; or 0
  GifBits bits(bytes);
  std::uint16_t next = kFirst;
  int length = 9;
  bytes.push_back(8);
  bits.put(kClear, length);
  std::uint16_t code = values[0];
  for (std::size_t i = 1; i < values.size(); ++i) {
    std::uint16_t& with_next = longer[std::size_t{code} * 256 + values[i]];
    if (with_next != 0) {
      code = with_next;
      continue;
    }
    bits.put(code, length);
    if (next == kMostCodes) {
      bits.put(kClear, length);
      std::fill(longer.begin(), longer.end(), std::uint16_t{0});
      next = kFirst;
      length = 9;
    } else {
      if (next == 1 << length) ++length;
      with_next = next++;
    }
    code = values[i];
  }
  bits.put(code, length);
  // The decoder has made one code more by now.
  if (next == 1 << length && length < 12) ++length;
  bits.put(kEnd, length);
  bits.end();
}

inline void append_little(std::vector<std::uint8_t>& bytes, std::int64_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value & 0xFF));
  bytes.push_back(static_cast<std::uint8_t>(value >> 8 & 0xFF));
}

/// The pictures of an animated GIF, one after the other.
class GifEncoder {
 public:
  /// A picture (height, width, 3), of sides up to 65535, which stays for so long.
  static std::vector<std::uint8_t> frame(const Tensor<std::uint8_t>& pixels, int milliseconds) {
    const std::vector<Rgb> palette = median_cut(pixels);
    std::vector<std::uint8_t> bytes{0x21, 0xF9, 4, 0x04};
    append_little(bytes, std::clamp(milliseconds / 10, 2, 0xFFFF));
    bytes.insert(bytes.end(), {0, 0, 0x2C, 0, 0, 0, 0});
    append_little(bytes, pixels.shape()[1]);
    append_little(bytes, pixels.shape()[0]);
    bytes.push_back(0x87);  // 256 colours of its own
    for (std::size_t i = 0; i < 256; ++i) {
      const Rgb color = i < palette.size() ? palette[i] : Rgb{};
      bytes.insert(bytes.end(), color.begin(), color.end());
    }
    append_lzw(bytes, dithered(pixels, palette));
    return bytes;
  }

  /// What stands before the pictures, which are repeated for ever.
  static std::vector<std::uint8_t> head(std::int64_t height, std::int64_t width) {
    constexpr std::string_view kSignature = "GIF89a";
    constexpr std::string_view kRepeats("\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0\0", 19);
    std::vector<std::uint8_t> bytes(kSignature.begin(), kSignature.end());
    append_little(bytes, width);
    append_little(bytes, height);
    bytes.insert(bytes.end(), {0x70, 0, 0});
    bytes.insert(bytes.end(), kRepeats.begin(), kRepeats.end());
    return bytes;
  }

  static std::vector<std::uint8_t> tail() { return {0x3B}; }
};

}  // namespace sfumato::io::detail
