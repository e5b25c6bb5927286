#pragma once

/// The Cpu device, whole.

#include "sfumato/core/backend.hpp"
#include "sfumato/cpu/convolution.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/gemm.hpp"
#include "sfumato/cpu/im2col.hpp"
#include "sfumato/cpu/instances.hpp"
#include "sfumato/cpu/kernels/kernels.hpp"
#include "sfumato/cpu/map.hpp"
#include "sfumato/cpu/options.hpp"
#include "sfumato/cpu/pooling.hpp"
#include "sfumato/cpu/rectify.hpp"
#include "sfumato/cpu/reduce.hpp"

namespace sfumato {

static_assert(Backend<Cpu, float>);
static_assert(Backend<Cpu, double>);
static_assert(Backend<Cpu, Half>);
static_assert(Backend<Cpu, BFloat16>);

// Programs that link sfumato::kernels have these compiled once, there.
#ifdef SFUMATO_COMPILED_KERNELS
SFUMATO_CPU_INSTANCES(extern, float)
SFUMATO_CPU_INSTANCES(extern, double)
SFUMATO_CPU_INSTANCES(extern, BFloat16)
#endif

}  // namespace sfumato
