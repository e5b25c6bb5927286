#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/core/division.hpp"
#include "sfumato/core/threads.hpp"

/// How loops of few large jobs are cut finer where there are many threads. What a job computes
/// never depends on it, so results have the same bits.
namespace sfumato::cpu {

/// Whether so many jobs, which take equally long, are at least 4/5 of what the threads could do
/// meanwhile: the last ones may leave some of them without work. Two threads are always content:
/// smaller jobs were not seen to pay there.
inline bool keep_busy(std::int64_t jobs, std::int64_t threads = thread_count()) {
  return threads <= 2 || 5 * jobs >= 4 * threads * ceil_div(jobs, threads);
}

/// Into how many parts, at most `most`, each of `jobs` jobs is cut to keep the threads busy.
inline std::int64_t parts_of_jobs(std::int64_t jobs, std::int64_t most,
                                  std::int64_t threads = thread_count()) {
  std::int64_t parts = 1;
  while (parts < most && !keep_busy(jobs * parts, threads)) ++parts;
  return parts;
}

/// A part of a range.
struct Part {
  std::int64_t begin;
  std::int64_t end;

  /// All of [0, count).
  explicit Part(std::int64_t count) : begin(0), end(count) {}
  /// The one at `index` of `parts` nearly equal ones, which begin at multiples of `unit`.
  Part(std::int64_t count, std::int64_t unit, std::int64_t index, std::int64_t parts)
      : begin(ceil_div(count, unit) * index / parts * unit),
        end(std::min(count, ceil_div(count, unit) * (index + 1) / parts * unit)) {}
};

/// What a job of a convolution by slices computes; see ozaki_convolution.hpp.
enum class SliceJob {
  kRows,   ///< a block of rows for all output channels
  kPanel,  ///< all rows that are gathered for a panel of output channels, whose filters it gathers
  kBoth,   ///< some columns of a block of rows for a panel of output channels
};

/// For images in so many blocks of rows and output channels in so many panels. Whole blocks or
/// panels are jobs as long as they keep the threads busy, as what a job gathers is in its own cache
/// then.
inline SliceJob choose_slice_job(std::int64_t blocks, std::int64_t panels, bool few_filters,
                                 std::int64_t threads = thread_count()) {
  if (!keep_busy(few_filters ? blocks : panels, threads)) return SliceJob::kBoth;
  return few_filters ? SliceJob::kRows : SliceJob::kPanel;
}

}  // namespace sfumato::cpu
