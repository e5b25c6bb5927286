#pragma once

#include <cstdint>

#include "sfumato/core/loops.hpp"

namespace sfumato::cpu {

using sfumato::detail::StridedLoops;

/// How many elements one piece of a parallel loop handles: enough to outweigh waking a thread.
inline constexpr std::int64_t kElementsPerChunk = 16384;

}  // namespace sfumato::cpu
