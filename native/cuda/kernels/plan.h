// How kernels are launched: grids, workspaces, and what is worked out once on the host instead of in every thread. Nothing
// that decides an order of summation depends on the device, so all GPUs add up alike.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/everywhere.h"
#include "core/strided.h"
#include "cuda/kernels/kernels.h"

namespace deep_rnn::cuda {

constexpr unsigned kThreads = 256;        // of a block, unless a plan says otherwise
constexpr unsigned kSampleThreads = 512;  // of the one block of sample, at most
constexpr unsigned kScanThreads = 1024;   // of the one block of sort_offsets
constexpr int64_t kWarpColumns = 1024;    // rows up to this width get a warp, wider ones a block
constexpr int64_t kPiece = 32;            // sorted rows that scatter_pieces adds up without a pause
constexpr int kDigitBits = 8;             // of one pass of the sort
constexpr int64_t kPeakOperations = 512;  // of one round of peak_float32, a multiply-add counted as two

struct Launch {
  unsigned grid_x = 1, grid_y = 1;
  unsigned block_x = kThreads, block_y = 1;
};

constexpr int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

inline unsigned clamped_grid(int64_t blocks, int64_t most) { return unsigned(std::max<int64_t>(1, std::min(blocks, most))); }

// A thread an element, as far as the device has use for them; the kernels stride over the rest.
inline Launch over_elements(int64_t count, int multiprocessors) {
  return {clamped_grid(divided_up(count, kThreads), int64_t(multiprocessors) * 8)};
}

// A warp or a block a row.
inline Launch over_rows(int64_t rows, int64_t columns, int multiprocessors) {
  const int64_t rows_a_block = columns <= kWarpColumns ? kThreads / 32 : 1;
  return {clamped_grid(divided_up(rows, rows_a_block), int64_t(multiprocessors) * 16)};
}

// One block a segment and stretch; `longest` is the largest count of all segments.
inline Launch over_segments(int64_t segments, int64_t longest, int multiprocessors) {
  return {over_elements(longest, multiprocessors).grid_x, unsigned(segments)};
}

inline Walk walk_of(const Strided& layout, int operands) {
  const Strided simple = simplified(layout, operands);
  Walk walk{};
  walk.rank = simple.rank;
  walk.count = simple.count();
  walk.narrow = walk.count <= INT32_MAX;
  for (int axis = 0; axis < simple.rank; axis++) {
    walk.shape[axis] = simple.shape[axis];
    for (int k = 0; k < operands; k++) walk.strides[k][axis] = simple.strides[k][axis];
    if (!walk.narrow || walk.shape[axis] < 1) continue;
    // n / d = (n · m / 2^32 + n) / 2^s for n < 2^31, with 2^s the first power of two not below d (Granlund and Montgomery,
    // "Division by invariant integers using multiplication", PLDI 1994).
    const uint64_t divisor = uint64_t(walk.shape[axis]);
    while ((uint64_t(1) << walk.shifts[axis]) < divisor) walk.shifts[axis]++;
    const uint64_t power = uint64_t(1) << walk.shifts[axis];
    walk.multipliers[axis] = uint32_t(((power - divisor) << 32) / divisor + 1);
  }
  return walk;
}

// A copy whose destinations repeat (broadcast ones, stride 0), taken apart: the destinations, and what each of them receives.
struct SplitCopy {
  Walk kept;            // src, dst
  Walk repeated;        // src
  int64_t last_source;  // offset of src at the last repeat: what remains of a copy that does not accumulate
};

inline SplitCopy split_destination(const Strided& layout) {
  Strided kept, repeated;
  int64_t last_source = 0;
  for (int axis = 0; axis < layout.rank; axis++) {
    const bool repeats = layout.strides[1][axis] == 0 && layout.shape[axis] > 1;
    Strided& part = repeats ? repeated : kept;
    part.shape[part.rank] = layout.shape[axis];
    for (int k = 0; k < 2; k++) part.strides[k][part.rank] = layout.strides[k][axis];
    part.rank++;
    if (repeats) last_source += (layout.shape[axis] - 1) * layout.strides[0][axis];
  }
  return {walk_of(kept, 2), walk_of(repeated, 1), last_source};
}

struct ReducePlan {
  Walk kept, reduced;
  bool columns;    // reduce_columns, else reduce_rows
  int64_t chunk;   // reduced positions of a split
  int64_t splits;  // more than 1: partial is needed, and reduce_join afterwards
  Launch launch;
  size_t partial_bytes() const { return splits > 1 ? size_t(splits * kept.count) * sizeof(Partial) : 0; }
};

inline ReducePlan plan_reduce(const ReduceDesc& desc) {
  constexpr int64_t kBlocks = 512;  // enough to fill a large GPU
  ReducePlan plan{walk_of(desc.kept, 1), walk_of(desc.reduced, 1), false, 0, 1, {}};
  const int64_t outputs = plan.kept.count, count = plan.reduced.count;
  const int64_t stride = plan.kept.strides[0][plan.kept.rank - 1];
  const int64_t reduced_stride = plan.reduced.strides[0][plan.reduced.rank - 1];
  plan.columns = plan.kept.shape[plan.kept.rank - 1] > 1 && std::abs(stride) < std::abs(reduced_stride);
  const int64_t outputs_a_block = plan.columns ? 32 : count <= kWarpColumns ? kThreads / 32 : 1;
  const int64_t blocks = std::max<int64_t>(1, divided_up(outputs, outputs_a_block));
  const int64_t least = plan.columns ? 128 : 4096;  // positions that are worth a split
  const int64_t wanted = std::max<int64_t>(1, std::min(kBlocks / blocks, divided_up(count, least)));
  plan.chunk = std::max<int64_t>(1, divided_up(count, wanted));
  plan.splits = std::max<int64_t>(1, divided_up(count, plan.chunk));
  plan.launch = {clamped_grid(blocks, 1 << 20), unsigned(plan.splits)};
  if (plan.columns) plan.launch.block_x = 32, plan.launch.block_y = kThreads / 32;
  return plan;
}

struct SumSquaresPlan {
  int64_t chunk, chunks;
  Launch launch() const { return {unsigned(std::max<int64_t>(1, chunks))}; }
  size_t partial_bytes() const { return size_t(chunks) * sizeof(double); }
};

inline SumSquaresPlan plan_sum_squares(int64_t count) {
  constexpr int64_t kUnit = 4096, kMostChunks = 1024;
  const int64_t chunk = std::max<int64_t>(1, divided_up(divided_up(count, kUnit), kMostChunks)) * kUnit;
  return {chunk, divided_up(count, chunk)};
}

// scatter_add: either scatter_columns alone, or scatter_keys, then for each pass sort_count, sort_offsets and sort_move (from
// keys[p % 2] to keys[(p + 1) % 2]), then scatter_pieces and scatter_join on what the last pass wrote.
struct ScatterPlan {
  bool sorted;
  int64_t rows, destinations;  // outer·count, outer·axis
  int passes;
  int64_t tile, tiles, pieces;
  // Offsets of the arrays in a workspace of `bytes`.
  size_t keys[2], sources[2], counts, partial, bytes;
  Launch over_tiles, over_pieces;
};

inline ScatterPlan plan_scatter(const GatherDesc& desc) {
  constexpr int64_t kFew = 8, kLeastTile = 256, kMostTiles = 1024;
  ScatterPlan plan{};
  plan.rows = desc.outer * desc.count;
  plan.destinations = desc.outer * desc.axis;
  const bool whole_rows = desc.index_strides[2] == 0 || desc.inner == 1;
  plan.sorted = whole_rows && desc.count > kFew && plan.rows <= INT32_MAX && plan.destinations < UINT32_MAX;
  if (!plan.sorted) return plan;
  // The key `destinations` of wrong indices must be sorted too.
  for (uint64_t keys = uint64_t(plan.destinations); keys > 0; keys >>= kDigitBits) plan.passes++;
  plan.tile = std::max(kLeastTile, divided_up(divided_up(plan.rows, kMostTiles), 32) * 32);
  plan.tiles = divided_up(plan.rows, plan.tile);
  plan.pieces = divided_up(plan.rows, kPiece);
  const auto place = [&](int64_t bytes) {
    const size_t offset = plan.bytes;
    plan.bytes += size_t(divided_up(bytes, 256) * 256);
    return offset;
  };
  for (int k = 0; k < 2; k++) plan.keys[k] = place(plan.rows * 4), plan.sources[k] = place(plan.rows * 4);
  plan.counts = place((int64_t(1) << kDigitBits) * plan.tiles * 4);
  plan.partial = place(plan.pieces * 2 * desc.inner * int64_t(size_of(desc.dtype)));
  const int64_t warps = kThreads / 32;
  plan.over_tiles = {unsigned(divided_up(plan.tiles, warps))};
  const unsigned columns = unsigned(std::min<int64_t>(kThreads, divided_up(desc.inner, 32) * 32));
  plan.over_pieces = {unsigned(plan.pieces), clamped_grid(divided_up(desc.inner, columns), 65535), columns};
  return plan;
}

// The coefficients in double, as the CPU works them out.
inline OptimizerScalars optimizer_scalars(const OptimizerDesc& desc) {
  OptimizerScalars scalars{};
  scalars.rate = desc.learning_rate;
  scalars.decay = desc.weight_decay;
  scalars.shrink = 1;
  scalars.beta1 = desc.beta1;
  scalars.beta2 = desc.beta2;
  scalars.take1 = 1 - desc.beta1;
  scalars.take2 = 1 - desc.beta2;
  scalars.epsilon = desc.epsilon;
  scalars.first = desc.step == 1;
  scalars.flag = desc.flag;
  switch (desc.kind) {
    case OptimizerKind::sgd:
      scalars.momentum = desc.beta1;
      break;
    case OptimizerKind::adam:
      scalars.rate = desc.learning_rate / (1 - std::pow(desc.beta1, double(desc.step)));
      scalars.correction = std::sqrt(1 - std::pow(desc.beta2, double(desc.step)));
      if (!desc.flag) break;
      scalars.shrink = 1 - desc.learning_rate * desc.weight_decay;
      scalars.decay = 0;
      break;
    case OptimizerKind::rmsprop:
      scalars.momentum = desc.beta2;
      break;
    default:
      scalars.rate = desc.learning_rate / (1 + double(desc.step - 1) * desc.beta1);
  }
  return scalars;
}

// The classes to sort, padded to a power of two, with their masses.
DEEP_RNN_EVERYWHERE inline int64_t sample_slots(int64_t vocabulary) {
  int64_t slots = 1;
  while (slots < vocabulary) slots *= 2;
  return slots;
}

// One block, no larger than the classes can keep busy: its barriers are what drawing takes time for.
inline Launch over_classes(int64_t vocabulary) {
  Launch launch;
  launch.block_x = unsigned(std::max<int64_t>(32, std::min<int64_t>(sample_slots(vocabulary), kSampleThreads)));
  return launch;
}

inline size_t sample_workspace_bytes(int64_t vocabulary) {
  return size_t(sample_slots(vocabulary)) * (sizeof(double) + sizeof(int64_t));
}

}  // namespace deep_rnn::cuda
