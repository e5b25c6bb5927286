#pragma once

namespace sfumato::tested {

/// Whether the program runs on a real GPU, whose libraries round in ways of their own.
#if defined(SFUMATO_TEST_CUDA) && !defined(SFUMATO_CUDA_EMULATED)
inline constexpr bool kRealGpu = true;
#else
inline constexpr bool kRealGpu = false;
#endif

}  // namespace sfumato::tested
