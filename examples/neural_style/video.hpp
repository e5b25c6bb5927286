#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "process.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"

/// Films as frames and back, by ffmpeg.
namespace neural_style {

/// What the frames of a film must become again: their rate, and how their colours are coded, in
/// ffmpeg's words.
struct Video {
  std::string rate;  ///< frames a second, "30000/1001"
  bool steady;       ///< whether all frames are equally long
  std::string matrix;
  std::string range;
  std::string primaries;
  std::string transfer;
};

namespace detail {

/// A path as ffmpeg takes it for nothing but a path.
inline std::string file_url(const std::filesystem::path& path) {
  return "file:" + std::filesystem::absolute(path).string();
}

inline void run_ffmpeg(const std::vector<std::string>& words, const std::filesystem::path& folder,
                       const std::string& what) {
  std::vector<std::string> all{"ffmpeg", "-v", "error", "-nostdin", "-y"};
  all.insert(all.end(), words.begin(), words.end());
  const Finished finished = run_process(all, folder.string());
  if (finished.status == 0) return;
  throw sfumato::IoError(
      sfumato::message(what, ": ffmpeg says: ", sfumato::excerpt(finished.output)));
}

}  // namespace detail

/// What ffprobe tells of a film. Throws IoError where it is none, ffmpeg is not installed, or the
/// colours are of a kind that 8 bits do not hold.
inline Video probe(const std::string& path) {
  const std::string fields =
      "stream=height,r_frame_rate,avg_frame_rate,color_range,color_space,color_transfer,"
      "color_primaries,pix_fmt";
  Finished finished{};
  try {
    finished = run_process({"ffprobe", "-v", "quiet", "-select_streams", "v:0", "-show_entries",
                            fields, "-of", "json", detail::file_url(path)},
                           ".");
  } catch (const sfumato::IoError&) {
    throw sfumato::IoError("films need ffmpeg and ffprobe; install ffmpeg, or take --frames");
  }
  const nlohmann::json all = nlohmann::json::parse(finished.output, nullptr, false);
  if (finished.status != 0 || !all.is_object() || !all.contains("streams") ||
      !all["streams"].is_array() || all["streams"].empty() || !all["streams"][0].is_object()) {
    throw sfumato::IoError(path + ": is no film that ffmpeg can read");
  }
  const nlohmann::json& stream = all["streams"][0];
  const auto text = [&](const char* name) {
    const auto found = stream.find(name);
    const bool known = found != stream.end() && found->is_string() && *found != "unknown";
    return known ? found->get<std::string>() : std::string();
  };
  const std::string format = text("pix_fmt");
  const bool is_rgb = format.find("rgb") != std::string::npos ||
                      format.find("gbr") != std::string::npos ||
                      format.find("bgr") != std::string::npos;
  // What players take it for where it says nothing.
  constexpr std::int64_t kHighDefinition = 720;
  const std::int64_t height = stream.value("height", std::int64_t{0});
  const std::string standard = height >= kHighDefinition || is_rgb ? "bt709" : "smpte170m";
  Video video{text("avg_frame_rate"),  text("avg_frame_rate") == text("r_frame_rate"),
              text("color_space"),     text("color_range"),
              text("color_primaries"), text("color_transfer")};
  if (video.rate.empty() || video.rate.starts_with("0/")) {
    video.rate = text("r_frame_rate");
    video.steady = true;
  }
  if (video.transfer == "smpte2084" || video.transfer == "arib-std-b67") {
    throw sfumato::IoError(path + ": is high dynamic range (" + video.transfer +
                           "), which 8 bits do not hold; map its tones first, as with ffmpeg's "
                           "filters zscale and tonemap");
  }
  if (video.matrix.empty() || video.matrix == "gbr") video.matrix = standard;
  if (video.range.empty()) video.range = format.starts_with("yuvj") ? "pc" : "tv";
  if (is_rgb) video.range = "tv";  // as players expect it of what is written
  return video;
}

/// Writes every frame into a folder, as 000001.png and so on. Throws IoError.
inline void extract_frames(const std::string& film, const Video& video,
                           const std::filesystem::path& folder) {
  std::string filter = "scale=iw*sar:ih:in_color_matrix=" + video.matrix +
                       ":out_range=pc:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,"
                       "setsar=1,format=rgb24,setparams=color_primaries=unknown:"
                       "color_trc=unknown:colorspace=unknown";
  if (!video.steady) filter = "fps=" + video.rate + "," + filter;
  detail::run_ffmpeg({"-i", detail::file_url(film), "-map", "0:v:0", "-vf", filter, "-vsync",
                      "passthrough", "%06d.png"},
                     folder, film);
}

/// Makes a film of 000001.png and so on in a folder, with the sound of the one that they came from,
/// H.264. A last odd row or column is left out, as that format can't have it. Throws IoError.
inline void make_film(const std::filesystem::path& folder, const Video& video,
                      const std::string& sound_of, const std::string& output) {
  const std::string filter =
      "crop=trunc(iw/2)*2:trunc(ih/2)*2,scale=out_color_matrix=" + video.matrix +
      ":out_range=" + video.range + ":flags=bicubic+accurate_rnd+full_chroma_int,format=yuv420p";
  std::vector<std::string> words{
      "-framerate",  video.rate,   "-i",           "%06d.png", "-i",   detail::file_url(sound_of),
      "-map",        "0:v:0",      "-map",         "1:a?",     "-c:a", "copy",
      "-vf",         filter,       "-c:v",         "libx264",  "-crf", "16",
      "-colorspace", video.matrix, "-color_range", video.range};
  if (!video.primaries.empty()) {
    words.insert(words.end(), {"-color_primaries", video.primaries});
  }
  if (!video.transfer.empty()) words.insert(words.end(), {"-color_trc", video.transfer});
  words.insert(words.end(), {"-movflags", "+faststart", detail::file_url(output)});
  detail::run_ffmpeg(words, folder, output);
}

}  // namespace neural_style
