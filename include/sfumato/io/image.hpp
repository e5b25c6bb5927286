#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <map>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/io/bmp.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/file_kind.hpp"
#include "sfumato/io/icc.hpp"
#include "sfumato/io/jpeg.hpp"
#include "sfumato/io/picture.hpp"
#include "sfumato/io/png.hpp"
#include "sfumato/io/png_text.hpp"
#include "sfumato/io/png_writer.hpp"
#include "sfumato/io/webp.hpp"

namespace sfumato::io {

/// What becomes of a picture's opacity when it is read.
enum class Alpha {
  kOverWhite,  ///< the picture is put over white: (height, width, 3)
  kKeep        ///< opacity is the fourth channel: (height, width, 4), 255 where there is none
};

namespace detail {

/// Decodes a file of the kind that its first bytes tell; its name does not count.
inline Picture decode_picture(const std::string& name, std::span<const std::uint8_t> file) {
  if (matches(file, 0, "\xFF\xD8\xFF") && !matches(file, 3, "\xF7")) return decode_jpeg(name, file);
  if (matches(file, 12, "CgBI")) {
    throw IoError(message(name,
                          ": this is a PNG in Apple's form (CgBI), which is not read; "
                          "convert it to an ordinary PNG"));
  }
  if (matches(file, 0, "\x89PNG\r\n\x1A\n")) return decode_png(name, file);
  if (matches(file, 0, "RIFF????WEBP")) return decode_webp(name, file);
  // The sizes in a BMP's header are no text.
  if (matches(file, 0, "BM") && (file.size() == 2 || !is_text(file))) return decode_bmp(name, file);
  for (const char* const magic : {"\xFF\xD8\xFF", "\x89PNG\r\n\x1A\n", "RIFF????WEBP"}) {
    if (is_beginning(file, magic)) throw_truncated(name, file.size());
  }
  throw IoError(message(name, ": ", describe_file(file)));
}

/// The picture turned and mirrored as its EXIF orientation asks for, with its opacity or without.
inline Tensor<std::uint8_t> upright(Picture& picture, Alpha alpha) {
  const int orientation = picture.orientation;
  const bool transposed = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const std::int64_t height = transposed ? picture.width : picture.height;
  const std::int64_t width = transposed ? picture.height : picture.width;
  const std::int64_t channels = alpha == Alpha::kKeep ? 4 : 3;
  auto turned = Tensor<std::uint8_t>::empty({height, width, channels});
  std::uint8_t* target = turned.data();
  for (std::int64_t i = 0; i < height; ++i) {
    for (std::int64_t j = 0; j < width; ++j, target += channels) {
      const std::int64_t row = transposed ? j : i;
      const std::int64_t column = transposed ? i : j;
      const std::uint8_t* source = picture.row(from_bottom ? picture.height - 1 - row : row) +
                                   4 * (from_right ? picture.width - 1 - column : column);
      if (alpha == Alpha::kKeep) {
        std::copy_n(source, 4, target);
        continue;
      }
      for (std::int64_t c = 0; c < 3; ++c) {
        const unsigned over = source[c] * unsigned{source[3]} + 255U * (255U - source[3]);
        target[c] = static_cast<std::uint8_t>((over + 127U) / 255U);
      }
    }
  }
  return turned;
}

/// The file's extension in lower case.
inline std::string image_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return extension;
}

/// Decodes the bytes of a file, which errors call `name`.
inline Tensor<std::uint8_t> decode_image(const std::string& name,
                                         std::span<const std::uint8_t> file, Alpha alpha) {
  try {
    Picture picture = decode_picture(name, file);
    convert_to_srgb(picture);
    return upright(picture, alpha);
  } catch (const std::bad_alloc&) {
    throw ResourceError(
        message(name, ": not enough memory to decode the picture; make it smaller"));
  }
}

}  // namespace detail

/// A JPEG, PNG, WebP or BMP file as sRGB of 8 bits, shape (height, width, 3), or (height, width, 4)
/// if alpha is kept; what the file holds counts, not its name.
///
/// - Pixels are those of libjpeg-turbo (exact integer transform, smooth upsampling), libpng (of 16
///   bits the upper 8) and libwebp. Grey becomes RGB, CMYK by its profile or else by
///   (1 − ink) (1 − black). Of an animation the first picture is read.
/// - An ICC profile is obeyed, unless it is damaged or for other pixels: colours are converted to
///   sRGB, relative to the profile's white. Without one, pixels are taken for sRGB. PNG's gAMA and
///   cHRM are not used; its cICP only to refuse pictures of high dynamic range.
/// - Pictures are turned the way their orientation in EXIF, or else in XMP, says.
///
/// Throws IoError for every other file and says what it is, for damaged ones and for more than 2^28
/// pixels, and ResourceError where memory does not suffice.
inline Tensor<std::uint8_t> read_image(const std::filesystem::path& path,
                                       Alpha alpha = Alpha::kOverWhite) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;
  const FileReader file(path);
  return detail::decode_image(file.name(), file.read_all(kMostBytes), alpha);
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

/// Writes sRGB of 8 bits as the name's extension says, whole or not at all: (height, width, 3), or
/// with opacity (height, width, 4), as PNG; (height, width, 3) as JPEG of a quality from 1 to 100,
/// without chroma subsampling. Both say that they are sRGB; PNG keeps `texts` (UTF-8) by keyword,
/// which read_png_text() finds. Throws IoError, ShapeError for other pixels, and ValueError for
/// keywords that are not of 1 to 79 ASCII letters.
inline void write_image(const std::filesystem::path& path, const Tensor<std::uint8_t>& pixels,
                        int quality = 95, const std::map<std::string, std::string>& texts = {}) {
  check_image_extension(path);
  const bool is_png = detail::image_extension(path) == ".png";
  if (pixels.rank() != 3 || (pixels.shape()[2] != 3 && pixels.shape()[2] != 4) ||
      pixels.numel() == 0) {
    throw ShapeError(message("write_image: pixels ", pixels.shape(),
                             " must be (height, width, 3 or 4), none of them empty"));
  }
  const std::int64_t height = pixels.shape()[0];
  const std::int64_t width = pixels.shape()[1];
  const std::int64_t channels = pixels.shape()[2];
  if (!is_png && channels == 4) {
    throw ShapeError(message("write_image: pixels ", pixels.shape(),
                             " have opacity, which JPEG has not; use .png"));
  }
  if (!is_png && std::max(height, width) > JPEG_MAX_DIMENSION) {
    throw IoError(message(path.string(), ": a JPEG has at most ", JPEG_MAX_DIMENSION, " x ",
                          JPEG_MAX_DIMENSION, " pixels, not ", width, " x ", height, "; use .png"));
  }
  std::vector<std::uint8_t> encoded =
      is_png ? detail::encode_png(pixels.data(), height, width, channels)
             : detail::encode_jpeg(pixels.data(), height, width, std::clamp(quality, 1, 100),
                                   detail::srgb_profile());
  for (const auto& [keyword, text] : texts) {
    if (is_png) detail::add_png_text(encoded, keyword, text);
  }
  AtomicFileWriter file(path);
  file.write(encoded.data(), encoded.size());
  file.commit();
}

}  // namespace sfumato::io
