#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"

namespace sfumato::io::detail {

/// Parts of names that are the same for all tensors of a network: `dropped` from the beginning of
/// those that are wanted, `prefix` put in its place.
struct NameChange {
  std::string dropped;
  std::string prefix;

  std::string operator()(const std::string& wanted) const {
    return prefix + wanted.substr(dropped.size());
  }
};

/// The first part of a name, with its dot, if all have the same; else nothing.
inline std::string common_part(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const std::string part = names[0].substr(0, names[0].find('.') + 1);
  const bool common = std::all_of(names.begin(), names.end(),
                                  [&](const std::string& name) { return name.starts_with(part); });
  return common ? part : "";
}

/// Finds the wanted names among those of a file, as they are or all changed in the same way. Throws
/// IoError that lists what is missing in the best case, or the choice if there are several.
inline std::map<std::string, std::string> locate_names(const std::vector<std::string>& present,
                                                       const std::vector<std::string>& wanted) {
  const std::unordered_set<std::string> names(present.begin(), present.end());
  const auto missing = [&](const NameChange& change) {
    std::vector<std::string> lacking;
    for (const std::string& name : wanted) {
      if (!names.contains(change(name))) lacking.push_back(name);
    }
    return lacking;
  };
  const auto located = [&](const NameChange& change) {
    std::map<std::string, std::string> places;
    for (const std::string& name : wanted) places.emplace(name, change(name));
    return places;
  };
  const NameChange unchanged{};
  std::vector<std::string> least = missing(unchanged);
  if (least.empty()) return located(unchanged);

  // Every name of the file that ends as a wanted one tells what may stand before all of them. What
  // is the same for the file is one change: "features." dropped and put back is none.
  constexpr std::size_t kEnough = 8;
  std::map<std::string, NameChange> changes;  // by what becomes of the first name
  for (const std::string& dropped : std::set<std::string>{"", common_part(wanted)}) {
    for (const std::string& name : wanted) {
      const std::string end = name.substr(dropped.size());
      for (const std::string& candidate : present) {
        if (!candidate.ends_with(end)) continue;
        const std::string prefix = candidate.substr(0, candidate.size() - end.size());
        if (!prefix.empty() && !prefix.ends_with('.')) continue;
        // "weight" alone, or "0.weight", says too little to be taken from any part of a network.
        const bool sure = wanted.size() >= kEnough || prefix.empty() || prefix == "module." ||
                          (dropped.empty() && name.find('.') != std::string::npos);
        const NameChange change{dropped, prefix};
        if (sure) changes.emplace(change(wanted[0]), change);
      }
    }
  }
  std::vector<NameChange> complete;
  for (const auto& [first, change] : changes) {
    std::vector<std::string> lacking = missing(change);
    if (lacking.empty()) complete.push_back(change);
    if (lacking.size() < least.size()) least = std::move(lacking);
  }
  if (complete.size() == 1) return located(complete[0]);
  const auto list = [](std::size_t count, const auto& item) {
    constexpr std::size_t kMost = 8;
    std::string text;
    for (std::size_t i = 0; i < count && i < kMost; ++i) text += (i == 0 ? "" : ", ") + item(i);
    return count > kMost ? text + message(" and ", count - kMost, " more") : text;
  };
  if (complete.empty()) {
    throw IoError(message("the weights lack ",
                          list(least.size(), [&](std::size_t i) { return excerpt(least[i]); })));
  }
  throw IoError(message(
      "there is a choice of weights, with names that begin with ",
      list(complete.size(), [&](std::size_t i) { return "'" + excerpt(complete[i].prefix) + "'"; }),
      "; save one of them by itself"));
}

}  // namespace sfumato::io::detail
