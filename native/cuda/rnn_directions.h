// Bidirectional stacks of more steps than cuDNN takes at once. One direction cannot go on from the chunk before while the other
// waits for the one after, so each layer runs as two stacks of one direction, the second over the sequences in reverse; what
// lies between layers is done here. All other passes go to Rnn as they are.
#pragma once
#include <vector>

#include "cuda/rnn.h"

namespace deep_rnn::cuda {

class RnnDirections {
 public:
  RnnDirections(Gpu& gpu, Rnn& rnn) : gpu_(gpu), rnn_(rnn), memory_(gpu) {}

  // Any thread.
  size_t reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const;

  // The stream's thread.
  void forward(const RnnDesc& desc, const RnnForwardArgs& args);
  void backward(const RnnDesc& desc, const RnnBackwardArgs& args);
  // Of a stack that is parted: how its first layer ran.
  std::vector<RnnPassExplanation> explain(const RnnDesc& desc, int64_t steps, int64_t batch, bool uneven) const;

 private:
  struct Pass;
  // What is kept of a layer: reserves of both directions; their outputs [T,B,O], the second's in reverse; the layer's input
  // [T,B,D*O], null for the first one.
  struct Layer {
    void *reserves[2], *outputs[2], *input;
  };

  bool is_parted(const RnnDesc& desc, int64_t steps, int64_t batch) const;
  std::vector<Layer> kept_layers(const Pass& pass, Carver& carver) const;
  // Of inference: layers share their memory.
  std::vector<Layer> passing_layers(const Pass& pass, Carver& carver) const;
  // Rows of `width` from rows that are from_width elements apart to rows that are to_width apart. Reversed: step by step from
  // each sequence's last one, rows past a length being left alone.
  void move(const Pass& pass, DType dtype, bool reversed, bool accumulate, int64_t width, const void* from, int64_t from_width,
            void* to, int64_t to_width);
  // to [T,B,width] = each sequence of `from` in reverse, zeros past its length.
  void reverse(const Pass& pass, DType dtype, int64_t width, const void* from, int64_t from_width, void* to);
  // What forward and backward over direction d of layer l take alike; `reversed` has room for the layer's input in reverse.
  template <class Args>
  Args part_args(const Pass& pass, const Args& args, const Layer& layer, int64_t l, int64_t d, void* reversed);
  // values [T,B,D*O] after a layer are multiplied by its mask, for which there is memory of the same size.
  void drop(const Pass& pass, double probability, uint64_t seed, int64_t layer, void* mask, void* values);

  Gpu& gpu_;
  Rnn& rnn_;
  DeviceMemory memory_;  // of the pass that is being pushed
};

}  // namespace deep_rnn::cuda
