#pragma once

// Where the compiler can compile single functions for other processors than the program's, the
// kernels for AVX2, AVX-512, with and without bfloat16, and AMX are there in every program, and are
// called only where the processor has them. (A test that compiles the kernels for AVX-512 with
// another library's vectors defines SFUMATO_AVX512 itself.)
#if defined(__x86_64__) && defined(__GNUC__) && !defined(SFUMATO_AVX512)
#define SFUMATO_AVX2 __attribute__((target("avx2,fma")))
#define SFUMATO_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#define SFUMATO_AVX512_BF16 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")))
#ifdef __linux__  // which programs have to ask for the registers
#define SFUMATO_AMX \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma,amx-tile,amx-bf16,amx-int8")))
#endif
#ifndef __clang__
// Some vectors in GCC's header are uninitialised on purpose, which GCC 12 warns its users about.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
#endif

#define SFUMATO_ALWAYS_INLINE __attribute__((always_inline)) inline
#define SFUMATO_AVX2_INLINE SFUMATO_AVX2 SFUMATO_ALWAYS_INLINE
#define SFUMATO_AVX512_INLINE SFUMATO_AVX512 SFUMATO_ALWAYS_INLINE
#define SFUMATO_AVX512_BF16_INLINE SFUMATO_AVX512_BF16 SFUMATO_ALWAYS_INLINE
