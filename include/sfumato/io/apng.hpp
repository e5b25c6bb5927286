#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/io/png_writer.hpp"

/// Animated PNG: a PNG whose other pictures are in chunks that programs for still pictures skip
/// (PNG specification, third edition, section 11.3.6).
namespace sfumato::io::detail {

inline void append_number(std::vector<std::uint8_t>& bytes, std::uint32_t value, int size) {
  for (int i = size - 1; i >= 0; --i) {
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i) & 0xFF));
  }
}

/// The checksum of a chunk's name and content (PNG specification, annex D).
inline std::uint32_t png_checksum(std::span<const std::uint8_t> bytes) {
  constexpr std::uint32_t kPolynomial = 0xEDB88320;
  std::uint32_t sum = 0xFFFFFFFF;
  for (const std::uint8_t byte : bytes) {
    sum ^= byte;
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? kPolynomial : 0);
  }
  return ~sum;
}

inline void append_chunk(std::vector<std::uint8_t>& bytes, std::string_view name,
                         std::span<const std::uint8_t> content) {
  append_number(bytes, static_cast<std::uint32_t>(content.size()), 4);
  const std::size_t begin = bytes.size();
  bytes.insert(bytes.end(), name.begin(), name.end());
  bytes.insert(bytes.end(), content.begin(), content.end());
  append_number(bytes, png_checksum(std::span(bytes).subspan(begin)), 4);
}

/// The pictures of an animated PNG, one after the other, each as the chunks of its own.
class ApngEncoder {
 public:
  /// The chunks of a picture (height, width, 3), which stays for so long.
  std::vector<std::uint8_t> frame(const Tensor<std::uint8_t>& pixels, int milliseconds) {
    constexpr std::size_t kSignature = 8;
    constexpr std::size_t kAround = 12;  // length, name and checksum
    const std::int64_t height = pixels.shape()[0];
    const std::int64_t width = pixels.shape()[1];
    const std::vector<std::uint8_t> still = encode_png(pixels.data(), height, width, 3);
    std::vector<std::uint8_t> control;
    append_number(control, sequence_++, 4);
    append_number(control, static_cast<std::uint32_t>(width), 4);
    append_number(control, static_cast<std::uint32_t>(height), 4);
    append_number(control, 0, 4);  // from the left
    append_number(control, 0, 4);  // from the top
    append_number(control, static_cast<std::uint32_t>(std::clamp(milliseconds, 0, 0xFFFF)), 2);
    append_number(control, 1000, 2);  // parts of a second
    append_number(control, 0, 2);     // stays until the next, which replaces it
    std::vector<std::uint8_t> chunks;
    append_chunk(chunks, "fcTL", control);
    for (std::size_t at = kSignature; at + kAround <= still.size();) {
      const std::size_t length = std::size_t{still[at]} << 24 | std::size_t{still[at + 1]} << 16 |
                                 std::size_t{still[at + 2]} << 8 | std::size_t{still[at + 3]};
      const std::string_view name(reinterpret_cast<const char*>(&still[at + 4]), 4);
      const auto content = std::span(still).subspan(at + 8, length);
      if (name == "IDAT" && count_ == 0) append_chunk(chunks, name, content);
      if (name == "IDAT" && count_ > 0) {
        std::vector<std::uint8_t> numbered;
        append_number(numbered, sequence_++, 4);
        numbered.insert(numbered.end(), content.begin(), content.end());
        append_chunk(chunks, "fdAT", numbered);
      }
      at += kAround + length;
    }
    ++count_;
    return chunks;
  }

  /// What stands before the pictures there have been, which are repeated for ever.
  std::vector<std::uint8_t> head(std::int64_t height, std::int64_t width) const {
    std::vector<std::uint8_t> bytes{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    std::vector<std::uint8_t> size;
    append_number(size, static_cast<std::uint32_t>(width), 4);
    append_number(size, static_cast<std::uint32_t>(height), 4);
    size.insert(size.end(), {8, PNG_COLOR_TYPE_RGB, 0, 0, 0});
    append_chunk(bytes, "IHDR", size);
    const std::vector<std::uint8_t> relative{PNG_sRGB_INTENT_RELATIVE};
    append_chunk(bytes, "sRGB", relative);
    std::vector<std::uint8_t> animation;
    append_number(animation, count_, 4);
    append_number(animation, 0, 4);
    append_chunk(bytes, "acTL", animation);
    return bytes;
  }

  static std::vector<std::uint8_t> tail() {
    std::vector<std::uint8_t> bytes;
    append_chunk(bytes, "IEND", {});
    return bytes;
  }

 private:
  std::uint32_t count_ = 0;
  std::uint32_t sequence_ = 0;  // of the chunks that are numbered
};

}  // namespace sfumato::io::detail
