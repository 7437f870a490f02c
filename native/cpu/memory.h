// The host memory of the backend.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace deep_rnn::cpu {

constexpr size_t kAlignment = 64;

// Blocks of this size begin on its multiples and ask for pages as large: a pass over a sequence walks through many megabytes.
constexpr size_t kLargePage = size_t(2) << 20;

inline size_t alignment_of(size_t bytes) { return bytes >= kLargePage ? kLargePage : kAlignment; }

// Throws std::bad_alloc.
inline void* allocate_memory(size_t bytes) {
  void* data = ::operator new(bytes, std::align_val_t(alignment_of(bytes)));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Advice only: where it cannot be followed nothing is lost.
  if (bytes >= kLargePage) madvise(data, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
  return data;
}

inline void release_memory(void* data, size_t bytes) { ::operator delete(data, std::align_val_t(alignment_of(bytes))); }

}  // namespace deep_rnn::cpu
