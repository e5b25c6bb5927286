#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sfumato/core/error.hpp"

namespace sfumato::cpu {

/// Instruction sets that there are kernels for. A processor with one of them has those before it.
enum class InstructionSet { kPortable, kAvx2, kAvx512, kAvx512Bf16, kAmx };

/// As the enumeration has them.
inline constexpr std::array<std::string_view, 5> kInstructionSetNames{"portable", "avx2", "avx512",
                                                                      "avx512_bf16", "amx"};

/// The instruction set of that name: portable, avx2, avx512, avx512_bf16 or amx.
/// Throws ValueError for others.
inline InstructionSet parse_instruction_set(std::string_view name) {
  const auto& names = kInstructionSetNames;
  std::string choice;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<InstructionSet>(i);
    choice += message(i == 0 ? "" : i + 1 == names.size() ? " or " : ", ", names[i]);
  }
  throw ValueError(
      message("SFUMATO_VECTORS: there is no instruction set '", name, "'; choose ", choice));
}

/// How the Cpu device computes. Takes effect with the next operation; change it while there is
/// none.
struct Options {
  /// The highest instruction set that kernels may use, if the processor has it. The environment
  /// variable SFUMATO_VECTORS is its default.
  InstructionSet highest = InstructionSet::kAmx;
  /// Keeps convolutions in float. Otherwise AMX multiplies floats by the Ozaki scheme, as whole
  /// numbers of a unit that neighbours share; those far smaller than the largest lose digits. And
  /// gradients stored in bfloat16 are computed from products of it where AVX-512 has them and
  /// they pay, 1.2 % away, where one rounding is 0.2 %.
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
