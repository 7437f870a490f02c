// The table of cells of one instruction set.
#pragma once
#include "cpu/cells/gru.h"
#include "cpu/cells/lstm.h"
#include "cpu/cells/rnn.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class N>
constexpr CellTable<N> cell_table() {
  return {{rnn_cell_forward<N, false>, rnn_cell_forward<N, true>, lstm_cell_forward<N>, gru_cell_forward<N>},
          {rnn_cell_backward<N, false>, rnn_cell_backward<N, true>, lstm_cell_backward<N>, gru_cell_backward<N>}};
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
