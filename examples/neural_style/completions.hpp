#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "options.hpp"

namespace neural_style {

namespace detail {

/// Words with something between them.
inline std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : between) + word;
  return all;
}

/// Text within single quotes of a shell.
inline std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char letter : text) result += letter == '\'' ? "'\\''" : std::string(1, letter);
  return result + "'";
}

inline bool takes_file(const Option& option) {
  return option.operand.starts_with("FILE");
}

/// "--output|-o", for a shell's case.
inline std::string pattern_of(const Option& option) {
  return option.name + (option.letter.empty() ? "" : "|" + option.letter);
}

inline std::string bash_completions() {
  std::vector<std::string> names;
  std::vector<std::string> free;  // with values that nobody foresees
  std::string cases;
  for (const Option& option : options()) {
    if (option.is_positional()) continue;
    names.push_back(option.name);
    if (option.is_flag() || takes_file(option)) continue;
    if (option.value.words.empty()) {
      free.push_back(pattern_of(option));
    } else {
      cases += "    " + pattern_of(option) + ") COMPREPLY=($(compgen -W " +
               in_quotes(joined(option.value.words, " ")) + " -- \"$word\")); return ;;\n";
    }
  }
  cases += "    " + joined(free, "|") + ") COMPREPLY=(); return ;;\n";
  return "_neural_style() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  case $before in\n" +
         cases +
         "  esac\n"
         "  case $word in\n"
         "    -*) COMPREPLY=($(compgen -W " +
         in_quotes(joined(names, " ")) +
         " -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
         "  esac\n"
         "}\n"
         "complete -o filenames -F _neural_style neural_style\n";
}

/// An option's help up to its first remark.
inline std::string summary(const Option& option) {
  std::size_t end = option.help.size();
  for (const char* const stop : {". ", "; ", " ("}) end = std::min(end, option.help.find(stop));
  return option.help.substr(0, end);
}

inline std::string zsh_completions() {
  std::string lines = "#compdef neural_style\n_arguments -s";
  for (const Option& option : options()) {
    std::string text;  // of [explanations], whose brackets and colons mean something
    for (const char letter : summary(option)) {
      text += std::string_view("[]:\\").find(letter) == std::string_view::npos ? "" : "\\";
      text += letter;
    }
    const std::string value = takes_file(option) ? "_files"
                              : option.value.words.empty()
                                  ? " "
                                  : "(" + joined(option.value.words, " ") + ")";
    if (option.is_positional()) {
      lines += " \\\n  " + in_quotes(":" + option.name + ":_files");
      continue;
    }
    for (const std::string& name : {option.name, option.letter}) {
      if (name.empty()) continue;
      lines += " \\\n  " + in_quotes(name + "[" + text + "]" +
                                     (option.is_flag() ? "" : ":" + option.operand + ":" + value));
    }
  }
  return lines + "\n";
}

inline std::string fish_completions() {
  std::string lines;
  for (const Option& option : options()) {
    if (option.is_positional()) continue;
    lines += "complete -c neural_style -l " + option.name.substr(2);
    if (!option.letter.empty()) lines += " -s " + option.letter.substr(1);
    if (takes_file(option)) {
      lines += " -r -F";
    } else if (!option.is_flag()) {
      lines += " -x -a " + in_quotes(joined(option.value.words, " "));
    }
    std::string text;  // fish takes a backslash within quotes for what it is elsewhere
    for (const char letter : summary(option)) {
      text += letter == '\'' || letter == '\\' ? "\\" : "";
      text += letter;
    }
    lines += " -d '" + text + "'\n";
  }
  return lines;
}

}  // namespace detail

/// What completes the options of the table in bash, zsh or fish.
inline std::string completions(std::string_view shell) {
  if (shell == "bash") return detail::bash_completions();
  return shell == "zsh" ? detail::zsh_completions() : detail::fish_completions();
}

}  // namespace neural_style
