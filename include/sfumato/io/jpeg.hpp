#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>  // before jpeglib.h, which needs it

#include <jpeglib.h>

#include <jerror.h>  // after jpeglib.h, whose options decide about the numbers of errors

#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/io/exif.hpp"
#include "sfumato/io/picture.hpp"

namespace sfumato::io::detail {

/// Errors of libjpeg, for reading and writing. It is C, which no exception may cross: the handler
/// jumps back into run(), and between the two there is nothing that would have to be destroyed.
struct JpegErrors {
  jpeg_error_mgr manager{};  // first: libjpeg knows this struct by it
  std::jmp_buf back;
  char text[JMSG_LENGTH_MAX] = "";
  bool file_ended = false;

  JpegErrors() {
    jpeg_std_error(&manager);
    manager.error_exit = [](j_common_ptr info) {
      auto& errors = *reinterpret_cast<JpegErrors*>(info->err);
      info->err->format_message(info, errors.text);
      std::longjmp(errors.back, 1);
    };
    manager.emit_message = [](j_common_ptr info, int level) {
      if (level >= 0) return;  // a remark
      switch (info->err->msg_code) {
        case JWRN_JPEG_EOF:  // decoded on as if the file's end mark stood here
          reinterpret_cast<JpegErrors*>(info->err)->file_ended = true;
          return;
        case JWRN_EXTRANEOUS_DATA:  // of these no pixel suffers
        case JWRN_TOO_MUCH_DATA:
        case JWRN_NOT_SEQUENTIAL:
        case JWRN_ADOBE_XFORM:
        case JWRN_BOGUS_ICC:
        case JWRN_JFIF_MAJOR:
          return;
        default:
          info->err->error_exit(info);  // libjpeg would go on and invent pixels
      }
    };
    manager.output_message = [](j_common_ptr) {};
  }

  /// False if libjpeg gave up in the step, a function that calls it. The step's own variables are
  /// not destroyed then, so it must have trivial ones only.
  template <class Owner>
  bool run(Owner& owner, void (*step)(Owner&)) {
    if (setjmp(back) != 0) return false;
    step(owner);
    return true;
  }
};

/// Reads one JPEG: baseline, extended, progressive, Huffman or arithmetic coding, of 8 bits.
class JpegReader {
 public:
  JpegReader(const std::string& name, std::span<const std::uint8_t> file)
      : name_(name), file_(file) {
    info_.err = &errors_.manager;
    progress_.progress_monitor = stop_endless_scans;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() {
    jpeg_destroy_decompress(&info_);
    std::free(profile_);
  }

  Picture read() {
    check(errors_.run(*this, read_header));
    check_picture_size(name_, info_.image_width, info_.image_height, file_.size(), 0);
    const bool is_cmyk = info_.num_components == 4;
    if (info_.num_components == 2 || info_.num_components > 4) {
      throw IoError(message(name_, ": a JPEG of ", info_.num_components,
                            " colour channels, of unknown meaning; convert it to RGB"));
    }
    info_.out_color_space = is_cmyk ? JCS_CMYK : JCS_EXT_RGBA;
    check(errors_.run(*this, start));
    check_all_channels_are_there();

    Picture picture;
    picture.width = info_.output_width;
    picture.height = info_.output_height;
    picture.kind = is_cmyk                     ? PixelKind::kCmyk
                   : info_.num_components == 1 ? PixelKind::kGrey
                                               : PixelKind::kRgb;
    picture.pixels.resize(picture.row_bytes() * static_cast<std::size_t>(picture.height));
    picture.orientation = find_orientation();  // before libjpeg forgets its segments
    picture_ = &picture;
    check(errors_.run(*this, read_rows));
    check(errors_.run(*this, finish));
    // Without an end mark there may be pixels missing that libjpeg can't miss: arithmetic coding
    // may end anywhere, and progressive scans get better until the last.
    if (errors_.file_ended && (info_.arith_code || !is_complete_)) fail();
    if (is_cmyk) {  // ink is stored inverted, as Adobe does it, whether or not Adobe's mark is
                    // there
      for (std::uint8_t& ink : picture.pixels) ink = static_cast<std::uint8_t>(255 - ink);
    }
    picture.profile.assign(profile_, profile_ + profile_bytes_);
    return picture;
  }

 private:
  static void read_header(JpegReader& reader) {
    constexpr unsigned kLongest = 0xFFFF;
    j_decompress_ptr info = &reader.info_;
    jpeg_create_decompress(info);
    info->progress = &reader.progress_;
    info->mem->max_memory_to_use = kMostDecoderBytes;
    jpeg_save_markers(info, JPEG_APP0 + 1, kLongest);  // EXIF
    jpeg_save_markers(info, JPEG_APP0 + 2, kLongest);  // ICC
    jpeg_mem_src(info, reader.file_.data(), static_cast<unsigned long>(reader.file_.size()));
    jpeg_read_header(info, TRUE);
  }

  /// Of a picture in several scans this reads them all.
  static void start(JpegReader& reader) {
    jpeg_start_decompress(&reader.info_);
    jpeg_read_icc_profile(&reader.info_, &reader.profile_, &reader.profile_bytes_);
  }

  static void read_rows(JpegReader& reader) {
    while (reader.info_.output_scanline < reader.info_.output_height) {
      JSAMPROW row = reader.picture_->row(reader.info_.output_scanline);
      jpeg_read_scanlines(&reader.info_, &row, 1);
    }
  }

  static void finish(JpegReader& reader) { jpeg_finish_decompress(&reader.info_); }

  /// Scans are cheap to write and dear to read: a few bytes may go over all pixels. libjpeg-turbo's
  /// advice is to stop at some number; here it also depends on the number of pixels.
  static void stop_endless_scans(j_common_ptr common) {
    constexpr std::int64_t kMostScans = 500;
    constexpr std::int64_t kMostPixelsInAllScans = std::int64_t{1} << 32;
    const auto* info = reinterpret_cast<j_decompress_ptr>(common);
    const std::int64_t scans = info->input_scan_number;
    const std::int64_t pixels = std::int64_t{info->image_width} * info->image_height;
    if (scans <= kMostScans && scans * pixels <= kMostPixelsInAllScans) return;
    auto& errors = *reinterpret_cast<JpegErrors*>(common->err);
    std::snprintf(errors.text, sizeof errors.text, "more than %d scans over the picture",
                  static_cast<int>(scans) - 1);
    common->err->msg_code = 0;  // none of libjpeg's
    std::longjmp(errors.back, 1);
  }

  /// After all scans were read, or the first of a picture of one scan: notices a channel without
  /// any, of which libjpeg would make grey.
  void check_all_channels_are_there() {
    is_complete_ = true;
    for (int channel = 0; channel < info_.num_components; ++channel) {
      bool is_there = info_.comp_info[channel].quant_table != nullptr;
      if (info_.progressive_mode && info_.coef_bits != nullptr) {
        const int* bits = info_.coef_bits[channel];  // which are still unknown; −1 for all
        is_there = bits[0] >= 0;
        for (int i = 0; i < DCTSIZE2; ++i) is_complete_ = is_complete_ && bits[i] == 0;
      }
      if (!is_there) {
        if (errors_.file_ended) fail();
        throw_damaged(name_, message("colour channel ", channel + 1, " of ", info_.num_components,
                                     " is missing"));
      }
    }
  }

  int find_orientation() const {
    constexpr std::string_view kXmpMark("http://ns.adobe.com/xap/1.0/\0", 29);
    std::vector<std::uint8_t> exif;  // several segments are one, as a segment has 64 KiB at most
    std::optional<int> of_xmp;
    for (jpeg_saved_marker_ptr mark = info_.marker_list; mark != nullptr; mark = mark->next) {
      const std::span<const std::uint8_t> content(mark->data, mark->data_length);
      if (mark->marker != JPEG_APP0 + 1) continue;
      if (starts_with(content, kExifMark)) {
        exif.insert(exif.end(), content.begin() + kExifMark.size(), content.end());
      } else if (starts_with(content, kXmpMark)) {
        of_xmp = xmp_orientation(content.subspan(kXmpMark.size()));
      }
    }
    return ExifOrientation::of(exif).value_or(of_xmp.value_or(1));
  }

  void check(bool done) const {
    if (!done) fail();
  }

  /// Says in words what libjpeg gave up over.
  [[noreturn]] void fail() const {
    if (errors_.file_ended) throw_truncated(name_, file_.size());
    const int detail = errors_.manager.msg_parm.i[0];
    switch (errors_.manager.msg_code) {
      case JERR_BAD_PRECISION:
        throw IoError(message(name_, ": a JPEG of ", detail,
                              " bits per value, which is not read; convert it to 8 bits"));
      case JERR_SOF_UNSUPPORTED:
        throw IoError(message(name_, detail == 0xC3 ? ": a lossless JPEG" : ": a hierarchical JPEG",
                              ", which is not read; convert it to an ordinary JPEG or PNG"));
      case JERR_ARITH_NOTIMPL:
        throw IoError(message(name_,
                              ": a JPEG with arithmetic coding, which this libjpeg was "
                              "built without; convert it to an ordinary JPEG or PNG"));
      case JERR_OUT_OF_MEMORY:
      case JERR_NO_BACKING_STORE:
        throw IoError(message(name_, ": the picture is too large: ", info_.image_width, " x ",
                              info_.image_height, " pixels need more than ",
                              kMostDecoderBytes >> 20, " MiB to decode; make it smaller"));
      default:
        break;
    }
    const std::size_t position =
        info_.src == nullptr ? 0 : file_.size() - info_.src->bytes_in_buffer;
    throw_damaged(name_, message(errors_.text, " (JPEG, near byte ", position, ")"));
  }

  const std::string& name_;
  std::span<const std::uint8_t> file_;
  JpegErrors errors_;
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct info_{};
  Picture* picture_ = nullptr;
  JOCTET* profile_ = nullptr;  // libjpeg's, from malloc
  unsigned profile_bytes_ = 0;
  bool is_complete_ = false;
};

/// A JPEG file's pixels, bit for bit those of libjpeg's exact integer transform and smooth
/// ("fancy") upsampling, which Pillow and most viewers show. Throws IoError.
inline Picture decode_jpeg(const std::string& name, std::span<const std::uint8_t> file) {
  return JpegReader(name, file).read();
}

/// Writes one JPEG without chroma subsampling.
class JpegWriter {
 public:
  JpegWriter(const std::uint8_t* rgb, std::int64_t height, std::int64_t width, int quality,
             std::span<const std::uint8_t> profile)
      : rgb_(rgb), profile_(profile), height_(height), width_(width), quality_(quality) {
    info_.err = &errors_.manager;
    // libjpeg fills the buffer; what is full goes to encoded_.
    target_.init_destination = [](j_compress_ptr) {};
    target_.empty_output_buffer = [](j_compress_ptr info) -> boolean {
      auto& writer = *static_cast<JpegWriter*>(info->client_data);
      if (!writer.take(kBufferBytes)) ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
      return TRUE;
    };
    target_.term_destination = [](j_compress_ptr info) {
      auto& writer = *static_cast<JpegWriter*>(info->client_data);
      if (!writer.take(kBufferBytes - writer.target_.free_in_buffer)) {
        ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
      }
    };
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;
  ~JpegWriter() { jpeg_destroy_compress(&info_); }

  std::vector<std::uint8_t> write() {
    if (!errors_.run(*this, write_all)) {
      throw IoError(message("the JPEG could not be encoded: ", errors_.text));
    }
    return std::move(encoded_);
  }

 private:
  static constexpr std::size_t kBufferBytes = 1 << 16;

  static void write_all(JpegWriter& writer) {
    j_compress_ptr info = &writer.info_;
    jpeg_create_compress(info);
    info->client_data = &writer;
    info->dest = &writer.target_;
    writer.target_.next_output_byte = writer.buffer_;
    writer.target_.free_in_buffer = kBufferBytes;
    info->image_width = static_cast<JDIMENSION>(writer.width_);
    info->image_height = static_cast<JDIMENSION>(writer.height_);
    info->input_components = 3;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, writer.quality_, TRUE);
    info->comp_info[0].h_samp_factor = 1;
    info->comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(info, TRUE);
    jpeg_write_icc_profile(info, writer.profile_.data(),
                           static_cast<unsigned>(writer.profile_.size()));
    const std::int64_t row_bytes = writer.width_ * 3;
    while (info->next_scanline < info->image_height) {
      // libjpeg's rows are not const, but it does not write to them.
      auto* row = const_cast<JSAMPLE*>(writer.rgb_ + info->next_scanline * row_bytes);
      jpeg_write_scanlines(info, &row, 1);
    }
    jpeg_finish_compress(info);
  }

  /// Moves what stands in the buffer to the result; false if there is no memory.
  bool take(std::size_t bytes) noexcept {
    try {
      encoded_.insert(encoded_.end(), buffer_, buffer_ + bytes);
    } catch (...) {
      return false;
    }
    target_.next_output_byte = buffer_;
    target_.free_in_buffer = kBufferBytes;
    return true;
  }

  const std::uint8_t* rgb_;
  std::span<const std::uint8_t> profile_;
  std::int64_t height_;
  std::int64_t width_;
  int quality_;
  JpegErrors errors_;
  jpeg_compress_struct info_{};
  jpeg_destination_mgr target_{};
  JOCTET buffer_[kBufferBytes];
  std::vector<std::uint8_t> encoded_;
};

/// RGB pixels as a JPEG file of a quality from 1 to 100, without chroma subsampling, with the
/// colour profile given. Throws IoError.
inline std::vector<std::uint8_t> encode_jpeg(const std::uint8_t* rgb, std::int64_t height,
                                             std::int64_t width, int quality,
                                             std::span<const std::uint8_t> profile) {
  return JpegWriter(rgb, height, width, quality, profile).write();
}

}  // namespace sfumato::io::detail
