// The plain recurrent cell: h' = tanh(a) or max(0, a), a the sum of both products and biases.
#pragma once
#include "cpu/cells/store_h.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class N, bool relu>
void rnn_cell_forward(const CellTile<N>& tile) {
  using E = Sum<N>;
  for (int64_t i = 0; i < tile.count; i += Vec<E>::lanes) {
    const Vec<E> a = load(tile.gates[0] + i);
    const Vec<E> h = relu ? max(broadcast(E(0)), a) : tanh(a);
    store(tile.gates[0] + i, h);
    store_h(tile, i, h);
  }
}

template <class N, bool relu>
void rnn_cell_backward(const CellTile<N>& tile) {
  using E = Sum<N>;
  const Vec<E> one = broadcast(E(1)), least_positive = broadcast(E(sizeof(E) == 8 ? 0x1p-1022 : 0x1p-126));
  for (int64_t i = 0; i < tile.count; i += Vec<E>::lanes) {
    const Vec<E> h = load(tile.gates[0] + i);
    Vec<E> dh = load(tile.dh + i);
    if (tile.dy) dh = dh + load(tile.dy + i);
    store(tile.dgates[0] + i, relu ? where_at_most(least_positive, h, dh) : dh * fnma(h, h, one));
  }
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
