// Functions on registers must be inlined always: a call would spill every register.
#pragma once

#if defined(__GNUC__)
#define DEEP_RNN_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define DEEP_RNN_INLINE __forceinline
#else
#define DEEP_RNN_INLINE inline
#endif
