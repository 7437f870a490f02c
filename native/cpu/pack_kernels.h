// Between a caller's rows, column blocks and panels, for one instruction set; and sums over blocks.
#pragma once
#include "cpu/gemm_table.h"
#include "cpu/simd/vec.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class N>
void round_numbers(int64_t count, const Sum<N>* from, N* to) {
  if constexpr (!kRounds<N>) {
    memcpy(to, from, size_t(count) * sizeof(N));
  } else {
    constexpr int lanes = Vec<Sum<N>>::lanes;
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store(to + i, load(from + i));
    for (; i < count; i++) to[i] = number_from<N>(from[i]);
  }
}

template <class N>
void add(int64_t count, const N* x, Sum<N>* y) {
  constexpr int lanes = Vec<Sum<N>>::lanes;
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store(y + i, load(y + i) + load(x + i));
  for (; i < count; i++) y[i] += widened(x[i]);
}

template <class N>
void panel_from_block(int64_t rows, const N* x, N* panel) {
  if constexpr (kNumbersPerSlot<N> == 1) {
    memcpy(panel, x, size_t(rows * kBlock) * sizeof(N));
  } else {
    static constexpr N zeros[kBlock] = {};
    for (int64_t i = 0; i < rows; i += 2, panel += kPanelRow<N>)
      interleave(x + i * kBlock, i + 1 < rows ? x + (i + 1) * kBlock : zeros, panel);
  }
}

template <class N>
void pack_panel(int64_t rows, int64_t columns, const Sum<N>* source, int64_t source_row, N* panel) {
  constexpr int pair = kNumbersPerSlot<N>;
  for (int64_t i = 0; i < rows; i += pair, panel += kPanelRow<N>) {
    alignas(64) N row[pair][kBlock] = {};
    for (int part = 0; part < pair && i + part < rows; part++, source += source_row) {
      if (columns == kBlock) {
        for (int j = 0; j < kBlock; j += Vec<Sum<N>>::lanes) store(row[part] + j, load(source + j));
      } else if constexpr (pair == 1) {
        memcpy(row[part], source, size_t(columns) * sizeof(N));
      } else {
        for (int64_t j = 0; j < columns; j++) row[part][j] = number_from<N>(source[j]);
      }
    }
    if constexpr (pair == 1) {
      memcpy(panel, row, sizeof row);
    } else {
      interleave(row[0], row[1], panel);
    }
  }
}

// A register of slots of one row of the source, as if it held sums.
template <class N>
DEEP_RNN_INLINE Vec<Sum<N>> load_rounded(const Sum<N>* source) {
  using E = Sum<N>;
  if constexpr (kNumbersPerSlot<N> == 1) {
    return load(source);
  } else {
    alignas(64) N numbers[Vec<E>::lanes * 2];
    store(numbers, load(source));
    store(numbers + Vec<E>::lanes, load(source + Vec<E>::lanes));
    Vec<E> result;
    memcpy(&result, numbers, sizeof result);
    return result;
  }
}

template <class N>
void pack_transposed_panel(int64_t rows, int64_t columns, const Sum<N>* source, int64_t source_row, N* panel) {
  using E = Sum<N>;
  constexpr int lanes = Vec<E>::lanes, pair = kNumbersPerSlot<N>;
  const auto at = [&](int64_t i, int64_t j) { return panel + j / pair * kPanelRow<N> + i * pair + j % pair; };
  const int64_t whole_rows = rows / lanes * lanes, whole_columns = columns / (lanes * pair) * (lanes * pair);
  for (int64_t i = 0; i < whole_rows; i += lanes) {
    for (int64_t j = 0; j < whole_columns; j += lanes * pair) {
      Vec<E> square[lanes];
      DEEP_RNN_UNROLL
      for (int row = 0; row < lanes; row++) square[row] = load_rounded<N>(source + (i + row) * source_row + j);
      transpose(square);
      DEEP_RNN_UNROLL
      for (int row = 0; row < lanes; row++) memcpy(at(i, j + row * pair), &square[row], sizeof square[row]);
    }
  }
  const auto pack_rest = [&](int64_t first_row, int64_t first_column, int64_t end_column) {
    for (int64_t j = first_column; j < end_column; j++)
      for (int64_t i = first_row; i < kBlock; i++)
        *at(i, j) = number_from<N>(i < rows && j < columns ? source[i * source_row + j] : E(0));
  };
  pack_rest(whole_rows, 0, whole_columns);
  pack_rest(0, whole_columns, in_whole_slots<N>(columns));
}

template <class N>
void column_sums(int64_t rows, const N* x, Sum<N>* sums) {
  using E = Sum<N>;
  constexpr int lanes = Vec<E>::lanes;
  for (int column = 0; column < kBlock; column += 2 * lanes) {
    Vec<E> acc0 = broadcast(E(0)), acc1 = acc0;
    for (int64_t i = 0; i < rows; i++) {
      acc0 = acc0 + load(x + i * kBlock + column);
      acc1 = acc1 + load(x + i * kBlock + column + lanes);
    }
    store(sums + column, acc0);
    store(sums + column + lanes, acc1);
  }
}

template <class N>
void scatter_rows(int64_t count, const int32_t* index, const N* x, Sum<N>* table) {
  constexpr int lanes = Vec<Sum<N>>::lanes;
  for (int64_t i = 0; i < count; i++, x += kBlock) {
    Sum<N>* const row = table + int64_t(index[i]) * kBlock;
    DEEP_RNN_UNROLL
    for (int column = 0; column < kBlock; column += lanes) store(row + column, load(row + column) + load(x + column));
  }
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
