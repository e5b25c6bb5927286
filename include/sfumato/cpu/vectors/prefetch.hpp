#pragma once

/// How a cache line is asked for before it is needed.
namespace sfumato::cpu {

__attribute__((always_inline)) inline void prefetch_to_l1(const void* line) {
  __builtin_prefetch(line, 0, 3);
}
__attribute__((always_inline)) inline void prefetch_to_l2(const void* line) {
  __builtin_prefetch(line, 0, 2);
}

}  // namespace sfumato::cpu
