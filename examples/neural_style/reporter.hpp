#pragma once

#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>

#include "arguments.hpp"
#include "sfumato/style/transfer.hpp"

namespace neural_style {

/// Prints the losses as they come: one line that is rewritten on a terminal, plain lines in a pipe.
class Reporter {
 public:
  explicit Reporter(const Arguments& a)
      : quiet_(a.quiet), every_(a.report_every), terminal_(isatty(STDOUT_FILENO) != 0) {}

  void operator()(const sfumato::style::Iteration& now, std::int64_t last) const {
    if (quiet_ || (now.number % every_ != 0 && now.number != last)) return;
    const double each = now.seconds / static_cast<double>(now.number);
    const long left = std::lround(each * static_cast<double>(last - now.number));
    std::printf(
        "%s%5lld/%lld  content %.4f  style %.4f  tv %.4f  total %.4f  %.3f s/it  %ld:%02ld left%s",
        terminal_ ? "\r\x1b[K" : "", static_cast<long long>(now.number),
        static_cast<long long>(last), now.content, now.style, now.tv, now.total, each, left / 60,
        left % 60, terminal_ && now.number != last ? "" : "\n");
    std::fflush(stdout);
  }

  template <class... Values>
  void say(const char* format, const Values&... values) const {
    if (!quiet_) std::printf(format, values...);
  }
  void say(const char* text) const {
    if (!quiet_) std::fputs(text, stdout);
  }

 private:
  bool quiet_;
  std::int64_t every_;
  bool terminal_;
};

}  // namespace neural_style
