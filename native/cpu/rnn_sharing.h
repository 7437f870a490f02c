// How the threads of a team share a pass over a recurrent stack: which part is whose, and what the tuner decides.
#pragma once
#include <algorithm>
#include <utility>

#include "cpu/rnn_memory.h"
#include "cpu/sharing.h"

namespace deep_rnn::cpu {

// The part of a pass that belongs to one thread: some groups of sequences, or of each step some unit blocks (and output blocks)
// and of every group some rows.
struct StepPart {
  StepPart(const RnnShape& shape, int thread, const Sharing& sharing) : alone(sharing.by_rows) {
    const int members = sharing.members;
    const int64_t column_parts = alone ? 1 : std::min<int64_t>(members, shape.unit_blocks);
    waits = column_parts > 1;
    const int64_t column = thread % column_parts;
    group_begin = alone ? shape.groups * thread / members : 0;
    group_end = alone ? shape.groups * (thread + 1) / members : shape.groups;
    if (!alone) {
      row_part = thread / column_parts;
      row_parts = std::min<int64_t>(members / column_parts, shape.batch);
      if (row_part >= row_parts) return;
    }
    unit_begin = shape.unit_blocks * column / column_parts;
    unit_end = shape.unit_blocks * (column + 1) / column_parts;
    output_begin = shape.output_blocks * column / column_parts;
    output_end = shape.output_blocks * (column + 1) / column_parts;
  }
  // Of a group's rows.
  int64_t row_begin(int64_t rows) const { return std::min(rows, rows * row_part / row_parts); }
  int64_t row_end(int64_t rows) const { return std::min(rows, rows * (row_part + 1) / row_parts); }

  bool alone;          // nobody else has a part in these groups
  bool waits = false;  // for other threads' parts of a step before the next one
  int64_t group_begin, group_end;
  int64_t unit_begin = 0, unit_end = 0, output_begin = 0, output_end = 0;
  int64_t row_part = 0, row_parts = 1;
};

// f(group) for a thread's own groups; or, where groups are nobody's own, by every member, for all of them, ending with a
// barrier.
template <class F>
void share_groups(Team& team, int thread, const StepPart& part, const PackedRows& rows, F f) {
  if (!part.alone) return team.share(thread, rows.groups(), f);
  for (int64_t group = part.group_begin; group < part.group_end; group++) f(group);
}

// The same for f(group, t) and all steps.
template <class F>
void share_steps(Team& team, int thread, const StepPart& part, const PackedRows& rows, F f) {
  const int64_t steps = rows.steps();
  if (!part.alone) return team.share(thread, rows.groups() * steps, [&](int64_t item) { f(item / steps, item % steps); });
  share_groups(team, thread, part, rows, [&](int64_t group) {
    for (int64_t t = 0; t < steps; t++) f(group, t);
  });
}

// The rows of those groups, [first, end).
inline std::pair<int64_t, int64_t> rows_of(const StepPart& part, const PackedRows& rows) {
  return {rows.rows_before(part.group_begin), rows.rows_before(part.group_end)};
}

// f(piece) for the pieces of a product over them.
template <class F>
void share_pieces(Team& team, int thread, const StepPart& part, int64_t pieces, F f) {
  if (!part.alone) return team.share(thread, pieces, f);
  for (int64_t piece = 0; piece < pieces; piece++) f(piece);
}

// After a barrier: asks for so many rows of the blocks that other threads wrote, all but begin..end-1. A line takes long from
// core to core, and products would wait for one after the other. matrix: [blocks][rows][32], blocks `block` apart.
template <class N>
void fetch_from_others(const GemmTable<N>& gemm, const N* matrix, int64_t block, int64_t blocks, int64_t begin, int64_t end,
                       int64_t rows) {
  for (int64_t i = 0; i < blocks; i++)
    if (i < begin || i >= end) gemm.fetch(rows * kBlock, matrix + i * block);
}

inline int64_t macs_per_step(const RnnShape& shape) {
  return shape.gates * shape.desc.hidden_size * shape.desc.output_size() * shape.batch;
}

enum class RnnPass : int64_t { inference, forward, backward, generation };

// What passes have in common that the tuner does not tell apart.
inline SharingTuner::Key sharing_key(RnnPass pass, const RnnDesc& desc, int64_t batch) {
  return {int64_t(pass), int64_t(desc.cell), desc.input_size,     desc.hidden_size,        desc.proj_size,
          desc.layers,   desc.directions(),  int64_t(desc.dtype), int64_t(desc.precision), batch};
}

// Calls run(sharing) as the tuner decides; rows: of all steps together. Without `counts` the tuner learns nothing from it.
template <class Run>
void share_pass(const RnnContext& context, RnnPass pass, const RnnShape& shape, int64_t rows, bool counts, Run run) {
  const SharingTuner::Key key = sharing_key(pass, shape.desc, shape.batch);
  const auto candidates = [&] { return possible_sharings(context.team.size(), macs_per_step(shape), shape.groups); };
  if (!counts) return run(context.tuner.choose(key, candidates));
  context.tuner.run(key, candidates, double(rows), run);
}

}  // namespace deep_rnn::cpu
