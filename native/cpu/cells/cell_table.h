// What a cell computes between two products, as a table per instruction set.
//
// To add a cell: one file beside this one with its forward and backward function, its row in cell_kernels.h, and its gates in
// gate_order.h.
#pragma once
#include <cstdint>

#include "core/desc.h"
#include "cpu/numbers.h"

namespace deep_rnn::cpu {

// A tile of rows and 32 units; every array holds `count` elements, a multiple of 32, in the same order. A cell uses the arrays
// that it needs. N is the type that products take: what a cell gives them is rounded to it.
template <class N>
struct CellTile {
  using E = Sum<N>;

  int64_t count;
  E* gates[4];      // forward: sums in, activations out; backward: activations in
  N* dgates[4];     // backward: gradients of the sums out; may be the gates
  const E* c_prev;  // state before the step
  const E* h_prev;
  E* c;          // state after the step: written by forward, read by backward
  E* h;          // written by forward; null: not wanted
  N* h_operand;  // h for products, written by forward; where N is E it is the only h
  const E* dy;   // gradient of h at this step alone, or null
  E* dh;         // in: gradient of h from later steps; out: the part for the step before that no product adds
  E* dc;         // in: gradient of c from later steps; out: for the step before
  E clip;        // LSTM: limit of |c|, or 0
};

template <class N>
struct CellTable {
  // Indexed by Cell.
  void (*forward[int(Cell::count)])(const CellTile<N>& tile);
  void (*backward[int(Cell::count)])(const CellTile<N>& tile);
};

}  // namespace deep_rnn::cpu
