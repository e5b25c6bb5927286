#pragma once

#include <cstdint>

#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/map.hpp"

/// How products of 16-bit numbers are computed: in float, from copies that are.
namespace sfumato::cpu {

/// out[i] = in[i], converted.
template <class From, class To>
void convert(std::int64_t count, const From* in, To* out) {
  const Shape shape{count};
  const Strides strides = row_major_strides(shape);
  Cpu::map(detail::Identity{}, shape, Strided<To>{out, strides}, Strided<const From>{in, strides});
}

/// A copy in float; of nothing, if `in` is null.
template <SixteenBits T>
Tensor<float, Cpu> in_float(std::int64_t count, const T* in) {
  if (in == nullptr) return {};
  auto copy = Tensor<float, Cpu>::empty({count});
  convert(count, in, copy.data());
  return copy;
}

/// Lets `compute(float* out)` fill what is then stored in `out`.
template <SixteenBits T, class Function>
void store_rounded(std::int64_t count, T* out, const Function& compute) {
  auto computed = Tensor<float, Cpu>::empty({count});
  compute(computed.data());
  convert(count, computed.data(), out);
}

}  // namespace sfumato::cpu
