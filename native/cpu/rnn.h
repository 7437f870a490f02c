// The recurrent stack on the CPU; the functions of Backend of the same names, see core/backend.h and core/desc.h.
#pragma once
#include <string>

#include "core/desc.h"
#include "cpu/kernels.h"
#include "cpu/sharing.h"
#include "cpu/team.h"
#include "cpu/workspace.h"

namespace deep_rnn::cpu {

// What a pass runs with.
struct RnnContext {
  Team& team;
  Workspace& workspace;
  SharingTuner& tuner;
  const KernelSet& kernels;
};

std::string rnn_supports(const RnnDesc& desc);
RnnParamLayout rnn_param_layout(const RnnDesc& desc);
size_t rnn_reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch);
// What the tuner knows of each kind of pass; rows: of all steps together.
std::vector<RnnPassExplanation> explain_rnn(const SharingTuner& tuner, const RnnDesc& desc, int64_t batch, int64_t rows);
void rnn_forward(const RnnContext& context, const RnnDesc& desc, const RnnForwardArgs& args);
void rnn_backward(const RnnContext& context, const RnnDesc& desc, const RnnBackwardArgs& args);

}  // namespace deep_rnn::cpu
