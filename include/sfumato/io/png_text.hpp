#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/io/file_reader.hpp"

/// Texts in PNG files, as chunks iTXt without compression: "Portable Network Graphics
/// specification, third edition" (2025), sections 5.3 and 11.3.3.4.
namespace sfumato::io {

namespace detail {

inline std::uint32_t checksum(const std::uint8_t* data, std::size_t bytes) {
  return static_cast<std::uint32_t>(crc32(0, data, static_cast<uInt>(bytes)));
}

inline std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xFF);
  return bytes;
}

/// What stands between a keyword and its text: not compressed, of no language, not translated.
inline constexpr std::string_view kPlainText("\0\0\0\0\0", 5);

/// Puts a text behind the header of an encoded PNG. Throws ValueError for a keyword that is not of
/// 1 to 79 ASCII letters, or a text of 2 GiB.
inline void add_png_text(std::vector<std::uint8_t>& png, const std::string& keyword,
                         const std::string& text) {
  constexpr std::size_t kHeader = 8 + 25;  // the signature and IHDR
  constexpr std::size_t kLongestKeyword = 79;
  const bool ascii = std::all_of(keyword.begin(), keyword.end(),
                                 [](char letter) { return letter > ' ' && letter < 0x7F; });
  if (keyword.empty() || keyword.size() > kLongestKeyword || !ascii ||
      text.size() > std::numeric_limits<std::int32_t>::max() - 100U || png.size() < kHeader) {
    throw ValueError(
        message("PNG: a text '", keyword, "' of ", text.size(), " bytes can't be kept"));
  }
  const std::string chunk = "iTXt" + keyword + std::string(kPlainText) + text;
  const std::string all =
      big_endian(static_cast<std::uint32_t>(chunk.size() - 4)) + chunk +
      big_endian(checksum(reinterpret_cast<const std::uint8_t*>(chunk.data()), chunk.size()));
  png.insert(png.begin() + kHeader, all.begin(), all.end());
}

}  // namespace detail

/// The text of a keyword in a PNG file that write_image() wrote there; nothing where there is none.
/// Throws IoError for what is no PNG, is damaged on the way to the text, or has a longer text than
/// `most` bytes.
inline std::optional<std::string> read_png_text(const std::filesystem::path& path,
                                                std::string_view keyword,
                                                std::size_t most = std::size_t{1} << 20) {
  constexpr std::string_view kSignature("\x89PNG\r\n\x1A\n");
  constexpr int kMostChunks = 1000000;
  const FileReader file(path);
  std::string signature(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), 8)), '\0');
  file.read_at(0, signature.data(), signature.size());
  if (signature != kSignature) throw IoError(message(file.name(), ": this is no PNG"));
  std::uint64_t at = signature.size();
  for (int chunks = 0; chunks < kMostChunks; ++chunks) {
    std::uint8_t head[8];
    file.read_at(at, head, sizeof(head));
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | head[i];
    const std::string_view type(reinterpret_cast<const char*>(head) + 4, 4);
    if (type == "IEND") return std::nullopt;
    if (std::uint64_t{length} + 4 > file.size() - at - sizeof(head)) {
      throw IoError(message(file.name(), ": truncated: a chunk at offset ", at, " claims ", length,
                            " bytes"));
    }
    const std::string begin = std::string(keyword) + std::string(detail::kPlainText);
    if (type == "iTXt" && length >= begin.size()) {
      std::string found(begin.size(), '\0');
      file.read_at(at + sizeof(head), found.data(), found.size());
      if (found == begin) {
        if (length - begin.size() > most) {
          throw IoError(message(file.name(), ": the text '", std::string(keyword), "' has ",
                                length - begin.size(), " bytes; at most ", most, " are read"));
        }
        std::vector<std::uint8_t> chunk(std::size_t{length} + 8);  // type, data, checksum
        file.read_at(at + 4, chunk.data(), chunk.size());
        const std::string sum = detail::big_endian(detail::checksum(chunk.data(), length + 4U));
        if (std::memcmp(sum.data(), chunk.data() + length + 4, 4) != 0) {
          throw IoError(message(file.name(), ": the text at offset ", at, " is damaged"));
        }
        return std::string(chunk.begin() + 4 + static_cast<std::ptrdiff_t>(begin.size()),
                           chunk.end() - 4);
      }
    }
    at += 12 + std::uint64_t{length};
  }
  throw IoError(message(file.name(), ": has too many chunks"));
}

}  // namespace sfumato::io
