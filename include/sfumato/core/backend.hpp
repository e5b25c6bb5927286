#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "sfumato/core/device.hpp"
#include "sfumato/core/geometry.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/shape.hpp"

namespace sfumato {

/// Elements of a device's memory, read or written with any strides. What `map` and `reduce` work
/// on, so that broadcasting, slicing, permuting and padding are all one kernel.
template <class T>
struct Strided {
  T* data = nullptr;
  Strides strides{};
};

/// Reductions: where they begin, and how two partial results combine.
struct SumReduction {
  template <class T>
  SFUMATO_HOST_DEVICE static constexpr T identity() {
    return T{0};
  }
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return static_cast<T>(static_cast<detail::Modular<T>>(a) + static_cast<detail::Modular<T>>(b));
  }
};
struct MaxReduction {
  template <class T>
  SFUMATO_HOST_DEVICE static constexpr T identity() {
    // Integers have no infinity, and the library's word for it there is 0.
    using Limits = std::numeric_limits<T>;
    if constexpr (Limits::has_infinity) return -Limits::infinity();
    return Limits::lowest();
  }
  /// NaN wins, so that it is never hidden.
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct MinReduction {
  template <class T>
  SFUMATO_HOST_DEVICE static constexpr T identity() {
    using Limits = std::numeric_limits<T>;
    if constexpr (Limits::has_infinity) return Limits::infinity();
    return Limits::max();
  }
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

namespace detail {
struct Identity {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    return x;
  }
};
template <class T>
struct Constant {
  T value;
  SFUMATO_HOST_DEVICE T operator()() const { return value; }
};
}  // namespace detail

/// What a device provides for the element type T; everything above is written in these terms alone
/// and never asks which device it runs on. Shapes are checked by the callers: a device may trust
/// them. Pointers are to the device's memory, tensors are dense and row-major unless Strided.
///
/// A function that `map` is given and that reads more than its operands has a member touch(memory),
/// which calls memory.reads(first, count) for each array.
///
/// A device may have more: CapturedStep, see repeat.hpp; memory_note(), words about its memory that
/// the pool adds to its complaint of too little.
///
/// Outputs are overwritten, never added to. `map` may write over one of its inputs when both have
/// the same strides; nothing else may alias.
template <class Device, class T>
concept Backend = requires(std::size_t bytes, void* memory, const void* source, const Shape& shape,
                           const Strides& strides, const T* in, T* out, Wide<T>* wide,
                           std::int64_t* places, const std::int64_t* chosen, Strided<T> target,
                           Strided<const T> values, const GemmGeometry& gemm,
                           const Conv2dGeometry& conv, const Pool2dGeometry& pool,
                           const BitRows& rows, std::uint8_t* bits, const std::uint8_t* positive) {
  // Memory. allocate returns nullptr when there is none left; blocks are aligned to 64 bytes.
  { Device::kHostAccessible } -> std::convertible_to<bool>;
  { Device::allocate(bytes) } -> std::same_as<void*>;
  {Device::free(memory)};
  {Device::copy(memory, source, bytes)};
  {Device::copy_from_host(memory, source, bytes)};
  {Device::copy_to_host(memory, source, bytes)};

  // target[i] = function(inputs[i]...) for every index i of the shape; any number of inputs.
  {Device::map(detail::Identity{}, shape, target, values)};

  // out[i] = values[i, j] combined over every j of the second shape; out is dense, of T or Wide<T>.
  {Device::reduce(SumReduction{}, shape, shape, out, in, strides, strides)};
  {Device::reduce(SumReduction{}, shape, shape, wide, in, strides, strides)};

  {Device::gemm(gemm, in, in, out)};

  // x, filters, bias (may be null) -> y; dy, filters -> dx; x, dy -> d filters. None is empty.
  {Device::conv2d(conv, in, in, in, out)};
  {Device::conv2d_input_gradient(conv, in, in, out)};
  {Device::conv2d_weight_gradient(conv, in, in, out)};

  // max(x, 0) -> y and where it is positive or NaN (bits may be null); x where the bits are set,
  // else 0.
  {Device::relu(rows, in, out, bits)};
  {Device::gate(rows, in, positive, out)};

  // conv2d and relu in one: x, filters, bias -> y, bits; and gate and conv2d_input_gradient in one:
  // dy, bits, filters -> dx. The bits' rows are the rows of y.
  {Device::conv2d_relu(conv, in, in, in, out, bits)};
  {Device::conv2d_relu_input_gradient(conv, in, positive, in, out)};

  // x -> y and the place in its window where each maximum was found, as bytes (bits) or as numbers
  // of 64 bits; the two that move values along those places: dy -> dx (adds where windows overlap)
  // and x -> y.
  {Device::max_pool2d(pool, in, out, places)};
  {Device::max_pool2d(pool, in, out, bits)};
  {Device::max_pool2d_scatter(pool, in, chosen, out)};
  {Device::max_pool2d_gather(pool, in, chosen, out)};

  // The mean of each window, padding counted as zeros; and its adjoint.
  {Device::avg_pool2d(pool, in, out)};
  {Device::avg_pool2d_gradient(pool, in, out)};
};

}  // namespace sfumato
