#pragma once

/// The Cpu device, whole.

#include "sfumato/core/backend.hpp"
#include "sfumato/cpu/convolution.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/gemm.hpp"
#include "sfumato/cpu/im2col.hpp"
#include "sfumato/cpu/map.hpp"
#include "sfumato/cpu/matrix_view.hpp"
#include "sfumato/cpu/options.hpp"
#include "sfumato/cpu/pooling.hpp"
#include "sfumato/cpu/rectify.hpp"
#include "sfumato/cpu/reduce.hpp"
#include "sfumato/cpu/vectors/kernels.hpp"

namespace sfumato {

static_assert(Backend<Cpu, float>);
static_assert(Backend<Cpu, double>);
static_assert(Backend<Cpu, Half>);
static_assert(Backend<Cpu, BFloat16>);

// Programs that link sfumato::kernels have these compiled once, there.
#ifdef SFUMATO_COMPILED_KERNELS
#define SFUMATO_EXTERN extern
#define SFUMATO_ELEMENT float
#include "sfumato/cpu/instances.inc"
#undef SFUMATO_ELEMENT
#define SFUMATO_ELEMENT double
#include "sfumato/cpu/instances.inc"
#undef SFUMATO_ELEMENT
#define SFUMATO_ELEMENT BFloat16
#include "sfumato/cpu/instances.inc"
#undef SFUMATO_ELEMENT
#undef SFUMATO_EXTERN
#endif

}  // namespace sfumato
