// Matrix products: the public one over row-major matrices, and the shared-out ones over blocks of 32 columns that the recurrent
// stack uses.
//
// The order of every sum is fixed by the shape, so that no result depends on the number of threads.
#pragma once
#include <algorithm>

#include "core/desc.h"
#include "cpu/kernels.h"
#include "cpu/team.h"
#include "cpu/workspace.h"

namespace deep_rnn::cpu {

// float32 and float64.
void matmul(Team& team, Workspace& workspace, const KernelSet& kernels, const MatmulDesc& desc, const void* a, const void* b,
            void* c);

template <class N>
const GemmTable<N>& gemm_table(const KernelSet& kernels) {
  if constexpr (sizeof(N) == 8) {
    return kernels.gemm_float64;
  } else if constexpr (sizeof(N) == 4) {
    return kernels.gemm_float32;
  } else {
    return kernels.gemm_bfloat16;
  }
}

template <class E>
const VectorTable<E>& vector_table(const KernelSet& kernels) {
  if constexpr (sizeof(E) == 8) {
    return kernels.vectors_float64;
  } else {
    return kernels.vectors_float32;
  }
}

// Multiply-adds that are worth giving to another thread that is awake, and worth waking it.
constexpr int64_t kMacsPerThread = 200'000, kMacsToWake = 6'000'000;

inline int members_for(const Team& team, int64_t macs) {
  return int(std::clamp<int64_t>(macs / kMacsPerThread, 1, team.size()));
}

// Of weights that stay in the second-level cache while tiles of rows pass.
constexpr int64_t kNearWeightBytes = 512 * 1024;

// Whether so many panels of k rows are too many for that. Up to three rows share a tile and pass only once.
template <class N>
bool weights_are_far(int64_t panels, int64_t k, int64_t rows) {
  return rows > 3 && panels * panel_size<N>(k) * int64_t(sizeof(N)) > kNearWeightBytes;
}

// A panel product by one thread that will take the same weights again, and meets these rows for the first time.
template <class N>
void repeated_product(const GemmTable<N>& table, PanelProduct<N> product) {
  product.far = product.w_row == kPanelRow<N> && weights_are_far<N>(product.panels, product.k, product.rows);
  product.next_w = product.w;
  product.fetches_rows = true;
  table.panel_product(product);
}

// The pieces that threads take of one panel product: some tiles of rows, which stay in the second-level cache, against some
// panels, neighbouring panels in neighbouring pieces. `together`: how many products like this one are done piece by piece.
template <class N>
class PanelPieces {
  // The most of one piece, all products together: enough to make little of the rows' way from memory.
  static constexpr int64_t kPanels = 16;

 public:
  PanelPieces(const GemmTable<N>& table, const PanelProduct<N>& product, int64_t together = 1)
      : table_(table), product_(product) {
    rows_ = table.tile_rows * 6;
    // Products of few rows have panels alone to share out.
    panels_ = std::clamp<int64_t>(product.panels * row_pieces() / 8, 1, std::max<int64_t>(kPanels / together, 1));
  }

  int64_t count() const { return row_pieces() * ((product_.panels + panels_ - 1) / panels_); }

  // Whether each piece has rows that no other piece has.
  bool by_rows_alone() const { return panels_ >= product_.panels; }

  int64_t first_row(int64_t piece) const { return piece % row_pieces() * rows_; }
  int64_t end_row(int64_t piece) const { return std::min(first_row(piece) + rows_, product_.rows); }

  void run(int64_t piece) const {
    const int64_t row = first_row(piece), panel = piece / row_pieces() * panels_;
    PanelProduct<N> part = product_;
    part.rows = end_row(piece) - row;
    part.panels = std::min(panels_, product_.panels - panel);
    part.a += row * kBlock;
    part.w += panel * part.w_panel;
    part.c += panel * part.c_panel + row * part.c_row;
    if (part.init == Init::bias) part.bias += panel * part.bias_panel;
    repeated_product(table_, part);
  }

 private:
  int64_t row_pieces() const { return (product_.rows + rows_ - 1) / rows_; }

  const GemmTable<N>& table_;
  PanelProduct<N> product_;
  int64_t rows_, panels_;
};

// Rows a..a+count-1 of the left operand meet rows b..b+count-1 of the right one.
struct RowRun {
  int64_t a, b, count;
};

// C[m][n] (+)= A[rows][m]ᵀ B[rows][n] over the rows of all runs; A and B in column blocks, C row-major.
template <class N>
struct TransposedProduct {
  int64_t m, n;
  const N* a;
  int64_t a_block;
  const N* b;
  int64_t b_block;
  const RowRun* runs;
  int64_t run_count;
  bool accumulate;
  Sum<N>* c;
  int64_t c_row;
};

// The pieces that threads take of one transposed product: some blocks of A against some of B, the rows in chunks.
template <class N>
class TransposedPieces {
  using E = Sum<N>;
  // A block of each with this many rows fits the first-level cache; B's blocks stay in the second while those of A pass.
  static constexpr int64_t kRows = 128 * kNumbersPerSlot<N>, kABlocks = 4, kBBlocks = 8;
  // Where two rows share a slot, blocks are made panels first.
  static constexpr bool kPacks = kNumbersPerSlot<N> > 1;

 public:
  // Of each thread, in numbers: a block of A and those of B as panels.
  static constexpr int64_t kScratch = kPacks ? (kBBlocks + 1) * kRows * kBlock : 0;

  TransposedPieces(const GemmTable<N>& table, const TransposedProduct<N>& product) : table_(table), product_(product) {}

  int64_t count() const { return (blocks_of(product_.m) + kABlocks - 1) / kABlocks * b_pieces(); }

  // scratch: [kScratch]
  void run(int64_t piece, N* scratch) const {
    const TransposedProduct<N>& p = product_;
    const int64_t a0 = piece / b_pieces() * kABlocks, a1 = std::min(a0 + kABlocks, blocks_of(p.m));
    const int64_t b0 = piece % b_pieces() * kBBlocks, b1 = std::min(b0 + kBBlocks, blocks_of(p.n));
    if (!p.accumulate) clear(a0 * kBlock, std::min(a1 * kBlock, p.m), b0 * kBlock, std::min(b1 * kBlock, p.n));
    for (int64_t i = 0; i < p.run_count; i++) {
      const RowRun& run = p.runs[i];
      for (int64_t row = 0; row < run.count; row += kRows) {
        const int64_t rows = std::min(kRows, run.count - row);
        const auto b_panel = [&](int64_t bb) { return scratch + (1 + bb - b0) * kRows * kBlock; };
        const auto b_rows = [&](int64_t bb) { return p.b + bb * p.b_block + (run.b + row) * kBlock; };
        if constexpr (kPacks)
          for (int64_t bb = b0; bb < b1; bb++) table_.panel_from_block(rows, b_rows(bb), b_panel(bb));
        for (int64_t ab = a0; ab < a1; ab++) {
          const N* a = p.a + ab * p.a_block + (run.a + row) * kBlock;
          if constexpr (kPacks) {
            table_.panel_from_block(rows, a, scratch);
            a = scratch;
          }
          // Every tile asks for its share of the rows that come next.
          const int64_t next = std::min(kRows, run.count - row - rows);
          for (int64_t bb = b0; bb < b1; bb++) {
            const Ahead ahead[] = {share_of(p.a + ab * p.a_block + (run.a + row + rows) * kBlock, next, bb - b0, b1 - b0),
                                   share_of(b_rows(bb) + rows * kBlock, next, ab - a0, a1 - a0)};
            add_tile(ab, bb, rows, a, kPacks ? b_panel(bb) : b_rows(bb), ahead);
          }
        }
      }
    }
  }

 private:
  int64_t b_pieces() const { return (blocks_of(product_.n) + kBBlocks - 1) / kBBlocks; }

  void clear(int64_t row, int64_t end_row, int64_t column, int64_t end_column) const {
    for (; row < end_row; row++) std::fill_n(product_.c + row * product_.c_row + column, end_column - column, E(0));
  }

  // The part `index` of `parts` of so many rows of a block.
  static Ahead share_of(const N* block, int64_t rows, int64_t index, int64_t parts) {
    const int64_t first = rows * index / parts, end = rows * (index + 1) / parts;
    return {block + first * kBlock, (end - first) * kBlock * int64_t(sizeof(N))};
  }

  void add_tile(int64_t ab, int64_t bb, int64_t rows, const N* a, const N* b, const Ahead (&ahead)[2]) const {
    const int64_t m = std::min(kBlock, product_.m - ab * kBlock), n = std::min(kBlock, product_.n - bb * kBlock);
    E* c = product_.c + ab * kBlock * product_.c_row + bb * kBlock;
    if (n == kBlock) {
      table_.transposed_product({true, m, rows, a, b, c, product_.c_row, {ahead[0], ahead[1]}});
      return;
    }
    alignas(64) E tile[kBlock * kBlock];
    table_.transposed_product({false, m, rows, a, b, tile, kBlock, {ahead[0], ahead[1]}});
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) c[i * product_.c_row + j] += tile[i * kBlock + j];
  }

  const GemmTable<N>& table_;
  TransposedProduct<N> product_;
};

}  // namespace deep_rnn::cpu
