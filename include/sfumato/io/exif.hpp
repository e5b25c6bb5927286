#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace sfumato::io::detail {

/// The orientation that a JPEG's EXIF data ask for, 1 (upright) to 8; 1 when there is none or it
/// makes no sense. Standard: JEITA CP-3451, tag 0x0112 of the first directory.
class ExifOrientation {
 public:
  static int of_jpeg(std::span<const std::uint8_t> file) {
    constexpr std::uint8_t kMarker = 0xFF;
    constexpr std::uint8_t kApplication1 = 0xE1;
    constexpr std::uint8_t kStartOfScan = 0xDA;
    if (file.size() < 4 || file[0] != kMarker || file[1] != 0xD8) return 1;
    std::size_t position = 2;
    while (position + 4 <= file.size() && file[position] == kMarker &&
           file[position + 1] != kStartOfScan) {
      if (file[position + 1] == kMarker) {  // markers may be padded with any number of these
        ++position;
        continue;
      }
      const std::size_t length = static_cast<std::size_t>(file[position + 2]) << 8 |
                                 static_cast<std::size_t>(file[position + 3]);
      if (length < 2 || length > file.size() - position - 2) return 1;
      const auto segment = file.subspan(position + 4, length - 2);
      if (file[position + 1] == kApplication1 && segment.size() > 6 &&
          std::memcmp(segment.data(), "Exif\0\0", 6) == 0) {
        return ExifOrientation(segment.subspan(6)).find();
      }
      position += 2 + length;
    }
    return 1;
  }

 private:
  explicit ExifOrientation(std::span<const std::uint8_t> tiff) : tiff_(tiff) {}

  int find() {
    if (tiff_.size() < 8) return 1;
    little_endian_ = tiff_[0] == 'I';
    const std::size_t directory = number(4, 4);
    const std::size_t entries = number(directory, 2);
    for (std::size_t i = 0; i < entries; ++i) {
      constexpr std::size_t kEntryBytes = 12;
      constexpr std::size_t kOrientationTag = 0x0112;
      const std::size_t entry = directory + 2 + i * kEntryBytes;
      if (entry >= tiff_.size()) return 1;
      if (number(entry, 2) != kOrientationTag) continue;
      const std::size_t value = number(entry + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
    return 1;
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

}  // namespace sfumato::io::detail
