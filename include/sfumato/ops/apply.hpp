#pragma once

#include <cstdint>
#include <type_traits>

#include "sfumato/core/backend.hpp"
#include "sfumato/core/tensor.hpp"

namespace sfumato::ops {

/// Writes function(inputs...) into `out`, element by element; inputs are broadcast to its shape.
/// `out` may be one of the inputs. Throws ShapeError, naming `op`, for inputs that do not fit.
template <class Function, class Result, class Device, class... T>
void apply_into(const char* op, const Function& function, Tensor<Result, Device>& out,
                const Tensor<T, Device>&... inputs) {
  const auto check = [&](const Shape& shape) {
    if (!broadcasts_to(shape, out.shape())) {
      throw ShapeError(message(op, ": ", shape, " does not broadcast to ", out.shape()));
    }
  };
  (check(inputs.shape()), ...);
  Device::map(function, out.shape(), Strided<Result>{out.data(), row_major_strides(out.shape())},
              Strided<const T>{inputs.data(), broadcast_strides(inputs.shape(), out.shape())}...);
}

/// function(inputs...) element by element, inputs broadcast together; a new tensor of what the
/// function returns (bool becomes uint8_t). The values of every elementwise op come from here.
template <class Function, class T, class Device, class... Rest>
auto apply(const char* op, const Function& function, const Tensor<T, Device>& first,
           const Tensor<Rest, Device>&... rest) {
  using Returned = std::decay_t<std::invoke_result_t<Function, T, Rest...>>;
  using Result = std::conditional_t<std::is_same_v<Returned, bool>, std::uint8_t, Returned>;
  Shape shape = first.shape();
  ((shape = broadcast_shapes(op, shape, rest.shape())), ...);
  auto out = Tensor<Result, Device>::empty(shape);
  apply_into(op, function, out, first, rest...);
  return out;
}

}  // namespace sfumato::ops
