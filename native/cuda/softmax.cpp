#include "cuda/dtypes.h"
#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

void softmax(Gpu& gpu, const SoftmaxDesc& desc, const void* x, void* y) {
  expect_floating("softmax", desc.dtype);
  if (desc.rows * desc.columns == 0) return;
  DEEP_RNN_LAUNCH_FLOATING(gpu, gpu.over_rows(desc.rows, desc.columns), desc.dtype, softmax, desc, x, y);
}

void softmax_backward(Gpu& gpu, const SoftmaxDesc& desc, const void* y, const void* dy, void* dx) {
  expect_floating("softmax", desc.dtype);
  if (desc.rows * desc.columns == 0) return;
  DEEP_RNN_LAUNCH_FLOATING(gpu, gpu.over_rows(desc.rows, desc.columns), desc.dtype, softmax_backward, desc, y, dy, dx);
}

}  // namespace deep_rnn::cuda
