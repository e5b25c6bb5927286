#pragma once

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/io/exif.hpp"
#include "sfumato/io/icc.hpp"
#include "sfumato/io/picture.hpp"

namespace sfumato::io::detail {

/// Errors of libpng, for reading and writing, in the way of JpegErrors.
struct PngErrors {
  std::jmp_buf back;
  char text[256] = "";
  char warning[256] = "";

  [[noreturn]] static void give_up(png_structp png, png_const_charp text) {
    auto& errors = *static_cast<PngErrors*>(png_get_error_ptr(png));
    std::snprintf(errors.text, sizeof errors.text, "%s", text);
    std::longjmp(errors.back, 1);
  }
  [[noreturn]] void give_up_without_libpng() {
    std::snprintf(text, sizeof text, "libpng can't start");
    std::longjmp(back, 1);
  }
  static void warn(png_structp png, png_const_charp text) {
    auto& errors = *static_cast<PngErrors*>(png_get_error_ptr(png));
    std::snprintf(errors.warning, sizeof errors.warning, "%s", text);
    // After the last pixel libpng only warns when the checksum of all pixels is wrong. That more
    // follows does no pixel harm.
    const std::string_view warning = text;
    const bool surplus =
        warning == "IDAT: Extra compressed data" || warning == "IDAT: Too much image data";
    if (warning.starts_with("IDAT: ") && !surplus) give_up(png, text);
  }

  /// False if libpng gave up in the step, which must have trivial variables only.
  template <class Owner>
  bool run(Owner& owner, void (*step)(Owner&)) {
    if (setjmp(back) != 0) return false;
    step(owner);
    return true;
  }
};

/// Reads one PNG of any colour type, interlaced or not.
class PngReader {
 public:
  PngReader(const std::string& name, std::span<const std::uint8_t> file)
      : name_(name), file_(file) {}
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  Picture read() {
    check_size();
    check_chunks();
    check(errors_.run(*this, read_header));
    Picture picture;
    picture.width = png_get_image_width(png_, info_);
    picture.height = png_get_image_height(png_, info_);
    if (png_get_rowbytes(png_, info_) != picture.row_bytes()) {
      throw_damaged(name_, "its rows are not as long as it says");
    }
    picture.kind = is_grey_ ? PixelKind::kGrey : PixelKind::kRgb;
    picture.pixels.resize(picture.row_bytes() * static_cast<std::size_t>(picture.height));
    picture_ = &picture;
    check(errors_.run(*this, read_rows));
    // All pixels are there. What follows may hold the orientation; only the end mark may be
    // missing.
    if (!errors_.run(*this, read_end)) {
      if (!file_ended_) fail();
      if (!only_end_is_missing()) throw_truncated(name_, file_.size(), "amid what follows pixels");
    }
    take_profile(picture);
    picture.orientation = find_orientation();
    return picture;
  }

 private:
  /// The number of four bytes that stands there.
  std::int64_t number(std::size_t at) const {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | file_[at + i];
    return value;
  }

  /// Before libpng sees them: it names no sizes.
  void check_size() const {
    // No format read here packs more pixels into a byte: one bit each, deflated 1032 to 1.
    constexpr std::int64_t kMostPixelsPerByte = 8256;
    constexpr std::size_t kSizeAt = 16;
    if (file_.size() < kSizeAt + 8) throw_truncated(name_, file_.size());
    if (std::memcmp(&file_[12], "IHDR", 4) != 0) return;  // libpng says so
    check_picture_size(name_, number(kSizeAt), number(kSizeAt + 4), file_.size(),
                       kMostPixelsPerByte);
  }

  /// Throws for a chunk that claims more bytes than follow: libpng would ask for memory for all of
  /// them. Pixels, which it reads piece by piece, are left to it, as are numbers that it refuses.
  void check_chunks() const {
    constexpr std::int64_t kMost = 0x7FFFFFFF;
    const auto size = static_cast<std::int64_t>(file_.size());
    bool behind_pixels = false;
    for (std::int64_t at = 8; at + 8 <= size;) {
      const std::int64_t length = number(static_cast<std::size_t>(at));
      const std::uint8_t* const type = &file_[static_cast<std::size_t>(at) + 4];
      const bool is_pixels = std::memcmp(type, "IDAT", 4) == 0;
      if (std::memcmp(type, "IEND", 4) == 0) return;  // what follows is nobody's
      if (length > size - at - 8 && length <= kMost && !is_pixels) {
        if (behind_pixels) throw_truncated(name_, file_.size(), "amid what follows pixels");
        throw_truncated(name_, file_.size());
      }
      behind_pixels = behind_pixels || is_pixels;
      at += 12 + length;
    }
  }

  static void read_header(PngReader& reader) {
    constexpr png_uint_32 kMostChunks = 100;          // of text
    constexpr png_alloc_size_t kMostBytes = 4 << 20;  // of one chunk but pixels, uncompressed
    reader.png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader.errors_, PngErrors::give_up,
                                         PngErrors::warn);
    if (reader.png_ == nullptr) reader.errors_.give_up_without_libpng();
    png_structp png = reader.png_;
    reader.info_ = png_create_info_struct(png);
    if (reader.info_ == nullptr) png_error(png, "no memory for libpng");
    png_set_read_fn(png, &reader, [](png_structp source, png_bytep target, png_size_t bytes) {
      auto& self = *static_cast<PngReader*>(png_get_io_ptr(source));
      if (bytes > self.file_.size() - self.position_) {
        self.file_ended_ = true;
        png_error(source, "the file ends");
      }
      std::memcpy(target, self.file_.data() + self.position_, bytes);
      self.position_ += bytes;
    });
    png_set_user_limits(png, static_cast<png_uint_32>(kMostPixels),
                        static_cast<png_uint_32>(kMostPixels));
    png_set_chunk_cache_max(png, kMostChunks);
    png_set_chunk_malloc_max(png, kMostBytes);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    // Not used, and so no reason for libpng to throw away a profile that contradicts them.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER,
                                reinterpret_cast<png_const_bytep>("gAMA\0cHRM\0sRGB"), 3);
    // As they stand in the file: libpng knows the first in some versions only, and takes the
    // second only without the mark that some programs put before it.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS,
                                reinterpret_cast<png_const_bytep>("cICP\0eXIf"), 2);
    png_read_info(png, reader.info_);
    reader.is_grey_ = (png_get_color_type(png, reader.info_) & PNG_COLOR_MASK_COLOR) == 0;
    png_set_expand(png);  // palettes, less than 8 bits and transparent colours
    png_set_strip_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);  // where there is none
    reader.passes_ = png_set_interlace_handling(png);
    png_read_update_info(png, reader.info_);
  }

  static void read_rows(PngReader& reader) {
    for (int pass = 0; pass < reader.passes_; ++pass) {
      for (std::int64_t y = 0; y < reader.picture_->height; ++y) {
        png_read_row(reader.png_, reader.picture_->row(y), nullptr);
      }
    }
  }

  static void read_end(PngReader& reader) { png_read_end(reader.png_, reader.info_); }

  /// True if a file that ends too early ends behind a chunk, or in one that has no content.
  bool only_end_is_missing() const {
    constexpr std::size_t kSignature = 8;
    constexpr std::size_t kAround = 12;  // length, name and checksum
    std::size_t position = kSignature;
    while (file_.size() - position >= 4) {
      const auto length = static_cast<std::size_t>(number(position));
      const std::size_t left = file_.size() - position;
      if (length == 0 && left < kAround) return true;
      if (left < kAround || length > left - kAround) return false;
      position += kAround + length;
    }
    return position == file_.size();
  }

  void check(bool done) const {
    if (!done) fail();
  }
  [[noreturn]] void fail() const {
    if (file_ended_) throw_truncated(name_, file_.size());
    const std::string_view text = errors_.text;
    // libpng's warning says what is wrong in the header, its error only that something is.
    throw_damaged(name_, message(text == "Invalid IHDR data" && errors_.warning[0] != '\0'
                                     ? std::string_view(errors_.warning)
                                     : text,
                                 " (PNG, near byte ", position_, ")"));
  }

  void take_profile(Picture& picture) const {
    png_charp title = nullptr;
    png_bytep profile = nullptr;
    png_uint_32 bytes = 0;
    int compression = 0;
    if (png_get_iCCP(png_, info_, &title, &compression, &profile, &bytes) != 0) {
      picture.profile.assign(profile, profile + bytes);
    }
    const auto code = kept_chunk("cICP");
    if (code.size() != 4) return;
    const int transfer = code[1];  // ITU-T H.273
    if (transfer == 16 || transfer == 18) {
      throw IoError(message(name_, ": a PNG of high dynamic range (", transfer == 16 ? "PQ" : "HLG",
                            "), which is not read; convert it to sRGB"));
    }
    if (auto coded = coded_profile(code[0], transfer)) picture.profile = std::move(*coded);
  }

  /// What the first chunk of this name holds that libpng kept unread; nothing if there is none.
  std::span<const std::uint8_t> kept_chunk(const char* chunk_name) const {
    png_unknown_chunkp chunks = nullptr;
    const int count = png_get_unknown_chunks(png_, info_, &chunks);
    for (int i = 0; i < count; ++i) {
      if (std::memcmp(chunks[i].name, chunk_name, 4) == 0) return {chunks[i].data, chunks[i].size};
    }
    return {};
  }

  int find_orientation() const {
    const auto exif = kept_chunk("eXIf");
    std::optional<int> of_exif = ExifOrientation::of(exif);
    std::optional<int> of_xmp;
    png_textp texts = nullptr;
    int count = 0;
    png_get_text(png_, info_, &texts, &count);
    for (int i = 0; i < count; ++i) {
      const std::string_view key = texts[i].key;
      const bool is_exif = key == "Raw profile type exif" || key == "Raw profile type APP1";
      const std::size_t length =
          texts[i].compression > 0 ? texts[i].itxt_length : texts[i].text_length;
      if (is_exif && exif.empty() && !of_exif) {
        of_exif = ExifOrientation::of_raw_profile({texts[i].text, length});
      } else if (key == "XML:com.adobe.xmp") {
        of_xmp = xmp_orientation({reinterpret_cast<const std::uint8_t*>(texts[i].text), length});
      }
    }
    return of_exif.value_or(of_xmp.value_or(1));
  }

  const std::string& name_;
  std::span<const std::uint8_t> file_;
  std::size_t position_ = 0;
  bool file_ended_ = false;
  PngErrors errors_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  Picture* picture_ = nullptr;
  bool is_grey_ = false;
  int passes_ = 1;
};

/// A PNG file's pixels. Of 16 bits the upper 8 are taken, as Pillow does; of an index beyond the
/// palette, opaque black, as libpng. Throws IoError.
inline Picture decode_png(const std::string& name, std::span<const std::uint8_t> file) {
  return PngReader(name, file).read();
}

}  // namespace sfumato::io::detail
