// The table of cells of one instruction set.
#pragma once
#include "cpu/cells/gru.h"
#include "cpu/cells/lstm.h"
#include "cpu/cells/rnn.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class E>
constexpr CellTable<E> cell_table() {
  return {{rnn_cell_forward<E, false>, rnn_cell_forward<E, true>, lstm_cell_forward<E>, gru_cell_forward<E>},
          {rnn_cell_backward<E, false>, rnn_cell_backward<E, true>, lstm_cell_backward<E>, gru_cell_backward<E>}};
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
