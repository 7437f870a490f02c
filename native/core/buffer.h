// A buffer of device memory, and a view: a place inside one.
#pragma once
#include <cstddef>
#include <memory>

#include "core/error.h"

namespace deep_rnn {

// The address of the Buffer is known when a command is pushed, the address of its memory only when the stream has allocated
// it: `data` belongs to the stream thread, `bytes` never changes.
struct Buffer {
  explicit Buffer(size_t size) : bytes(size) {}
  void* data = nullptr;
  const size_t bytes;
};

// What a command captures of an operand. Empty for the null handle.
struct View {
  std::shared_ptr<Buffer> buffer;
  size_t byte_offset = 0;

  explicit operator bool() const { return buffer != nullptr; }

  // Stream thread only. Null for an empty view; throws when the allocation of the buffer had failed.
  template <class T = void>
  T* as() const {
    if (!buffer) return nullptr;
    if (!buffer->data)
      throw Error("a buffer of " + std::to_string(buffer->bytes) + " bytes has no memory after an earlier failure");
    return reinterpret_cast<T*>(static_cast<char*>(buffer->data) + byte_offset);
  }
};

}  // namespace deep_rnn
