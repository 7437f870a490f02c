// The gated recurrent unit with the reset applied after the product: n = tanh(a_n + r q), h' = (1 - z) n + z h, where q is the
// candidate's recurrent product with its bias. Gates are stored as n, r, z, q.
#pragma once
#include "cpu/cells/cell_table.h"
#include "cpu/simd/vec.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class E>
void gru_cell_forward(const CellTile<E>& tile) {
  for (int64_t i = 0; i < tile.count; i += Vec<E>::lanes) {
    const Vec<E> r = sigmoid(load(tile.gates[1] + i));
    const Vec<E> z = sigmoid(load(tile.gates[2] + i));
    const Vec<E> n = tanh(fma(r, load(tile.gates[3] + i), load(tile.gates[0] + i)));
    store(tile.gates[0] + i, n);
    store(tile.gates[1] + i, r);
    store(tile.gates[2] + i, z);
    store(tile.h + i, fma(z, load(tile.h_prev + i) - n, n));
  }
}

template <class E>
void gru_cell_backward(const CellTile<E>& tile) {
  const Vec<E> one = broadcast(E(1));
  for (int64_t i = 0; i < tile.count; i += Vec<E>::lanes) {
    const Vec<E> n = load(tile.gates[0] + i);
    const Vec<E> r = load(tile.gates[1] + i);
    const Vec<E> z = load(tile.gates[2] + i);
    const Vec<E> q = load(tile.gates[3] + i);
    Vec<E> dh = load(tile.dh + i);
    if (tile.dy) dh = dh + load(tile.dy + i);
    const Vec<E> dn = dh * (one - z) * fnma(n, n, one);
    store(tile.gates[0] + i, dn);
    store(tile.gates[1] + i, dn * q * r * (one - r));
    store(tile.gates[2] + i, dh * (load(tile.h_prev + i) - n) * z * (one - z));
    store(tile.gates[3] + i, dn * r);
    store(tile.dh + i, dh * z);
  }
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
