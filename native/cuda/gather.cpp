#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

namespace {

bool is_empty(const GatherDesc& desc) { return desc.outer <= 0 || desc.count <= 0 || desc.inner <= 0; }

FaultSite site_of(const char* operation, const GatherDesc& desc) {
  return {operation, "index", desc.axis, {desc.outer, desc.count, desc.inner}};
}

}  // namespace

void gather(Gpu& gpu, const GatherDesc& desc, const void* src, const int32_t* index, void* dst) {
  if (is_empty(desc)) return;
  const Fault fault = gpu.fault(site_of("gather", desc));
  const Launch shape = gpu.over_elements(desc.outer * desc.count * desc.inner);
  DEEP_RNN_LAUNCH_BITS(gpu, shape, desc.dtype, gather, desc, index, src, dst, fault);
}

void scatter_add(Gpu& gpu, const GatherDesc& desc, const void* src, const int32_t* index, void* dst) {
  if (is_empty(desc)) return;
  const Fault fault = gpu.fault(site_of("scatterAdd", desc));
  const ScatterPlan plan = plan_scatter(desc);
  if (!plan.sorted) {
    const Launch shape = gpu.over_elements(desc.outer * desc.inner);
    DEEP_RNN_LAUNCH_NUMERIC(gpu, shape, desc.dtype, scatter_columns, desc, index, src, dst, fault);
    return;
  }
  char* workspace = static_cast<char*>(gpu.scratch(plan.bytes));
  uint32_t *keys[2], *sources[2];
  for (int k = 0; k < 2; k++) {
    keys[k] = reinterpret_cast<uint32_t*>(workspace + plan.keys[k]);
    sources[k] = reinterpret_cast<uint32_t*>(workspace + plan.sources[k]);
  }
  auto* counts = reinterpret_cast<uint32_t*>(workspace + plan.counts);
  void* partial = workspace + plan.partial;
  DEEP_RNN_LAUNCH(gpu, gpu.over_elements(plan.rows), scatter_keys, desc, index, keys[0], sources[0], fault);
  Launch one_block;
  one_block.block_x = kScanThreads;
  for (int pass = 0; pass < plan.passes; pass++) {
    const int from = pass % 2, to = 1 - from, shift = pass * kDigitBits;
    DEEP_RNN_LAUNCH(gpu, plan.over_tiles, sort_count, plan.rows, plan.tile, shift, keys[from], counts);
    DEEP_RNN_LAUNCH(gpu, one_block, sort_offsets, (int64_t(1) << kDigitBits) * plan.tiles, counts);
    DEEP_RNN_LAUNCH(gpu, plan.over_tiles, sort_move, plan.rows, plan.tile, shift, keys[from], sources[from], counts, keys[to],
                    sources[to]);
  }
  const int last = plan.passes % 2;
  DEEP_RNN_LAUNCH_NUMERIC(gpu, plan.over_pieces, desc.dtype, scatter_pieces, plan.rows, plan.destinations, desc.inner,
                          keys[last], sources[last], src, dst, partial);
  DEEP_RNN_LAUNCH_NUMERIC(gpu, plan.over_pieces, desc.dtype, scatter_join, plan.rows, plan.destinations, desc.inner, keys[last],
                          partial, dst);
}

}  // namespace deep_rnn::cuda
