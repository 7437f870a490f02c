#include "cpu/gemm.h"

#include <utility>

namespace deep_rnn::cpu {

namespace {

// Up to so many rows, B is read where it lies: packing it would cost more than it saves.
constexpr int64_t kFewRows = 32;
// Up to so many rows, Bᵀ is multiplied as dot products.
constexpr int64_t kDotRows = 4;

bool uses_dots(const MatmulDesc& desc) { return desc.transpose_b && desc.m <= kDotRows; }
bool reads_b_in_place(const MatmulDesc& desc) { return !desc.transpose_b && desc.m <= kFewRows; }

template <class E>
struct Scratch {
  E* a;     // [blocks_of(k)][m][32], or [m][k] for dot products
  E* b;     // [panels][k][32], or one panel where B is read in place
  E* tile;  // [m][32]: the last columns of C where they are fewer than 32
};

template <class E>
Scratch<E> carve(Carver& carver, const MatmulDesc& desc) {
  Scratch<E> scratch{};
  if (uses_dots(desc)) {
    if (desc.transpose_a) scratch.a = carver.array<E>(desc.m * desc.k);
    return scratch;
  }
  scratch.a = carver.array<E>(blocks_of(desc.k) * desc.m * kBlock);
  scratch.b = carver.array<E>((reads_b_in_place(desc) ? 1 : blocks_of(desc.n)) * desc.k * kBlock);
  scratch.tile = carver.array<E>(desc.m * kBlock);
  return scratch;
}

template <class E, class Share>
void dot_product(const VectorTable<E>& vectors, const MatmulDesc& desc, const Scratch<E>& scratch, const E* a, const E* b, E* c,
                 Share share) {
  int64_t a_row = desc.lda;
  if (desc.transpose_a) {
    share(desc.m, [&](int64_t i) {
      for (int64_t k = 0; k < desc.k; k++) scratch.a[i * desc.k + k] = a[k * desc.lda + i];
    });
    a = scratch.a;
    a_row = desc.k;
  }
  constexpr int64_t piece = 64;
  share((desc.n + piece - 1) / piece, [&](int64_t item) {
    const int64_t first = item * piece, count = std::min(piece, desc.n - first);
    for (int64_t i = 0; i < desc.m; i++)
      vectors.dot_rows(desc.accumulate, count, desc.k, a + i * a_row, b + first * desc.ldb, desc.ldb, c + i * desc.ldc + first);
  });
}

template <class E, class Share>
void panel_product(const GemmTable<E>& table, const MatmulDesc& desc, const Scratch<E>& scratch, const E* a, const E* b, E* c,
                   Share share) {
  const int64_t full = desc.n / kBlock, rest = desc.n % kBlock;
  const bool in_place = reads_b_in_place(desc);
  const auto pack_b = [&](int64_t panel, E* to) {
    const int64_t first = panel * kBlock, columns = std::min(kBlock, desc.n - first);
    if (desc.transpose_b) {
      table.pack_transposed_panel(columns, desc.k, b + first * desc.ldb, desc.ldb, to);
    } else {
      table.pack_panel(desc.k, columns, b + first, desc.ldb, to);
    }
  };
  const int64_t a_blocks = blocks_of(desc.k), b_panels = in_place ? (rest > 0 ? 1 : 0) : blocks_of(desc.n);
  PanelProduct<E> main{};
  main.init = desc.accumulate ? Init::accumulate : Init::zero;
  main.rows = desc.m;
  main.panels = full;
  main.k = desc.k;
  main.a = scratch.a;
  main.a_block = desc.m * kBlock;
  main.w = in_place ? b : scratch.b;
  main.w_panel = in_place ? kBlock : desc.k * kBlock;
  main.w_row = in_place ? desc.ldb : kBlock;
  main.c = c;
  main.c_panel = kBlock;
  main.c_row = desc.ldc;
  PanelProduct<E> last = main;
  last.init = Init::zero;
  last.panels = rest > 0 ? 1 : 0;
  last.w = in_place ? scratch.b : scratch.b + full * desc.k * kBlock;
  last.w_panel = desc.k * kBlock;
  last.w_row = kBlock;
  last.c = scratch.tile;
  last.c_row = kBlock;

  const PanelPieces<E> main_pieces(table, main), last_pieces(table, last);
  // Rows that one piece alone takes are packed by whoever takes it.
  const PanelPieces<E>& pieces = full > 0 ? main_pieces : last_pieces;
  const bool packs_rows = !desc.transpose_a && (full == 0 || rest == 0) && pieces.by_rows_alone();

  const auto pack_a = [&](int64_t block, int64_t row, int64_t end) {
    const int64_t first = block * kBlock, columns = std::min(kBlock, desc.k - first);
    E* const to = scratch.a + (block * desc.m + row) * kBlock;
    if (desc.transpose_a) {
      table.pack_transposed_panel(columns, desc.m, a + first * desc.lda, desc.lda, to);
    } else {
      table.pack_panel(end - row, columns, a + row * desc.lda + first, desc.lda, to);
    }
  };
  const int64_t shared_a_blocks = packs_rows ? 0 : a_blocks;
  share(shared_a_blocks + b_panels, [&](int64_t item) {
    if (item < shared_a_blocks) return pack_a(item, 0, desc.m);
    if (in_place) return pack_b(full, scratch.b);
    const int64_t panel = item - shared_a_blocks;
    pack_b(panel, scratch.b + panel * desc.k * kBlock);
  });
  share(main_pieces.count() + last_pieces.count(), [&](int64_t piece) {
    const bool is_main = piece < main_pieces.count();
    if (!is_main) piece -= main_pieces.count();
    if (packs_rows)
      for (int64_t block = 0; block < a_blocks; block++) pack_a(block, pieces.first_row(piece), pieces.end_row(piece));
    if (is_main) return main_pieces.run(piece);
    last_pieces.run(piece);
    for (int64_t i = last_pieces.first_row(piece); i < last_pieces.end_row(piece); i++) {
      const E* from = scratch.tile + i * kBlock;
      E* to = c + i * desc.ldc + full * kBlock;
      for (int64_t j = 0; j < rest; j++) to[j] = desc.accumulate ? to[j] + from[j] : from[j];
    }
  });
}

template <class E, class Share>
void product(const GemmTable<E>& table, const VectorTable<E>& vectors, const MatmulDesc& desc, const Scratch<E>& scratch,
             const E* a, const E* b, E* c, Share share) {
  if (uses_dots(desc)) {
    dot_product(vectors, desc, scratch, a, b, c, share);
  } else {
    panel_product(table, desc, scratch, a, b, c, share);
  }
}

// Who computes what in which memory: one product at a time by all threads, or a product each where they are many and small.
struct Plan {
  bool one_each;
  int members;
  int64_t scratch_bytes;  // of one product

  int64_t bytes() const { return scratch_bytes * (one_each ? members : 1); }
};

template <class E>
Plan plan_for(const Team& team, const MatmulDesc& desc) {
  const int64_t macs = desc.m * desc.n * desc.k;
  Carver measure(nullptr);
  carve<E>(measure, desc);
  Plan plan{members_for(team, macs) == 1, members_for(team, macs), int64_t(measure.bytes())};
  if (plan.one_each) plan.members = int(std::min<int64_t>(members_for(team, macs * desc.batch), desc.batch));
  return plan;
}

// memory: [plan.bytes()]
template <class E>
void multiply(Team& team, const Plan& plan, char* memory, const KernelSet& kernels, const MatmulDesc& desc, const E* a,
              const E* b, E* c) {
  const GemmTable<E>& table = gemm_table<E>(kernels);
  const VectorTable<E>& vectors = vector_table<E>(kernels);
  const auto product_of = [&](int64_t i, char* scratch_memory, auto share) {
    Carver carver(scratch_memory);
    product(table, vectors, desc, carve<E>(carver, desc), a + i * desc.batch_stride_a, b + i * desc.batch_stride_b,
            c + i * desc.batch_stride_c, share);
  };
  const bool wake = desc.m * desc.n * desc.k * desc.batch >= kMacsToWake;
  if (plan.one_each) {
    const auto alone = [](int64_t items, auto f) {
      for (int64_t item = 0; item < items; item++) f(item);
    };
    team.spread(plan.members, desc.batch, wake,
                [&](int64_t i, int member) { product_of(i, memory + member * plan.scratch_bytes, alone); });
  } else {
    const auto together = [&](int64_t items, auto f) {
      team.spread(plan.members, items, wake, [&](int64_t item, int) { f(item); });
    };
    for (int64_t i = 0; i < desc.batch; i++) product_of(i, memory, together);
  }
}

// C = (Bᵀ Aᵀ)ᵀ for products with few columns: the inner loops make the best of few rows.
template <class E>
void multiply_few_columns(Team& team, Workspace& workspace, const KernelSet& kernels, const MatmulDesc& desc, const E* a,
                          const E* b, E* c) {
  MatmulDesc swapped = desc;
  std::swap(swapped.m, swapped.n);
  swapped.transpose_a = !desc.transpose_b;
  swapped.transpose_b = !desc.transpose_a;
  std::swap(swapped.lda, swapped.ldb);
  std::swap(swapped.batch_stride_a, swapped.batch_stride_b);
  swapped.accumulate = false;
  swapped.ldc = desc.m;
  swapped.batch_stride_c = desc.n * desc.m;
  const Plan plan = plan_for<E>(team, swapped);
  const auto carve_both = [&](Carver& carver, E*& result, char*& scratch) {
    result = carver.array<E>(desc.batch * swapped.batch_stride_c);
    scratch = carver.array<char>(plan.bytes());
  };
  E* result;
  char* scratch;
  Carver measure(nullptr);
  carve_both(measure, result, scratch);
  Carver carver(workspace.take(measure.bytes()));
  carve_both(carver, result, scratch);
  multiply(team, plan, scratch, kernels, swapped, b, a, result);
  for (int64_t i = 0; i < desc.batch; i++) {
    for (int64_t row = 0; row < desc.m; row++) {
      const E* from = result + i * swapped.batch_stride_c + row;
      E* to = c + i * desc.batch_stride_c + row * desc.ldc;
      for (int64_t j = 0; j < desc.n; j++) to[j] = desc.accumulate ? to[j] + from[j * desc.m] : from[j * desc.m];
    }
  }
}

template <class E>
void matmul_of(Team& team, Workspace& workspace, const KernelSet& kernels, const MatmulDesc& desc, const E* a, const E* b,
               E* c) {
  if (desc.batch == 0 || desc.m == 0 || desc.n == 0) return;
  if (desc.n <= kDotRows && desc.n < desc.m) {
    multiply_few_columns(team, workspace, kernels, desc, a, b, c);
    return;
  }
  const Plan plan = plan_for<E>(team, desc);
  multiply(team, plan, static_cast<char*>(workspace.take(size_t(plan.bytes()))), kernels, desc, a, b, c);
}

}  // namespace

void matmul(Team& team, Workspace& workspace, const KernelSet& kernels, const MatmulDesc& desc, const void* a, const void* b,
            void* c) {
  if (desc.dtype == DType::float64) {
    matmul_of(team, workspace, kernels, desc, static_cast<const double*>(a), static_cast<const double*>(b),
              static_cast<double*>(c));
  } else {
    matmul_of(team, workspace, kernels, desc, static_cast<const float*>(a), static_cast<const float*>(b),
              static_cast<float*>(c));
  }
}

}  // namespace deep_rnn::cpu
