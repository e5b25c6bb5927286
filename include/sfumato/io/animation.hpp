#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/io/apng.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/gif.hpp"
#include "sfumato/io/image.hpp"

namespace sfumato::io {

/// Throws IoError unless animations can be written under this name.
inline void check_animation_extension(const std::filesystem::path& path) {
  const std::string extension = detail::image_extension(path);
  if (extension != ".gif" && extension != ".apng") {
    throw IoError(
        message(path.string(), ": animations are written as .gif or .apng, not '", extension, "'"));
  }
}

/// An animated picture, GIF or animated PNG as the name's extension says, that appears whole or not
/// at all. What was added waits in a file beside it that has no name, and so never stays behind:
/// the memory that it takes does not grow.
///
///     io::Animation animation("out.apng", 480, 640);
///     animation.add(pixels, 80);
///     animation.commit();
class Animation {
 public:
  /// Throws IoError for another extension, for sides above 65535, and where nothing can be written.
  Animation(const std::filesystem::path& path, std::int64_t height, std::int64_t width)
      : path_(path), height_(height), width_(width) {
    constexpr std::int64_t kLongest = 0xFFFF;
    check_animation_extension(path);
    if (height < 1 || width < 1 || height > kLongest || width > kLongest) {
      throw IoError(message(path.string(), ": an animation of ", height, " x ", width,
                            "; its sides must be 1 to ", kLongest));
    }
    if (detail::image_extension(path) == ".apng") encoder_ = detail::ApngEncoder();
    const std::filesystem::path folder = detail::find_target(path).folder();
    int descriptor = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (descriptor == -1) {  // not every file system can
      std::string name = (folder / ".sfumato-XXXXXX").string();
      descriptor = mkostemp(name.data(), O_CLOEXEC);
      if (descriptor != -1) ::unlink(name.c_str());
    }
    if (descriptor == -1) detail::fail_to_write(path, detail::error_text(errno));
    file_.reset(fdopen(descriptor, "w+b"));
    if (file_ == nullptr) {
      const int error = errno;
      close(descriptor);
      detail::fail_to_write(path, detail::error_text(error));
    }
  }

  /// A picture (height, width, 3), which stays for so long. Throws ShapeError for another size, and
  /// IoError where the disk is full.
  void add(const Tensor<std::uint8_t>& pixels, int milliseconds) {
    if (pixels.shape() != Shape{height_, width_, 3}) {
      throw ShapeError(
          message("Animation: pixels ", pixels.shape(), " must be ", Shape{height_, width_, 3}));
    }
    const auto bytes =
        std::visit([&](auto& encoder) { return encoder.frame(pixels, milliseconds); }, encoder_);
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) fail();
    ++count_;
  }

  /// Writes the file of all pictures there are. Throws IoError where that fails, or for none.
  void commit() {
    if (count_ == 0) throw IoError(message(path_.string(), ": an animation without a picture"));
    if (std::fflush(file_.get()) != 0 || fseeko(file_.get(), 0, SEEK_SET) != 0) fail();
    AtomicFileWriter target(path_);
    const auto put = [&](const std::vector<std::uint8_t>& bytes) {
      target.write(bytes.data(), bytes.size());
    };
    put(std::visit([&](const auto& encoder) { return encoder.head(height_, width_); }, encoder_));
    std::array<char, 65536> piece{};
    for (std::size_t read = piece.size(); read == piece.size();) {
      read = std::fread(piece.data(), 1, piece.size(), file_.get());
      target.write(piece.data(), read);
    }
    if (std::ferror(file_.get()) != 0) fail();
    put(std::visit([](const auto& encoder) { return encoder.tail(); }, encoder_));
    target.commit();
  }

 private:
  [[noreturn]] void fail() const { detail::fail_to_write(path_, detail::error_text(errno)); }

  std::filesystem::path path_;
  std::int64_t height_;
  std::int64_t width_;
  std::variant<detail::GifEncoder, detail::ApngEncoder> encoder_;
  detail::FileHandle file_;
  std::int64_t count_ = 0;
};

}  // namespace sfumato::io
