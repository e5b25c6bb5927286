#pragma once

/// The Cuda device: NVIDIA GPUs. Beside <sfumato/sfumato.hpp>, or alone.
///
///     #include <sfumato/cuda.hpp>
///     #include <sfumato/sfumato.hpp>
///     auto x = sfumato::Tensor<float, sfumato::Cuda>::ones({2, 3});
///
/// Link with the CMake target sfumato::cuda, which holds our kernels, compiled; see docs/cuda.md.

#include "sfumato/core/backend.hpp"
#include "sfumato/cuda/captured_step.hpp"
#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/convolution.hpp"
#include "sfumato/cuda/convolution_plans.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/element_types.hpp"
#include "sfumato/cuda/error.hpp"
#include "sfumato/cuda/gemm.hpp"
#include "sfumato/cuda/handles.hpp"
#include "sfumato/cuda/launch.hpp"
#include "sfumato/cuda/lifetime.hpp"
#include "sfumato/cuda/map.hpp"
#include "sfumato/cuda/pooling.hpp"
#include "sfumato/cuda/quotient.hpp"
#include "sfumato/cuda/rectify.hpp"
#include "sfumato/cuda/reduce.hpp"

namespace sfumato {

static_assert(Backend<Cuda, float>);
static_assert(Backend<Cuda, double>);
static_assert(Backend<Cuda, Half>);
static_assert(Backend<Cuda, BFloat16>);

}  // namespace sfumato
