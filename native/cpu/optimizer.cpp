#include "cpu/dispatch.h"
#include "cpu/primitives.h"

namespace deep_rnn::cpu {

void optimizer_step(const Context& context, const OptimizerDesc& desc, const void* grads, void* params, void* state1,
                    void* state2, void* state3) {
  expect_floating(name_of(desc.kind), desc.dtype);
  const OptimizerStates needed = optimizer_states(desc);
  if (desc.count == 0) return;
  if ((needed.first && !state1) || (needed.second && !state2) || (needed.third && !state3))
    throw Error(std::string(name_of(desc.kind)) + " misses one of its state arrays");
  const auto kernel = context.kernels.optimizer_step[int(desc.dtype)];
  parallel_for(context.team, desc.count, kGrain,
               [=](int64_t begin, int64_t end) { kernel(desc, begin, end, grads, params, state1, state2, state3); });
}

}  // namespace deep_rnn::cpu
