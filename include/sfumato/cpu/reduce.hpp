#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "sfumato/core/division.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/loops.hpp"

namespace sfumato {

namespace cpu {

/// Runs of this length are combined in lanes that map to vector registers.
inline constexpr std::int64_t kRunLength = 1024;

template <std::size_t size, class Reduction, class T>
Wide<T> reduce_lanes(const Reduction& reduction, const T* in, std::int64_t count,
                     std::int64_t stride) {
  constexpr auto lane_count = static_cast<std::int64_t>(size);
  std::array<Wide<T>, size> lanes;
  lanes.fill(Reduction::template identity<Wide<T>>());
  std::int64_t i = 0;
  if (stride == 1) {
    for (; i + lane_count <= count; i += lane_count) {
      for (std::int64_t lane = 0; lane < lane_count; ++lane) {
        Wide<T>& value = lanes[static_cast<std::size_t>(lane)];
        value = reduction(value, static_cast<Wide<T>>(in[i + lane]));
      }
    }
  }
  for (; i < count; ++i) {
    Wide<T>& value = lanes[static_cast<std::size_t>(i % lane_count)];
    value = reduction(value, static_cast<Wide<T>>(in[i * stride]));
  }
  Wide<T> total = Reduction::template identity<Wide<T>>();
  for (const Wide<T> value : lanes) total = reduction(total, value);
  return total;
}

/// More lanes hide how long a comparison and a choice take, but would change the bits of a sum.
template <class Reduction, class T>
Wide<T> reduce_run(const Reduction& reduction, const T* in, std::int64_t count,
                   std::int64_t stride) {
  constexpr bool compares =
      std::is_same_v<Reduction, MaxReduction> || std::is_same_v<Reduction, MinReduction>;
  if constexpr (compares) {
    if (count >= 256) return reduce_lanes<64>(reduction, in, count, stride);
  }
  return reduce_lanes<16>(reduction, in, count, stride);
}

/// Each output on its own; where there are few of them, each is cut into parts for the threads.
template <class Reduction, class T, class Out>
void reduce_each(const Reduction& reduction, const StridedLoops<1>& kept,
                 const StridedLoops<1>& reduced, Out* out, const T* in) {
  const std::int64_t outputs = kept.rows() * kept.inner();
  const std::int64_t runs = ceil_div(reduced.inner(), kRunLength);
  const std::int64_t pieces = reduced.rows() * runs;
  const std::int64_t count = reduced.rows() * reduced.inner();
  constexpr std::int64_t kManyOutputs = 64;
  const std::int64_t most_parts = std::clamp<std::int64_t>(pieces, 1, kManyOutputs);
  const std::int64_t parts =
      outputs >= kManyOutputs ? 1
                              : std::clamp<std::int64_t>(count / kElementsPerChunk, 1, most_parts);
  std::vector<Wide<T>> partial(static_cast<std::size_t>(outputs * parts));
  const std::int64_t per_part = ceil_div(pieces, parts);
  const std::int64_t grain =
      std::max<std::int64_t>(1, kElementsPerChunk * parts / std::max<std::int64_t>(count, 1));
  parallel_for(outputs * parts, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t job = begin; job < end; ++job) {
      const std::int64_t output = job / parts;
      const std::int64_t first = job % parts * per_part;
      const T* base = in + kept.row_offsets(output / kept.inner())[0] +
                      output % kept.inner() * kept.inner_strides()[0];
      Wide<T> total = Reduction::template identity<Wide<T>>();
      for (std::int64_t piece = first; piece < std::min(first + per_part, pieces); ++piece) {
        const std::int64_t start = piece % runs * kRunLength;
        const std::int64_t stride = reduced.inner_strides()[0];
        total = reduction(
            total,
            reduce_run(reduction, base + reduced.row_offsets(piece / runs)[0] + start * stride,
                       std::min(kRunLength, reduced.inner() - start), stride));
      }
      partial[static_cast<std::size_t>(job)] = total;
    }
  });
  for (std::int64_t output = 0; output < outputs; ++output) {
    Wide<T> total = Reduction::template identity<Wide<T>>();
    for (std::int64_t part = 0; part < parts; ++part) {
      total = reduction(total, partial[static_cast<std::size_t>(output * parts + part)]);
    }
    out[output] = static_cast<Out>(total);
  }
}

/// Rows of adjacent outputs together: for sums over outer axes, which would otherwise jump through
/// memory once for every output.
template <class Reduction, class T, class Out>
void reduce_rows(const Reduction& reduction, const StridedLoops<1>& kept,
                 const StridedLoops<1>& reduced, Out* out, const T* in) {
  constexpr std::int64_t kWidth = 512;
  const std::int64_t blocks = ceil_div(kept.inner(), kWidth);
  parallel_for(kept.rows() * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    std::array<Wide<T>, kWidth> totals;
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t row = block / blocks;
      const std::int64_t first = block % blocks * kWidth;
      const std::int64_t width = std::min(kWidth, kept.inner() - first);
      totals.fill(Reduction::template identity<Wide<T>>());
      const T* base = in + kept.row_offsets(row)[0] + first;
      for (std::int64_t i = 0; i < reduced.rows(); ++i) {
        const T* start = base + reduced.row_offsets(i)[0];
        for (std::int64_t j = 0; j < reduced.inner(); ++j) {
          const T* values = start + j * reduced.inner_strides()[0];
          for (std::int64_t k = 0; k < width; ++k) {
            Wide<T>& total = totals[static_cast<std::size_t>(k)];
            total = reduction(total, static_cast<Wide<T>>(values[k]));
          }
        }
      }
      for (std::int64_t k = 0; k < width; ++k) {
        out[row * kept.inner() + first + k] = static_cast<Out>(totals[static_cast<std::size_t>(k)]);
      }
    }
  });
}

}  // namespace cpu

template <class Reduction, class T, class Out>
void Cpu::reduce(const Reduction& reduction, const Shape& kept, const Shape& reduced, Out* out,
                 const T* in, const Strides& kept_strides, const Strides& reduced_strides) {
  if (kept.numel() == 0) return;
  const cpu::StridedLoops<1> kept_loops(kept, {kept_strides});
  const cpu::StridedLoops<1> reduced_loops(reduced, {reduced_strides});
  const bool adjacent_outputs = kept_loops.inner() > 1 && kept_loops.inner_strides()[0] == 1;
  if (adjacent_outputs && reduced.numel() > 0) {
    cpu::reduce_rows(reduction, kept_loops, reduced_loops, out, in);
  } else {
    cpu::reduce_each(reduction, kept_loops, reduced_loops, out, in);
  }
}

}  // namespace sfumato
