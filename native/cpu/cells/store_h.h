// How cells write h: as they computed it, and as products take it.
#pragma once
#include "cpu/cells/cell_table.h"
#include "cpu/simd/vec.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class N>
DEEP_RNN_INLINE void store_h(const CellTile<N>& tile, int64_t i, Vec<Sum<N>> h) {
  if constexpr (kRounds<N>) {
    if (tile.h) store(tile.h + i, h);
  }
  store(tile.h_operand + i, h);
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
