#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sfumato::detail {

/// The text of a small file of the system's; nothing where it can't be read.
inline std::string text_of(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(path.c_str(), "re"), [](std::FILE* f) { return std::fclose(f); });
  std::string text;
  char part[4096];
  while (file != nullptr) {
    const std::size_t bytes = std::fread(part, 1, sizeof(part), file.get());
    text.append(part, bytes);
    if (bytes < sizeof(part)) break;
  }
  return text;
}

inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// The folders of the control groups (Linux, cgroups(7)) that this process is in and whose files
/// limit it: of the first version's `controller` ("memory", "cpu") and of the second version, each
/// from its own group up to the outermost that is mounted. A limit is the smallest of them all.
/// `root` stands before every path, for tests.
inline std::vector<std::string> control_groups(const std::string& controller,
                                               const std::string& root = "") {
  const auto has = [](const std::string& list, const std::string& word) {
    const std::vector<std::string> words = split(list, ',');
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  // "4:cpu,cpuacct:/group", "0::/group" for the second version.
  const auto own_group = [&](bool second) -> std::optional<std::string> {
    for (const std::string& line : split(text_of(root + "/proc/self/cgroup"), '\n')) {
      const std::size_t first_colon = line.find(':');
      const std::size_t second_colon = line.find(':', first_colon + 1);
      if (second_colon == std::string::npos) continue;
      const std::string list = line.substr(first_colon + 1, second_colon - first_colon - 1);
      if (second ? list.empty() : has(list, controller)) return line.substr(second_colon + 1);
    }
    return std::nullopt;
  };
  std::vector<std::string> folders;
  // "36 35 0:29 /group /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory": what of the hierarchy
  // is seen where. Between the sixth word and the hyphen there may be more.
  for (const std::string& line : split(text_of(root + "/proc/self/mountinfo"), '\n')) {
    const std::vector<std::string> words = split(line, ' ');
    const auto hyphen = std::find(words.begin(), words.end(), "-");
    if (hyphen - words.begin() < 6 || words.end() - hyphen < 4) continue;
    const bool second = hyphen[1] == "cgroup2";
    if (!second && (hyphen[1] != "cgroup" || !has(hyphen[3], controller))) continue;
    const std::optional<std::string> group = own_group(second);
    if (!group) continue;
    const std::string& top = words[3] == "/" ? "" : words[3];
    std::string below = group->starts_with(top) ? group->substr(top.size()) : "";
    // Another group, or, seen from a namespace, one outside what is mounted.
    if (!below.starts_with('/') || below.find("/..") != std::string::npos) below.clear();
    while (!below.empty() && below.back() == '/') below.pop_back();
    while (true) {
      folders.push_back(root + words[4] + below);
      if (below.empty()) break;
      below.resize(below.find_last_of('/') == std::string::npos ? 0 : below.find_last_of('/'));
    }
  }
  return folders;
}

/// The numbers at the beginning of a control group's file; none for "max" and no file.
inline std::vector<double> numbers_of(const std::string& path) {
  std::vector<double> numbers;
  const std::string text = text_of(path);
  const char* place = text.c_str();
  for (char* end = nullptr;; place = end) {
    const double number = std::strtod(place, &end);
    if (end == place) return numbers;
    numbers.push_back(number);
  }
}

}  // namespace sfumato::detail
