#pragma once

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <system_error>

#include "arguments.hpp"
#include "sfumato/style/transfer.hpp"
#include "signals.hpp"

namespace neural_style {

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
    say("%s%5lld/%lld  content %.4f  style %.4f  tv %.4f  total %.4f  %.3f s/it  %ld:%02ld left%s",
        terminal_ ? "\r\x1b[K" : "", static_cast<long long>(now.number),
        static_cast<long long>(last), now.content, now.style, now.tv, now.total, each, left / 60,
        left % 60, terminal_ && now.number != last ? "" : "\n");
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
