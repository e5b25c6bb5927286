#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "grid.hpp"
#include "options.hpp"
#include "settings.hpp"
#include "sfumato/core/error.hpp"

namespace neural_style {

namespace detail {

/// How many letters must be put in, left out or changed to make one word of another.
inline std::size_t edits_between(const std::string& from, const std::string& to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t changed = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// Why there is no such option, and which one is spelt like it.
inline sfumato::ValueError unknown_option(const std::string& name) {
  std::string hint = "; see --help. A picture whose name begins with a hyphen comes after --";
  std::size_t fewest = std::min<std::size_t>(4, name.size() / 2);
  for (const Option& option : options()) {
    if (option.is_positional() || name.size() <= 3) continue;
    const std::size_t edits = option.name.starts_with(name) ? 0 : edits_between(name, option.name);
    if (edits >= fewest) continue;
    fewest = edits;
    hint = "; is " + option.name + " meant? See --help";
  }
  return sfumato::ValueError("there is no option " + name + hint);
}

/// The words of a command line one after the other.
class Words {
 public:
  explicit Words(std::span<const char* const> words) : words_(words) {}
  bool more() const { return next_ < words_.size(); }
  std::string peek() const { return words_[next_]; }
  std::string take() { return words_[next_++]; }

 private:
  std::span<const char* const> words_;
  std::size_t next_ = 0;
};

/// The value of an option: what stands behind its `=` or else the next word.
/// Throws ValueError where there is none.
inline std::string value_of(const Option& option, const std::optional<std::string>& attached,
                            Words& words) {
  if (option.is_flag()) return "";
  if (attached) return *attached;
  if (!words.more() || words.peek().starts_with("--")) {
    throw sfumato::ValueError(option.name + " needs a value: " + option.name + " " +
                              option.operand);
  }
  return words.take();
}

}  // namespace detail

/// What a command line says, before it is asked whether that makes sense.
struct CommandLine {
  Settings settings;
  std::vector<std::string> positionals;
};

/// Reads `--name value`, `--name=value`, `-o value`, `-ovalue` and positional words, which are all
/// that follows `--`. What is to be printed instead of painting ends the line, and is all that it
/// says. Throws ValueError for a line that names what there is not, names it twice, or lacks a
/// value.
inline CommandLine split(std::span<const char* const> command_line) {
  CommandLine line;
  bool all_positional = false;
  for (detail::Words words(command_line); words.more();) {
    const std::string word = words.take();
    if (!all_positional && word == "--") {
      all_positional = true;
    } else if (all_positional || word.size() < 2 || word[0] != '-') {
      line.positionals.push_back(word);
    } else {
      const bool is_long = word[1] == '-';
      const std::size_t end = is_long ? std::min(word.find('='), word.size()) : 2;
      const std::string name = word.substr(0, end);
      std::optional<std::string> attached;
      if (end < word.size()) attached = word.substr(word[end] == '=' ? end + 1 : end);
      const auto option =
          std::find_if(options().begin(), options().end(), [&](const Option& candidate) {
            return name == (is_long ? candidate.name : candidate.letter);
          });
      if (option == options().end()) throw detail::unknown_option(name);
      if (is_given(line.settings, option->name) && !option->is_flag() && !option->repeats) {
        throw sfumato::ValueError(option->name + " is given twice");
      }
      if (option->is_flag() && attached) throw sfumato::ValueError(name + " takes no value");
      line.settings.push_back({option->name, detail::value_of(*option, attached, words)});
      if (option->group == kAnswers) return {{line.settings.back()}, {}};
    }
  }
  return line;
}

/// Throws ValueError for settings that lack what is required, or do not go together.
inline Arguments check(const Settings& given) {
  Arguments a = arguments_of(given);
  if (!a.answer.empty()) return a;
  for (const Setting& setting : given) {
    if (find_option(setting.option)->group != kStudio) continue;
    throw sfumato::ValueError(setting.option + " is the studio's: neural_style studio " +
                              setting.option + " …");
  }
  for (const Option& option : options()) {
    const bool is_elsewhere = !a.jobs.empty() || (!a.film.empty() && option.name == "CONTENT");
    if (option.required && !is_elsewhere && !is_given(given, option.name)) {
      throw sfumato::ValueError(option.name + " is required; see --help");
    }
  }
  refuse_exclusions(a);
  if (!a.grid.empty()) plan_grid(a);  // may refuse some of its pictures
  return a;
}

/// The command line of a run. Throws ValueError for one that is not right.
inline Arguments parse(std::span<const char* const> command_line) {
  CommandLine line = split(command_line);
  const bool is_film = is_given(line.settings, "--film") || is_given(line.settings, "--frames");
  Settings settings;
  for (const Option& option : options()) {
    if (!option.is_positional() || line.positionals.empty()) continue;
    if (is_film && option.name == "CONTENT" && line.positionals.size() == 1) continue;
    settings.push_back({option.name, line.positionals.front()});
    line.positionals.erase(line.positionals.begin());
  }
  if (!line.positionals.empty()) {
    throw sfumato::ValueError("'" + line.positionals.front() +
                              "' is one argument too many; another style is --style FILE, what to "
                              "write -o FILE; see --help");
  }
  settings.insert(settings.end(), line.settings.begin(), line.settings.end());
  return check(settings);
}

}  // namespace neural_style
