#include "cuda/dtypes.h"
#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

void random(Gpu& gpu, const RandomDesc& desc, void* out) {
  if (desc.kind < RandomKind::uniform || desc.kind >= RandomKind::count)
    throw Error("Unknown kind of random numbers " + std::to_string(int(desc.kind)));
  expect_floating(name_of(desc.kind), desc.dtype);
  if (desc.count == 0) return;
  const RandomDesc* live = gpu.live(desc);
  DEEP_RNN_LAUNCH_FLOATING(gpu, gpu.over_elements(desc.count), desc.dtype, random, live ? RandomDesc{} : desc, live, out);
}

}  // namespace deep_rnn::cuda
