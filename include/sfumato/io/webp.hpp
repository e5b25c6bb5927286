#pragma once

#include <webp/decode.h>
#include <webp/demux.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "sfumato/core/error.hpp"
#include "sfumato/io/exif.hpp"
#include "sfumato/io/picture.hpp"

namespace sfumato::io::detail {

/// The content of the first chunk of a kind, empty if there is none.
inline std::span<const std::uint8_t> webp_chunk(const WebPDemuxer* demuxer, const char* kind) {
  WebPChunkIterator chunk{};
  if (WebPDemuxGetChunk(demuxer, kind, 1, &chunk) == 0) return {};
  const std::span<const std::uint8_t> content(chunk.chunk.bytes, chunk.chunk.size);
  WebPDemuxReleaseChunkIterator(&chunk);  // the bytes are the file's
  return content;
}

/// A WebP file's pixels, lossy or not, with its opacity; of an animation its first picture, on a
/// transparent canvas. Throws IoError.
inline Picture decode_webp(const std::string& name, std::span<const std::uint8_t> file) {
  const WebPData data{file.data(), file.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> demuxer(
      WebPDemuxPartial(&data, &state), WebPDemuxDelete);
  if (state == WEBP_DEMUX_PARSING_HEADER || state == WEBP_DEMUX_PARSED_HEADER) {
    throw_truncated(name, file.size());
  }
  WebPIterator frame{};
  if (demuxer == nullptr || state != WEBP_DEMUX_DONE ||
      WebPDemuxGetFrame(demuxer.get(), 1, &frame) == 0) {
    throw_damaged(name, "its chunks make no WebP");
  }
  const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> frame_owner(
      &frame, WebPDemuxReleaseIterator);

  Picture picture;
  picture.width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  picture.height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  check_picture_size(name, picture.width, picture.height, file.size(), 0);
  if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width < 1 || frame.height < 1 ||
      frame.x_offset + frame.width > picture.width ||
      frame.y_offset + frame.height > picture.height) {
    throw_damaged(name, "its first picture lies outside its canvas");
  }
  picture.pixels.resize(picture.row_bytes() * static_cast<std::size_t>(picture.height));

  WebPDecoderConfig config;
  const auto check = [&](VP8StatusCode status) {
    if (status == VP8_STATUS_OK) return;
    if (status == VP8_STATUS_OUT_OF_MEMORY) {
      throw ResourceError(
          message(name, ": no memory to decode ", picture.width, " x ", picture.height, " pixels"));
    }
    if (status == VP8_STATUS_SUSPENDED || status == VP8_STATUS_NOT_ENOUGH_DATA) {
      throw_damaged(name, "it has fewer pixels than it claims (WebP)");
    }
    throw_damaged(name, "its pixels make no sense (WebP)");
  };
  if (WebPInitDecoderConfig(&config) == 0) throw IoError("libwebp has another version");
  check(WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &config.input));
  if (config.input.width != frame.width || config.input.height != frame.height) {
    throw_damaged(name, "its headers name different sizes (WebP)");
  }
  const std::size_t offset = static_cast<std::size_t>(frame.y_offset) * picture.row_bytes() +
                             static_cast<std::size_t>(frame.x_offset) * 4;
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = picture.pixels.data() + offset;
  config.output.u.RGBA.stride = static_cast<int>(picture.row_bytes());
  config.output.u.RGBA.size = picture.pixels.size() - offset;
  check(WebPDecode(frame.fragment.bytes, frame.fragment.size, &config));

  const std::span<const std::uint8_t> profile = webp_chunk(demuxer.get(), "ICCP");
  picture.profile.assign(profile.begin(), profile.end());
  const std::optional<int> of_exif = ExifOrientation::of(webp_chunk(demuxer.get(), "EXIF"));
  const std::optional<int> of_xmp = xmp_orientation(webp_chunk(demuxer.get(), "XMP "));
  picture.orientation = of_exif.value_or(of_xmp.value_or(1));
  return picture;
}

}  // namespace sfumato::io::detail
