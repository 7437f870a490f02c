// Autoregressive sampling on one sequence: every step stays on the stream, tokens included, and nobody waits for it.
#pragma once
#include "core/desc.h"
#include "cuda/gpu.h"
#include "cuda/rnn.h"

namespace deep_rnn::cuda {

// memory: of generation alone, kept between calls. Throws Error for bidirectional stacks and wrong prefix tokens.
void generate(Gpu& gpu, Rnn& rnn, DeviceMemory& memory, const RnnDesc& stack, const GenerateDesc& desc,
              const GenerateArgs& args);

}  // namespace deep_rnn::cuda
