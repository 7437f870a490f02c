// The host memory of the backend.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace deep_rnn::cpu {

constexpr size_t kAlignment = 64;

// A pass over a sequence walks through many megabytes, and the system takes long to give memory page by page for the first
// time: blocks that fill half of such a large page or more consist of large pages, but for an end that fills less than half of
// one.
constexpr size_t kLargePage = size_t(2) << 20;

// The bytes of a block's large pages together; 0 when it has none.
inline size_t large_pages_of(size_t bytes) { return (bytes + kLargePage / 2) / kLargePage * kLargePage; }

// Throws std::bad_alloc.
inline void* allocate_memory(size_t bytes) {
  const size_t large = large_pages_of(bytes);
  void* data = ::operator new(std::max(bytes, large), std::align_val_t(large ? kLargePage : kAlignment));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Advice only: where it cannot be followed nothing is lost.
  if (large) madvise(data, large, MADV_HUGEPAGE);
#endif
  return data;
}

inline void release_memory(void* data, size_t bytes) {
  ::operator delete(data, std::align_val_t(large_pages_of(bytes) ? kLargePage : kAlignment));
}

}  // namespace deep_rnn::cpu
