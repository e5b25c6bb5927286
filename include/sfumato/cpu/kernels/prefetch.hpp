#pragma once

#include "sfumato/cpu/kernels/targets.hpp"

/// How a cache line is asked for before it is needed.
namespace sfumato::cpu {

SFUMATO_ALWAYS_INLINE void prefetch_to_l1(const void* line) {
  __builtin_prefetch(line, 0, 3);
}
SFUMATO_ALWAYS_INLINE void prefetch_to_l2(const void* line) {
  __builtin_prefetch(line, 0, 2);
}

}  // namespace sfumato::cpu
