// Scratch memory of one backend.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cpu/memory.h"

namespace deep_rnn::cpu {

// Grows to the largest request and is then reused, so that a steady step allocates nothing.
class Workspace {
 public:
  Workspace() = default;
  ~Workspace() { clear(); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // At least `bytes` of uninitialised memory, 64-byte aligned, valid until the next call of take().
  void* take(size_t bytes) {
    if (bytes > capacity_) {
      clear();
      memory_ = allocate_memory(bytes);
      capacity_ = bytes;
      allocations_++;
    }
    return memory_;
  }
  // Any thread.
  size_t capacity() const { return capacity_; }
  uint64_t allocations() const { return allocations_; }

 private:
  void clear() {
    if (memory_) release_memory(memory_, capacity_);
    memory_ = nullptr;
    capacity_ = 0;
  }

  void* memory_ = nullptr;
  std::atomic<size_t> capacity_{0};
  std::atomic<uint64_t> allocations_{0};
};

// Cuts one piece of memory into aligned arrays. Without memory it only measures, so one function can describe both.
class Carver {
 public:
  explicit Carver(void* memory) : begin_(static_cast<char*>(memory)) {}

  template <class E>
  E* array(int64_t count) {
    E* result = begin_ ? reinterpret_cast<E*>(begin_ + bytes_) : nullptr;
    bytes_ += (size_t(count) * sizeof(E) + 63) / 64 * 64;
    return result;
  }
  size_t bytes() const { return bytes_; }

 private:
  char* begin_;
  size_t bytes_ = 0;
};

}  // namespace deep_rnn::cpu
