#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/vectors/avx2.hpp"
#include "sfumato/cpu/vectors/avx512.hpp"
#include "sfumato/cpu/vectors/kernel_table.hpp"
#include "sfumato/cpu/winograd_points.hpp"

namespace sfumato::cpu {

inline constexpr std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace sfumato::cpu

#ifdef SFUMATO_AVX2
#define SFUMATO_NAMESPACE avx2
#define SFUMATO_TARGET SFUMATO_AVX2
#include "sfumato/cpu/vectors/kernels.inc"
#undef SFUMATO_NAMESPACE
#undef SFUMATO_TARGET
#endif
#ifdef SFUMATO_AVX512
#define SFUMATO_NAMESPACE avx512
#define SFUMATO_TARGET SFUMATO_AVX512
#include "sfumato/cpu/vectors/kernels.inc"
#undef SFUMATO_NAMESPACE
#undef SFUMATO_TARGET
#endif

namespace sfumato::cpu {

/// What vector_kernels() gives.
inline const VectorKernels* choose_kernels() {
#ifdef SFUMATO_AVX2
  const char* const variable = std::getenv("SFUMATO_VECTORS");
  const std::string_view most = variable == nullptr ? "avx512" : variable;
  if (most == "avx512" && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return &avx512::kKernels;
  }
  if (most != "none" && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return &avx2::kKernels;
  }
#endif
  return nullptr;
}

}  // namespace sfumato::cpu
