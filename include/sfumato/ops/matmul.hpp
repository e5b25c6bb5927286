#pragma once

#include <cstdint>
#include <vector>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/backend.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/ops/sum.hpp"

namespace sfumato::ops {

/// Which factors of a product are transposed (their last two axes) before they are multiplied.
struct MatmulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
};

namespace detail {

/// The batch shape: all but the last two extents.
inline Shape batch_of(const Shape& shape) {
  return Shape(std::span<const std::int64_t>(shape.begin(), shape.end() - 2));
}

inline Shape matrices(Shape batch, std::int64_t rows, std::int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

/// matmul(a, b) summed to `shape`: over the batch where one matrix was used for all of it.
template <class T, class Device>
Variable<T, Device> matmul_to(const Shape& shape, const Variable<T, Device>& a,
                              const Variable<T, Device>& b, const MatmulOptions& options);

}  // namespace detail

/// The matrix product over the last two axes: (…, m, k) · (…, k, n) gives (…, m, n); the other axes
/// are broadcast together. A vector (k,) is a row on the left and a column on the right, and has no
/// axis in the result. `options` transpose matrices without copying them.
/// Throws ShapeError for scalars, and where the inner extents differ.
template <class T, class Device>
Variable<T, Device> matmul(const Variable<T, Device>& a, const Variable<T, Device>& b,
                           const MatmulOptions& options = {}) {
  const bool ta = options.transpose_a;
  const bool tb = options.transpose_b;
  if (a.rank() == 0 || b.rank() == 0 || (ta && a.rank() == 1) || (tb && b.rank() == 1)) {
    throw ShapeError(message("matmul: ", a.shape(), " and ", b.shape(),
                             " must be vectors or matrices, and matrices to be transposed"));
  }
  if (a.rank() == 1 || b.rank() == 1) {
    const auto product =
        matmul(a.rank() == 1 ? unsqueeze(a, 0) : a, b.rank() == 1 ? unsqueeze(b, 1) : b, options);
    const auto columns = a.rank() == 1 ? squeeze(product, -2) : product;
    return b.rank() == 1 ? squeeze(columns, -1) : columns;
  }
  const std::int64_t inner_a = a.shape()[ta ? -2 : -1];
  const std::int64_t inner_b = b.shape()[tb ? -1 : -2];
  if (inner_a != inner_b) {
    throw ShapeError(message("matmul: ", a.shape(), ta ? " transposed" : "", " and ", b.shape(),
                             tb ? " transposed" : "", " have inner extents ", inner_a, " and ",
                             inner_b, ", which must agree"));
  }
  const Shape batch =
      broadcast_shapes("matmul", detail::batch_of(a.shape()), detail::batch_of(b.shape()));

  // A factor that is one matrix is used for the whole batch in place; other broadcasts are copied.
  const auto spread = [&](const Variable<T, Device>& x) {
    if (detail::batch_of(x.shape()).numel() == 1) return x;
    return broadcast_to(x, detail::matrices(batch, x.shape()[-2], x.shape()[-1]));
  };
  const auto batch_stride = [](const Variable<T, Device>& x) {
    return detail::batch_of(x.shape()).numel() == 1 ? 0 : x.shape()[-2] * x.shape()[-1];
  };
  const Variable<T, Device> left = spread(a);
  const Variable<T, Device> right = spread(b);
  const GemmGeometry geometry{.batch = batch.numel(),
                              .m = a.shape()[ta ? -1 : -2],
                              .n = b.shape()[tb ? -2 : -1],
                              .k = inner_a,
                              .transpose_a = ta,
                              .transpose_b = tb,
                              .batch_stride_a = batch_stride(left),
                              .batch_stride_b = batch_stride(right)};
  auto out = Tensor<T, Device>::empty(detail::matrices(batch, geometry.m, geometry.n));
  if (out.numel() > 0) {
    Device::gemm(geometry, left.value().data(), right.value().data(), out.data());
  }
  return record("matmul", std::move(out), {left, right},
                [ta, tb, left = right.requires_grad() ? left : Variable<T, Device>(),
                 right = left.requires_grad() ? right : Variable<T, Device>(),
                 from_a = left.shape(), from_b = right.shape()](const Backward<T, Device>& ctx) {
                  const auto& g = ctx.gradient();
                  Gradients<T, Device> gradients(2);
                  if (ctx.needs(0)) {
                    gradients[0] = ta ? detail::matmul_to(from_a, right, g, {tb, true})
                                      : detail::matmul_to(from_a, g, right, {false, !tb});
                  }
                  if (ctx.needs(1)) {
                    gradients[1] = tb ? detail::matmul_to(from_b, g, left, {true, ta})
                                      : detail::matmul_to(from_b, left, g, {!ta, false});
                  }
                  return gradients;
                });
}

template <class T, class Device>
Variable<T, Device> detail::matmul_to(const Shape& shape, const Variable<T, Device>& a,
                                      const Variable<T, Device>& b, const MatmulOptions& options) {
  const auto product = [shape, options](const auto& in) {
    return sum_to(matmul(in[0], in[1], options), shape);
  };
  const Shape batch = broadcast_shapes("matmul", batch_of(a.shape()), batch_of(b.shape()));
  if (batch.numel() == batch_of(shape).numel()) return product(std::vector{a, b});
  return in_float<T, Device>("matmul", {a, b}, product);  // or 16 bits would be rounded twice
}

}  // namespace sfumato::ops
