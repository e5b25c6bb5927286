#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "gpu.hpp"
#include "sfumato/core/error.hpp"

namespace neural_style {

/// The number of the GPU that --device asks for; none for the CPU. Throws ValueError for a device
/// that there is not.
inline std::optional<int> choose_gpu(const std::string& device) {
  if (device == "cpu") return std::nullopt;
  if (device == "auto") {
    const auto count = gpu_half().count;
    return count != nullptr && count() > 0 ? std::optional<int>(0) : std::nullopt;
  }
  const std::string_view name = "cuda";
  const std::string_view text = device;
  int index = 0;
  if (text.starts_with(name) && text != name) {
    const char* const end = text.data() + text.size();
    const char* const digits = text.data() + name.size() + 1;
    const auto [stop, error] = std::from_chars(std::min(digits, end), end, index);
    if (text[name.size()] != ':' || error != std::errc() || stop != end || index < 0) index = -1;
  }
  if (!text.starts_with(name) || index < 0) {
    throw sfumato::ValueError(
        sfumato::message("--device ", device, " is none of auto, cpu, cuda and cuda:INDEX"));
  }
  if (gpu_half().trouble.empty()) return index;
  throw sfumato::ValueError(
      sfumato::message("--device ", device, ": ", gpu_half().trouble, "; or use --device cpu"));
}

}  // namespace neural_style
