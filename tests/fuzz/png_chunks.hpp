#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fuzz {

/// Makes the checksums of all chunks of a PNG right: few changes of a file would get beyond them
/// otherwise.
inline std::vector<std::uint8_t> with_checksums(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> file(data, data + size);
  const auto number = [&](std::size_t at) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | file[at + i];
    return value;
  };
  for (std::size_t at = 8; at + 12 <= size && number(at) <= size - at - 12; at += 12 + number(at)) {
    const std::size_t end = at + 8 + number(at);
    std::uint32_t value = 0xFFFFFFFF;
    for (std::size_t i = at + 4; i < end; ++i) {
      value ^= file[i];
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value % 2 == 1 ? 0xEDB88320U : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      file[end + i] = static_cast<std::uint8_t>(~value >> (24 - 8 * i));
    }
  }
  return file;
}

}  // namespace fuzz
