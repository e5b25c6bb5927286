// cpu::options(): its default from the environment, and that kernels follow it.

#include <doctest/doctest.h>

#include <cstdlib>

#include "sfumato/sfumato.hpp"
#include "support/complaint.hpp"

namespace sfumato::cpu_options_test {
using cpu::InstructionSet;

TEST_CASE("instruction sets are called by their names") {
  CHECK(cpu::parse_instruction_set("portable") == InstructionSet::kPortable);
  CHECK(cpu::parse_instruction_set("avx2") == InstructionSet::kAvx2);
  CHECK(cpu::parse_instruction_set("avx512") == InstructionSet::kAvx512);
  CHECK(cpu::parse_instruction_set("avx512_bf16") == InstructionSet::kAvx512Bf16);
  CHECK(cpu::parse_instruction_set("amx") == InstructionSet::kAmx);
}

TEST_CASE("an unknown instruction set is an error that names the known ones") {
  for (const char* const name : {"none", "", "AVX2", "avx", "sse"}) {
    CAPTURE(name);
    CHECK(complaint([&] { cpu::parse_instruction_set(name); }) ==
          message("SFUMATO_VECTORS: there is no instruction set '", name,
                  "'; choose portable, avx2, avx512, avx512_bf16 or amx"));
  }
}

TEST_CASE("the environment says which instruction set is the highest") {
  const char* const name = std::getenv("SFUMATO_VECTORS");
  CHECK(cpu::options().highest == cpu::parse_instruction_set(name == nullptr ? "amx" : name));
  CHECK_FALSE(cpu::options().exact);
}

TEST_CASE("kernels follow a highest instruction set that is changed") {
  const InstructionSet before = cpu::options().highest;
  const auto kernels = [] { return &cpu::kernels<cpu::ConvolutionKernels<float>>(); };
  const auto* const first = kernels();
  cpu::options().highest = InstructionSet::kPortable;
  const auto* const portable = kernels();
  cpu::options().highest = InstructionSet::kAvx2;
  const auto* const avx2 = kernels();
  cpu::options().highest = before;
  CHECK(kernels() == first);
  CHECK(portable->lanes == 8);
  CHECK(avx2->lanes == 8);
#ifdef __x86_64__
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  CHECK((avx2 != portable) == has_avx2);
#else
  CHECK(first == portable);
#endif
}

}  // namespace sfumato::cpu_options_test
