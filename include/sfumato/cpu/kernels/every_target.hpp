#pragma once

/// All kernels, once for each target that the compiler has. Every header of a kernel has a guard
/// that lets it in when SFUMATO_NEXT_TARGET has changed, as in Google's Highway
/// ("foreach_target.h").

#include "sfumato/cpu/kernels/avx2.hpp"
#include "sfumato/cpu/kernels/avx512.hpp"
#include "sfumato/cpu/kernels/avx512_bf16.hpp"

#include "sfumato/cpu/kernels/all_kernels.hpp"  // portable

#ifdef SFUMATO_AVX2
#undef SFUMATO_NAMESPACE
#undef SFUMATO_TARGET
#define SFUMATO_NAMESPACE avx2
#define SFUMATO_TARGET SFUMATO_AVX2
#define SFUMATO_NEXT_TARGET
#include "sfumato/cpu/kernels/all_kernels.hpp"
#endif

#ifdef SFUMATO_AVX512
#undef SFUMATO_NAMESPACE
#undef SFUMATO_TARGET
#define SFUMATO_NAMESPACE avx512
#define SFUMATO_TARGET SFUMATO_AVX512
#ifdef SFUMATO_NEXT_TARGET
#undef SFUMATO_NEXT_TARGET
#else
#define SFUMATO_NEXT_TARGET
#endif
#include "sfumato/cpu/kernels/all_kernels.hpp"
#endif

#ifdef SFUMATO_AVX512_BF16  // the two before are there as well
#undef SFUMATO_NAMESPACE
#undef SFUMATO_TARGET
#define SFUMATO_NAMESPACE avx512_bf16
#define SFUMATO_TARGET SFUMATO_AVX512_BF16
#define SFUMATO_NEXT_TARGET
#include "sfumato/cpu/kernels/all_kernels.hpp"
#endif

#undef SFUMATO_NAMESPACE
#undef SFUMATO_TARGET
