#pragma once

/// Marks what must also compile for a GPU: functors that devices map over elements.
#if defined(__CUDACC__)
#define SFUMATO_HOST_DEVICE __host__ __device__
#else
#define SFUMATO_HOST_DEVICE
#endif

namespace sfumato {

/// The processor that the program runs on; see cpu/cpu.hpp. Default of every Device parameter.
struct Cpu;

}  // namespace sfumato
