#pragma once

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "arguments.hpp"
#include "values.hpp"

namespace neural_style {

/// A number of bytes above 0, in binary units.
template <class Get>
Value bytes(Get get) {
  return {"a size such as 800M or 2.3G",
          [=](Arguments& a, const std::string& text) {
            const std::size_t unit =
                std::string_view("KMGT").find(text.empty() ? ' ' : text.back());
            if (unit == std::string_view::npos) return false;
            const auto value = detail::read_number<double>(text.substr(0, text.size() - 1));
            const bool fits = value && *value > 0.0 && *value <= 1e6;
            if (fits) get(a) = std::ldexp(*value, 10 * (static_cast<int>(unit) + 1));
            return fits;
          },
          [=](const Arguments& a) -> std::string {
            const std::optional<double> value = get(a);
            return value ? detail::show_number(std::ldexp(*value, -30)) + "G" : "";
          }};
}

/// "640 MiB", "1.25 GiB".
inline std::string readable_bytes(double bytes) {
  constexpr double kMebi = 1024.0 * 1024.0;
  constexpr double kGibi = 1024.0 * kMebi;
  char text[32];
  std::snprintf(text, sizeof(text), bytes < kGibi ? "%.0f MiB" : "%.2f GiB",
                bytes / (bytes < kGibi ? kMebi : kGibi));
  return text;
}

}  // namespace neural_style
