#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sfumato::io::detail {

/// What stands before EXIF data in a JPEG's segment, and in some WebP and PNG files.
constexpr std::string_view kExifMark("Exif\0\0", 6);

inline bool starts_with(std::span<const std::uint8_t> bytes, std::string_view start) {
  return bytes.size() >= start.size() && std::memcmp(bytes.data(), start.data(), start.size()) == 0;
}

/// The orientation that EXIF data ask for, 1 (upright) to 8; 1 when it makes no sense, nothing when
/// there is none. Standard: JEITA CP-3451, tag 0x0112 of the first directory.
class ExifOrientation {
 public:
  /// Of EXIF data with or without the mark before them.
  static std::optional<int> of(std::span<const std::uint8_t> exif) {
    return ExifOrientation(starts_with(exif, kExifMark) ? exif.subspan(kExifMark.size()) : exif)
        .find();
  }

  /// Of a PNG's text chunk "Raw profile type exif" or "… APP1", in which ImageMagick writes EXIF
  /// data: a name, the number of bytes, and the bytes in hexadecimal, with line breaks anywhere.
  static std::optional<int> of_raw_profile(std::string_view text) {
    std::size_t position = 0;
    for (int words = 0; words < 2; ++words) {
      position = text.find_first_not_of(" \n", position);
      if (position == std::string_view::npos) return std::nullopt;
      position = std::min(text.find_first_of(" \n", position), text.size());
    }
    std::vector<std::uint8_t> bytes;
    int digits = 0;
    unsigned value = 0;
    for (const char letter : text.substr(position)) {
      const std::size_t digit = std::string_view("0123456789abcdefABCDEF").find(letter);
      if (digit == std::string_view::npos) continue;
      value = value << 4 | static_cast<unsigned>(digit < 16 ? digit : digit - 6);
      if (++digits % 2 == 0) bytes.push_back(static_cast<std::uint8_t>(value & 0xFF));
    }
    return of(bytes);
  }

 private:
  explicit ExifOrientation(std::span<const std::uint8_t> tiff) : tiff_(tiff) {}

  std::optional<int> find() {
    if (!starts_with(tiff_, "II") && !starts_with(tiff_, "MM")) return std::nullopt;
    little_endian_ = tiff_[0] == 'I';
    constexpr std::size_t kMagic = 42;  // in the wrong order in some files
    if (number(2, 2) != kMagic && number(2, 2) != kMagic << 8) return std::nullopt;
    const std::size_t directory = number(4, 4);
    const std::size_t entries = number(directory, 2);
    for (std::size_t i = 0; i < entries; ++i) {
      constexpr std::size_t kEntryBytes = 12;
      constexpr std::size_t kOrientationTag = 0x0112;
      const std::size_t entry = directory + 2 + i * kEntryBytes;
      if (entry >= tiff_.size()) return std::nullopt;
      if (number(entry, 2) != kOrientationTag) continue;
      // Whole numbers of two bytes, as the standard has it, or four, without a sign or with one.
      const std::size_t type = number(entry + 2, 2);
      const std::size_t bytes = type == 3 || type == 8 ? 2 : type == 4 || type == 9 ? 4 : 0;
      const std::size_t value = number(entry + 8, bytes);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
    return std::nullopt;
  }

  /// The unsigned number at an offset; 0 beyond the end.
  std::size_t number(std::size_t offset, std::size_t bytes) const {
    if (offset > tiff_.size() || bytes > tiff_.size() - offset) return 0;
    std::size_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      value = value << 8 | tiff_[offset + (little_endian_ ? bytes - 1 - i : i)];
    }
    return value;
  }

  std::span<const std::uint8_t> tiff_;
  bool little_endian_ = false;
};

/// The orientation that XMP asks for, as EXIF's; nothing when there is none. It counts where EXIF
/// data have none. The text is searched as Pillow does it, in whichever way the tag is written.
inline std::optional<int> xmp_orientation(std::span<const std::uint8_t> xmp) {
  constexpr std::string_view kTag = "tiff:Orientation";
  const std::string_view text(reinterpret_cast<const char*>(xmp.data()), xmp.size());
  for (std::size_t at = 0; (at = text.find(kTag, at)) != std::string_view::npos;) {
    at += kTag.size();
    const std::string_view rest = text.substr(at);
    const std::size_t before = rest.starts_with("=\"") ? 2 : rest.starts_with(">") ? 1 : 0;
    if (before == 0 || before == rest.size()) continue;
    const char digit = rest[before];
    if (digit >= '0' && digit <= '9') return digit >= '1' && digit <= '8' ? digit - '0' : 1;
  }
  return std::nullopt;
}

}  // namespace sfumato::io::detail
