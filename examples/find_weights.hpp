#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"

namespace examples {

/// The folders where weights are looked for when nobody named a file: `weights/` beside the program
/// or above it (a build folder lies in the repository), then the user's cache directory.
inline std::vector<std::filesystem::path> weight_folders(const std::filesystem::path& program) {
  namespace fs = std::filesystem;
  std::vector<fs::path> folders;
  std::error_code ignored;
  fs::path executable = fs::read_symlink("/proc/self/exe", ignored);
  if (ignored) executable = fs::absolute(program, ignored);
  for (fs::path above = executable.parent_path(); above.has_relative_path();
       above = above.parent_path()) {
    folders.push_back(above / "weights");
  }
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    folders.push_back(fs::path(cache) / "sfumato");
  } else if (const char* home = std::getenv("HOME"); home != nullptr) {
    folders.push_back(fs::path(home) / ".cache" / "sfumato");
  }
  return folders;
}

/// What weights/distill makes: see weights/README.md.
inline constexpr const char* kSlimWeights = "vgg19-slim.safetensors";

/// The weights file to use: the one asked for, else $SFUMATO_WEIGHTS, else the first found in
/// weight_folders(), else the slim network's there. Throws IoError when there is none, saying where
/// it looked and how to get one.
inline std::filesystem::path find_weights(const std::string& asked_for,
                                          const std::filesystem::path& program) {
  namespace fs = std::filesystem;
  if (!asked_for.empty()) return asked_for;
  if (const char* named = std::getenv("SFUMATO_WEIGHTS"); named != nullptr && *named != '\0') {
    return named;
  }
  // The full network in any folder is better than the slim one in the first.
  const std::vector<std::vector<std::string>> preferred{
      {"vgg19.safetensors", "vgg19-dcbb9e9d.safetensors", "vgg19-dcbb9e9d.pth"}, {kSlimWeights}};
  const std::vector<fs::path> folders = weight_folders(program);
  const auto listed = [](std::string list, const std::string& word) {
    return list + (list.empty() ? "" : ", ") + word;
  };
  std::string looked_for;
  for (const auto& names : preferred) {
    for (const fs::path& folder : folders) {
      for (const std::string& name : names) {
        std::error_code ignored;
        if (fs::is_regular_file(folder / name, ignored)) return folder / name;
      }
    }
    for (const std::string& name : names) looked_for = listed(looked_for, name);
  }
  std::string places;
  for (const fs::path& folder : folders) places = listed(places, folder.string());
  throw sfumato::IoError(sfumato::message(
      "no VGG-19 weights found: $SFUMATO_WEIGHTS is not set, and there is none of ", looked_for,
      " in ", places,
      "; run weights/fetch.sh (548 MB), put a file of such a name there, or name one with "
      "--weights or $SFUMATO_WEIGHTS"));
}

/// Says on stderr what had to be done with a weights file.
inline void print_note(const std::string& text) {
  std::fprintf(stderr, "note: %s\n", sfumato::printable(text).c_str());
}

}  // namespace examples
