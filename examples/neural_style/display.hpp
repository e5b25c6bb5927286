#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "memory.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/style/transfer.hpp"

namespace neural_style {

/// "10.0964", "7.22416e+17".
inline std::string readable_loss(double loss) {
  constexpr double kManyDigits = 1e6;
  char text[32];
  std::snprintf(text, sizeof(text), std::abs(loss) < kManyDigits ? "%.4f" : "%g", loss);
  return text;
}

/// What to say of a stage whose last loss is above its first; nothing of others, nor where lines
/// are searched: the picture is that of the least loss, whatever the last trial's was.
inline std::string rise_of_loss(const std::vector<sfumato::style::Iteration>& history,
                                const sfumato::style::TransferOptions& options) {
  const bool adam = options.optimizer == sfumato::style::Optimizer::kAdam;
  const bool searches = !adam && options.lbfgs.line_search != sfumato::optim::LineSearch::kNone;
  if (searches || history.empty() || history.back().total <= history.front().total) return "";
  return sfumato::message(
      "the loss rose from ", readable_loss(history.front().total), " to ",
      readable_loss(history.back().total),
      adam ? "; take a smaller --learning-rate" : "; take smaller weights, or --optimizer adam");
}

/// "0:07", "12:34", "27:05:00".
inline std::string readable_time(double seconds) {
  constexpr double kLongest = 1e9;
  const long all = std::lround(std::clamp(seconds, 0.0, kLongest));
  char text[32];
  if (all < 3600) {
    std::snprintf(text, sizeof(text), "%ld:%02ld", all / 60, all % 60);
  } else {
    std::snprintf(text, sizeof(text), "%ld:%02ld:%02ld", all / 3600, all / 60 % 60, all % 60);
  }
  return text;
}

/// How far a run is.
struct Standing {
  std::size_t stage = 1;
  std::size_t stages = 1;
  std::int64_t iteration = 0;  ///< of the stage
  std::int64_t last = 0;       ///< of the stage
  double done = 0.0;           ///< of the work of all stages, from 0 to 1
  double each = 0.0;           ///< seconds that an iteration takes
  double left = 0.0;           ///< seconds until the end of the last stage
  double memory = 0.0;         ///< bytes at the peak
};

namespace detail {

/// The first of some words that fit into a line together.
inline std::string fitting(const std::vector<std::string>& words, std::size_t columns) {
  std::string line;
  for (const std::string& word : words) {
    if (line.size() + (line.empty() ? 0 : 2) + word.size() > columns) break;
    line += (line.empty() ? "" : "  ") + word;
  }
  return line;
}

inline std::string rate(double each) {
  char text[32];
  if (each <= 0.0 || each > 1.0) {
    std::snprintf(text, sizeof(text), "%.2f s/it", each);
  } else {
    std::snprintf(text, sizeof(text), "%.*f it/s", each < 0.01 ? 0 : 2, 1.0 / each);
  }
  return text;
}

}  // namespace detail

/// Two lines for a terminal of some width, in which the most important comes first: a bar with how
/// far the run is, and the losses.
inline std::vector<std::string> display(const Standing& now,
                                        const sfumato::style::Iteration& losses,
                                        std::size_t columns) {
  constexpr std::size_t kLeastBar = 8;
  constexpr std::size_t kMostBar = 60;
  const std::size_t width = std::max<std::size_t>(columns, 2) - 1;
  char percent[16];
  std::snprintf(percent, sizeof(percent), "%3.0f%%", std::floor(now.done * 100.0));
  const std::string last = std::to_string(now.last);
  std::string count = std::to_string(now.iteration);
  if (count.size() < last.size()) count.insert(0, last.size() - count.size(), ' ');
  std::vector<std::string> words{percent, readable_time(now.left) + " left", count + "/" + last,
                                 detail::rate(now.each), readable_bytes(now.memory)};
  if (now.stages > 1) {
    words.insert(words.begin() + 2, sfumato::message("stage ", now.stage, "/", now.stages));
  }
  const std::size_t for_words = width > kLeastBar + 4 ? width - kLeastBar - 4 : width;
  std::string first = detail::fitting(words, for_words);
  if (width >= first.size() + kLeastBar + 4) {
    const std::size_t bar = std::min(width - first.size() - 4, kMostBar);
    const auto full =
        static_cast<std::size_t>(std::clamp(now.done, 0.0, 1.0) * static_cast<double>(bar));
    first = "[" + std::string(full, '#') + std::string(bar - full, '.') + "]  " + first;
  }
  std::vector<std::string> all{"total " + readable_loss(losses.total)};
  for (const auto& [kind, loss] : losses.losses) all.push_back(kind + " " + readable_loss(loss));
  return {first, detail::fitting(all, width)};
}

/// The same as one line for a pipe.
inline std::string plain_line(const Standing& now, const sfumato::style::Iteration& losses) {
  char text[64];
  std::snprintf(text, sizeof(text), "%5lld/%lld", static_cast<long long>(now.iteration),
                static_cast<long long>(now.last));
  std::string line = text;
  for (const auto& [kind, loss] : losses.losses) line += "  " + kind + " " + readable_loss(loss);
  std::snprintf(text, sizeof(text), "%.3f s/it", now.each);
  return line + "  total " + readable_loss(losses.total) + "  " + text + "  " +
         readable_time(now.left) + " left\n";
}

}  // namespace neural_style
