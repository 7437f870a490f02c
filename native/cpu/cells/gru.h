// The gated recurrent unit with the reset applied after the product: n = tanh(a_n + r q), h' = (1 - z) n + z h, where q is the
// candidate's recurrent product with its bias. Gates are stored as n, r, z, q.
#pragma once
#include "cpu/cells/store_h.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class N>
void gru_cell_forward(const CellTile<N>& tile) {
  using E = Sum<N>;
  for (int64_t i = 0; i < tile.count; i += Vec<E>::lanes) {
    const Vec<E> r = sigmoid(load(tile.gates[1] + i));
    const Vec<E> z = sigmoid(load(tile.gates[2] + i));
    const Vec<E> n = tanh(fma(r, load(tile.gates[3] + i), load(tile.gates[0] + i)));
    store(tile.gates[0] + i, n);
    store(tile.gates[1] + i, r);
    store(tile.gates[2] + i, z);
    store_h(tile, i, fma(z, load(tile.h_prev + i) - n, n));
  }
}

template <class N>
void gru_cell_backward(const CellTile<N>& tile) {
  using E = Sum<N>;
  const Vec<E> one = broadcast(E(1));
  for (int64_t i = 0; i < tile.count; i += Vec<E>::lanes) {
    const Vec<E> n = load(tile.gates[0] + i);
    const Vec<E> r = load(tile.gates[1] + i);
    const Vec<E> z = load(tile.gates[2] + i);
    const Vec<E> q = load(tile.gates[3] + i);
    Vec<E> dh = load(tile.dh + i);
    if (tile.dy) dh = dh + load(tile.dy + i);
    const Vec<E> dn = dh * (one - z) * fnma(n, n, one);
    store(tile.dgates[0] + i, dn);
    store(tile.dgates[1] + i, dn * q * r * (one - r));
    store(tile.dgates[2] + i, dh * (load(tile.h_prev + i) - n) * z * (one - z));
    store(tile.dgates[3] + i, dn * r);
    store(tile.dh + i, dh * z);
  }
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
