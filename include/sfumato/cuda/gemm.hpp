#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <type_traits>

#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/element_types.hpp"
#include "sfumato/cuda/error.hpp"

namespace sfumato {

namespace cuda {

/// For messages.
struct GemmShapes {
  const GemmGeometry& g;
  std::string to_string() const {
    return message(" for ", g.batch, " products of ", g.m, " × ", g.k, " and ", g.k, " × ", g.n);
  }
};

}  // namespace cuda

template <class T>
void Cuda::gemm(const GemmGeometry& geometry, const T* a, const T* b, T* c) {
  const GemmGeometry& g = geometry;
  if (g.batch == 0 || g.m == 0 || g.n == 0) return;
  if (g.k == 0) {
    return cuda::fill_zeros(c, static_cast<std::size_t>(g.batch * g.m * g.n) * sizeof(T));
  }
  constexpr const char* kCall = "cublasGemmStridedBatchedEx";
  const cuda::GemmShapes shapes{g};
  const auto to_int = [&](std::int64_t value) { return cuda::to_int(value, kCall, shapes); };
  const auto operation = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
  cuda::Context& context = cuda::Context::current();
  constexpr cudaDataType_t kType = cuda::kCublasType<T>;
  const bool tf32 = std::is_same_v<T, float> && context.options().allow_tf32;
  const cublasComputeType_t compute = std::is_same_v<T, double> ? CUBLAS_COMPUTE_64F
                                      : tf32                    ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                : CUBLAS_COMPUTE_32F;
  const Compute<T> one{1};
  const Compute<T> zero{0};
  const std::lock_guard lock(context.library_mutex());
  // cuBLAS counts by columns: what it sees is the transposed product, cᵀ = op(b)ᵀ · op(a)ᵀ.
  cuda::check(
      cublasGemmStridedBatchedEx(
          context.cublas(), operation(g.transpose_b), operation(g.transpose_a), to_int(g.n),
          to_int(g.m), to_int(g.k), &one, b, kType, to_int(g.transpose_b ? g.k : g.n),
          g.batch_stride_b, a, kType, to_int(g.transpose_a ? g.m : g.k), g.batch_stride_a, &zero, c,
          kType, to_int(g.n), g.m * g.n, to_int(g.batch), compute, CUBLAS_GEMM_DEFAULT),
      kCall, shapes);
}

}  // namespace sfumato
