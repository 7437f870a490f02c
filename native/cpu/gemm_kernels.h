// The inner loops of matrix products for one instruction set, on vectors of two registers side by side.
#pragma once
#include "cpu/gemm_table.h"
#include "cpu/simd/vec.h"

#if defined(__clang__)
#define DEEP_RNN_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define DEEP_RNN_UNROLL _Pragma("GCC unroll 16")
#else
#define DEEP_RNN_UNROLL
#endif

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

// Accumulators (two registers a row), two registers of W and one broadcast fill the register file.
#if defined(__AVX512F__)
constexpr int kTileRows = 14;
#elif defined(__AVX2__)
constexpr int kTileRows = 6;
#else
constexpr int kTileRows = 4;
#endif

// C[rows][32] of each of `panels` neighbouring panels, from row `row` and panel `panel` on.
template <class E, int rows, int panels>
void panel_tile(const PanelProduct<E>& product, int64_t row, int64_t panel) {
  constexpr int lanes = Vec<E>::lanes;
  for (int column = 0; column < kBlock; column += 2 * lanes) {
    E* c = product.c + panel * product.c_panel + row * product.c_row + column;
    const E* w = product.w + panel * product.w_panel + column;
    Vec<E> acc[panels][rows][2];
    DEEP_RNN_UNROLL
    for (int p = 0; p < panels; p++) {
      DEEP_RNN_UNROLL
      for (int i = 0; i < rows; i++) {
        const E* from = product.init == Init::bias ? product.bias + (panel + p) * product.bias_panel + column
                                                   : c + p * product.c_panel + i * product.c_row;
        acc[p][i][0] = product.init == Init::zero ? broadcast(E(0)) : load(from);
        acc[p][i][1] = product.init == Init::zero ? broadcast(E(0)) : load(from + lanes);
      }
    }
    const E* block = product.a + row * kBlock;
    for (int64_t k = 0; k < product.k; k += kBlock, block += product.a_block) {
      const E* a = block;
      const E* end = block + (product.k - k < kBlock ? product.k - k : kBlock);
      for (; a < end; a++, w += product.w_row) {
        DEEP_RNN_UNROLL
        for (int p = 0; p < panels; p++) {
          const Vec<E> w0 = load(w + p * product.w_panel), w1 = load(w + p * product.w_panel + lanes);
          DEEP_RNN_UNROLL
          for (int i = 0; i < rows; i++) {
            const Vec<E> x = broadcast(a[i * kBlock]);
            acc[p][i][0] = fma(x, w0, acc[p][i][0]);
            acc[p][i][1] = fma(x, w1, acc[p][i][1]);
          }
        }
      }
    }
    DEEP_RNN_UNROLL
    for (int p = 0; p < panels; p++) {
      DEEP_RNN_UNROLL
      for (int i = 0; i < rows; i++) {
        store(c + p * product.c_panel + i * product.c_row, acc[p][i][0]);
        store(c + p * product.c_panel + i * product.c_row + lanes, acc[p][i][1]);
      }
    }
  }
}

// One tile of rows against every panel. Few rows take several panels at once, for enough independent sums.
template <class E, int rows>
void panel_row_tile(const PanelProduct<E>& product, int64_t row) {
  constexpr int pairs = rows <= 3 && rows * 2 <= kTileRows ? 2 : 1, most = rows == 1 ? 4 : pairs;
  int64_t panel = 0;
  for (; panel + most <= product.panels; panel += most) panel_tile<E, rows, most>(product, row, panel);
  for (; panel + pairs <= product.panels; panel += pairs) panel_tile<E, rows, pairs>(product, row, panel);
  for (; panel < product.panels; panel++) panel_tile<E, rows, 1>(product, row, panel);
}

template <class E, int rows>
void transposed_tile(bool accumulate, int64_t k, const E* a, const E* b, E* c, int64_t c_row) {
  constexpr int lanes = Vec<E>::lanes;
  for (int column = 0; column < kBlock; column += 2 * lanes) {
    Vec<E> acc[rows][2];
    DEEP_RNN_UNROLL
    for (int i = 0; i < rows; i++) {
      acc[i][0] = accumulate ? load(c + i * c_row + column) : broadcast(E(0));
      acc[i][1] = accumulate ? load(c + i * c_row + column + lanes) : broadcast(E(0));
    }
    const E* x = a;
    const E* y = b + column;
    for (int64_t j = 0; j < k; j++, x += kBlock, y += kBlock) {
      const Vec<E> y0 = load(y), y1 = load(y + lanes);
      DEEP_RNN_UNROLL
      for (int i = 0; i < rows; i++) {
        const Vec<E> v = broadcast(x[i]);
        acc[i][0] = fma(v, y0, acc[i][0]);
        acc[i][1] = fma(v, y1, acc[i][1]);
      }
    }
    DEEP_RNN_UNROLL
    for (int i = 0; i < rows; i++) {
      store(c + i * c_row + column, acc[i][0]);
      store(c + i * c_row + column + lanes, acc[i][1]);
    }
  }
}

// The functions for 1..kTileRows rows.
template <class E>
struct TileFunctions {
  void (*panel[kTileRows])(const PanelProduct<E>&, int64_t row);
  void (*transposed[kTileRows])(bool, int64_t, const E*, const E*, E*, int64_t);
};

template <class E>
constexpr TileFunctions<E> tile_functions() {
#if defined(__AVX512F__)
#define DEEP_RNN_TILES(f)                                                                                                    \
  {                                                                                                                          \
    f<E, 1>, f<E, 2>, f<E, 3>, f<E, 4>, f<E, 5>, f<E, 6>, f<E, 7>, f<E, 8>, f<E, 9>, f<E, 10>, f<E, 11>, f<E, 12>, f<E, 13>, \
        f<E, 14>                                                                                                             \
  }
#elif defined(__AVX2__)
#define DEEP_RNN_TILES(f) \
  { f<E, 1>, f<E, 2>, f<E, 3>, f<E, 4>, f<E, 5>, f<E, 6> }
#else
#define DEEP_RNN_TILES(f) \
  { f<E, 1>, f<E, 2>, f<E, 3>, f<E, 4> }
#endif
  return {DEEP_RNN_TILES(panel_row_tile), DEEP_RNN_TILES(transposed_tile)};
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

template <class E>
void panel_product(const PanelProduct<E>& product) {
  static constexpr TileFunctions<E> functions = tile_functions<E>();
  for_row_tiles(product.rows, [&](int64_t first, int64_t count) { functions.panel[count - 1](product, first); });
}

template <class E>
void transposed_product(bool accumulate, int64_t rows, int64_t k, const E* a, const E* b, E* c, int64_t c_row) {
  static constexpr TileFunctions<E> functions = tile_functions<E>();
  for_row_tiles(rows, [&](int64_t first, int64_t count) {
    functions.transposed[count - 1](accumulate, k, a + first, b, c + first * c_row, c_row);
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
void pack_panel(int64_t rows, int64_t columns, const E* source, int64_t source_row, E* panel) {
  for (int64_t i = 0; i < rows; i++, source += source_row, panel += kBlock) {
    if (columns == kBlock) {
      memcpy(panel, source, kBlock * sizeof(E));
    } else {
      for (int64_t j = 0; j < kBlock; j++) panel[j] = j < columns ? source[j] : E(0);
    }
  }
}

template <class E>
void pack_transposed_panel(int64_t rows, int64_t columns, const E* source, int64_t source_row, E* panel) {
  // Eight columns at a time, so that the lines of the panel stay near.
  constexpr int64_t near = 8;
  for (int64_t j0 = 0; j0 < columns; j0 += near) {
    const int64_t j1 = j0 + near < columns ? j0 + near : columns;
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = j0; j < j1; j++) panel[j * kBlock + i] = source[i * source_row + j];
    for (int64_t i = rows; i < kBlock; i++)
      for (int64_t j = j0; j < j1; j++) panel[j * kBlock + i] = E(0);
  }
}

template <class E>
void add(int64_t count, const E* x, E* y) {
  constexpr int lanes = Vec<E>::lanes;
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store(y + i, load(y + i) + load(x + i));
  for (; i < count; i++) y[i] += x[i];
}

template <class E>
void column_sums(int64_t rows, const E* x, E* sums) {
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

template <class E>
void gather_rows(int64_t count, const int32_t* index, const E* table, const E* bias, E* out) {
  constexpr int lanes = Vec<E>::lanes;
  for (int64_t i = 0; i < count; i++)
    for (int column = 0; column < kBlock; column += lanes)
      store(out + i * kBlock + column, load(bias + column) + load(table + int64_t(index[i]) * kBlock + column));
}

template <class E>
void scatter_rows(int64_t count, const int32_t* index, const E* x, E* table) {
  for (int64_t i = 0; i < count; i++) add(kBlock, x + i * kBlock, table + int64_t(index[i]) * kBlock);
}

template <class E>
constexpr GemmTable<E> gemm_table() {
  return {kTileRows, panel_product<E>, transposed_product<E>, dot_rows<E>,    pack_panel<E>, pack_transposed_panel<E>,
          add<E>,    column_sums<E>,   gather_rows<E>,        scatter_rows<E>};
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
