// The calls of one pass on arrays in cuDNN's own numbers. All of them push on the stream and return, or wait for the
// end of a step that is being gathered; the plan's data descriptors say which steps, sequences and lengths.
#pragma once
#include "cuda/rnn_plan.h"

namespace deep_rnn::cuda {

// Device memory; shapes as in RnnForwardArgs and RnnBackwardArgs. x, y and, in backward, dy and dx are never null.
struct RnnArrays {
  const void *x = nullptr, *h0 = nullptr, *c0 = nullptr;
  void *y = nullptr, *hn = nullptr, *cn = nullptr;
  const void *dy = nullptr, *dhn = nullptr, *dcn = nullptr;
  void *dx = nullptr, *dh0 = nullptr, *dc0 = nullptr;
};

// What cuDNN works in, allocated by the caller; the reserve lives from forward to backward and is null for inference.
struct RnnSpaces {
  size_t work_bytes = 0, reserve_bytes = 0;
  void *work = nullptr, *reserve = nullptr;
};

// The sizes alone.
RnnSpaces rnn_spaces(const Api& api, cudnnHandle_t handle, const RnnDescriptors& descriptors, bool keeps);

// weights: what RnnPlan::pack() returned.
void rnn_forward(Gpu& gpu, RnnPlan& plan, const void* weights, const RnnArrays& arrays, const RnnSpaces& spaces);
// The weights' gradient needs what the data's leaves in the reserve, so this one comes first and is never left out.
void rnn_backward_data(Gpu& gpu, RnnPlan& plan, const void* weights, const RnnArrays& arrays, const RnnSpaces& spaces);
// gradients [plan.weight_space()] bytes are overwritten.
void rnn_backward_weights(Gpu& gpu, RnnPlan& plan, const RnnArrays& arrays, const RnnSpaces& spaces, void* gradients);

}  // namespace deep_rnn::cuda
