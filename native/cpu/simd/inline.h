// Functions on registers must be inlined always, as a call would spill every register, and loops over them unrolled.
#pragma once

#if defined(__GNUC__)
#define DEEP_RNN_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define DEEP_RNN_INLINE __forceinline
#else
#define DEEP_RNN_INLINE inline
#endif

#if defined(__clang__)
#define DEEP_RNN_UNROLL _Pragma("unroll")
#define DEEP_RNN_UNROLL_4 _Pragma("unroll 4")
#elif defined(__GNUC__)
#define DEEP_RNN_UNROLL _Pragma("GCC unroll 16")
#define DEEP_RNN_UNROLL_4 _Pragma("GCC unroll 4")
#else
#define DEEP_RNN_UNROLL
#define DEEP_RNN_UNROLL_4
#endif
