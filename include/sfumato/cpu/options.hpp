#pragma once

#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "sfumato/core/error.hpp"

namespace sfumato::cpu {

/// Instruction sets that there are kernels for. A processor with one of them has those before it.
enum class InstructionSet { kPortable, kAvx2, kAvx512, kAvx512Bf16, kAmx };

/// The instruction set of that name: portable, avx2, avx512, avx512_bf16 or amx.
/// Throws ValueError for others.
inline InstructionSet parse_instruction_set(std::string_view name) {
  using enum InstructionSet;
  constexpr std::array<std::pair<std::string_view, InstructionSet>, 5> kNames{
      {{"portable", kPortable},
       {"avx2", kAvx2},
       {"avx512", kAvx512},
       {"avx512_bf16", kAvx512Bf16},
       {"amx", kAmx}}};
  for (const auto& [known, set] : kNames) {
    if (name == known) return set;
  }
  throw ValueError(message("SFUMATO_VECTORS: there is no instruction set '", name,
                           "'; choose portable, avx2, avx512, avx512_bf16 or amx"));
}

/// How the Cpu device computes. Takes effect with the next operation; change it while there is
/// none.
struct Options {
  /// The highest instruction set that kernels may use, if the processor has it. The environment
  /// variable SFUMATO_VECTORS is its default.
  InstructionSet highest = InstructionSet::kAmx;
  /// Keeps convolutions in float. Otherwise AMX multiplies floats by the Ozaki scheme, as whole
  /// numbers of a unit that neighbours share; those far smaller than the largest lose digits. And
  /// gradients stored in bfloat16 are computed from products of it where AVX-512 has them, 1.2 %
  /// away, where one rounding is 0.2 %.
  bool exact = false;
};

/// How the Cpu device computes from now on. Throws ValueError where SFUMATO_VECTORS names nothing.
inline Options& options() {
  static Options options = [] {
    const char* const name = std::getenv("SFUMATO_VECTORS");
    return name == nullptr ? Options{} : Options{.highest = parse_instruction_set(name)};
  }();
  return options;
}

}  // namespace sfumato::cpu
