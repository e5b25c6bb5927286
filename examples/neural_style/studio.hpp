#pragma once

#include <functional>
#include <span>
#include <string>

#include "arguments.hpp"
#include "onlooker.hpp"
#include "options.hpp"
#include "parse.hpp"
#include "sfumato/core/error.hpp"

namespace neural_style {

/// Paints what a job's arguments say, before somebody's eyes. Returns the exit status; throws what
/// a run throws.
using Paint = std::function<int(const Arguments&, Onlooker&)>;

/// Paints what browsers ask for, until a signal ends the program. Returns the exit status.
/// It is in a file of its own, which is built where cpp-httplib is. Throws IoError.
int serve_studio(const Arguments& a, const Paint& paint);

/// Reads what follows the word `studio`: where it serves, and what all jobs have in common. Throws
/// ValueError for what a page decides.
inline Arguments parse_studio(std::span<const char* const> command_line) {
  const CommandLine line = split(command_line);
  Arguments a = arguments_of(line.settings);
  a.studio = true;
  if (!a.answer.empty()) return a;
  if (!line.positionals.empty()) {
    throw sfumato::ValueError("'" + line.positionals.front() +
                              "' is one argument too many: pictures are dropped into the page");
  }
  for (const Setting& setting : line.settings) {
    const std::string& group = find_option(setting.option)->group;
    if (group == kStudio || group == kMachine || setting.option == "--quiet") continue;
    throw sfumato::ValueError(setting.option +
                              " does not go with studio: the page says what to paint");
  }
  refuse_exclusions(a);
#ifndef SFUMATO_WITH_STUDIO
  throw sfumato::ValueError(
      "studio: this program was built without cpp-httplib; install it (Debian libcpp-httplib-dev) "
      "and build the program again");
#else
  return a;
#endif
}

}  // namespace neural_style
