// A caching allocator over a backend's memory: freed blocks are kept by size class and handed out again.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/backend.h"

namespace deep_rnn {

// Used by the stream thread only, but for held() and allocations(). A step of training asks for the same sizes again and again,
// so after the first one nothing reaches the backend. The cache is emptied when the backend runs out, when it has outgrown the
// peak of the memory in use (sizes that never come back), and when what is held would pass `limit` (0: none).
class Allocator {
 public:
  // With `poison`, memory is handed out full of NaN (as int32: -1), which makes reading undefined contents visible.
  Allocator(Backend& backend, size_t limit, bool poison);
  ~Allocator();
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // At least 64-byte aligned; throws Error naming the bytes needed and in use.
  void* allocate(size_t bytes);
  // `bytes` as given to allocate; null is ignored.
  void release(void* data, size_t bytes);
  // Hands the cached blocks of a size out by ascending address from now on: what a step of training is given then depends only
  // on what is in use when it begins.
  void arrange();
  // Gives every cached block back to the backend.
  void trim();

  size_t in_use() const { return in_use_; }
  // Bytes taken from the backend, cached blocks included. Any thread.
  size_t held() const { return held_.load(std::memory_order_relaxed); }
  // How many blocks were taken from the backend. Any thread.
  uint64_t allocations() const { return allocations_.load(std::memory_order_relaxed); }

  // What is really taken for `bytes`: eight classes between powers of two, so at most an eighth is wasted.
  static size_t block_size(size_t bytes);

 private:
  void* take(size_t size);

  Backend& backend_;
  const size_t limit_;
  const bool poison_;
  std::unordered_map<size_t, std::vector<void*>> cache_;
  std::unordered_map<void*, size_t> blocks_;  // every block held
  size_t in_use_ = 0, peak_ = 0, cached_ = 0;
  std::atomic<size_t> held_{0};
  std::atomic<uint64_t> allocations_{0};
};

}  // namespace deep_rnn
