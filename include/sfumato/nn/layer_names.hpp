#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sfumato::nn::detail {

/// The index of the layer of this name, or of this number.
inline std::optional<std::size_t> find_layer(const std::vector<std::string>& names,
                                             std::string_view layer) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (layer == names[i] || layer == std::to_string(i)) return i;
  }
  return std::nullopt;
}

}  // namespace sfumato::nn::detail
