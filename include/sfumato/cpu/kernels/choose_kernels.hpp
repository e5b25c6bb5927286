#pragma once

#include <algorithm>
#include <type_traits>

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

#ifdef SFUMATO_AVX512_BF16
template <class Table>
inline constexpr Table kBf16Kernels = [] {
  if constexpr (std::is_same_v<Table, ConvolutionKernels<BFloat16>>) {
    return avx512_bf16::kKernels<Table>;
  } else {
    return avx512::kKernels<Table>;
  }
}();
#endif

#ifdef SFUMATO_AMX
template <class Table>
inline constexpr Table kAmxKernels = avx512::kKernels<Table>;
template <class S>
inline constexpr ConvolutionKernels<S> kAmxKernels<ConvolutionKernels<S>> = [] {
  auto kernels = avx512::kKernels<ConvolutionKernels<S>>;
  kernels.convolve_by_matrices = avx512::convolve_by_matrices;
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

/// The highest instruction set that this processor has and there are kernels for.
inline InstructionSet find_instruction_set() {
#ifdef SFUMATO_AVX2
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    // A virtual machine may hide it and show AMX, but each set is to have those before it.
    if (!__builtin_cpu_supports("avx512bf16")) return InstructionSet::kAvx512;
#ifdef SFUMATO_AMX
    if (request_amx()) return InstructionSet::kAmx;
#endif
    return InstructionSet::kAvx512Bf16;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return InstructionSet::kAvx2;
#endif
  return InstructionSet::kPortable;
}

/// The instruction set that kernels are for: of those that the options allow, the highest here.
inline InstructionSet chosen_instruction_set() {
  static const InstructionSet highest = find_instruction_set();
  const InstructionSet allowed = options().highest;
#ifdef SFUMATO_AVX2
  // With Intel's dot products of bfloat16 an iteration took 5 to 12 % longer than without. Whoever
  // asks for them gets them.
  if (highest == InstructionSet::kAvx512Bf16 && allowed > highest && __builtin_cpu_is("intel")) {
    return InstructionSet::kAvx512;
  }
#endif
  return std::min(highest, allowed);
}

/// What kernels() gives.
template <class Table>
const Table& chosen_kernels() {
  switch (chosen_instruction_set()) {
#ifdef SFUMATO_AVX2
#ifdef SFUMATO_AMX
    case InstructionSet::kAmx:
      return kAmxKernels<Table>;
#endif
    case InstructionSet::kAvx512Bf16:
      return kBf16Kernels<Table>;
    case InstructionSet::kAvx512:
      return avx512::kKernels<Table>;
    case InstructionSet::kAvx2:
      return avx2::kKernels<Table>;
#endif
    default:
      return portable::kKernels<Table>;
  }
}

}  // namespace sfumato::cpu
