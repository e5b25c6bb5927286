#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

#include "arguments.hpp"
#include "sfumato/core/printable.hpp"
#include "signals.hpp"

namespace neural_style {

namespace detail {

/// Whether stdout is a terminal that can rewrite its lines.
inline bool is_terminal() {
  const char* const kind = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
}

/// What takes the place of lines that were drawn before, which a narrower terminal has broken into
/// more rows meanwhile. Every line is shorter than the terminal is wide.
inline std::string redrawn(const std::vector<std::string>& before,
                           const std::vector<std::string>& lines, std::size_t columns) {
  std::size_t rows = 0;
  for (const std::string& line : before) {
    rows += std::max<std::size_t>(1, (line.size() + columns - 1) / columns);
  }
  std::string text = rows > 1 ? "\x1b[" + std::to_string(rows - 1) + "A" : "";
  text += "\r\x1b[J";  // all at once: terminals would remember that the old lines were broken
  for (std::size_t i = 0; i < lines.size(); ++i) text += (i > 0 ? "\n" : "") + lines[i];
  return text;
}

/// An argument of printf(); a text as one line that any terminal can show, since names of files may
/// hold anything.
inline std::string shown(const char* text) {
  return sfumato::printable(text);
}
template <class Number>
requires std::is_arithmetic_v<Number> Number shown(Number number) {
  return number;
}
inline const char* to_argument(const std::string& text) {
  return text.c_str();
}
template <class Number>
requires std::is_arithmetic_v<Number> Number to_argument(Number number) {
  return number;
}

}  // namespace detail

/// Prints on stdout, and draws lines on a terminal that are rewritten. Ends the run, as a signal
/// does, when nobody reads a pipe any longer.
class Reporter {
 public:
  explicit Reporter(const Arguments& a)
      : quiet_(a.quiet), live_(!a.quiet && detail::is_terminal()) {}

  bool is_quiet() const { return quiet_; }
  bool is_live() const { return live_; }

  /// How wide the terminal is at the moment.
  static std::size_t columns() {
    constexpr std::size_t kUsual = 80;
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
  }

  /// Puts lines, each shorter than the terminal is wide, in the place of the last that were drawn.
  void draw(const std::vector<std::string>& lines) const {
    print(detail::redrawn(drawn_, lines, columns()).c_str());
    drawn_ = lines;
  }

  template <class... Values>
  void say(const char* format, const Values&... values) const {
    end_line();
    print(format, detail::to_argument(detail::shown(values))...);
  }
  void say(const char* line) const {
    end_line();
    print(line);
  }

  /// Leaves the lines that are rewritten as they are.
  void end_line() const {
    if (!drawn_.empty()) print("\n");
    drawn_.clear();
  }

  /// Says on stderr what the run goes on in spite of: behind lines that are rewritten, which would
  /// else take its place.
  void warn(const std::string& text) const {
    end_line();
    std::fprintf(stderr, "neural_style: warning: %s\n", sfumato::printable(text).c_str());
  }

  /// Why not all could be said; nothing where it was. A reader that left did not want more.
  std::error_code failure() const {
    return {error_ == EPIPE ? 0 : error_, std::generic_category()};
  }

 private:
  template <class... Values>
  void print(const char* format, const Values&... values) const {
    if (quiet_ || error_ != 0) return;
    if (std::printf(format, values...) >= 0 && std::fflush(stdout) == 0) return;
    error_ = errno;
    if (error_ == EPIPE && interrupted == 0) interrupted = SIGPIPE;
  }
  void print(const char* text) const { print("%s", text); }

  bool quiet_;
  bool live_;
  mutable std::vector<std::string> drawn_;
  mutable int error_ = 0;
};

}  // namespace neural_style
