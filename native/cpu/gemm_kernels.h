// The inner loops of matrix products for one instruction set, on vectors of two registers side by side.
#pragma once
#include <algorithm>
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

enum class Prefetch { to_write, to_read, later };

// Into the first-level cache, or for later into the second.
template <Prefetch how>
DEEP_RNN_INLINE void prefetch(const void* line) {
#if defined(__GNUC__)
  __builtin_prefetch(line, how == Prefetch::to_write ? 1 : 0, how == Prefetch::later ? 2 : 3);
#elif defined(_MSC_VER) && defined(_M_X64)
  _mm_prefetch(static_cast<const char*>(line), how == Prefetch::later ? _MM_HINT_T1 : _MM_HINT_T0);
#else
  (void)line;
#endif
}

template <class N>
void fetch(int64_t count, const N* x) {
  const char* const begin = reinterpret_cast<const char*>(x);
  for (int64_t line = 0; line < count * int64_t(sizeof(N)); line += 64) prefetch<Prefetch::to_read>(begin + line);
}

// Asks for memory, so many lines a step.
class Prefetcher {
 public:
  Prefetcher(const Ahead& ahead, int64_t lines_per_step)
      : line_(static_cast<const char*>(ahead.from)), end_(line_ + ahead.bytes), lines_per_step_(lines_per_step) {}

  DEEP_RNN_INLINE void step() {
    for (int64_t i = 0; i < lines_per_step_ && line_ < end_; i++, line_ += 64) prefetch<Prefetch::later>(line_);
  }
  bool done() const { return line_ >= end_; }

 private:
  const char* line_;
  const char* end_;
  int64_t lines_per_step_;
};

// To ask for so many bytes in so many steps.
constexpr int64_t lines_per_step(int64_t bytes, int64_t steps) {
  return steps == 0 ? 0 : (bytes + 64 * steps - 1) / (64 * steps);
}

// Asks for a tile of C before the products that are added to it at last, so that these hide the way from memory.
template <class E, int rows>
DEEP_RNN_INLINE void prefetch_tile(const E* c, int64_t c_row) {
  constexpr int line = 64 / int(sizeof(E));
  DEEP_RNN_UNROLL
  for (int i = 0; i < rows; i++) {
    DEEP_RNN_UNROLL
    for (int j = 0; j < kBlock; j += line) prefetch<Prefetch::to_write>(c + i * c_row + j);
  }
}

// A tile of rows with more bytes than this doesn't stay in the first-level cache beside weights.
constexpr int64_t kNearRowBytes = 20 * 1024;

// How many blocks before its turn a tile asks for a block of its rows. These lie far apart, which hardware does not foresee.
constexpr int64_t kBlocksAhead = 4;

template <class N, int rows>
DEEP_RNN_INLINE void prefetch_rows(const N* a) {
  DEEP_RNN_UNROLL
  for (int i = 0; i < rows * kBlock; i += 64 / int(sizeof(N))) prefetch<Prefetch::to_read>(a + i);
}

template <class N>
DEEP_RNN_INLINE const Sum<N>* picked_row(const PanelProduct<N>& product, int64_t row, int64_t panel) {
  return product.table + panel * product.table_panel + int64_t(product.picks[row]) * kBlock;
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

// C[rows][32] of each of `panels` neighbouring panels, from row `row` and panel `panel` on. fetches_rows: whether to ask for A.
template <class N, int rows, int panels>
void panel_tile(const PanelProduct<N>& product, int64_t row, int64_t panel, bool fetches_rows, Prefetcher& later) {
  using E = Sum<N>;
  constexpr int lanes = Vec<E>::lanes, pair = kNumbersPerSlot<N>;
  DEEP_RNN_UNROLL
  for (int p = 0; p < panels; p++)
    prefetch_tile<E, rows>(product.c + (panel + p) * product.c_panel + row * product.c_row, product.c_row);
  if (product.init == Init::bias_and_picked)
    for (int i = 0; i < panels * rows; i++) prefetch_rows<E, 1>(picked_row(product, row + i % rows, panel + i / rows));
  Prefetcher prefetcher = later;  // in registers
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
      prefetcher.step();
      if (fetches_rows && column == 0) prefetch_rows<N, rows>(a + kBlocksAhead * product.a_block);
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
      if (product.init == Init::bias_and_picked) {
        const E* const bias = product.bias + (panel + p) * product.bias_panel + column;
        DEEP_RNN_UNROLL
        for (int i = 0; i < rows; i++, c += product.c_row) {
          const E* const picked = picked_row(product, row + i, panel + p) + column;
          store(c, load(bias) + load(picked) + acc[p][i][0]);
          store(c + lanes, load(bias + lanes) + load(picked + lanes) + acc[p][i][1]);
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
  later = prefetcher;
}

// One tile of rows against panels panel..end-1. Few rows take several panels at once, for enough independent sums.
template <class N, int rows>
void panel_row_tile(const PanelProduct<N>& product, int64_t row, int64_t panel, int64_t end, Prefetcher& later) {
  constexpr int pairs = rows <= 3 && rows * 2 <= kTileRows ? 2 : 1, most = rows == 1 ? 4 : pairs;
  const bool fetches_rows = product.fetches_rows && rows * product.k * int64_t(sizeof(N)) > kNearRowBytes;
  const auto tile = [&](auto run) { run(product, row, panel, fetches_rows && panel == 0, later); };
  for (; panel + most <= end; panel += most) tile(panel_tile<N, rows, most>);
  if constexpr (rows == 1) {
    if (panel + 3 == end) return tile(panel_tile<N, rows, 3>);  // a GRU's gates in generation
  }
  for (; panel + pairs <= end; panel += pairs) tile(panel_tile<N, rows, pairs>);
  for (; panel < end; panel++) tile(panel_tile<N, rows, 1>);
}

// In one iteration of the inner loop, which asks for memory once.
constexpr int kSlotsTogether = 4;

template <class N, int rows>
void transposed_tile(const TransposedTile<N>& tile, int64_t first, Prefetcher& later) {
  using E = Sum<N>;
  constexpr int lanes = Vec<E>::lanes, pair = kNumbersPerSlot<N>;
  E* const c = tile.c + first * tile.c_row;
  prefetch_tile<E, rows>(c, tile.c_row);
  Prefetcher prefetcher = later;  // in registers
  for (int column = 0; column < kBlock; column += 2 * lanes) {
    Vec<E> acc[rows][2];
    DEEP_RNN_UNROLL
    for (int i = 0; i < rows; i++) acc[i][0] = acc[i][1] = broadcast(E(0));
    const N* x = tile.a + first * pair;
    const N* y = tile.b + column * pair;
    const auto add_slot = [&] {
      const Slots<N> y0 = load_slots(y), y1 = load_slots(y + lanes * pair);
      DEEP_RNN_UNROLL
      for (int i = 0; i < rows; i++) {
        const Slots<N> v = broadcast_slot(x + i * pair);
        acc[i][0] = multiply_add(v, y0, acc[i][0]);
        acc[i][1] = multiply_add(v, y1, acc[i][1]);
      }
      x += kPanelRow<N>, y += kPanelRow<N>;
    };
    int64_t j = 0;
    for (; j + kSlotsTogether * pair <= tile.k; j += kSlotsTogether * pair) {
      prefetcher.step();
      DEEP_RNN_UNROLL
      for (int i = 0; i < kSlotsTogether; i++) add_slot();
    }
    for (; j < tile.k; j += pair) add_slot();
    E* to = c + column;
    DEEP_RNN_UNROLL
    for (int i = 0; i < rows; i++, to += tile.c_row) {
      store(to, tile.accumulate ? load(to) + acc[i][0] : acc[i][0]);
      store(to + lanes, tile.accumulate ? load(to + lanes) + acc[i][1] : acc[i][1]);
    }
  }
  later = prefetcher;
}

// The functions for 1..kTileRows rows.
template <class N>
struct TileFunctions {
  void (*panel[kTileRows])(const PanelProduct<N>&, int64_t row, int64_t panel, int64_t end, Prefetcher&);
  void (*transposed[kTileRows])(const TransposedTile<N>&, int64_t first, Prefetcher&);
};

template <class N, int... below>
constexpr TileFunctions<N> tile_functions(std::integer_sequence<int, below...>) {
  return {{panel_row_tile<N, below + 1>...}, {transposed_tile<N, below + 1>...}};
}

template <class N>
constexpr TileFunctions<N> tile_functions() {
  return tile_functions<N>(std::make_integer_sequence<int, kTileRows>());
}

constexpr int64_t tiles_of(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

// Calls f(first, count) for the fewest tiles of nearly equal height.
template <class F>
DEEP_RNN_INLINE void for_row_tiles(int64_t rows, F f) {
  const int64_t tiles = tiles_of(rows);
  for (int64_t tile = 0, first = 0; tile < tiles; tile++) {
    const int64_t count = rows / tiles + (tile < rows % tiles ? 1 : 0);
    f(first, count);
    first += count;
  }
}

// How often a tile goes through all of k.
template <class E>
constexpr int kColumnPasses = int(kBlock) / (2 * Vec<E>::lanes);

// Rows of a panel that stay in the second-level cache beside the next panel and A.
constexpr int64_t kPanelChunk = 1024;

template <class N>
void panel_product(const PanelProduct<N>& product) {
  static constexpr TileFunctions<N> functions = tile_functions<N>();
  PanelProduct<N> chunk = product;
  for (int64_t k = 0; k == 0 || k < product.k; k += kPanelChunk) {
    chunk.k = std::min(kPanelChunk, product.k - k);
    chunk.a = product.a + k / kBlock * product.a_block;
    chunk.w = product.w + k / kNumbersPerSlot<N> * product.w_row;
    if (product.far) {
      const int64_t bytes = panel_size<N>(chunk.k) * int64_t(sizeof(N));
      const int64_t lines = lines_per_step(bytes, tiles_of(product.rows) * kColumnPasses<Sum<N>> * (chunk.k / kBlock));
      for (int64_t panel = 0; panel < product.panels; panel++) {
        const N* next = product.next_w;
        if (panel + 1 < product.panels) {
          next = chunk.w + (panel + 1) * product.w_panel;
        } else if (k + kPanelChunk < product.k) {
          next = product.w + (k + kPanelChunk) / kNumbersPerSlot<N> * product.w_row;
        }
        Prefetcher later({next, next ? bytes : 0}, lines);
        for_row_tiles(product.rows,
                      [&](int64_t first, int64_t count) { functions.panel[count - 1](chunk, first, panel, panel + 1, later); });
      }
    } else {
      Prefetcher later({}, 0);
      for_row_tiles(product.rows,
                    [&](int64_t first, int64_t count) { functions.panel[count - 1](chunk, first, 0, product.panels, later); });
    }
    chunk.init = Init::accumulate;
  }
}

template <class N>
void transposed_product(const TransposedTile<N>& tile) {
  static constexpr TileFunctions<N> functions = tile_functions<N>();
  const int64_t tiles = tiles_of(tile.rows), slots = tile.k / kNumbersPerSlot<N>;
  const int64_t lines =
      lines_per_step(tile.ahead[0].bytes + tile.ahead[1].bytes, tiles * kColumnPasses<Sum<N>> * (slots / kSlotsTogether));
  Prefetcher later[] = {Prefetcher(tile.ahead[0], lines), Prefetcher(tile.ahead[1], lines)};
  for_row_tiles(tile.rows, [&](int64_t first, int64_t count) {
    functions.transposed[count - 1](tile, first, later[later[0].done() ? 1 : 0]);
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
  DEEP_RNN_UNROLL
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
  return {kTileRows, panel_product<N>, transposed_product<N>, pack_panel<N>,  pack_transposed_panel<N>, panel_from_block<N>,
          fetch<N>,  add<N>,           round_numbers<N>,      column_sums<N>, scatter_rows<N>};
}

template <class E>
constexpr VectorTable<E> vector_table() {
  return {dot_rows<E>, gather_rows<E>};
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
