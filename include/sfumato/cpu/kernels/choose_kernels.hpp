#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "sfumato/cpu/kernels/amx.hpp"
#include "sfumato/cpu/kernels/every_target.hpp"
#include "sfumato/cpu/kernels/kernel_table.hpp"
#include "sfumato/cpu/kernels/ozaki_convolution.hpp"
#include "sfumato/cpu/options.hpp"

#if defined(SFUMATO_AVX2) && defined(SFUMATO_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace sfumato::cpu {

#ifdef SFUMATO_AMX
inline constexpr VectorKernels kAmxKernels = [] {
  VectorKernels kernels = avx512::kKernels;
  kernels.float32.convolve_by_matrices = avx512::convolve_by_matrices;
  kernels.bfloat16.convolve_by_matrices = avx512::convolve_by_matrices;
  return kernels;
}();
#endif

#if defined(SFUMATO_AVX2) && defined(SFUMATO_AMX)
/// Whether the processor has AMX for bytes and bfloat16, and the system lets this process use its
/// registers, for which it must be asked: "Using XSTATE features in user space applications" in
/// Linux's documentation.
inline bool request_amx() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned kNeeded = 1U << 24 | 1U << 25 | 1U << 22;  // tiles, bytes, bfloat16
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx & kNeeded) != kNeeded) return false;
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

/// The best kernels that this processor has, for each InstructionSet as the highest one.
using KernelChoices = std::array<const VectorKernels*, 4>;

inline KernelChoices choose_kernels() {
  KernelChoices choices;
  choices.fill(&portable::kKernels);
#ifdef SFUMATO_AVX2
  const auto choose_from = [&](InstructionSet set, const VectorKernels& kernels) {
    std::fill(choices.begin() + static_cast<std::ptrdiff_t>(set), choices.end(), &kernels);
  };
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    choose_from(InstructionSet::kAvx2, avx2::kKernels);
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    choose_from(InstructionSet::kAvx512, avx512::kKernels);
#ifdef SFUMATO_AMX
    if (request_amx()) choose_from(InstructionSet::kAmx, kAmxKernels);
#endif
  }
#endif
  return choices;
}

/// What vector_kernels() gives.
inline const VectorKernels* chosen_kernels() {
  static const KernelChoices choices = choose_kernels();
  return choices[static_cast<std::size_t>(options().highest)];
}

}  // namespace sfumato::cpu
