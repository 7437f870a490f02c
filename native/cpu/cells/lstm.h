// The long short-term memory cell: c' = f c + i g, h' = o tanh(c').
#pragma once
#include "cpu/cells/store_h.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class N>
void lstm_cell_forward(const CellTile<N>& tile) {
  using E = Sum<N>;
  for (int64_t j = 0; j < tile.count; j += Vec<E>::lanes) {
    const Vec<E> i = sigmoid(load(tile.gates[0] + j));
    const Vec<E> f = sigmoid(load(tile.gates[1] + j));
    const Vec<E> g = tanh(load(tile.gates[2] + j));
    const Vec<E> o = sigmoid(load(tile.gates[3] + j));
    Vec<E> c = fma(f, load(tile.c_prev + j), i * g);
    if (tile.clip > 0) c = clamp(c, -tile.clip, tile.clip);
    store(tile.gates[0] + j, i);
    store(tile.gates[1] + j, f);
    store(tile.gates[2] + j, g);
    store(tile.gates[3] + j, o);
    store(tile.c + j, c);
    store_h(tile, j, o * tanh(c));
  }
}

template <class N>
void lstm_cell_backward(const CellTile<N>& tile) {
  using E = Sum<N>;
  const Vec<E> one = broadcast(E(1));
  for (int64_t j = 0; j < tile.count; j += Vec<E>::lanes) {
    const Vec<E> i = load(tile.gates[0] + j);
    const Vec<E> f = load(tile.gates[1] + j);
    const Vec<E> g = load(tile.gates[2] + j);
    const Vec<E> o = load(tile.gates[3] + j);
    const Vec<E> c_prev = load(tile.c_prev + j);
    const Vec<E> tanh_c = tanh(load(tile.c + j));
    Vec<E> dh = load(tile.dh + j);
    if (tile.dy) dh = dh + load(tile.dy + j);
    Vec<E> dc = fma(dh * o, fnma(tanh_c, tanh_c, one), load(tile.dc + j));
    if (tile.clip > 0) {
      // The same operations as in forward, so the same bits: no gradient passes where the limit cut.
      const Vec<E> unclipped = fma(f, c_prev, i * g);
      dc = where_at_most(max(unclipped, broadcast(E(0)) - unclipped), broadcast(tile.clip), dc);
    }
    store(tile.dgates[0] + j, dc * g * i * (one - i));
    store(tile.dgates[1] + j, dc * c_prev * f * (one - f));
    store(tile.dgates[2] + j, dc * i * fnma(g, g, one));
    store(tile.dgates[3] + j, dh * tanh_c * o * (one - o));
    store(tile.dc + j, dc * f);
  }
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
