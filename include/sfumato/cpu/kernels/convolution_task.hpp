#pragma once

#include <cstdint>

#include "sfumato/core/geometry.hpp"

/// What the kernels of convolutions are told to compute.
namespace sfumato::cpu {

/// Filters somewhere in memory, three by three weights each, as the convolution or its input
/// gradient reads them. S is what they are stored in: float or BFloat16.
template <class S>
struct Filters {
  const S* weight;
  std::int64_t out_stride;  ///< from one output channel to the next
  std::int64_t in_stride;   ///< from one input channel to the next
  bool turned;              ///< by 180°
};

/// Filters (out channels, in channels, 3, 3) as the convolution reads them.
template <class S>
Filters<S> forward_filters(const Conv2dGeometry& g, const S* weight) {
  return {weight, g.in_channels * 9, 9, false};
}

/// The same as the input gradient reads them, of which in channels are the outputs.
template <class S>
Filters<S> backward_filters(const Conv2dGeometry& g, const S* weight) {
  return {weight, 9, g.in_channels * 9, true};
}

/// A convolution and what is done on the way in and out. Everything is stored in S and computed in
/// float.
template <class S>
struct Convolution {
  Conv2dGeometry g;
  const S* x;
  const std::uint8_t* mask = nullptr;  ///< bits of x; where they are 0, so is x. May be null
  Filters<S> filters;
  const S* bias = nullptr;  ///< may be null
  S* y;
  bool relu = false;                 ///< y is max(y, 0) …
  std::uint8_t* positive = nullptr;  ///< … and these bits say where it is positive; may be null
};

/// Whether Winograd's algorithm computes this convolution, and the other kernels do: 3 × 3 filters,
/// moved by one.
inline bool winograd_applies(const Conv2dGeometry& g) {
  return g.kernel_h == 3 && g.kernel_w == 3 && g.stride_h == 1 && g.stride_w == 1 &&
         g.dilation_h == 1 && g.dilation_w == 1 && g.groups == 1;
}

}  // namespace sfumato::cpu
