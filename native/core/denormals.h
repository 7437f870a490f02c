// Denormal floats are treated as zero: they cost a hundred times a normal operation and carry nothing in training.
#pragma once
#include <cstdint>
#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace deep_rnn {

// For the calling thread. Threads that do arithmetic for a stream call it as well.
inline void flush_denormals() {
#if defined(__SSE2__) || defined(_M_X64)
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
#elif defined(__aarch64__) && defined(__GNUC__)
  constexpr uint64_t kFlushToZero = uint64_t(1) << 24;
  uint64_t control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  __asm__ volatile("msr fpcr, %0" : : "r"(control | kFlushToZero));
#endif
}

}  // namespace deep_rnn
