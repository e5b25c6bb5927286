#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "options.hpp"
#include "sfumato/core/error.hpp"

namespace neural_style {

namespace detail {

inline constexpr std::size_t kHelpColumn = 28;
inline constexpr std::size_t kHelpWidth = 100;

/// `text` in lines that begin at a column; the first line follows what stands before it.
inline std::string wrapped(const std::string& before, const std::string& text, std::size_t column) {
  std::string lines;
  std::string line = before;
  if (line.size() + 1 > column && column > 0) {
    lines = line + "\n";
    line.clear();
  }
  line.resize(column, ' ');
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    if (line.size() > column && line.size() + 1 + end - begin > kHelpWidth) {
      lines += line + "\n";
      line.assign(column, ' ');
    }
    if (line.size() > column) line += ' ';
    line.append(text, begin, end - begin);
    begin = end + 1;
  }
  return lines + line + "\n";
}

/// What the table says of an option besides its help: its default, and what it does not go with.
inline std::string remarks(const Option& option) {
  const std::string preset = option.is_flag() ? "" : option.value.show(Arguments{});
  std::string remarks = option.required ? " (required)" : "";
  if (!preset.empty()) remarks += " (default " + preset + ")";
  std::string others;
  for (const Exclusion& exclusion : option.not_with) {
    if (exclusion.other_value == "") continue;
    others += (others.empty() ? "" : ", ") + exclusion.other +
              (exclusion.other_value ? " " + *exclusion.other_value : "");
  }
  if (!others.empty()) remarks += "; not with " + others;
  return remarks;
}

/// "-o, --output FILE".
inline std::string names_of(const Option& option) {
  if (option.is_positional()) return option.name;
  return (option.letter.empty() ? "" : option.letter + ", ") + option.name +
         (option.is_flag() ? "" : " " + option.operand);
}

}  // namespace detail

inline constexpr const char* kUsage = "neural_style CONTENT STYLE [-o OUT] [OPTIONS]";

/// What help says besides the table, a paragraph each.
inline const std::vector<std::string>& help_notes() {
  static const std::vector<std::string> notes{
      "`neural_style studio` paints in the browser: it serves a page on this machine, into which "
      "pictures are dropped.",
      "An option's value follows it or its =; lists have commas between their words. A picture "
      "whose name begins with a hyphen comes after --.",
      "On SIGINT (Ctrl-C), SIGTERM, SIGHUP, SIGXCPU, or when nobody reads its output any longer, "
      "the program ends after the iteration at hand and writes what there is; a second SIGINT "
      "ends it at once.",
      "Exit status: 0 done; 1 a file, the memory or the device failed, or a loss was not finite; 2 "
      "the command line is not right; 3 --until-loss was not reached; 130 ended by "
      "SIGINT, 143 by SIGTERM, 129 by "
      "SIGHUP, 152 by SIGXCPU, 141 as nobody read its output.",
      "Example: neural_style photo.jpg painting.jpg"};
  return notes;
}

/// What --help prints, from the table.
inline std::string help() {
  std::string text = sfumato::message(
      "Neural style transfer with VGG-19 (Gatys et al., 2016; Kolkin et al., 2022).\nUsage: ",
      kUsage, "\n");
  std::string group;
  for (const Option& option : options()) {
    if (option.group != group) text += "\n" + option.group + ":\n";
    group = option.group;
    text += detail::wrapped("  " + detail::names_of(option), option.help + detail::remarks(option),
                            detail::kHelpColumn);
  }
  text += "\n";
  for (const std::string& note : help_notes()) text += detail::wrapped("", note, 0);
  return text;
}

}  // namespace neural_style
