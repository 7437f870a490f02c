#include "cpu/rnn.h"

#include "core/rnn_limits.h"
#include "cpu/rnn_memory.h"
#include "cpu/rnn_sharing.h"

namespace deep_rnn::cpu {

std::string rnn_supports(const RnnDesc& desc) {
  if (desc.precision != Precision::same && desc.precision != Precision::bfloat16)
    return "the CPU backend does not compute in this precision; of the reduced ones it has bfloat16";
  return rnn_refusal(desc);
}

RnnParamLayout rnn_param_layout(const RnnDesc& desc) {
  RnnParamLayout layout;
  layout.count = for_each_param(desc, [&](const RnnParamEntry& entry) { layout.entries.push_back(entry); });
  return layout;
}

size_t rnn_reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) {
  const RnnShape shape(desc, steps, batch);
  const size_t each = with_operand_type(desc, [&](auto number) { return layer_state_bytes<decltype(number)>(shape); });
  return each * size_t(desc.layers * shape.directions);
}

std::vector<RnnPassExplanation> explain_rnn(const SharingTuner& tuner, const RnnDesc& desc, int64_t batch, int64_t rows) {
  std::vector<RnnPassExplanation> passes;
  const auto add = [&](const char* name, RnnPass pass) {
    RnnChoice choice;
    if (tuner.explain(sharing_key(pass, desc, batch), double(rows), choice)) passes.push_back({name, choice});
  };
  add("inference", RnnPass::inference);
  add("forward", RnnPass::forward);
  add("backward", RnnPass::backward);
  return passes;
}

}  // namespace deep_rnn::cpu
