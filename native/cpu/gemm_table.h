// The inner loops of matrix products, as a table per instruction set and type of operands; gemm_kernels.h and pack_kernels.h
// hold their code.
//
// Matrices lie in column blocks: block j holds columns 32j..32j+31 of every row, rows 32 numbers apart, so a tile of rows is
// one contiguous piece. A weight panel holds 32 columns of a right-hand operand, row after row; where a slot holds two numbers,
// those of two rows stand side by side. All distances are in numbers.
#pragma once
#include <cstdint>

#include "cpu/numbers.h"

namespace deep_rnn::cpu {

constexpr int64_t kBlock = 32;

constexpr int64_t blocks_of(int64_t columns) { return (columns + kBlock - 1) / kBlock; }

// From one row of slots to the next in a panel.
template <class N>
constexpr int64_t kPanelRow = kBlock * kNumbersPerSlot<N>;

// A panel of k rows.
template <class N>
constexpr int64_t panel_size(int64_t k) {
  return in_whole_slots<N>(k) * kBlock;
}

enum class Init { zero, accumulate, bias, bias_and_picked };

// Memory that the next product takes: it is asked for bit by bit during this one, so that nobody waits for it. Only ever a
// wish: it may be empty, and may point anywhere.
struct Ahead {
  const void* from = nullptr;
  int64_t bytes = 0;
};

// C[rows][32 panels] = init + A[rows][k] W[k][32 panels].
template <class N>
struct PanelProduct {
  Init init;
  int64_t rows, panels, k;
  const N* a;  // [blocks_of(k)][rows][32]; what fills up the last slot of a row is zero
  int64_t a_block;
  const N* w;  // [panels][panel_size(k)]
  int64_t w_panel, w_row;
  const Sum<N>* bias;  // [panels][32] where init has bias
  int64_t bias_panel;
  // Where init is bias_and_picked, row i begins with the bias and row picks[i] of the table: [panels][any rows][32].
  const int32_t* picks;
  const Sum<N>* table;
  int64_t table_panel;
  Sum<N>* c;  // [panels][rows][32]
  int64_t c_panel, c_row;
  // Whether the weights are too many to stay near: then they come from memory once for all rows, each panel while the one
  // before is at work, and next_w is the panel that follows the last one, or null.
  bool far;
  const N* next_w;
  // Whether the rows of A come from afar: a tile asks for them while it takes them for the first time.
  bool fetches_rows;
};

// C[rows][32] (+)= A[k][rows of 32]ᵀ B[k][32], rows <= 32.
template <class N>
struct TransposedTile {
  bool accumulate;
  int64_t rows, k;
  const N *a, *b;  // panels of k rows
  Sum<N>* c;
  int64_t c_row;
  Ahead ahead[2];
};

template <class N>
struct GemmTable {
  using E = Sum<N>;

  int64_t tile_rows;  // the most rows that one tile holds in registers

  // Every element of C is one sum in the order of k, whatever the tile it belongs to.
  void (*panel_product)(const PanelProduct<N>& product);
  void (*transposed_product)(const TransposedTile<N>& tile);

  // panel[rows][32] = source[rows][columns], zeros beyond columns <= 32 and in the last slot.
  void (*pack_panel)(int64_t rows, int64_t columns, const E* source, int64_t source_row, N* panel);
  // panel[columns][32] = source[rows][columns]ᵀ, zeros beyond rows <= 32 and in the last slot.
  void (*pack_transposed_panel)(int64_t rows, int64_t columns, const E* source, int64_t source_row, N* panel);
  // panel[rows][32] = x[rows][32], a column block; zeros in the last slot.
  void (*panel_from_block)(int64_t rows, const N* x, N* panel);

  // Asks for x, which is read soon, all at once.
  void (*fetch)(int64_t count, const N* x);
  // y[i] += x[i].
  void (*add)(int64_t count, const N* x, E* y);
  // to[i] = from[i], rounded.
  void (*round)(int64_t count, const E* from, N* to);
  // sums[32] = column sums of x[rows][32].
  void (*column_sums)(int64_t rows, const N* x, E* sums);
  // table[index[i]] += x[i], all of 32 columns.
  void (*scatter_rows)(int64_t count, const int32_t* index, const N* x, E* table);
};

// Loops over vectors that belong to no product.
template <class E>
struct VectorTable {
  // out[i] (+)= x · rows[i], for rows [count][k].
  void (*dot_rows)(bool accumulate, int64_t count, int64_t k, const E* x, const E* rows, int64_t row_stride, E* out);
  // out[i] = bias + table[index[i]], all of 32 columns.
  void (*gather_rows)(int64_t count, const int32_t* index, const E* table, const E* bias, E* out);
};

}  // namespace deep_rnn::cpu
