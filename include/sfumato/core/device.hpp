#pragma once

#include "sfumato/core/version.hpp"

#if __cplusplus < 202002L
#error "sfumato is written in C++20: compile with -std=c++20 or a newer standard"
#include "only C++20 goes on from here"  // ends the compilation, else errors without end follow
#endif
#if !(defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))) && \
    !defined(SFUMATO_TRY_ANY_PLATFORM)
#error "sfumato is for Linux on x86-64 or aarch64; SFUMATO_TRY_ANY_PLATFORM tries another one"
#endif

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
