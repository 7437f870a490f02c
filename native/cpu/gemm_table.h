// The inner loops of matrix products, as a table per instruction set; gemm_kernels.h holds their code.
//
// Matrices lie in column blocks: block j holds columns 32j..32j+31 of every row, rows 32 elements apart, so a tile of rows is
// one contiguous piece. A weight panel holds 32 columns of a right-hand operand, row after row.
#pragma once
#include <cstdint>

namespace deep_rnn::cpu {

constexpr int64_t kBlock = 32;

constexpr int64_t blocks_of(int64_t columns) { return (columns + kBlock - 1) / kBlock; }

enum class Init { zero, accumulate, bias };

// C[rows][32 panels] = init + A[rows][k] W[k][32 panels].
template <class E>
struct PanelProduct {
  Init init;
  int64_t rows, panels, k;
  const E* a;  // [blocks_of(k)][rows][32]
  int64_t a_block;
  const E* w;  // [panels][k][32]
  int64_t w_panel, w_row;
  const E* bias;  // [panels][32] where init is bias
  int64_t bias_panel;
  E* c;  // [panels][rows][32]
  int64_t c_panel, c_row;
};

template <class E>
struct GemmTable {
  int64_t tile_rows;  // the most rows that one tile holds in registers

  // Every element of C is one sum in the order of k, whatever the tile it belongs to.
  void (*panel_product)(const PanelProduct<E>& product);
  // C[rows][32] (+)= A[k][rows of 32]ᵀ B[k][32], rows <= 32.
  void (*transposed_product)(bool accumulate, int64_t rows, int64_t k, const E* a, const E* b, E* c, int64_t c_row);
  // out[i] (+)= x · rows[i], for rows [count][k].
  void (*dot_rows)(bool accumulate, int64_t count, int64_t k, const E* x, const E* rows, int64_t row_stride, E* out);

  // panel[rows][32] = source[rows][columns], zeros beyond columns <= 32.
  void (*pack_panel)(int64_t rows, int64_t columns, const E* source, int64_t source_row, E* panel);
  // panel[columns][32] = source[rows][columns]ᵀ, zeros beyond rows <= 32.
  void (*pack_transposed_panel)(int64_t rows, int64_t columns, const E* source, int64_t source_row, E* panel);

  // y[i] += x[i].
  void (*add)(int64_t count, const E* x, E* y);
  // sums[32] = column sums of x[rows][32].
  void (*column_sums)(int64_t rows, const E* x, E* sums);
  // out[i] = bias + table[index[i]], all of 32 columns.
  void (*gather_rows)(int64_t count, const int32_t* index, const E* table, const E* bias, E* out);
  // table[index[i]] += x[i], all of 32 columns.
  void (*scatter_rows)(int64_t count, const int32_t* index, const E* x, E* table);
};

}  // namespace deep_rnn::cpu
