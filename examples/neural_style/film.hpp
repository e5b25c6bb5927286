#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "flow.hpp"
#include "jobs.hpp"
#include "parse.hpp"
#include "reporter.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/sha256.hpp"
#include "sfumato/ops/ops.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/preprocess.hpp"
#include "sfumato/style/temporal.hpp"
#include "signals.hpp"
#include "sources.hpp"
#include "stages.hpp"
#include "video.hpp"

namespace neural_style {

/// Whether this program can paint films.
#ifdef SFUMATO_WITH_OPENCV
inline constexpr bool kHasFlow = true;
#else
inline constexpr bool kHasFlow = false;
inline Flows optical_flow(const sfumato::Tensor<std::uint8_t>&,
                          const sfumato::Tensor<std::uint8_t>&) {
  return {};
}
#endif

namespace detail {

namespace fs = std::filesystem;

/// What the command line would have to say for one frame alone.
inline Arguments arguments_of_frame(const Arguments& a, const fs::path& frame,
                                    const fs::path& output) {
  Settings settings = without(a.given, {"--film", "--frames", "--output", "--temporal-weight"});
  settings.push_back({"CONTENT", frame.string()});
  settings.push_back({"--output", output.string()});
  Arguments of_frame = check(settings);
  of_frame.no_metadata = true;  // it depends on the frame before, too
  of_frame.temporal_weight = a.temporal_weight;
  of_frame.given.push_back({"--temporal-weight", detail::show_number(a.temporal_weight)});
  return of_frame;
}

/// Throws ValueError for two frames whose paintings would have one name.
inline void refuse_twins(const std::vector<fs::path>& frames) {
  std::map<std::string, fs::path> names;
  for (const fs::path& frame : frames) {
    const auto [first, is_new] = names.emplace(frame.stem().string(), frame);
    if (is_new) continue;
    throw sfumato::ValueError(sfumato::message("--frames: ", first->second.string(), " and ",
                                               frame.string(), " would both become ", first->first,
                                               ".png; rename one"));
  }
}

/// A frame at the size at which it is painted.
inline sfumato::Tensor<std::uint8_t> read_frame(const Arguments& of_frame) {
  const auto whole = sfumato::io::read_image(of_frame.content);
  return sfumato::style::resize_picture(whole, plan_stages(of_frame, whole.shape()).back().size,
                                        of_frame.pictures.resizing);
}

/// What a frame is to be like, style::temporal_term()'s target, where the last one is `before` and
/// was painted as `painted`; nothing where another scene begins.
inline std::optional<sfumato::Tensor<float>> kept_of(const sfumato::Tensor<std::uint8_t>& before,
                                                     const sfumato::Tensor<std::uint8_t>& now,
                                                     const sfumato::Tensor<std::uint8_t>& painted) {
  using namespace sfumato;
  if (before.shape() != now.shape() || painted.shape() != now.shape()) return std::nullopt;
  const auto [back, forth] = optical_flow(before, now);
  const NoGrad off;
  const Variable<float> moved(style::warp(style::normalize<float>(before), back));
  const auto difference =
      ops::mean(ops::abs(Variable<float>(style::normalize<float>(now)) - moved), 1, true);
  // Where nothing has a pattern, every flow leads back. In standard deviations of colours.
  constexpr float kAlike = 0.5F;
  const Variable<float> counts =
      ops::masked_fill(Variable<float>(style::reliable(back, forth)), difference > kAlike, 0.0F);
  // A fast movement has little that can be relied on, but is not unlike as a whole.
  constexpr float kLeastShare = 0.5F;
  constexpr float kMostDifference = 0.4F;
  if (ops::mean(counts).item() < kLeastShare && ops::mean(difference).item() > kMostDifference) {
    return std::nullopt;
  }
  const Variable<float> picture(style::warp(style::normalize<float>(painted), back));
  return ops::cat(std::vector{picture, counts}, 1).value();
}

}  // namespace detail

/// Paints frames one after the other, each into a folder under its own name as PNG, unless it is
/// there from an earlier run. `paint_frame(arguments, kept)` paints one and returns its exit
/// status. Returns that of the first that has no picture, else 3 if some have not come to their
/// --until-loss.
template <class PaintFrame>
int paint_frames(const Arguments& a, const std::vector<std::filesystem::path>& frames,
                 const std::filesystem::path& folder, const std::filesystem::path& weights,
                 const Reporter& report, const PaintFrame& paint_frame) {
  using sfumato::Tensor;
  Arguments last;               // of the frame before …
  Tensor<std::uint8_t> before;  // … and that, if it was painted in this run
  bool all_done = true;
  int worst = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::filesystem::path output = folder / (frames[i].stem().string() + ".png");
    const Arguments one = detail::arguments_of_frame(a, frames[i], output);
    const std::string mark = done_mark(one, weights);
    all_done = all_done && is_done(output.string(), mark);
    if (!all_done) {
      const Tensor<std::uint8_t> now = detail::read_frame(one);
      std::optional<Tensor<float>> kept;
      if (i > 0) {
        if (!before.defined()) before = detail::read_frame(last);
        kept = detail::kept_of(before, now, sfumato::io::read_image(last.output));
      }
      report.say("frame %zu of %zu%s\n", i + 1, frames.size(),
                 kept || i == 0 ? "" : ", a new scene");
      const int status = paint_frame(one, kept);
      if (!has_painted(status)) return status;
      worst = std::max(worst, status);
      before = now;
      const HoldSignals whole_file;
      sfumato::io::write_file_atomically(done_path(output.string()), mark);
    }
    last = one;
  }
  return worst;
}

/// Paints the film or the frames that are asked for. Returns the exit status. Throws IoError, and
/// ValueError where this program can't.
template <class PaintFrame>
int paint_film(const Arguments& a, const std::filesystem::path& weights, const Reporter& report,
               const PaintFrame& paint_frame) {
  namespace fs = std::filesystem;
  if (!kHasFlow) {
    throw sfumato::ValueError(
        "films need the optical flow of OpenCV, which was not found when this program was built; "
        "install libopencv-dev and build it again");
  }
  if (is_given(a.given, "--frames")) {
    if (sfumato::io::same_file(a.output, a.film)) {
      throw sfumato::ValueError("--output " + a.output +
                                " is the folder of the frames; name another");
    }
    const std::vector<fs::path> frames = pictures_in(a.film);
    detail::refuse_twins(frames);
    fs::create_directories(a.output);
    return paint_frames(a, frames, a.output, weights, report, paint_frame);
  }
  const std::string ending = sfumato::io::detail::image_extension(a.output);
  if (ending != ".mp4" && ending != ".mkv" && ending != ".mov") {
    throw sfumato::ValueError("--output " + a.output +
                              ": a film's name must end in .mp4, .mkv or .mov");
  }
  if (sfumato::io::same_file(a.output, a.film)) {
    throw sfumato::ValueError("--output " + a.output + " is the film itself; name another file");
  }
  sfumato::io::check_writable(a.output);
  const Video video = probe(a.film);
  // By the stem, so that the same film with another ending goes on.
  const fs::path work = fs::absolute(fs::path(a.output).replace_extension(".frames"));
  const fs::path content = work / sfumato::io::sha256_of_file(a.film);  // no other film's
  const fs::path painted = work / "painted";
  if (!fs::exists(content)) {
    const fs::path part = work / "part";
    fs::remove_all(part);
    fs::remove_all(painted);
    fs::create_directories(part);
    report.say("taking %s apart, into %s\n", a.film.c_str(), work.c_str());
    extract_frames(a.film, video, part);
    fs::rename(part, content);
  }
  fs::create_directories(painted);
  const int status = paint_frames(a, pictures_in(content), painted, weights, report, paint_frame);
  if (!has_painted(status)) {
    std::fprintf(stderr, "neural_style: the same command goes on; %s has what is done\n",
                 work.c_str());
    return status;
  }
  const fs::path whole = work / ("film" + ending);
  try {
    make_film(painted, video, a.film, whole);
  } catch (const sfumato::IoError& error) {
    throw sfumato::IoError(sfumato::message(
        error.what(),
        "; all frames are painted: if a film with this ending can't hold the sound, "
        "the same command with the same name and .mkv goes on from there"));
  }
  fs::rename(whole, a.output);
  fs::remove_all(work);
  report.say("wrote %s\n", a.output.c_str());
  return status;
}

}  // namespace neural_style
