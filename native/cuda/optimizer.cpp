#include "cuda/dtypes.h"
#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

void optimizer_step(Gpu& gpu, const OptimizerDesc& desc, const void* grads, void* params, void* state1, void* state2,
                    void* state3) {
  expect_floating(name_of(desc.kind), desc.dtype);
  const OptimizerStates needed = optimizer_states(desc);
  if ((needed.first && !state1) || (needed.second && !state2) || (needed.third && !state3))
    throw Error(std::string(name_of(desc.kind)) + " misses one of its state arrays");
  if (desc.count == 0) return;
  OptimizerScalars scalars = optimizer_scalars(desc);
  const OptimizerScalars* live = gpu.live(scalars);
  if (live) scalars = {};
  const Launch shape = gpu.over_elements(desc.count);
  switch (desc.kind) {
    case OptimizerKind::sgd:
      DEEP_RNN_LAUNCH_FLOATING(gpu, shape, desc.dtype, sgd, scalars, live, desc.count, grads, params, state1, state2, state3);
      break;
    case OptimizerKind::adam:
      DEEP_RNN_LAUNCH_FLOATING(gpu, shape, desc.dtype, adam, scalars, live, desc.count, grads, params, state1, state2, state3);
      break;
    case OptimizerKind::rmsprop:
      DEEP_RNN_LAUNCH_FLOATING(gpu, shape, desc.dtype, rmsprop, scalars, live, desc.count, grads, params, state1, state2,
                               state3);
      break;
    case OptimizerKind::adagrad:
      DEEP_RNN_LAUNCH_FLOATING(gpu, shape, desc.dtype, adagrad, scalars, live, desc.count, grads, params, state1, state2,
                               state3);
      break;
    default:
      throw Error("Unknown optimizer " + std::to_string(int(desc.kind)));
  }
}

}  // namespace deep_rnn::cuda
