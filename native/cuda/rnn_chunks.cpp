#include "cuda/rnn_chunks.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "cuda/kernels/plan.h"
#include "cuda/memory.h"

namespace deep_rnn::cuda {

namespace {

// Chunks of so many steps begin at aligned addresses, whatever the sizes are.
constexpr int64_t kUnit = 64;

}  // namespace

RnnLimits rnn_limits() {
  RnnLimits limits;
  const char* value = std::getenv("DEEP_RNN_CUDNN_STEPS");
  if (!value || !*value) return limits;
  char* end = nullptr;
  limits.steps = std::strtoll(value, &end, 10);
  if (*end || limits.steps < 1 || limits.steps > INT32_MAX)
    throw Error("Expected a positive integer for DEEP_RNN_CUDNN_STEPS but received " + std::string(value));
  return limits;
}

int64_t most_steps(const RnnLimits& limits, const RnnDesc& desc, int64_t batch) {
  const int64_t widest = std::max(desc.input_size, desc.directions() * desc.output_size());
  return std::min(limits.steps, limits.elements / batch / widest);
}

int64_t RnnChunks::active(const int32_t* lengths, int64_t batch) const {
  if (!lengths) return count;
  return std::max<int64_t>(1, divided_up(*std::max_element(lengths, lengths + batch), size));
}

int64_t RnnChunks::size_of(int64_t chunk) const { return std::min(size, steps - first(chunk)); }

RnnChunks rnn_chunks(const RnnLimits& limits, const RnnDesc& desc, int64_t steps, int64_t batch) {
  const int64_t most = most_steps(limits, desc, batch);
  if (steps <= most) return {steps, steps, 1};
  if (most < 1) {
    throw Error("Expected a step of at most " + std::to_string(limits.elements) + " elements, as cuDNN takes, but received " +
                std::to_string(batch) + " sequences");
  }
  if (desc.bidirectional) {
    throw Error("Expected at most " + std::to_string(most) + " steps for a bidirectional stack on this device but received " +
                std::to_string(steps));
  }
  const int64_t unit = most < kUnit ? 1 : kUnit;
  const int64_t fewest = divided_up(steps, most / unit * unit);
  const int64_t size = divided_up(divided_up(steps, fewest), unit) * unit;
  return {steps, size, divided_up(steps, size)};
}

RnnChunkLengths::RnnChunkLengths(const RnnChunks& chunks, int64_t chunk, const int32_t* lengths, int64_t batch) {
  if (!lengths) return;
  const int64_t first = chunks.first(chunk), most = chunks.size_of(chunk);
  for (int64_t i = 0; i < batch; i++) lengths_.push_back(int32_t(std::clamp<int64_t>(lengths[i] - first, 0, most)));
  uneven_ = std::any_of(lengths_.begin(), lengths_.end(), [most](int32_t length) { return length != most; });
}

RnnCarriage::RnnCarriage(const RnnDesc& desc, int64_t batch, int64_t slots, void* memory)
    : slots_(slots), memory_(static_cast<char*>(memory)) {
  const size_t row_bytes = size_t(desc.layers * desc.directions() * batch) * deep_rnn::size_of(desc.dtype);
  h_bytes_ = aligned(row_bytes * size_t(desc.output_size()));
  c_bytes_ = desc.cell == Cell::lstm ? aligned(row_bytes * size_t(desc.hidden_size)) : 0;
}

RnnCarried RnnCarriage::after(int64_t chunk) const {
  char* slot = memory_ + size_t(chunk % slots_) * (h_bytes_ + c_bytes_);
  return {slot, c_bytes_ > 0 ? slot + h_bytes_ : nullptr};
}

}  // namespace deep_rnn::cuda
