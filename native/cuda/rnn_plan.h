// What is kept of one recurrent stack between passes: its descriptors, and its parameters as cuDNN wants them.
#pragma once
#include "cuda/gpu.h"
#include "cuda/rnn_descriptors.h"
#include "cuda/rnn_numbers.h"
#include "cuda/rnn_params.h"

namespace deep_rnn::cuda {

// The parameters are copied from the flat buffer into cuDNN's weight space before a pass and their gradients are added back
// after it, each by one kernel over a table of pieces, which cuDNN was asked for once. Gaps of the weight space are zero.
class RnnPlan {
 public:
  RnnPlan(Gpu& gpu, const RnnDesc& desc);

  const RnnDesc& desc() const { return desc_; }
  RnnDescriptors& descriptors() { return descriptors_; }
  const RnnNumbers& numbers() const { return numbers_; }
  size_t weight_bytes() const { return weight_bytes_; }
  // The same as a size of memory that is set to zero: 16-bit numbers may be odd in number.
  size_t weight_space() const { return (weight_bytes_ + 3) / 4 * 4; }
  // Comes before every pass over so many sequences: PERSIST_DYNAMIC compiles its kernels for their number.
  void prepare(int64_t batch);
  // params [layout.count] -> the weight space `weights` [weight_space()], which is returned.
  const void* pack(const void* params, void* weights);
  // The same into memory of the plan's own. Where `version` is that of the call before, what that one packed stands.
  const void* pack(const void* params, uint64_t version);
  // dparams [layout.count] += gradients [weight_bytes()] of the weight space.
  void add_gradients(const void* gradients, void* dparams);
  // The masks of the pass to come. Sets up the states of all generators, which is why stacks without dropout skip it, and which
  // no graph holds: it comes before the step, and the passes in the graph find the states that it left.
  void seed_dropout(uint64_t seed);
  bool drops() const { return desc_.dropout > 0; }

 private:
  void set_dropout(uint64_t seed);
  void find_pieces();
  Launch shape() const { return over_segments(piece_count_, longest_, gpu_.multiprocessors()); }

  Gpu& gpu_;
  const RnnDesc desc_;
  const RnnNumbers numbers_;
  RnnDescriptors descriptors_;
  size_t weight_bytes_ = 0;
  bool has_gaps_ = false;
  uint64_t version_ = 0;
  DeviceMemory weights_, pieces_, dropout_states_;
  int64_t built_for_ = 0;  // sequences
  int64_t piece_count_ = 0, longest_ = 0;
};

}  // namespace deep_rnn::cuda
