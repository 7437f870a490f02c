// Autoregressive sampling on one sequence, the whole loop without leaving native code.
#pragma once
#include "core/desc.h"
#include "cpu/rnn.h"

namespace deep_rnn::cpu {

// Throws Error for bidirectional stacks and for prefix tokens outside the vocabulary.
void generate(const RnnContext& context, const RnnDesc& rnn, const GenerateDesc& desc, const GenerateArgs& args);

}  // namespace deep_rnn::cpu
