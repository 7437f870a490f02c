// Where the parameters of a recurrent stack lie in the flat buffer of a CUDA device, and which piece of cuDNN's weight space
// each gate of them is. cuDNN's own layout is not used for the buffer: it is known only at run time and promises no order of
// gates.
#pragma once
#include <cstdint>
#include <vector>

#include "core/desc.h"

namespace deep_rnn::cuda {

// Layer by layer, direction by direction, as PyTorch has them; each begins at a multiple of 64 bytes.
RnnParamLayout rnn_param_layout(const RnnDesc& desc);

// One matrix or bias as cudnnGetRNNWeightParams names it.
struct GatePart {
  int pseudo_layer, linear_layer;
  bool bias;
  int64_t offset, rows, columns;  // in the flat buffer, contiguous
};

std::vector<GatePart> gate_parts(const RnnDesc& desc);

}  // namespace deep_rnn::cuda
