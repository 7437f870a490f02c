#include "cuda/rnn_reserve.h"

#include <algorithm>

#include "cuda/rnn_calls.h"
#include "cuda/rnn_tuner.h"

namespace deep_rnn::cuda {

namespace {

// The calling thread has no context of ours, or another one.
class CurrentContext {
 public:
  CurrentContext(const Api& api, CUcontext context) : api_(api) { DEEP_RNN_CALL(api, cuCtxPushCurrent, context); }
  ~CurrentContext() {
    CUcontext popped = nullptr;
    api_.cuCtxPopCurrent(&popped);
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

 private:
  const Api& api_;
};

}  // namespace

RnnReserves::RnnReserves(const Gpu& gpu, const RnnLimits& limits) : api_(gpu.api()), context_(gpu.context()), limits_(limits) {
  DEEP_RNN_CALL(api_, cudnnCreate, &handle_);
}

RnnReserves::~RnnReserves() { api_.cudnnDestroy(handle_); }

RnnReserve RnnReserves::of(const RnnDesc& desc, int64_t steps, int64_t batch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = known_.find({desc, steps, batch});
  if (found != known_.end()) return found->second;
  const CurrentContext current(api_, context_);
  const RnnReserve reserve = ask(desc, steps, batch);
  // Programs with ever new shapes must not fill the memory.
  constexpr size_t kMost = 4096;
  if (known_.size() >= kMost) known_.clear();
  return known_[{desc, steps, batch}] = reserve;
}

RnnReserve RnnReserves::ask(const RnnDesc& desc, int64_t steps, int64_t batch) {
  const RnnChunks chunks = rnn_chunks(limits_, desc, steps, batch);
  RnnReserve reserve;
  reserve.chunks = chunks.count;
  reserve.carried = RnnCarriage(desc, batch, chunks.count - 1).bytes();
  const RnnDesc still = effective(desc, false), drops = effective(desc, true);
  for (const int64_t chunk : {int64_t(0), chunks.count - 1}) {
    grow(reserve, still, chunks.size_of(chunk), batch);
    if (drops.dropout > 0) grow(reserve, drops, chunks.size_of(chunk), batch);
    if (chunks.count == 1) break;
  }
  return reserve;
}

// To what cuDNN keeps of a pass, and the weights that it runs with, whatever algorithm will be chosen.
void RnnReserves::grow(RnnReserve& reserve, const RnnDesc& desc, int64_t steps, int64_t batch) {
  RnnDesc runs = desc;
  for (const RnnAlgorithm algorithm : rnn_candidates(api_, desc)) {
    runs.algorithm = algorithm;
    try {
      RnnDescriptors descriptors(api_);
      // No states: nothing is drawn here.
      DEEP_RNN_CALL(api_, cudnnSetDropoutDescriptor, descriptors.dropout, handle_, float(desc.dropout), nullptr, 0, 0);
      descriptors.set_stack(runs);
      descriptors.set_data(runs, steps, batch, nullptr);
      size_t weight_bytes = 0;
      DEEP_RNN_CALL(api_, cudnnGetRNNWeightSpaceSize, handle_, descriptors.rnn, &weight_bytes);
      const size_t piece = rnn_spaces(api_, handle_, descriptors, true).reserve_bytes;
      reserve.piece = std::max(reserve.piece, aligned(piece));
      reserve.weights = std::max(reserve.weights, aligned(weight_bytes));
    } catch (const CudnnError&) {
      // It cannot be chosen then, unless nothing else can.
      if (algorithm == RnnAlgorithm::standard || desc.algorithm != RnnAlgorithm::automatic) throw;
    }
  }
}

}  // namespace deep_rnn::cuda
