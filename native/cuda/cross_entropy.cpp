#include "cuda/dtypes.h"
#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

namespace {

FaultSite site_of(const char* operation, const CrossEntropyDesc& desc) {
  return {operation, "target", desc.columns, {desc.rows, 1, 1}};
}

}  // namespace

void cross_entropy(Gpu& gpu, const CrossEntropyDesc& desc, const void* logits, const int32_t* targets,
                   const void* class_weights, void* losses, void* weights, void* probabilities) {
  expect_floating("cross entropy", desc.dtype);
  if (desc.rows == 0) return;
  const Fault fault = gpu.fault(site_of("crossEntropy", desc));
  DEEP_RNN_LAUNCH_FLOATING(gpu, gpu.over_rows(desc.rows, desc.columns), desc.dtype, cross_entropy, desc, logits, targets,
                           class_weights, losses, weights, probabilities, fault);
}

void cross_entropy_backward(Gpu& gpu, const CrossEntropyDesc& desc, const void* probabilities, const int32_t* targets,
                            const void* class_weights, const void* dlosses, void* dlogits) {
  expect_floating("cross entropy", desc.dtype);
  if (desc.rows == 0) return;
  const Fault fault = gpu.fault(site_of("crossEntropyBackward", desc));
  DEEP_RNN_LAUNCH_FLOATING(gpu, gpu.over_rows(desc.rows, desc.columns), desc.dtype, cross_entropy_backward, desc, probabilities,
                           targets, class_weights, dlosses, dlogits, fault);
}

}  // namespace deep_rnn::cuda
