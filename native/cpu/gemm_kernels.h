// The inner loops of matrix products for one instruction set, on vectors of two registers side by side.
#pragma once
#include <utility>

#include "cpu/gemm_table.h"
#include "cpu/pack_kernels.h"
#include "cpu/simd/slots.h"
#if defined(_MSC_VER) && defined(_M_X64)
#include <immintrin.h>
#endif

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

// Accumulators (two registers a row), two registers of W and one broadcast fill the register file.
#if defined(__AVX512F__)
constexpr int kTileRows = 14;
#elif defined(__AVX2__)
constexpr int kTileRows = 6;
#elif defined(__aarch64__) || defined(_M_ARM64)
// Sixteen sums keep four units of latency four busy, half of the registers; more rows would only leave odd remainders.
constexpr int kTileRows = 8;
#else
constexpr int kTileRows = 4;
#endif

DEEP_RNN_INLINE void prefetch(const void* line) {
#if defined(__GNUC__)
  __builtin_prefetch(line, 1);
#elif defined(_MSC_VER) && defined(_M_X64)
  _mm_prefetch(static_cast<const char*>(line), _MM_HINT_T0);
#else
  (void)line;
#endif
}

// Asks for a tile of C before the products that are added to it at last, so that these hide the way from memory.
template <class E, int rows>
DEEP_RNN_INLINE void prefetch_tile(const E* c, int64_t c_row) {
  constexpr int line = 64 / int(sizeof(E));
  DEEP_RNN_UNROLL
  for (int i = 0; i < rows; i++) {
    DEEP_RNN_UNROLL
    for (int j = 0; j < kBlock; j += line) prefetch(c + i * c_row + j);
  }
}

// acc[panel][row] += A[row] W[panel] for one slot.
template <class N, int rows, int panels>
DEEP_RNN_INLINE void add_products(Vec<Sum<N>> (&acc)[panels][rows][2], const N* a, const N* w, int64_t w_panel) {
  constexpr int step = Vec<Sum<N>>::lanes * kNumbersPerSlot<N>;
  DEEP_RNN_UNROLL
  for (int p = 0; p < panels; p++) {
    const Slots<N> w0 = load_slots(w + p * w_panel), w1 = load_slots(w + p * w_panel + step);
    DEEP_RNN_UNROLL
    for (int i = 0; i < rows; i++) {
      const Slots<N> x = broadcast_slot(a + i * kBlock);
      acc[p][i][0] = multiply_add(x, w0, acc[p][i][0]);
      acc[p][i][1] = multiply_add(x, w1, acc[p][i][1]);
    }
  }
}

// C[rows][32] of each of `panels` neighbouring panels, from row `row` and panel `panel` on.
template <class N, int rows, int panels>
void panel_tile(const PanelProduct<N>& product, int64_t row, int64_t panel) {
  using E = Sum<N>;
  constexpr int lanes = Vec<E>::lanes, pair = kNumbersPerSlot<N>;
  DEEP_RNN_UNROLL
  for (int p = 0; p < panels; p++)
    prefetch_tile<E, rows>(product.c + (panel + p) * product.c_panel + row * product.c_row, product.c_row);
  for (int column = 0; column < kBlock; column += 2 * lanes) {
    const N* w = product.w + panel * product.w_panel + column * pair;
    Vec<E> acc[panels][rows][2];
    DEEP_RNN_UNROLL
    for (int p = 0; p < panels; p++) {
      DEEP_RNN_UNROLL
      for (int i = 0; i < rows; i++) acc[p][i][0] = acc[p][i][1] = broadcast(E(0));
    }
    const N* a = product.a + row * kBlock;
    int64_t k = kBlock;
    for (; k <= product.k; k += kBlock, a += product.a_block) {
      DEEP_RNN_UNROLL_4
      for (int i = 0; i < kBlock; i += pair, w += product.w_row) add_products<N, rows, panels>(acc, a + i, w, product.w_panel);
    }
    for (k -= kBlock; k < product.k; k += pair, a += pair, w += product.w_row)
      add_products<N, rows, panels>(acc, a, w, product.w_panel);
    DEEP_RNN_UNROLL
    for (int p = 0; p < panels; p++) {
      E* c = product.c + (panel + p) * product.c_panel + row * product.c_row + column;
      if (product.init == Init::zero) {
        DEEP_RNN_UNROLL
        for (int i = 0; i < rows; i++, c += product.c_row) {
          store(c, acc[p][i][0]);
          store(c + lanes, acc[p][i][1]);
        }
        continue;
      }
      const bool to_bias = product.init == Init::bias;
      const E* addend = to_bias ? product.bias + (panel + p) * product.bias_panel + column : c;
      const int64_t addend_row = to_bias ? 0 : product.c_row;
      DEEP_RNN_UNROLL
      for (int i = 0; i < rows; i++, c += product.c_row, addend += addend_row) {
        store(c, load(addend) + acc[p][i][0]);
        store(c + lanes, load(addend + lanes) + acc[p][i][1]);
      }
    }
  }
}

// One tile of rows against every panel. Few rows take several panels at once, for enough independent sums.
template <class N, int rows>
void panel_row_tile(const PanelProduct<N>& product, int64_t row) {
  constexpr int pairs = rows <= 3 && rows * 2 <= kTileRows ? 2 : 1, most = rows == 1 ? 4 : pairs;
  int64_t panel = 0;
  for (; panel + most <= product.panels; panel += most) panel_tile<N, rows, most>(product, row, panel);
  for (; panel + pairs <= product.panels; panel += pairs) panel_tile<N, rows, pairs>(product, row, panel);
  for (; panel < product.panels; panel++) panel_tile<N, rows, 1>(product, row, panel);
}

template <class N, int rows>
void transposed_tile(bool accumulate, int64_t k, const N* a, const N* b, Sum<N>* c, int64_t c_row) {
  using E = Sum<N>;
  constexpr int lanes = Vec<E>::lanes, pair = kNumbersPerSlot<N>;
  prefetch_tile<E, rows>(c, c_row);
  for (int column = 0; column < kBlock; column += 2 * lanes) {
    Vec<E> acc[rows][2];
    DEEP_RNN_UNROLL
    for (int i = 0; i < rows; i++) acc[i][0] = acc[i][1] = broadcast(E(0));
    const N* x = a;
    const N* y = b + column * pair;
    DEEP_RNN_UNROLL_4
    for (int64_t j = 0; j < k; j += pair, x += kPanelRow<N>, y += kPanelRow<N>) {
      const Slots<N> y0 = load_slots(y), y1 = load_slots(y + lanes * pair);
      DEEP_RNN_UNROLL
      for (int i = 0; i < rows; i++) {
        const Slots<N> v = broadcast_slot(x + i * pair);
        acc[i][0] = multiply_add(v, y0, acc[i][0]);
        acc[i][1] = multiply_add(v, y1, acc[i][1]);
      }
    }
    E* to = c + column;
    DEEP_RNN_UNROLL
    for (int i = 0; i < rows; i++, to += c_row) {
      store(to, accumulate ? load(to) + acc[i][0] : acc[i][0]);
      store(to + lanes, accumulate ? load(to + lanes) + acc[i][1] : acc[i][1]);
    }
  }
}

// The functions for 1..kTileRows rows.
template <class N>
struct TileFunctions {
  void (*panel[kTileRows])(const PanelProduct<N>&, int64_t row);
  void (*transposed[kTileRows])(bool, int64_t, const N*, const N*, Sum<N>*, int64_t);
};

template <class N, int... below>
constexpr TileFunctions<N> tile_functions(std::integer_sequence<int, below...>) {
  return {{panel_row_tile<N, below + 1>...}, {transposed_tile<N, below + 1>...}};
}

template <class N>
constexpr TileFunctions<N> tile_functions() {
  return tile_functions<N>(std::make_integer_sequence<int, kTileRows>());
}

// Calls f(first, count) for the fewest tiles of nearly equal height.
template <class F>
DEEP_RNN_INLINE void for_row_tiles(int64_t rows, F f) {
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  for (int64_t tile = 0, first = 0; tile < tiles; tile++) {
    const int64_t count = rows / tiles + (tile < rows % tiles ? 1 : 0);
    f(first, count);
    first += count;
  }
}

template <class N>
void panel_product(const PanelProduct<N>& product) {
  static constexpr TileFunctions<N> functions = tile_functions<N>();
  for_row_tiles(product.rows, [&](int64_t first, int64_t count) { functions.panel[count - 1](product, first); });
}

template <class N>
void transposed_product(bool accumulate, int64_t rows, int64_t k, const N* a, const N* b, Sum<N>* c, int64_t c_row) {
  static constexpr TileFunctions<N> functions = tile_functions<N>();
  for_row_tiles(rows, [&](int64_t first, int64_t count) {
    functions.transposed[count - 1](accumulate, k, a + first * kNumbersPerSlot<N>, b, c + first * c_row, c_row);
  });
}

// The dot products of x with `count` rows; two registers of partial sums each.
template <class E, int count>
DEEP_RNN_INLINE void dot_tile(bool accumulate, int64_t k, const E* x, const E* rows, int64_t row_stride, E* out) {
  constexpr int lanes = Vec<E>::lanes;
  Vec<E> acc[count][2];
  DEEP_RNN_UNROLL
  for (int i = 0; i < count; i++) acc[i][0] = acc[i][1] = broadcast(E(0));
  int64_t j = 0;
  for (; j + 2 * lanes <= k; j += 2 * lanes) {
    const Vec<E> x0 = load(x + j), x1 = load(x + j + lanes);
    DEEP_RNN_UNROLL
    for (int i = 0; i < count; i++) {
      acc[i][0] = fma(x0, load(rows + i * row_stride + j), acc[i][0]);
      acc[i][1] = fma(x1, load(rows + i * row_stride + j + lanes), acc[i][1]);
    }
  }
  for (int i = 0; i < count; i++) {
    E total = sum(acc[i][0] + acc[i][1]);
    for (int64_t tail = j; tail < k; tail++) total += x[tail] * rows[i * row_stride + tail];
    out[i] = accumulate ? out[i] + total : total;
  }
}

template <class E>
void dot_rows(bool accumulate, int64_t count, int64_t k, const E* x, const E* rows, int64_t row_stride, E* out) {
  constexpr int together = 4;
  int64_t i = 0;
  for (; i + together <= count; i += together)
    dot_tile<E, together>(accumulate, k, x, rows + i * row_stride, row_stride, out + i);
  for (; i < count; i++) dot_tile<E, 1>(accumulate, k, x, rows + i * row_stride, row_stride, out + i);
}

template <class E>
void gather_rows(int64_t count, const int32_t* index, const E* table, const E* bias, E* out) {
  constexpr int lanes = Vec<E>::lanes;
  for (int64_t i = 0; i < count; i++)
    for (int column = 0; column < kBlock; column += lanes)
      store(out + i * kBlock + column, load(bias + column) + load(table + int64_t(index[i]) * kBlock + column));
}

template <class N>
constexpr GemmTable<N> gemm_table() {
  return {kTileRows,           panel_product<N>, transposed_product<N>, pack_panel<N>,  pack_transposed_panel<N>,
          panel_from_block<N>, add<N>,           round_numbers<N>,      column_sums<N>, scatter_rows<N>};
}

template <class E>
constexpr VectorTable<E> vector_table() {
  return {dot_rows<E>, gather_rows<E>};
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
