#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "chart.hpp"
#include "frames.hpp"
#include "page.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/safetensors.hpp"
#include "sfumato/io/write_target.hpp"
#include "sfumato/style/transfer.hpp"
#include "sources.hpp"
#include "stages.hpp"

namespace neural_style {

inline constexpr std::string_view kLossesHeader = "iteration,content,style,tv,total,seconds\n";
inline constexpr std::string_view kLogBegin = "{\"event\":\"start\"";

/// "photo-painting.png" for "pictures/photo.jpg" and "painting.jpg": what to write in the current
/// folder where nothing is said; of many styles three are named. A number is
/// added rather than take a name that there is.
inline std::string free_output(const std::string& content, const std::vector<NamedStyle>& styles,
                               const char* ending = ".png") {
  namespace fs = std::filesystem;
  constexpr std::size_t kNamed = 3;
  std::string stem = fs::path(content).stem().string();
  for (std::size_t i = 0; i < std::min(styles.size(), kNamed); ++i) {
    const fs::path path = fs::absolute(styles[i].path).lexically_normal();
    stem += "-" + (path.has_filename() ? path : path.parent_path()).stem().string();
  }
  if (styles.size() > kNamed) stem += sfumato::message("-and-", styles.size() - kNamed, "-more");
  std::string name = stem + ending;
  std::error_code ignored;
  for (int number = 2; fs::exists(fs::symlink_status(name, ignored)); ++number) {
    name = sfumato::message(stem, "-", number, ending);
  }
  return name;
}

/// "out.png" to "out-stage1.png".
inline std::string stage_path(const std::string& output, std::size_t number) {
  const std::filesystem::path path(output);
  return (path.parent_path() /
          sfumato::message(path.stem().string(), "-stage", number, path.extension().string()))
      .string();
}

namespace detail {

/// A path of the command line, and what it is for.
struct NamedPath {
  std::string what;
  std::string path;
};

/// The ending of a name, where it means a format that is no text; else nothing.
inline std::string format_of(const std::filesystem::path& path) {
  const std::string ending = sfumato::io::detail::image_extension(path);
  if (ending == ".jpeg") return ".jpg";
  for (const char* const known : {".png", ".apng", ".jpg", ".bmp", ".webp", ".gif", ".tif", ".tiff",
                                  ".safetensors", ".pth", ".pt", ".npy", ".npz"}) {
    if (ending == known) return ending;
  }
  return "";
}

/// Throws ValueError where the name of a picture is a link to one of another format.
inline void refuse_other_format(const NamedPath& picture) {
  const std::filesystem::path place = sfumato::io::detail::follow_links(picture.path);
  const std::string format = format_of(place);
  if (format.empty() || format == format_of(picture.path)) return;
  throw sfumato::ValueError(sfumato::message(
      picture.what, " ", picture.path, " is a link to ", place.string(),
      ", whose ending means another format; name that file, or one that is no link"));
}

/// A text that a run writes: the option, what its file holds, how that begins, and an ending that
/// suits it.
struct TextFile {
  std::string option;
  std::string path;
  const char* holds;
  std::string_view begin;
  const char* ending;
};

/// Those that are asked for.
inline std::vector<TextFile> text_files(const Arguments& a) {
  std::vector<TextFile> files{{"--losses", a.losses, "losses", kLossesHeader, ".csv"},
                              {"--log", a.log, "log", kLogBegin, ".jsonl"},
                              {"--plot", a.plot, "plot", kPlotBegin, ".svg"},
                              {"--report", a.report, "report", kReportBegin, ".html"}};
  std::erase_if(files, [](const TextFile& file) { return file.path.empty(); });
  return files;
}

/// Under which a checkpoint's metadata says where the run stands.
inline constexpr const char* kCheckpoint = "neural_style_checkpoint";

/// Throws IoError where --checkpoint names a file that holds anything but a checkpoint.
inline void refuse_other_than_checkpoint(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored) ||
      std::filesystem::file_size(path, ignored) == 0) {
    return;
  }
  try {
    if (sfumato::io::SafetensorsFile(path).metadata().contains(kCheckpoint)) return;
  } catch (const sfumato::IoError&) {  // neither are others
  }
  throw sfumato::IoError(sfumato::message("--checkpoint ", path,
                                          ": there is a file of that name that holds no "
                                          "checkpoint; name another, or remove it first"));
}

/// Throws IoError where a file for text has a picture's or a network's name, or holds anything but
/// what was written for the same option.
inline void refuse_other_content(const TextFile& text) {
  const std::string& path = text.path;
  if (!format_of(path).empty() || !format_of(sfumato::io::detail::follow_links(path)).empty()) {
    throw sfumato::IoError(
        sfumato::message(text.option, " ", path, ": the ", text.holds,
                         text.holds == std::string_view("losses") ? " are" : " is",
                         " written as text; give it a name that ends in ", text.ending));
  }
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return;
  const sfumato::io::FileReader file(path);
  std::string begin(
      static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), text.begin.size())), '\0');
  file.read_at(0, begin.data(), begin.size());
  if (!text.begin.starts_with(begin)) {
    throw sfumato::IoError(sfumato::message(text.option, " ", path,
                                            ": there is a file of that name that holds no ",
                                            text.holds, "; name another, or remove it first"));
  }
}

}  // namespace detail

/// Checks, before anything is computed, that what the run will write can be written, and writes
/// over none of its inputs and nothing that is something else. `weights` is the network's file,
/// `stages` how many pictures are painted. Throws IoError, and ValueError for one name with two
/// meanings.
inline void check_outputs(const Arguments& a, const std::string& weights, std::size_t stages) {
  namespace io = sfumato::io;
  io::check_image_extension(a.output);
  if (a.keep_alpha && io::detail::image_extension(a.output) != ".png") {
    throw sfumato::ValueError("--keep-alpha: " + a.output +
                              ": JPEG has no opacity; give it a name that ends in .png");
  }
  std::vector<detail::NamedPath> outputs{{"--output", a.output}};
  for (std::size_t stage = 1; a.save_stages && stage < stages; ++stage) {
    outputs.push_back({"the picture of a stage", stage_path(a.output, stage)});
  }
  if (!a.animation.empty()) {
    io::check_animation_extension(a.animation);
    outputs.push_back({"--animation", a.animation});
  }
  const auto pictures = static_cast<std::ptrdiff_t>(outputs.size());
  const std::vector<detail::TextFile> texts = detail::text_files(a);
  for (const detail::TextFile& text : texts) outputs.push_back({text.option, text.path});
  if (!a.checkpoint.empty()) outputs.push_back({"--checkpoint", a.checkpoint});
  std::vector<detail::NamedPath> inputs{
      {"the weights", weights}, {"the picture to repeat", a.repeats}, {"--resume", a.resume}};
  for (const SourceFile& file : source_files(a)) inputs.push_back({file.option, file.path});
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::vector<detail::NamedPath> others(outputs.begin(),
                                          outputs.begin() + static_cast<std::ptrdiff_t>(i));
    others.insert(others.end(), inputs.begin(), inputs.end());
    for (const detail::NamedPath& other : others) {
      const bool goes_on = outputs[i].what == "--checkpoint" && other.what == "--resume";
      if (goes_on || !io::same_file(outputs[i].path, other.path)) continue;
      throw sfumato::ValueError(sfumato::message(outputs[i].what, " ", outputs[i].path,
                                                 " is the same file as ", other.what, " ",
                                                 other.path, "; writing it would destroy that"));
    }
  }
  std::for_each(outputs.begin(), outputs.begin() + pictures, detail::refuse_other_format);
  std::for_each(texts.begin(), texts.end(), detail::refuse_other_content);
  if (!a.checkpoint.empty()) detail::refuse_other_than_checkpoint(a.checkpoint);
  for (const detail::NamedPath& output : outputs) io::check_writable(output.path);
}

/// Throws ValueError where the numbered picture of an iteration would be written over an input.
inline void check_frames(const Arguments& a, const std::string& weights,
                         const std::vector<Stage>& stages) {
  if (!a.save_every) return;
  std::int64_t iterations = 0;
  for (const Stage& stage : stages) iterations += stage.transfer.iterations;
  std::vector<std::string> inputs{weights};
  for (const SourceFile& file : source_files(a)) inputs.push_back(file.path);
  for (std::int64_t i = *a.save_every; i <= iterations; i += *a.save_every) {
    const std::string frame = frame_path(a.output, i);
    std::error_code ignored;
    if (!std::filesystem::exists(frame, ignored)) continue;
    for (const std::string& input : inputs) {
      if (!sfumato::io::same_file(frame, input)) continue;
      throw sfumato::ValueError(sfumato::message("--save-every ", *a.save_every, " would write ",
                                                 frame, " over ", input,
                                                 "; take another --output"));
    }
  }
}

inline void write_losses(const std::string& path,
                         const std::vector<sfumato::style::Iteration>& history) {
  std::string text(kLossesHeader);
  for (const sfumato::style::Iteration& row : history) {
    char line[256];
    std::snprintf(line, sizeof(line), "%lld,%.9g,%.9g,%.9g,%.9g,%.6f\n",
                  static_cast<long long>(row.number), row.loss("content"), row.loss("style"),
                  row.loss("tv"), row.total, row.seconds);
    text += line;
  }
  sfumato::io::write_file_atomically(path, text);
}

/// Writes a picture that took long to paint: where it can't be written as asked, beside the
/// temporary files or into the home folder. Returns nothing, or what went wrong and where the
/// picture is instead. `texts` are what a PNG keeps with it.
inline std::string write_picture(const std::string& path,
                                 const sfumato::Tensor<std::uint8_t>& pixels,
                                 const std::map<std::string, std::string>& texts = {}) {
  constexpr int kQuality = 95;
  namespace fs = std::filesystem;
  std::string failure;
  try {
    sfumato::io::write_image(path, pixels, kQuality, texts);
    return failure;
  } catch (const sfumato::IoError& error) {
    failure = error.what();
  }
  std::vector<fs::path> folders;
  std::error_code ignored;
  if (const fs::path temporary = fs::temp_directory_path(ignored); !ignored) {
    folders.push_back(temporary);
  }
  if (const char* const home = std::getenv("HOME")) folders.emplace_back(home);
  const fs::path name(path);
  for (const fs::path& folder : folders) {
    const fs::path place = folder / (name.stem().string() + "-" + std::to_string(getpid()) +
                                     name.extension().string());
    if (fs::exists(place, ignored)) continue;
    try {
      sfumato::io::write_image(place, pixels, kQuality, texts);
      return failure + "; the picture is in " + place.string();
    } catch (const sfumato::IoError&) {
      continue;  // the next may be on another disk
    }
  }
  return failure + "; the picture is lost";
}

}  // namespace neural_style
