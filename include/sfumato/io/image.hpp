#pragma once

#include <stb_image.h>
#include <stb_image_write.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/io/exif.hpp"
#include "sfumato/io/file.hpp"

namespace sfumato::io {

namespace detail {

/// Checks what the image's header claims before the decoder allocates it.
inline void check_image_size(const std::string& name, std::int64_t width, std::int64_t height,
                             std::size_t bytes) {
  constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;
  // No format read here packs more pixels into a byte (one-bit PNG, deflated 1032 to 1: 8256).
  constexpr std::int64_t kMostPixelsPerByte = 16384;
  if (width < 1 || height < 1 || width > kMostPixels / height) {
    throw IoError(message(name, ": the image claims ", width, " x ", height,
                          " pixels; at most 2^28 are read"));
  }
  if (width * height / kMostPixelsPerByte > static_cast<std::int64_t>(bytes)) {
    throw IoError(message(name, ": the image claims ", width, " x ", height, " pixels, which its ",
                          bytes, " bytes can't hold"));
  }
}

/// True for the first bytes of a JPEG, PNG or BMP file. The decoder knows more formats, and takes
/// almost anything for some of them.
inline bool is_known_image(std::span<const std::uint8_t> bytes) {
  for (const std::string_view magic : {"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "BM"}) {
    if (bytes.size() >= magic.size() &&
        std::memcmp(bytes.data(), magic.data(), magic.size()) == 0) {
      return true;
    }
  }
  return false;
}

/// True for a BMP file that ends before its last pixel, which the decoder would take for black.
inline bool is_cut_off_bmp(std::span<const std::uint8_t> bytes, std::int64_t width,
                           std::int64_t height) {
  if (bytes[0] != 'B') return false;
  constexpr std::size_t kHeaders = 30;
  if (bytes.size() < kHeaders) return true;
  const auto at = [&](std::size_t i) { return static_cast<std::int64_t>(bytes[i]); };
  const std::int64_t pixels = at(10) | at(11) << 8 | at(12) << 16 | at(13) << 24;
  const bool is_old = at(14) == 12;  // OS/2's header of 12 bytes
  const std::int64_t bits = is_old ? at(24) : at(28);
  const std::int64_t row = (width * bits + 31) / 32 * 4;
  const std::int64_t needed = pixels + row * (height - 1) + (width * bits + 7) / 8;
  return needed > static_cast<std::int64_t>(bytes.size());
}

/// RGBA over white.
inline std::vector<std::uint8_t> without_alpha(const std::uint8_t* rgba, std::size_t pixels) {
  std::vector<std::uint8_t> rgb(pixels * 3);
  for (std::size_t i = 0; i < pixels; ++i) {
    const unsigned alpha = rgba[i * 4 + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const unsigned over = rgba[i * 4 + c] * alpha + 255U * (255U - alpha);
      rgb[i * 3 + c] = static_cast<std::uint8_t>((over + 127U) / 255U);
    }
  }
  return rgb;
}

/// The image turned and mirrored as an EXIF orientation (1 to 8) asks for.
inline Tensor<std::uint8_t> upright(const std::vector<std::uint8_t>& rgb, std::int64_t height,
                                    std::int64_t width, int orientation) {
  const bool transposed = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const std::int64_t out_height = transposed ? width : height;
  const std::int64_t out_width = transposed ? height : width;
  std::vector<std::uint8_t> turned(rgb.size());
  for (std::int64_t i = 0; i < out_height; ++i) {
    for (std::int64_t j = 0; j < out_width; ++j) {
      const std::int64_t row = transposed ? j : i;
      const std::int64_t column = transposed ? i : j;
      const std::int64_t source = (from_bottom ? height - 1 - row : row) * width +
                                  (from_right ? width - 1 - column : column);
      std::copy_n(rgb.begin() + source * 3, 3, turned.begin() + (i * out_width + j) * 3);
    }
  }
  return Tensor<std::uint8_t>::from(turned, {out_height, out_width, 3});
}

/// The file's extension in lower case.
inline std::string image_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return extension;
}

}  // namespace detail

/// A JPEG, PNG or BMP file as RGB of 8 bits, shape (height, width, 3). Grey becomes RGB, alpha is
/// put over white, and JPEGs are turned the way their EXIF orientation says.
/// Throws IoError for what is not such a file, is damaged or absurdly large.
inline Tensor<std::uint8_t> read_image(const std::filesystem::path& path) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;
  const FileReader file(path);
  const std::vector<std::uint8_t> bytes = file.read_all(kMostBytes);
  const int count = static_cast<int>(bytes.size());
  int width = 0;
  int height = 0;
  int channels = 0;
  if (!detail::is_known_image(bytes)) {
    throw IoError(message(file.name(), ": not an image that can be read; use JPEG, PNG or BMP"));
  }
  if (stbi_info_from_memory(bytes.data(), count, &width, &height, &channels) == 0) {
    throw IoError(message(file.name(), ": the image is damaged or too large"));
  }
  detail::check_image_size(file.name(), width, height, bytes.size());
  if (detail::is_cut_off_bmp(bytes, width, height)) {
    throw IoError(message(file.name(), ": truncated: the image has fewer pixels than it claims"));
  }
  // Always with alpha: the header alone does not tell whether a PNG names a transparent colour.
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), count, &width, &height, &channels, 4), stbi_image_free);
  if (pixels == nullptr) {
    throw IoError(message(file.name(), ": the image is damaged: ", stbi_failure_reason()));
  }
  const std::size_t number = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  const std::vector<std::uint8_t> rgb = detail::without_alpha(pixels.get(), number);
  return detail::upright(rgb, height, width, detail::ExifOrientation::of_jpeg(bytes));
}

/// Throws IoError unless images can be written under this name, so that a program can say so before
/// hours of work.
inline void check_image_extension(const std::filesystem::path& path) {
  const std::string extension = detail::image_extension(path);
  if (extension != ".png" && extension != ".jpg" && extension != ".jpeg") {
    throw IoError(message(path.string(), ": images are written as .png, .jpg or .jpeg, not '",
                          extension, "'"));
  }
}

/// Writes RGB of 8 bits, shape (height, width, 3), as PNG or, of a quality from 1 to 100, as JPEG,
/// as the name's extension says; whole or not at all. Throws IoError, and ShapeError for other
/// pixels.
inline void write_image(const std::filesystem::path& path, const Tensor<std::uint8_t>& pixels,
                        int quality = 95) {
  check_image_extension(path);
  if (pixels.rank() != 3 || pixels.shape()[2] != 3 || pixels.elements() == 0) {
    throw ShapeError(message("write_image: pixels ", pixels.shape(),
                             " must be (height, width, 3), none of them empty"));
  }
  const bool is_png = detail::image_extension(path) == ".png";
  constexpr std::int64_t kMostJpeg = 65535;  // sizes in a JPEG have 16 bits
  if (!is_png && std::max(pixels.shape()[0], pixels.shape()[1]) > kMostJpeg) {
    throw IoError(message(path.string(), ": a JPEG has at most 65535 x 65535 pixels, not ",
                          pixels.shape()[1], " x ", pixels.shape()[0], "; use .png"));
  }
  const auto append = [](void* target, void* data, int size) {
    auto& bytes = *static_cast<std::vector<std::uint8_t>*>(target);
    const auto* begin = static_cast<const std::uint8_t*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  };
  const int height = static_cast<int>(pixels.shape()[0]);
  const int width = static_cast<int>(pixels.shape()[1]);
  std::vector<std::uint8_t> encoded;
  const int ok =
      is_png ? stbi_write_png_to_func(append, &encoded, width, height, 3, pixels.data(), width * 3)
             : stbi_write_jpg_to_func(append, &encoded, width, height, 3, pixels.data(),
                                      std::clamp(quality, 1, 100));
  if (ok == 0) throw IoError(message(path.string(), ": the image could not be encoded"));
  AtomicFileWriter file(path);
  file.write(encoded.data(), encoded.size());
  file.commit();
}

}  // namespace sfumato::io
