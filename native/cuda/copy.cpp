#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

void copy(Gpu& gpu, DType dtype, const Strided& layout, bool accumulate, const void* src, void* dst) {
  if (layout.count() == 0) return;
  SplitCopy split = split_destination(layout);
  const Launch shape = gpu.over_elements(split.kept.count);
  if (accumulate) {
    DEEP_RNN_LAUNCH_NUMERIC(gpu, shape, dtype, accumulate, split.kept, split.repeated, src, dst);
  } else {
    const char* last = static_cast<const char*>(src) + split.last_source * int64_t(size_of(dtype));
    DEEP_RNN_LAUNCH_BITS(gpu, shape, dtype, copy, split.kept, last, dst);
  }
}

}  // namespace deep_rnn::cuda
