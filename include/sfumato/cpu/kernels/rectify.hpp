// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_RECTIFY) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_RECTIFY
#undef SFUMATO_CPU_KERNELS_RECTIFY
#else
#define SFUMATO_CPU_KERNELS_RECTIFY
#endif

#include <cstdint>
#include <cstring>

#include "sfumato/cpu/kernels/columns.hpp"
#include "sfumato/cpu/kernels/target.hpp"

namespace sfumato::cpu::SFUMATO_NAMESPACE {

template <class S>
SFUMATO_TARGET inline void relu_run(std::int64_t count, const S* x, S* y, std::uint8_t* bits) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const bool whole = i + kLanes <= count;
    const Mask mask = mask_between(0, count - i);
    const Vector value = whole ? load(x + i) : load(mask, x + i);
    const std::uint32_t positive = positive_bits(value);
    if (whole) {
      store(y + i, rectify(value));
    } else {
      store(mask, y + i, rectify(value));
    }
    if (bits != nullptr) std::memcpy(bits + i / 8, &positive, kLaneBytes);
  }
}

template <class S>
SFUMATO_TARGET inline void gate_run(std::int64_t count, const S* x, const std::uint8_t* bits,
                                    S* y) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const Mask mask = mask_between(0, count - i);
    std::uint32_t own = 0;
    std::memcpy(&own, bits + i / 8, kLaneBytes);
    const Mask passed = mask_with_bits(mask, own);
    if (i + kLanes <= count) {
      store(y + i, if_then_else_zero(passed, load(x + i)));
    } else {
      store(mask, y + i, load(passed, x + i));
    }
  }
}

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
