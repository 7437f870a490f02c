// A device as its owner sees it: a stream, and the books of its memory.
#pragma once
#include <cstddef>
#include <memory>

#include "core/buffer.h"
#include "core/stream.h"

namespace deep_rnn {

// Used by one thread, its owner's. The books are kept when commands are pushed; since the stream runs them in order they are
// exact: what is live here is what is live at that point of the stream.
class Device {
 public:
  // memory_limit 0: none.
  Device(BackendFactory factory, size_t memory_limit);

  // The contents are undefined. Throws Error when the live bytes would pass the limit; when the backend has no memory left
  // the stream fails.
  std::shared_ptr<Buffer> allocate(size_t bytes);
  // The memory is given back when everything pushed before has run.
  void release(std::shared_ptr<Buffer> buffer);

  // Marks what is pushed between them as one step that is likely to be repeated.
  void begin_step();
  void end_step();

  void push(Command command) { stream_.push(std::move(command)); }
  void clear_error() { stream_.clear_error(); }
  void close() { stream_.close(); }

  const Backend& backend() const { return stream_.backend(); }
  size_t live_bytes() const { return live_bytes_; }
  size_t live_buffers() const { return live_buffers_; }
  size_t peak_bytes() const { return peak_bytes_; }
  size_t held_bytes() const { return stream_.allocator().held(); }
  size_t scratch_bytes() const { return backend().scratch_bytes(); }
  // Of buffers and of scratch memory, from the system.
  uint64_t system_allocations() const { return stream_.allocator().allocations() + backend().scratch_allocations(); }
  uint64_t commands_run() const { return stream_.commands_run(); }

 private:
  const size_t memory_limit_;
  size_t live_bytes_ = 0, live_buffers_ = 0, peak_bytes_ = 0;
  Stream stream_;
};

}  // namespace deep_rnn
