#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "arguments.hpp"
#include "byte_sizes.hpp"
#include "reporter.hpp"
#include "sfumato/core/control_group.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/style/options.hpp"
#include "values.hpp"

namespace neural_style {

namespace detail {

/// The number behind a word at the beginning of a line ("MemAvailable:    123 kB"); nothing
/// without.
inline std::optional<double> field(const std::string& path, std::string_view word) {
  for (const std::string& line : sfumato::detail::split(sfumato::detail::text_of(path), '\n')) {
    if (!line.starts_with(word) || line.size() == word.size()) continue;
    return std::strtod(line.c_str() + word.size(), nullptr);
  }
  return std::nullopt;
}

/// The same in bytes, of a file that counts kilobytes.
inline std::optional<double> field_in_bytes(const std::string& path, std::string_view word) {
  constexpr double kKilobyte = 1024.0;
  std::optional<double> number = field(path, word);
  if (number) *number *= kKilobyte;
  return number;
}

}  // namespace detail

/// How many bytes this program has had at once so far, all that the system counts; 0 where it does
/// not say.
inline double memory_in_use(const std::string& root = "") {
  return detail::field_in_bytes(root + "/proc/self/status", "VmHWM:").value_or(0.0);
}

/// The same at the moment.
inline double memory_now(const std::string& root = "") {
  return detail::field_in_bytes(root + "/proc/self/status", "VmRSS:").value_or(0.0);
}

/// How many bytes pictures that are painted one after the other may keep for the next ones.
inline std::size_t bytes_to_share(const Arguments& a) {
  constexpr double kMost = 268435456.0;
  constexpr double kPart = 16.0;  // of what the user allows, the rest is for the picture at hand
  return static_cast<std::size_t>(a.max_memory ? std::min(kMost, *a.max_memory / kPart) : kMost);
}

/// Has large blocks that are freed, as whole pictures, go back to the system at once. Otherwise
/// glibc keeps, from the first one on, all of up to 32 MiB.
inline void give_back_large_blocks() {
#ifdef __GLIBC__
  constexpr int kLarge = 1 << 20;
  mallopt(M_MMAP_THRESHOLD, kLarge);
#endif
}

/// How many bytes of memory this program may have in all, with what it has already.
struct MemoryLimit {
  double bytes;       ///< the smaller of what is available and what the control groups allow
  double with_swap;   ///< the same with what the system can move to its disk
  const char* whose;  ///< "available", or who limits it
};

/// What Linux says of itself; nothing on other systems. `root` stands before every path, for tests.
inline std::optional<MemoryLimit> memory_limit(const std::string& root = "") {
  const auto available = detail::field_in_bytes(root + "/proc/meminfo", "MemAvailable:");
  if (!available) return std::nullopt;
  const double swap = detail::field_in_bytes(root + "/proc/meminfo", "SwapFree:").value_or(0.0);
  const double own = detail::field_in_bytes(root + "/proc/self/status", "RssAnon:").value_or(0.0);
  MemoryLimit limit{*available + own, *available + own + swap, "available"};
  for (const std::string& group : sfumato::detail::control_groups("memory", root)) {
    // The names of the second version, then of the first.
    for (const auto& [most, used, reclaimable] :
         {std::array{"memory.max", "memory.current", "inactive_file "},
          std::array{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "}}) {
      const std::vector<double> bytes = sfumato::detail::numbers_of(group + "/" + most);
      if (bytes.empty()) continue;
      const std::vector<double> usage = sfumato::detail::numbers_of(group + "/" + used);
      const double cache = detail::field(group + "/memory.stat", reclaimable).value_or(0.0);
      const double others = std::max(0.0, (usage.empty() ? 0.0 : usage[0]) - cache - own);
      const double free = std::max(0.0, bytes[0] - others);
      if (free < limit.bytes) limit = {free, free, "allowed by the control group"};
    }
  }
  return limit;
}

/// What takes less memory than the present options: "a smaller --size, --memory low or …".
inline std::string memory_remedy(const Arguments& a, int processors) {
  std::vector<std::string> remedies{"a smaller --size"};
  if (a.transfer.optimizer != sfumato::style::Optimizer::kAdam) {
    remedies.emplace_back("--optimizer adam");
  }
  if (a.threads && *a.threads > processors) remedies.emplace_back("fewer --threads");
  if (a.precision != "bf16") {
    // Tiles, which --max-memory tries before it gives up, have that anyway.
    if (a.memory != "low" && !a.max_memory) remedies.emplace_back("--memory low");
    remedies.emplace_back("--precision bf16");
  }
  return "take " + detail::alternatives(remedies);
}

/// Says what the run is expected to need at most. Throws ResourceError, before anything is
/// computed, where it would be sure to run out, and warns where it may: the system would end the
/// program, or others, without a word.
inline void check_memory(double expected, const std::optional<MemoryLimit>& limit,
                         const std::string& remedy, const Reporter& report) {
  constexpr double kSure = 0.8;  // of an estimate that is right within a fifth
  const std::string need = "about " + readable_bytes(expected);
  if (!limit) {
    report.say("memory: %s at the peak\n", need.c_str());
    return;
  }
  const std::string there_is = readable_bytes(limit->bytes) + " are " + limit->whose;
  report.say("memory: %s at the peak; %s\n", need.c_str(), there_is.c_str());
  if (expected * kSure > limit->with_swap) {
    throw sfumato::ResourceError(
        sfumato::message("not enough memory: ", need, " are needed and ", there_is));
  }
  if (expected > limit->bytes) {
    std::fprintf(stderr,
                 "neural_style: warning: perhaps not enough memory: %s are expected and %s; should "
                 "it not do, %s\n",
                 need.c_str(), there_is.c_str(), remedy.c_str());
  }
}

}  // namespace neural_style
