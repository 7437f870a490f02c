// Walking strided index spaces row by row.
#pragma once
#include <cstdint>

#include "core/desc.h"

namespace deep_rnn {

// The same walk with at least one axis, without axes of size 1 and with neighbouring axes joined where every operand allows it.
inline Strided simplified(const Strided& layout, int operands) {
  Strided simple;
  for (int axis = 0; axis < layout.rank; axis++) {
    if (layout.shape[axis] == 1) continue;
    const int last = simple.rank - 1;
    bool joins = last >= 0;
    for (int k = 0; k < operands && joins; k++) joins = simple.strides[k][last] == layout.strides[k][axis] * layout.shape[axis];
    const int target = joins ? last : simple.rank++;
    simple.shape[target] = joins ? simple.shape[last] * layout.shape[axis] : layout.shape[axis];
    for (int k = 0; k < operands; k++) simple.strides[k][target] = layout.strides[k][axis];
  }
  if (simple.rank == 0) simple.shape[simple.rank++] = 1;
  return simple;
}

// Calls row(position, offsets, count) for the stretches along the last axis that make up positions begin..end of the index
// space in row-major order. offsets[k] is where operand k's stretch starts; its stride is strides[k][rank - 1].
template <int operands, class Row>
void for_each_row(const Strided& layout, int64_t begin, int64_t end, const Row& row) {
  if (begin >= end) return;
  const int last = layout.rank - 1;
  int64_t index[kMaxRank];
  int64_t offsets[operands] = {};
  int64_t rest = begin;
  for (int axis = last; axis >= 0; axis--) {
    index[axis] = rest % layout.shape[axis];
    rest /= layout.shape[axis];
    for (int k = 0; k < operands; k++) offsets[k] += index[axis] * layout.strides[k][axis];
  }
  for (int64_t position = begin; position < end;) {
    const int64_t left = layout.shape[last] - index[last];
    const int64_t count = left < end - position ? left : end - position;
    row(position, static_cast<const int64_t*>(offsets), count);
    position += count;
    for (int k = 0; k < operands; k++) offsets[k] -= index[last] * layout.strides[k][last];
    index[last] = 0;
    for (int axis = last - 1; axis >= 0; axis--) {
      const bool wraps = ++index[axis] == layout.shape[axis];
      for (int k = 0; k < operands; k++) offsets[k] += layout.strides[k][axis] * (wraps ? 1 - layout.shape[axis] : 1);
      if (!wraps) break;
      index[axis] = 0;
    }
  }
}

}  // namespace deep_rnn
