#pragma once

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include "arguments.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/style/transfer.hpp"
#include "signals.hpp"

namespace neural_style {

/// "10.0964", "7.22416e+17".
inline std::string readable_loss(double loss) {
  constexpr double kManyDigits = 1e6;
  char text[32];
  std::snprintf(text, sizeof(text), std::abs(loss) < kManyDigits ? "%.4f" : "%g", loss);
  return text;
}

/// What to say of a stage whose last loss is above its first; nothing of others.
inline std::string rise_of_loss(const std::vector<sfumato::style::Iteration>& history) {
  if (history.empty() || history.back().total <= history.front().total) return "";
  return sfumato::message("the loss rose from ", readable_loss(history.front().total), " to ",
                          readable_loss(history.back().total), "; take a smaller --learning-rate");
}

/// Prints the losses as they come: one line that is rewritten on a terminal, plain lines in a pipe.
/// Ends the run, as a signal does, when nobody reads a pipe any longer.
class Reporter {
 public:
  explicit Reporter(const Arguments& a)
      : quiet_(a.quiet), every_(a.report_every), terminal_(isatty(STDOUT_FILENO) != 0) {}

  void operator()(const sfumato::style::Iteration& now, std::int64_t last) const {
    if (now.number % every_ != 0 && now.number != last) return;
    const double each = now.seconds / static_cast<double>(now.number);
    const long left = std::lround(each * static_cast<double>(last - now.number));
    say("%s%5lld/%lld  content %s  style %s  tv %s  total %s  %.3f s/it  %ld:%02ld left%s",
        terminal_ ? "\r\x1b[K" : "", static_cast<long long>(now.number),
        static_cast<long long>(last), readable_loss(now.loss("content")).c_str(),
        readable_loss(now.loss("style")).c_str(), readable_loss(now.loss("tv")).c_str(),
        readable_loss(now.total).c_str(), each, left / 60, left % 60,
        terminal_ && now.number != last ? "" : "\n");
  }

  template <class... Values>
  void say(const char* format, const Values&... values) const {
    if (quiet_ || error_ != 0) return;
    if (std::printf(format, values...) >= 0 && std::fflush(stdout) == 0) return;
    error_ = errno;
    if (error_ == EPIPE && interrupted == 0) interrupted = SIGPIPE;
  }
  void say(const char* text) const { say("%s", text); }

  /// Leaves the line that is rewritten as it is.
  void end_line() const {
    if (terminal_) say("\n");
  }

  /// Why not all could be said; nothing where it was. A reader that left did not want more.
  std::error_code failure() const {
    return {error_ == EPIPE ? 0 : error_, std::generic_category()};
  }

 private:
  bool quiet_;
  std::int64_t every_;
  bool terminal_;
  mutable int error_ = 0;
};

}  // namespace neural_style
