#pragma once

#include <string>

#include "arguments.hpp"
#include "completions.hpp"
#include "environment.hpp"
#include "help.hpp"
#include "manual.hpp"

namespace neural_style {

/// What is printed instead of painting.
inline std::string answer_to(const Arguments& a) {
  if (a.answer == "help") return help();
  if (a.answer == "version") return version();
  if (a.answer == "man") return manual();
  return completions(a.answer);
}

}  // namespace neural_style
