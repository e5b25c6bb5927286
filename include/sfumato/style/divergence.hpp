#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "sfumato/core/error.hpp"

namespace sfumato::style::detail {

/// What went wrong, and what to do; `steps` says of which kind they are.
inline std::string divergence_text(const char* what, double value, std::int64_t iteration,
                                   const std::string& steps) {
  return message("style transfer: ", what, " of iteration ", iteration, " is ",
                 std::isnan(value) ? "not a number" : "too large", ", probably because ",
                 iteration == 1
                     ? std::string("the network's weights, or the weight of a loss, are not "
                                   "finite or too large; correct them")
                     : message("steps ", steps,
                               ", or the weight of a loss, are too large; take a smaller "
                               "one"));
}

}  // namespace sfumato::style::detail
