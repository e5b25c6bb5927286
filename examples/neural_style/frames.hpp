#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "page.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/io/animation.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/style/pictures.hpp"
#include "signals.hpp"

namespace neural_style {

/// "out.png" to "out-000100.png".
inline std::string frame_path(const std::string& output, std::int64_t iteration) {
  const std::filesystem::path path(output);
  char number[32];
  std::snprintf(number, sizeof(number), "-%06lld", static_cast<long long>(iteration));
  return (path.parent_path() / (path.stem().string() + number + path.extension().string()))
      .string();
}

/// The pictures on the way: numbered files, an animation, and what a report shows of them.
class Frames {
 public:
  /// Of a run of so many iterations, at whose end there is a picture of this size.
  void plan(const Arguments& a, std::int64_t iterations, const sfumato::style::PictureSize& size) {
    constexpr std::int64_t kAnimated = 60;  // without --save-every
    constexpr std::int64_t kReported = 24;
    constexpr std::int64_t kLongest = 640;
    a_ = &a;
    last_ = iterations;
    const auto every = [&](std::int64_t frames) { return (iterations + frames - 1) / frames; };
    numbered_ = a.save_every.value_or(0);
    if (!a.report.empty()) reported_ = every(kReported);
    if (a.animation.empty()) return;
    animated_ = a.save_every.value_or(every(kAnimated));
    size_ = std::max(size.height, size.width) <= kLongest
                ? size
                : sfumato::style::size_in_proportion({size.height, size.width}, kLongest);
    animation_.emplace(a.animation, size_.height, size_.width);
  }

  /// Whether the picture behind this iteration is to be added.
  bool wants(std::int64_t iteration) const {
    return is_due(numbered_, iteration) || is_due(animated_, iteration) ||
           is_due(reported_, iteration);
  }

  /// Pixels as they are shown; `written(pixels)` is what files of them hold.
  template <class Written>
  void add(std::int64_t iteration, const sfumato::Tensor<std::uint8_t>& pixels,
           const Written& written) {
    if (iteration > 0 && is_due(numbered_, iteration)) {
      attempt(numbered_, [&] {
        const HoldSignals whole_file;
        sfumato::io::write_image(frame_path(a_->output, iteration), written(pixels));
      });
    }
    if (is_due(animated_, iteration) && iteration != last_) {
      attempt(animated_, [&] { animation_->add(fitted(pixels), kUsualStay); });
    }
    if (is_due(reported_, iteration)) report(iteration, pixels);
  }

  /// With the last picture, which stays for a while. Returns what went wrong, or nothing.
  std::string finish(std::int64_t iteration, const sfumato::Tensor<std::uint8_t>& pixels) {
    if (reported_ > 0) report(iteration, pixels);
    if (animated_ > 0) {
      attempt(animated_, [&] {
        animation_->add(fitted(pixels), kLastStay);
        animation_->commit();
      });
    }
    return std::exchange(trouble_, "");
  }

  const std::vector<PagePicture>& reported() const { return pictures_; }

 private:
  static constexpr int kUsualStay = 80;  // milliseconds
  static constexpr int kLastStay = 2000;

  static bool is_due(std::int64_t every, std::int64_t iteration) {
    return every > 0 && iteration % every == 0;
  }

  /// Does it, and what fails is not tried again: it does not end the run.
  template <class Action>
  void attempt(std::int64_t& every, const Action& action) {
    try {
      action();
    } catch (const sfumato::Error& error) {
      trouble_ += (trouble_.empty() ? "" : "; ") + std::string(error.what());
      every = 0;
    }
  }

  sfumato::Tensor<std::uint8_t> fitted(const sfumato::Tensor<std::uint8_t>& pixels) const {
    return sfumato::io::resize(pixels, size_.height, size_.width, sfumato::io::Filter::kBilinear);
  }

  void report(std::int64_t iteration, const sfumato::Tensor<std::uint8_t>& pixels) {
    constexpr std::int64_t kLongest = 480;
    constexpr int kQuality = 80;
    const std::string caption =
        iteration == 0 ? "The start" : sfumato::message("Iteration ", iteration);
    if (!pictures_.empty() && pictures_.back().caption == caption) return;
    pictures_.push_back(page_picture(pixels, kLongest, kQuality, caption));
  }

  const Arguments* a_ = nullptr;
  std::int64_t last_ = 0;      // iteration; its picture is finish()'s
  std::int64_t numbered_ = 0;  // iterations between two
  std::int64_t animated_ = 0;
  std::int64_t reported_ = 0;
  sfumato::style::PictureSize size_{};  // of the animation
  std::optional<sfumato::io::Animation> animation_;
  std::vector<PagePicture> pictures_;
  std::string trouble_;
};

}  // namespace neural_style
