#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "help.hpp"
#include "options.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/core/version.hpp"

namespace neural_style {

namespace detail {

/// Text as troff prints it: no hyphen becomes a dash, letters beyond ASCII have a name, and nothing
/// is taken for a request.
inline std::string in_troff(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const sfumato::detail::Utf8Character letter = sfumato::detail::first_character(text);
    const bool begins_line = result.empty() || result.back() == '\n';
    if (begins_line && (letter.code == '.' || letter.code == '\'')) result += "\\&";
    if (letter.code > 0x7F) {
      char name[16];
      std::snprintf(name, sizeof(name), "\\[u%04X]", static_cast<unsigned>(letter.code));
      result += name;
    } else if (letter.code == '\\' || letter.code == '-') {
      result += letter.code == '-' ? "\\-" : "\\e";
    } else {
      result += static_cast<char>(letter.code);
    }
    text.remove_prefix(letter.bytes);
    // A line may end within a list.
    if (letter.code == ',' && !text.starts_with(' ')) result += "\\:";
  }
  return result;
}

}  // namespace detail

/// The page for `man`, from the table: man(7).
inline std::string manual() {
  using detail::in_troff;
  std::string text = sfumato::message(
      ".TH NEURAL_STYLE 1 \"\" \"sfumato ", SFUMATO_VERSION,
      "\" \"User commands\"\n.SH NAME\nneural_style \\- paints the content of one picture in the "
      "style of another\n.SH SYNOPSIS\n",
      in_troff(kUsage), "\n.SH OPTIONS\n");
  std::string group;
  for (const Option& option : options()) {
    if (option.group != group) text += ".SS \"" + in_troff(option.group) + "\"\n";
    group = option.group;
    text += ".TP\n\\fB" + in_troff(detail::names_of(option)) + "\\fR\n" +
            in_troff(option.help + detail::remarks(option)) + ".\n";
  }
  text += ".SH NOTES\n";
  for (const std::string& note : help_notes()) text += in_troff(note) + "\n.PP\n";
  return text;
}

}  // namespace neural_style
