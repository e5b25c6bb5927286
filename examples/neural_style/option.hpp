#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "values.hpp"

namespace neural_style {

/// What an option does not go together with. A condition on an option: without a value, that it was
/// given; with one, that its value is that, given or not; with an empty one, that it has none.
struct Exclusion {
  std::optional<std::string> value;  ///< of the option itself
  std::string other;
  std::optional<std::string> other_value;
  std::string why;
};

/// A row of the table from which the command line is read, refused and explained.
struct Option {
  std::string name;     ///< "--size"; a picture's is a word in capitals, as it is given by position
  std::string letter;   ///< "-o", or nothing
  std::string operand;  ///< what help calls its value; nothing for a flag
  std::string group;
  std::string help;
  Value value;
  std::vector<Exclusion> not_with = {};
  bool required = false;
  bool repeats = false;  ///< may be given several times, each of which adds a value

  bool is_flag() const { return operand.empty(); }
  bool is_positional() const { return !name.starts_with('-'); }
};

/// Whether an option's value is the name of a file, and not one of the words that it may be.
inline bool names_file(const Option& option, const std::string& text) {
  const std::vector<std::string>& words = option.value.words;
  return option.operand.find("FILE") != std::string::npos &&
         std::find(words.begin(), words.end(), text) == words.end();
}

}  // namespace neural_style
