#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "sfumato/core/loops.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/launch.hpp"

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

/// target[i] = function(inputs[i]...), for element number `index`.
template <class Function, class Result, class... T>
struct MapKernel {
  using Inputs = Operands<std::index_sequence_for<T...>, const T...>;

  Function function;
  detail::StridedLoops<sizeof...(T) + 1> loops;
  Result* target;
  Inputs inputs;

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    store(loops.offsets(index), std::index_sequence_for<T...>{});
  }

 private:
  template <class Offsets, std::size_t... I>
  SFUMATO_HOST_DEVICE void store(const Offsets& offsets, std::index_sequence<I...>) const {
    target[offsets[0]] = static_cast<Result>(function(get<I>(inputs)[offsets[I + 1]]...));
  }
};

template <class Function, class Result, class... T, std::size_t... I>
void map_operands(const Function& function, const Shape& shape, std::index_sequence<I...>,
                  Strided<Result> target, Strided<const T>... inputs) {
  const detail::StridedLoops<sizeof...(T) + 1> loops(shape, {target.strides, inputs.strides...});
  const std::array writes{strided(target.data, loops, 0)};
  const MapKernel<Function, Result, T...> kernel{function, loops, target.data, {{inputs.data}...}};
  if constexpr (requires { function.reads(); }) {
    const auto more = function.reads();
    const std::array reads{strided(inputs.data, loops, I + 1)...,
                           dense(more.data(), static_cast<std::int64_t>(more.size()))};
    launch("map", kernel, shape.elements(), reads, writes);
  } else {
    const std::array<Access, sizeof...(T)> reads{strided(inputs.data, loops, I + 1)...};
    launch("map", kernel, shape.elements(), reads, writes);
  }
}

}  // namespace cuda

template <class Function, class Result, class... T>
void Cuda::map(const Function& function, const Shape& shape, Strided<Result> target,
               Strided<const T>... inputs) {
  if (shape.elements() == 0) return;
  cuda::map_operands(function, shape, std::index_sequence_for<T...>{}, target, inputs...);
}

}  // namespace sfumato
