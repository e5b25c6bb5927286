#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/core/error.hpp"

namespace sfumato::io::detail {

/// What the four bytes of a decoded pixel are. Grey is RGB with three equal values; it matters to
/// colour profiles. CMYK counts ink, from 0 to 255.
enum class PixelKind { kRgb, kGrey, kCmyk };

/// A picture as a decoder leaves it: rows from the top, four bytes a pixel (red, green, blue and
/// opacity, or CMYK), not yet turned upright nor converted to sRGB.
struct Picture {
  std::int64_t width = 0;
  std::int64_t height = 0;
  PixelKind kind = PixelKind::kRgb;
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> profile;  ///< ICC, as in the file; empty when there is none
  int orientation = 1;                ///< EXIF's or XMP's, 1 (upright) to 8

  std::size_t row_bytes() const { return static_cast<std::size_t>(width) * 4; }
  std::uint8_t* row(std::int64_t y) {
    return pixels.data() + static_cast<std::size_t>(y) * row_bytes();
  }
};

/// The one limit on pictures that are read, in all formats: 268 million pixels, or 16384 x 16384.
/// Fuzzers, which try thousands of files a second, are compiled with a lower one.
#ifdef SFUMATO_MOST_PIXELS
constexpr std::int64_t kMostPixels = SFUMATO_MOST_PIXELS;
#else
constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;
#endif

/// What a decoder may use of memory besides the pixels: a progressive JPEG's coefficients.
constexpr std::int64_t kMostDecoderBytes = std::int64_t{1} << 31;

/// What a decoder throws of a file that is not whole. The text says what, and where if it is known.
[[noreturn]] inline void throw_damaged(const std::string& name, const std::string& what) {
  throw IoError(message(name, ": the picture is damaged: ", what));
}
[[noreturn]] inline void throw_truncated(const std::string& name, std::size_t bytes,
                                         const char* where = "before the last pixel") {
  throw IoError(message(name, ": truncated: the file ends after ", bytes, " bytes, ", where,
                        "; copy or download it again"));
}

/// Throws unless a picture of the size that a header claims may be decoded. `pixels_per_byte` is
/// the most that the format can pack into a byte, 0 where there is no such bound.
inline void check_picture_size(const std::string& name, std::int64_t width, std::int64_t height,
                               std::size_t bytes, std::int64_t pixels_per_byte) {
  if (width < 1 || height < 1) {
    throw_damaged(name, message("it claims ", width, " x ", height, " pixels"));
  }
  if (width > kMostPixels / height) {
    throw IoError(message(name, ": the picture is too large: ", width, " x ", height,
                          " pixels; at most 2^28 (16384 x 16384) are read; make it smaller"));
  }
  if (pixels_per_byte > 0 && width * height / pixels_per_byte > static_cast<std::int64_t>(bytes)) {
    throw_damaged(name, message("it claims ", width, " x ", height, " pixels, which its ", bytes,
                                " bytes can't hold"));
  }
}

}  // namespace sfumato::io::detail
