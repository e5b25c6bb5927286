#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>
#include <utility>

#include "sfumato/core/division.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/loops.hpp"

// No iteration of a map reads what another one writes; telling GCC so lets it vectorise without
// checking at run time whether the arrays overlap, a check that writing in place would fail.
#if defined(__GNUC__) && !defined(__clang__)
#define SFUMATO_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#else
#define SFUMATO_INDEPENDENT_ITERATIONS
#endif

namespace sfumato {

namespace cpu {

template <class Function, class Result, class... T>
void map_contiguous(const Function& function, std::int64_t count, Result* out, const T*... in) {
  SFUMATO_INDEPENDENT_ITERATIONS
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<Result>(function(in[i]...));
}

/// Whether the function has a run() of its own for rows along which only operand `i` changes.
template <std::size_t i, class Function, class Result, class... T>
concept HasRun = requires(const Function& function, Result* out, const T*... in) {
  function.run(std::integral_constant<std::size_t, i>(), std::int64_t{}, out, in...);
};

/// A row, where each operand has a stride of its own. Operands that stay where they are, as most
/// that are broadcast do, are repeated to a short run of elements, which vectors can be made of.
template <class Function, class Result, class... T, std::size_t... I>
void map_row(const Function& function, std::int64_t count,
             const std::array<std::int64_t, sizeof...(T) + 1>& strides, std::index_sequence<I...>,
             Result* out, const T*... in) {
  constexpr std::int64_t kRun = 64;
  if constexpr ((HasRun<I, Function, Result, T...> || ...)) {
    const auto ran = [&]<std::size_t i>(std::integral_constant<std::size_t, i> changing) {
      if constexpr (HasRun<i, Function, Result, T...>) {
        std::array<std::int64_t, sizeof...(T) + 1> alone{1};
        alone[i + 1] = 1;
        if (strides != alone) return false;
        function.run(changing, count, out, in...);
        return true;
      }
      return false;
    };
    if ((ran(std::integral_constant<std::size_t, I>()) || ...)) return;
  }
  const bool contiguous =
      std::all_of(strides.begin(), strides.end(), [](std::int64_t stride) { return stride == 1; });
  const bool in_runs = strides[0] == 1 &&
                       std::all_of(strides.begin(), strides.end(),
                                   [](std::int64_t stride) { return stride == 0 || stride == 1; });
  if (in_runs) {
    std::tuple<std::array<T, kRun>...> repeated;
    const std::int64_t length = contiguous ? count : std::min(count, kRun);
    if (!contiguous) (std::fill_n(std::get<I>(repeated).begin(), length, *in), ...);
    for (std::int64_t first = 0; first < count; first += length) {
      map_contiguous(function, std::min(length, count - first), out + first,
                     (strides[I + 1] == 0 ? std::get<I>(repeated).data() : in + first)...);
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      out[i * strides[0]] = static_cast<Result>(function(in[i * strides[I + 1]]...));
    }
  }
}

template <class Function, class Result, class... T, std::size_t... I>
void map_loops(const Function& function, const Shape& shape, std::index_sequence<I...> sequence,
               Strided<Result> target, Strided<const T>... inputs) {
  if (shape.numel() == 0) return;
  const StridedLoops<sizeof...(T) + 1> loops(shape, {target.strides, inputs.strides...});
  const std::int64_t inner = loops.inner();
  const std::int64_t pieces = ceil_div(inner, kElementsPerChunk);
  const std::int64_t grain = pieces > 1 ? 1 : std::max<std::int64_t>(1, kElementsPerChunk / inner);
  parallel_for(loops.rows() * pieces, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece) {
      auto offsets = loops.row_offsets(piece / pieces);
      const std::int64_t first = piece % pieces * kElementsPerChunk;
      const std::int64_t count = pieces > 1 ? std::min(kElementsPerChunk, inner - first) : inner;
      const auto& strides = loops.inner_strides();
      for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] += first * strides[i];
      map_row(function, count, strides, sequence, target.data + offsets[0],
              inputs.data + offsets[I + 1]...);
    }
  });
}

}  // namespace cpu

template <class Function, class Result, class... T>
void Cpu::map(const Function& function, const Shape& shape, Strided<Result> target,
              Strided<const T>... inputs) {
  cpu::map_loops(function, shape, std::index_sequence_for<T...>{}, target, inputs...);
}

}  // namespace sfumato
