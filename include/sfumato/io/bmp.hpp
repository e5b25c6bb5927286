#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/division.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/io/picture.hpp"

namespace sfumato::io::detail {

/// Reads one BMP: 1, 4 or 8 bits with a palette (run lengths too), 16, 24 or 32 bits, of any header
/// from OS/2's to V5. Source: Microsoft, "Bitmap Structures"; where it leaves room, as Pillow does.
class BmpReader {
 public:
  BmpReader(const std::string& name, std::span<const std::uint8_t> file)
      : name_(name), file_(file) {}

  Picture read() {
    read_header();
    // Runs may leave out pixels; all other kinds have them one by one, at most 8 in a byte.
    check_picture_size(name_, picture_.width, picture_.height, file_.size(), is_runs() ? 0 : 8);
    picture_.pixels.resize(picture_.row_bytes() * static_cast<std::size_t>(picture_.height));
    if (bits_ <= 8) read_palette();
    if (is_runs()) {
      read_runs();
    } else {
      read_rows();
    }
    if (masks_[3] != 0) drop_absent_opacity();
    return std::move(picture_);
  }

 private:
  enum Compression : std::uint32_t { kNone, kRuns8, kRuns4, kMasks, kJpeg, kPng, kAlphaMasks };
  static constexpr std::size_t kHeaderAt = 14;

  bool is_runs() const { return compression_ == kRuns8 || compression_ == kRuns4; }

  /// A number stored with its lowest byte first.
  std::uint32_t number(std::size_t at, std::size_t bytes) const {
    if (at > file_.size() || bytes > file_.size() - at) throw_truncated(name_, file_.size());
    std::uint32_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8 | file_[at + i];
    return value;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw IoError(message(name_, ": a BMP with ", what, ", which is not read; convert it to PNG"));
  }

  void read_header() {
    pixels_at_ = number(10, 4);
    header_bytes_ = number(kHeaderAt, 4);
    constexpr std::array<std::uint32_t, 7> kKnown{12, 40, 52, 56, 64, 108, 124};
    if (std::find(kKnown.begin(), kKnown.end(), header_bytes_) == kKnown.end()) {
      refuse(message("a header of ", header_bytes_, " bytes"));
    }
    const bool is_old = header_bytes_ == 12;
    const std::size_t size_bytes = is_old ? 2 : 4;
    const std::uint32_t width = number(kHeaderAt + 4, size_bytes);
    const std::uint32_t height = number(kHeaderAt + 4 + size_bytes, size_bytes);
    // A negative height means that the first row stored is the top one.
    const auto as_signed = [&](std::uint32_t size) {
      return is_old ? std::int64_t{size} : std::int64_t{static_cast<std::int32_t>(size)};
    };
    picture_.width = as_signed(width);
    picture_.height = as_signed(height);
    is_top_down_ = picture_.height < 0;
    if (is_top_down_) picture_.height = -picture_.height;
    bits_ = number(kHeaderAt + (is_old ? 10 : 14), 2);
    compression_ = is_old ? kNone : number(kHeaderAt + 16, 4);
    check_kind();
    if (bits_ > 8) read_masks();
    take_profile();
  }

  void check_kind() const {
    constexpr std::array<std::uint32_t, 6> kBits{1, 4, 8, 16, 24, 32};
    if (compression_ == kJpeg || compression_ == kPng) {
      refuse(compression_ == kJpeg ? "a JPEG in it" : "a PNG in it");
    }
    // OS/2 gives these numbers other meanings.
    if (compression_ > kAlphaMasks || (header_bytes_ == 64 && compression_ >= kMasks)) {
      refuse(message("compression ", compression_));
    }
    const bool fits = compression_ == kNone    ? true
                      : compression_ == kRuns8 ? bits_ == 8
                      : compression_ == kRuns4 ? bits_ == 4
                                               : bits_ == 16 || bits_ == 32 || bits_ == 24;
    if (std::find(kBits.begin(), kBits.end(), bits_) == kBits.end() || !fits) {
      refuse(message(bits_, " bits a pixel and compression ", compression_));
    }
    if (is_top_down_ && is_runs()) throw_damaged(name_, "a BMP of runs can't be stored top down");
  }

  /// Which bits of a pixel are red, green, blue and opacity.
  void read_masks() {
    if (compression_ == kMasks || compression_ == kAlphaMasks) {
      constexpr std::size_t kMasksAt = kHeaderAt + 40;  // in the header, or behind a short one
      for (std::size_t i = 0; i < 3; ++i) masks_[i] = number(kMasksAt + 4 * i, 4);
      if (header_bytes_ >= 56 || compression_ == kAlphaMasks) masks_[3] = number(kMasksAt + 12, 4);
      // An old program's way to say that there is nothing special about them.
      if (bits_ == 32 && masks_ == std::array<std::uint32_t, 4>{}) {
        masks_ = {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
      }
    } else if (bits_ == 16) {
      masks_ = {0x7C00, 0x3E0, 0x1F, 0};
    } else {
      masks_ = {0xFF0000, 0xFF00, 0xFF, 0};  // of 32 bits the last 8 mean nothing
    }
    std::uint32_t taken = 0;
    for (const std::uint32_t mask : masks_) {
      const std::uint32_t ones = mask == 0 ? 0 : mask >> std::countr_zero(mask);
      if ((ones & (ones + 1)) != 0 || (taken & mask) != 0) {
        refuse("masks of colours that have holes or overlap");
      }
      taken |= mask;
    }
  }

  void take_profile() {
    constexpr std::uint32_t kEmbedded = 0x4D424544;  // "MBED"
    if (header_bytes_ != 124 || number(kHeaderAt + 56, 4) != kEmbedded) return;
    const std::size_t at = kHeaderAt + number(kHeaderAt + 112, 4);
    const std::size_t bytes = number(kHeaderAt + 116, 4);
    if (at > file_.size() || bytes > file_.size() - at) return;  // damaged, so ignored
    const auto profile = file_.subspan(at, bytes);
    picture_.profile.assign(profile.begin(), profile.end());
  }

  /// 256 colours, black where the file has none.
  void read_palette() {
    const std::size_t colour_bytes = header_bytes_ == 12 ? 3 : 4;
    const std::size_t at = kHeaderAt + header_bytes_;
    std::size_t colours = header_bytes_ == 12 ? 0 : number(kHeaderAt + 32, 4);
    if (colours == 0 || colours > (1U << bits_)) colours = 1U << bits_;
    // Some programs write fewer than they say, and start the pixels right behind them.
    if (pixels_at_ > at) colours = std::min(colours, (pixels_at_ - at) / colour_bytes);
    for (std::size_t i = 0; i < colours; ++i) {
      const std::uint32_t blue_first = number(at + i * colour_bytes, 3);
      for (std::size_t c = 0; c < 3; ++c) {
        palette_[i][c] = static_cast<std::uint8_t>(blue_first >> (16 - 8 * c) & 0xFF);
      }
    }
  }

  void set(std::int64_t x, std::int64_t y_stored, const std::array<std::uint8_t, 4>& colour) {
    const std::int64_t y = is_top_down_ ? y_stored : picture_.height - 1 - y_stored;
    std::copy(colour.begin(), colour.end(), picture_.row(y) + x * 4);
  }

  void read_rows() {
    const auto width = static_cast<std::size_t>(picture_.width);
    const std::size_t row_bits = width * bits_;
    const std::size_t stride = ceil_div(row_bits, 32) * 4;
    const std::size_t last = static_cast<std::size_t>(picture_.height - 1) * stride;
    const std::size_t needed =
        last + ceil_div(row_bits, 8);  // the last row's padding may be missing
    if (pixels_at_ > file_.size() || needed > file_.size() - pixels_at_) {
      throw_truncated(name_, file_.size());
    }
    for (std::int64_t y = 0; y < picture_.height; ++y) {
      const auto* row = file_.data() + pixels_at_ + static_cast<std::size_t>(y) * stride;
      for (std::size_t x = 0; x < width; ++x) {
        const auto column = static_cast<std::int64_t>(x);
        if (bits_ <= 8) {
          const std::size_t first_bit = x * bits_;
          const unsigned shift = 8 - bits_ - static_cast<unsigned>(first_bit % 8);
          set(column, y, palette_[row[first_bit / 8] >> shift & ((1U << bits_) - 1)]);
        } else {
          std::uint32_t pixel = 0;
          for (std::size_t i = bits_ / 8; i-- > 0;) pixel = pixel << 8 | row[x * bits_ / 8 + i];
          set(column, y, colour_of(pixel));
        }
      }
    }
  }

  std::array<std::uint8_t, 4> colour_of(std::uint32_t pixel) const {
    std::array<std::uint8_t, 4> colour{0, 0, 0, 255};
    for (std::size_t c = 0; c < 4; ++c) {
      if (masks_[c] == 0) continue;
      const int shift = std::countr_zero(masks_[c]);
      const std::uint64_t value = (pixel & masks_[c]) >> shift;
      colour[c] = static_cast<std::uint8_t>(value * 255 / (masks_[c] >> shift));
    }
    return colour;
  }

  /// RLE8 and RLE4: pairs of a count and a colour; a count of 0 escapes. Pixels that are left out
  /// have colour 0.
  void read_runs() {
    for (std::int64_t y = 0; y < picture_.height; ++y) {
      for (std::int64_t x = 0; x < picture_.width; ++x) set(x, y, palette_[0]);
    }
    std::size_t at = pixels_at_;
    std::int64_t x = 0;
    std::int64_t y = 0;
    const auto draw = [&](std::uint32_t index) {
      if (y >= picture_.height) {
        throw_damaged(name_, message("pixels beyond its last row (BMP, at byte ", at, ")"));
      }
      if (x < picture_.width) set(x++, y, palette_[index]);  // runs may be longer than their row
    };
    const auto nibble = [](std::uint32_t pair, std::uint32_t i) {
      return i % 2 == 0 ? pair >> 4 : pair & 0xF;
    };
    while (true) {
      // Some programs leave out the mark of the end.
      if (at == file_.size() && y * picture_.width + x >= picture_.height * picture_.width) return;
      const std::uint32_t count = number(at, 1);
      const std::uint32_t value = number(at + 1, 1);
      at += 2;
      if (count > 0) {
        for (std::uint32_t i = 0; i < count; ++i) draw(bits_ == 8 ? value : nibble(value, i));
      } else if (value == 0) {  // end of the row
        x = 0;
        ++y;
      } else if (value == 1) {  // end of the picture
        return;
      } else if (value == 2) {  // on to the right and up
        x += number(at, 1);
        y += number(at + 1, 1);
        at += 2;
      } else {  // so many pixels one by one, padded to two bytes
        for (std::uint32_t i = 0; i < value; ++i) {
          draw(bits_ == 8 ? number(at + i, 1) : nibble(number(at + i / 2, 1), i));
        }
        at += ((bits_ == 8 ? value : (value + 1) / 2) + 1) / 2 * 2;
      }
    }
  }

  /// A picture without a single visible pixel was written by a program that forgot the opacity.
  void drop_absent_opacity() {
    std::vector<std::uint8_t>& pixels = picture_.pixels;
    for (std::size_t i = 3; i < pixels.size(); i += 4) {
      if (pixels[i] != 0) return;
    }
    for (std::size_t i = 3; i < pixels.size(); i += 4) pixels[i] = 255;
  }

  const std::string& name_;
  std::span<const std::uint8_t> file_;
  Picture picture_;
  std::size_t pixels_at_ = 0;
  std::uint32_t header_bytes_ = 0;
  std::uint32_t bits_ = 0;
  std::uint32_t compression_ = kNone;
  bool is_top_down_ = false;
  std::array<std::uint32_t, 4> masks_{};
  std::array<std::array<std::uint8_t, 4>, 256> palette_ = [] {
    std::array<std::array<std::uint8_t, 4>, 256> black{};
    for (auto& colour : black) colour[3] = 255;
    return black;
  }();
};

/// A BMP file's pixels. Throws IoError.
inline Picture decode_bmp(const std::string& name, std::span<const std::uint8_t> file) {
  return BmpReader(name, file).read();
}

}  // namespace sfumato::io::detail
