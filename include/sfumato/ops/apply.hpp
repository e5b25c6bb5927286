#pragma once

#include <cstdint>
#include <type_traits>

#include "sfumato/autodiff/values.hpp"
#include "sfumato/core/backend.hpp"
#include "sfumato/core/tensor.hpp"

namespace sfumato::ops {

namespace detail {
/// Refuses a tensor that is undefined or, where a gradient is computed, has been changed since it
/// was saved; see GradientScope.
template <class T, class Device>
void check_readable(const char* op, const Tensor<T, Device>& x) {
  if (!x.defined()) {
    throw ValueError(message(op, ": a tensor is undefined; it was never given a value"));
  }
  sfumato::detail::GradientScope::check(x.version(), x.shape());
}
}  // namespace detail

/// Writes function(inputs...) into `out`, element by element; inputs are broadcast to its shape.
/// `out` may be one of the inputs. Throws ShapeError, naming `op`, for inputs that do not fit, and
/// ValueError for undefined ones.
template <class Function, class Result, class Device, class... T>
void apply_into(const char* op, const Function& function, Tensor<Result, Device>& out,
                const Tensor<T, Device>&... inputs) {
  const auto check = [&](const Shape& shape) {
    if (!broadcasts_to(shape, out.shape())) {
      throw ShapeError(message(op, ": ", shape, " does not broadcast to ", out.shape()));
    }
  };
  (detail::check_readable(op, inputs), ...);
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
  detail::check_readable(op, first);
  (detail::check_readable(op, rest), ...);
  Shape shape = first.shape();
  ((shape = broadcast_shapes(op, shape, rest.shape())), ...);
  auto out = Tensor<Result, Device>::empty(shape);
  apply_into(op, function, out, first, rest...);
  return out;
}

}  // namespace sfumato::ops
