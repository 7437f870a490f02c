// Passes of more steps than cuDNN takes at once, cut into chunks: states are carried from each chunk to the next, and their
// gradients back.
#pragma once
#include <cstddef>
#include <vector>

#include "core/desc.h"

namespace deep_rnn::cuda {

// What one call of cuDNN takes.
struct RnnLimits {
  int64_t steps = 65535;         // more are refused as not supported: pytorch/pytorch#133751
  int64_t elements = INT32_MAX;  // of x and of y, which offsets of 32 bits reach
};

// With the steps that DEEP_RNN_CUDNN_STEPS names, if it does. Throws Error where that is no positive integer.
RnnLimits rnn_limits();

// The steps of a pass over `batch` sequences that one call takes; 0: not even one.
int64_t most_steps(const RnnLimits& limits, const RnnDesc& desc, int64_t batch);

// Chunk i holds the steps from i * size on: `size` of them, and the last one what is left.
struct RnnChunks {
  int64_t steps = 0, size = 0, count = 0;

  // Those with a step of a sequence, and the first one in any case; lengths [batch] on the host, or null.
  int64_t active(const int32_t* lengths, int64_t batch) const;
  int64_t first(int64_t chunk) const { return chunk * size; }
  int64_t size_of(int64_t chunk) const;
};

// Of about the same size. Throws Error for one step that is too large, and for a bidirectional stack that would have to be cut:
// see rnn_directions.h.
RnnChunks rnn_chunks(const RnnLimits& limits, const RnnDesc& desc, int64_t steps, int64_t batch);

// The lengths of sequences within a chunk.
class RnnChunkLengths {
 public:
  RnnChunkLengths(const RnnChunks& chunks, int64_t chunk, const int32_t* lengths, int64_t batch);
  // [batch], or null: every sequence has all steps of the chunk.
  const int32_t* data() const { return uneven_ ? lengths_.data() : nullptr; }

 private:
  std::vector<int32_t> lengths_;
  bool uneven_ = false;
};

// The states between two chunks, or their gradients: h [L*D,B,O], c [L*D,B,H], null but for an LSTM.
struct RnnCarried {
  void *h = nullptr, *c = nullptr;
};

// Memory for several of them, taken by turns.
class RnnCarriage {
 public:
  RnnCarriage(const RnnDesc& desc, int64_t batch, int64_t slots, void* memory = nullptr);
  size_t bytes() const { return size_t(slots_) * (h_bytes_ + c_bytes_); }
  RnnCarried after(int64_t chunk) const;

 private:
  const int64_t slots_;
  char* const memory_;
  size_t h_bytes_, c_bytes_;
};

}  // namespace deep_rnn::cuda
