#include <limits>

#include "core/describe.h"
#include "core/error.h"
#include "cuda/dtypes.h"
#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

void reduce(Gpu& gpu, const ReduceDesc& desc, const void* x, void* out) {
  const int64_t kept = desc.kept.count(), reduced = desc.reduced.count();
  if (desc.op != ReduceOp::sum && reduced == 0) throw Error(std::string(name_of(desc.op)) + " of no elements is not defined");
  if (desc.op == ReduceOp::argmax && reduced > std::numeric_limits<int32_t>::max())
    throw Error("argmax over " + std::to_string(reduced) + " elements does not fit its int32 result");
  if (kept == 0) return;
  if (reduced == 0) return gpu.zero(out, size_t(kept) * size_of(desc.dtype));
  const ReducePlan plan = plan_reduce(desc);
  auto* partial = static_cast<Partial*>(plan.splits > 1 ? gpu.scratch(plan.partial_bytes()) : nullptr);
  const int32_t op = int32_t(desc.op);
  if (plan.columns) {
    DEEP_RNN_LAUNCH_NUMERIC(gpu, plan.launch, desc.dtype, reduce_columns, op, plan.kept, plan.reduced, plan.chunk, x, out,
                            partial);
  } else {
    DEEP_RNN_LAUNCH_NUMERIC(gpu, plan.launch, desc.dtype, reduce_rows, op, plan.kept, plan.reduced, plan.chunk, x, out,
                            partial);
  }
  if (plan.splits > 1)
    DEEP_RNN_LAUNCH_NUMERIC(gpu, gpu.over_elements(kept), desc.dtype, reduce_join, op, kept, plan.splits, partial, out);
}

void sum_squares(Gpu& gpu, DType dtype, int64_t count, bool accumulate, const void* x, void* out) {
  expect_floating("sum of squares", dtype);
  const SumSquaresPlan plan = plan_sum_squares(count);
  auto* partial = static_cast<double*>(gpu.scratch(plan.partial_bytes()));
  if (plan.chunks > 0) DEEP_RNN_LAUNCH_FLOATING(gpu, plan.launch(), dtype, sum_squares, count, plan.chunk, x, partial);
  DEEP_RNN_LAUNCH_FLOATING(gpu, Launch{}, dtype, sum_squares_join, plan.chunks, int32_t(accumulate), partial, out);
}

void clip_norm(Gpu& gpu, DType dtype, int64_t count, double max_norm, const void* sum_squares, void* gradients, void* norm) {
  expect_floating("clipping", dtype);
  DEEP_RNN_LAUNCH_FLOATING(gpu, gpu.over_elements(count), dtype, clip_norm, count, max_norm, sum_squares, gradients, norm);
}

}  // namespace deep_rnn::cuda
