#pragma once

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "sfumato/core/control_group.hpp"

namespace sfumato {

namespace detail {

/// How many processors the control groups allow, as their time in a period; 0 for no limit.
inline double processor_quota(const std::string& root = "") {
  double least = 0.0;
  const auto limit = [&](double time, double period) {
    const bool limited = time > 0.0 && period > 0.0;
    if (limited && (least == 0.0 || time / period < least)) least = time / period;
  };
  for (const std::string& group : control_groups("cpu", root)) {
    const std::vector<double> both = numbers_of(group + "/cpu.max");  // "max 100000": no limit
    if (both.size() == 2) limit(both[0], both[1]);
    const std::vector<double> time = numbers_of(group + "/cpu.cfs_quota_us");  // -1: no limit
    const std::vector<double> period = numbers_of(group + "/cpu.cfs_period_us");
    if (!time.empty() && !period.empty()) limit(time[0], period[0]);
  }
  return least;
}

/// How many processors this thread may run on; 0 where the system does not say.
inline int processors_of_affinity() {
#ifdef __linux__
  // The kernel refuses a set that is smaller than its own, which may be larger than the usual one.
  for (std::size_t sets = 1; sets <= 64; sets *= 4) {
    std::vector<cpu_set_t> set(sets);
    const std::size_t bytes = sets * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, set.data()) == 0) return CPU_COUNT_S(bytes, set.data());
  }
#endif
  return 0;
}

}  // namespace detail

/// How many processors this process may use at once: those that it may run on (taskset), or fewer
/// where its control group has less of their time (containers), rounded up. At least 1.
inline int usable_processors() {
  int processors = detail::processors_of_affinity();
  if (processors == 0) processors = static_cast<int>(std::thread::hardware_concurrency());
  const double quota = std::ceil(detail::processor_quota());
  if (quota > 0.0) processors = static_cast<int>(std::min<double>(processors, quota));
  return std::max(processors, 1);
}

}  // namespace sfumato
