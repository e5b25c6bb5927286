#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "sfumato/core/division.hpp"
#include "sfumato/core/loops.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/eight.hpp"
#include "sfumato/cuda/launch.hpp"
#include "sfumato/cuda/quotient.hpp"

namespace sfumato {

namespace cuda {

/// One operand of a map.
template <std::size_t Number, class T>
struct Operand {
  T* data;
};

/// The operands of a map, in a form that nvcc copies to the GPU.
template <class Sequence, class... T>
struct Operands;
template <std::size_t... I, class... T>
struct Operands<std::index_sequence<I...>, T...> : Operand<I, T>... {};

template <std::size_t Number, class T>
SFUMATO_HOST_DEVICE T* get(const Operand<Number, T>& operand) {
  return operand.data;
}

/// target[i] = function(inputs[i]...), for element number `index`; or for eight neighbours at a
/// time, where every operand has them side by side or one for all.
template <class Function, class Result, class... T>
struct MapKernel {
  using Inputs = Operands<std::index_sequence_for<T...>, const T...>;
  using Loops = detail::StridedLoops<sizeof...(T) + 1>;

  Function function;
  Loops loops;
  Result* target;
  Inputs inputs;
  std::int64_t eights;  ///< in a row, the last of which may have fewer; 0 for single elements

  /// How many eights a row of these loops is, or 0.
  static std::int64_t eights_of(const Loops& loops) {
    constexpr std::int64_t kShort = 32;  // elements, of which some eights would be half empty
    const auto& strides = loops.inner_strides();
    const bool side_by_side =
        strides[0] == 1 && std::all_of(strides.begin(), strides.end(), [](std::int64_t stride) {
          return stride == 0 || stride == 1;
        });
    return side_by_side && loops.inner() >= kShort ? ceil_div(loops.inner(), 8) : 0;
  }
  std::int64_t count() const {
    return eights == 0 ? loops.rows() * loops.inner() : loops.rows() * eights;
  }

  template <class Memory>
  void touch(Memory& memory, std::int64_t) const {
    touch(memory, std::index_sequence_for<T...>{});
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    if (eights == 0) {
      store(loops.offsets(index), std::index_sequence_for<T...>{});
    } else {
      const std::int64_t row = quotient(index, eights);
      store_eight(loops.row_offsets(row), (index - row * eights) * 8,
                  std::index_sequence_for<T...>{});
    }
  }

 private:
  using Offsets = typename Loops::Offsets;

  template <class Memory, std::size_t... I>
  void touch(Memory& memory, std::index_sequence<I...>) const {
    memory.writes(target, loops, 0);
    (memory.reads(get<I>(inputs), loops, I + 1), ...);
    if constexpr (requires { function.touch(memory); }) function.touch(memory);
  }

  template <std::size_t... I>
  SFUMATO_HOST_DEVICE void store(const Offsets& offsets, std::index_sequence<I...>) const {
    target[offsets[0]] = static_cast<Result>(function(get<I>(inputs)[offsets[I + 1]]...));
  }

  /// The elements from number `first` of a row on.
  template <std::size_t... I>
  SFUMATO_HOST_DEVICE void store_eight(const Offsets& row, std::int64_t first,
                                       std::index_sequence<I...>) const {
    const std::int64_t count = loops.inner() - first;
    const std::tuple<Eight<T>...> values{
        load_eight(get<I>(inputs) + row[I + 1], loops.inner_strides()[I + 1], first, count)...};
    Eight<Result> results;
    for (int i = 0; i < 8; ++i) {
      results.values[i] = static_cast<Result>(function(std::get<I>(values).values[i]...));
    }
    results.store(target + row[0] + first, count);
  }

  template <class Element>
  static SFUMATO_HOST_DEVICE Eight<Element> load_eight(const Element* row, std::int64_t stride,
                                                       std::int64_t first, std::int64_t count) {
    return stride == 0 ? Eight<Element>::repeat(*row) : Eight<Element>::load(row + first, count);
  }
};

}  // namespace cuda

template <class Function, class Result, class... T>
void Cuda::map(const Function& function, const Shape& shape, Strided<Result> target,
               Strided<const T>... inputs) {
  if (shape.numel() == 0) return;
  using Kernel = cuda::MapKernel<Function, Result, T...>;
  const typename Kernel::Loops loops(shape, {target.strides, inputs.strides...});
  const Kernel kernel{function, loops, target.data, {{inputs.data}...}, Kernel::eights_of(loops)};
  cuda::launch("map", kernel, kernel.count());
}

}  // namespace sfumato
