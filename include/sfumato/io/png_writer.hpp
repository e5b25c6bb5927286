#pragma once

#include <png.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/io/file_writer.hpp"
#include "sfumato/io/png.hpp"

namespace sfumato::io {

namespace detail {

/// Writes one PNG that says that it is sRGB, as many rows at a time as one likes.
class PngWriter {
 public:
  PngWriter(std::int64_t height, std::int64_t width, std::int64_t channels)
      : PngWriter(Size{height, width, channels}) {
    run(begin);  // as all is constructed, the destructor frees what an error leaves behind
  }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }

  /// Pixels of the next rows.
  void add(const std::uint8_t* pixels, std::int64_t rows) {
    pixels_ = pixels;
    rows_ = rows;
    run(write_rows);
  }
  void end() {
    run([](PngWriter& writer) { png_write_end(writer.png_, writer.info_); });
  }
  /// What there is of the file, but for what was taken before.
  std::vector<std::uint8_t> take() { return std::exchange(encoded_, {}); }

 private:
  struct Size {
    std::int64_t height, width, channels;
  };
  explicit PngWriter(const Size& size) : size_(size) {}

  void run(void (*step)(PngWriter&)) {
    if (!errors_.run(*this, step)) {
      throw IoError(message("the PNG could not be encoded: ", errors_.text));
    }
  }

  static void begin(PngWriter& writer) {
    writer.png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer.errors_,
                                          PngErrors::give_up, PngErrors::warn);
    if (writer.png_ == nullptr) writer.errors_.give_up_without_libpng();
    png_structp png = writer.png_;
    writer.info_ = png_create_info_struct(png);
    if (writer.info_ == nullptr) png_error(png, "no memory for libpng");
    png_set_write_fn(
        png, &writer,
        [](png_structp target, png_bytep data, png_size_t bytes) {
          auto& self = *static_cast<PngWriter*>(png_get_io_ptr(target));
          if (!self.keep(data, bytes)) png_error(target, "no memory");
        },
        [](png_structp) {});
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    const auto side = [](std::int64_t pixels) {  // libpng refuses 0, and more than 31 bits
      return static_cast<png_uint_32>(std::clamp<std::int64_t>(pixels, 0, PNG_UINT_32_MAX));
    };
    png_set_IHDR(png, writer.info_, side(writer.size_.width), side(writer.size_.height), 8,
                 writer.size_.channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_sRGB(png, writer.info_, PNG_sRGB_INTENT_RELATIVE);
    png_write_info(png, writer.info_);
  }

  static void write_rows(PngWriter& writer) {
    for (std::int64_t y = 0; y < writer.rows_; ++y) {
      png_write_row(writer.png_, writer.pixels_ + y * writer.size_.width * writer.size_.channels);
    }
  }

  /// Adds to the result; false if there is no memory.
  bool keep(const std::uint8_t* data, std::size_t bytes) noexcept {
    try {
      encoded_.insert(encoded_.end(), data, data + bytes);
    } catch (...) {
      return false;
    }
    return true;
  }

  Size size_;
  const std::uint8_t* pixels_ = nullptr;
  std::int64_t rows_ = 0;
  PngErrors errors_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::vector<std::uint8_t> encoded_;
};

/// RGB pixels, or RGBA of 4 channels, as a PNG file. Throws IoError.
inline std::vector<std::uint8_t> encode_png(const std::uint8_t* pixels, std::int64_t height,
                                            std::int64_t width, std::int64_t channels) {
  PngWriter writer(height, width, channels);
  writer.add(pixels, height);
  writer.end();
  return writer.take();
}

}  // namespace detail

/// A PNG of sRGB, 8 bits, that is written some rows at a time, so that no more of it than those
/// need be in memory; it appears whole or not at all. The file is the one that write_image()
/// writes.
///
///     io::PngFile file("large.png", 40000, 30000);
///     for (int i = 0; i < 40; ++i) file.add(rows(1000 * i, 1000));
///     file.commit();
class PngFile {
 public:
  /// Throws IoError for a picture without pixels, or larger than PNG allows, and where nothing can
  /// be written.
  PngFile(const std::filesystem::path& path, std::int64_t height, std::int64_t width)
      : file_(path), writer_(height, width, 3), width_(width), missing_(height) {}

  /// The next rows (rows, width, 3). Throws ShapeError for another width, or more rows than the
  /// picture has, and IoError where the disk is full.
  void add(const Tensor<std::uint8_t>& rows) {
    if (rows.rank() != 3 || rows.shape() != Shape{rows.shape()[0], width_, 3} ||
        rows.shape()[0] > missing_) {
      throw ShapeError(message("PngFile: rows ", rows.shape(), " where ", missing_, " rows of ",
                               width_, " x 3 are missing"));
    }
    writer_.add(rows.data(), rows.shape()[0]);
    write();
    missing_ -= rows.shape()[0];
  }

  /// Puts the file in its place. Throws ShapeError where rows are missing, and IoError.
  void commit() {
    if (missing_ != 0) throw ShapeError(message("PngFile: ", missing_, " rows are missing"));
    writer_.end();
    write();
    file_.commit();
  }

 private:
  void write() {
    const std::vector<std::uint8_t> bytes = writer_.take();
    file_.write(bytes.data(), bytes.size());
  }

  AtomicFileWriter file_;
  detail::PngWriter writer_;
  std::int64_t width_;
  std::int64_t missing_;  // rows
};

}  // namespace sfumato::io
