// How the driver stores a cell's gates: as positions, of which the input and the recurrent products each fill a contiguous run.
//
// The GRU's candidate has two positions, since the reset gate multiplies only its recurrent part: n, r, z take the input
// product and r, z, q the recurrent one.
#pragma once
#include "core/desc.h"

namespace deep_rnn::cpu {

struct GateOrder {
  int positions;        // stored per unit
  int first_recurrent;  // input positions begin at 0; each product fills gates(cell) of them
  int shared;           // recurrent positions from the first one on that the input product fills too
  int input_gate[4];    // the gate in PyTorch's order at input position i
  int recurrent_gate[4];
  bool adds_to_dh;  // the backward cell itself leaves a part of the previous step's gradient in dh
};

inline GateOrder gate_order(Cell cell) {
  if (cell == Cell::lstm) return {4, 0, 4, {0, 1, 2, 3}, {0, 1, 2, 3}, false};
  if (cell == Cell::gru) return {4, 1, 2, {2, 0, 1, 0}, {0, 1, 2, 0}, true};
  return {1, 0, 1, {0, 0, 0, 0}, {0, 0, 0, 0}, false};
}

}  // namespace deep_rnn::cpu
