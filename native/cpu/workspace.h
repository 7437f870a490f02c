// Scratch memory of one backend: grows to the largest request and is then reused, so that a steady step allocates nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace deep_rnn::cpu {

class Workspace {
 public:
  // At least `bytes` of uninitialised memory, 64-byte aligned, valid until the next call of take().
  void* take(size_t bytes) {
    if (bytes > capacity_) {
      memory_.reset();
      capacity_ = 0;
      memory_.reset(static_cast<char*>(::operator new(bytes, std::align_val_t(kAlignment))));
      capacity_ = bytes;
    }
    return memory_.get();
  }
  size_t capacity() const { return capacity_; }

 private:
  static constexpr size_t kAlignment = 64;
  struct Free {
    void operator()(char* memory) const { ::operator delete(memory, std::align_val_t(kAlignment)); }
  };
  std::unique_ptr<char, Free> memory_;
  size_t capacity_ = 0;
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
