#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

/// A file of the shared development data, in $SFUMATO_SHARED or beside the repository; nothing when
/// the data are not on this machine, and then the test says loudly that it skips.
inline std::optional<std::filesystem::path> shared_data(const std::string& name) {
  const char* folder = std::getenv("SFUMATO_SHARED");
  const std::filesystem::path root =
      folder != nullptr ? std::filesystem::path(folder)
                        : std::filesystem::path(SFUMATO_SOURCE_DIR) / ".." / "shared";
  if (std::filesystem::exists(root / name)) return root / name;
  return std::nullopt;
}
