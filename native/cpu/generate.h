// Autoregressive sampling on one sequence, the whole loop without leaving native code.
#pragma once
#include "core/desc.h"
#include "cpu/kernels.h"
#include "cpu/team.h"
#include "cpu/workspace.h"

namespace deep_rnn::cpu {

// Throws Error for bidirectional stacks and for prefix tokens outside the vocabulary.
void generate(Team& team, Workspace& workspace, const KernelSet& kernels, const RnnDesc& rnn, const GenerateDesc& desc,
              const GenerateArgs& args);

}  // namespace deep_rnn::cpu
