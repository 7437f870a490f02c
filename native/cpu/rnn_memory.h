// Sizes and memory that the forward and the backward pass of a recurrent stack share.
#pragma once
#include <algorithm>

#include "core/desc.h"
#include "core/random.h"
#include "cpu/cells/gate_order.h"
#include "cpu/packed_rows.h"
#include "cpu/rnn.h"
#include "cpu/rnn_params.h"

namespace deep_rnn::cpu {

// How many groups of sequences a pass has: threads may take whole ones, each with rows of its own all the way, where a thread
// alone is fast with the weights and with so few rows. Sums over rows go through one group after the other, so this may depend
// on nothing but the shape.
inline int64_t sequence_groups(const RnnDesc& desc, int64_t batch) {
  constexpr int64_t kFewBytes = 256 * 1024, kMostGroups = 4;
  const int64_t bytes_per_weight = desc.dtype == DType::float64 ? 8 : desc.precision == Precision::bfloat16 ? 2 : 4;
  const int64_t bytes = gates(desc.cell) * desc.hidden_size * desc.output_size() * bytes_per_weight;
  if (bytes > kNearWeightBytes) return 1;
  return std::clamp<int64_t>(batch / (bytes > kFewBytes ? 16 : 8), 1, kMostGroups);
}

struct RnnShape {
  RnnShape(const RnnDesc& desc, int64_t steps, int64_t batch)
      : desc(desc),
        order(gate_order(desc.cell)),
        steps(steps),
        batch(batch),
        groups(sequence_groups(desc, batch)),
        gates(deep_rnn::gates(desc.cell)),
        directions(desc.directions()),
        unit_blocks(blocks_of(desc.hidden_size)),
        output_blocks(blocks_of(desc.output_size())),
        // An odd number of rows, so that the blocks of one row do not all fall into the same set of a cache.
        block(((steps + 1) * batch | 1) * kBlock),
        state_block(((batch + groups - 1) / groups | 1) * kBlock) {}

  // Blocks of the input to a layer: those of x, or of each direction below.
  int64_t sources(int64_t layer) const { return layer == 0 ? 1 : directions; }
  int64_t source_width(int64_t layer) const { return layer == 0 ? desc.input_size : desc.output_size(); }

  // The panel of [gates][unit_blocks] that comes at place `item` when all gates of a block of units follow each other.
  int64_t panel_by_units(int64_t item) const { return item % gates * unit_blocks + item / gates; }

  // Elements from one group's part of a matrix over one step's rows to the next one's: whole pages, as threads write to both.
  int64_t state_group(int64_t blocks) const { return (blocks * state_block + kPage - 1) / kPage * kPage; }

  bool has_cell_state() const { return desc.cell == Cell::lstm; }
  bool projects() const { return desc.proj_size > 0; }

  const RnnDesc& desc;
  GateOrder order;
  int64_t steps, batch, groups, gates, directions;
  int64_t unit_blocks, output_blocks;
  int64_t block;        // elements from one column block of a matrix over all rows to the next
  int64_t state_block;  // the same for a matrix over one step's rows of one group

 private:
  static constexpr int64_t kPage = 1024;
};

// What forward leaves for backward of one direction of one layer, in column blocks `shape.block` apart. All but dropped have
// the rows of the initial state, see PackedRows. N is the type that products take.
template <class N>
struct LayerState {
  using E = Sum<N>;

  E* gates;      // [positions * unit_blocks][rows][32]
  E* c;          // [unit_blocks][rows][32], LSTM only
  E* h;          // [output_blocks][rows][32]
  N* h_operand;  // [output_blocks][rows][32]: h rounded to N; h itself where N is E
  N* hidden;     // [unit_blocks][rows][32]: h before its projection, else null
  N* dropped;    // [output_blocks][rows][32]: h after dropout, else null
};

// What products take of a matrix of results: it itself where nothing is rounded.
template <class N>
N* carve_operand(Carver& carver, int64_t count, Sum<N>* results) {
  if constexpr (kRounds<N>) {
    return carver.array<N>(count);
  } else {
    return results;
  }
}

template <class N>
LayerState<N> carve_layer_state(Carver& carver, const RnnShape& shape) {
  using E = Sum<N>;
  LayerState<N> state{};
  state.gates = carver.array<E>(shape.order.positions * shape.unit_blocks * shape.block);
  if (shape.has_cell_state()) state.c = carver.array<E>(shape.unit_blocks * shape.block);
  state.h = carver.array<E>(shape.output_blocks * shape.block);
  state.h_operand = carve_operand<N>(carver, shape.output_blocks * shape.block, state.h);
  if (shape.projects()) state.hidden = carver.array<N>(shape.unit_blocks * shape.block);
  if (shape.desc.dropout > 0) state.dropped = carver.array<N>(shape.output_blocks * shape.block);
  return state;
}

template <class N>
size_t layer_state_bytes(const RnnShape& shape) {
  Carver measure(nullptr);
  carve_layer_state<N>(measure, shape);
  return measure.bytes();
}

// The state number `index` of an array of them.
template <class N>
LayerState<N> layer_state_at(const RnnShape& shape, void* memory, int64_t index) {
  Carver carver(static_cast<char*>(memory) + size_t(index) * layer_state_bytes<N>(shape));
  return carve_layer_state<N>(carver, shape);
}

// Calls f with a value of the type that products take.
template <class F>
auto with_operand_type(const RnnDesc& desc, F f) {
  if (desc.dtype == DType::float64) return f(double());
  if (desc.precision == Precision::bfloat16) return f(bfloat16());
  return f(float());
}

template <class N>
const CellTable<N>& cell_table(const KernelSet& kernels) {
  if constexpr (sizeof(N) == 8) {
    return kernels.cells_float64;
  } else if constexpr (sizeof(N) == 4) {
    return kernels.cells_float32;
  } else {
    return kernels.cells_bfloat16;
  }
}

// The sum of the biases that each position of a gate takes; bias: [positions][unit_blocks][32].
template <class E>
void pack_bias(const RnnShape& shape, const GemmTable<E>& gemm, const LayerParams<const E>& params, E* bias) {
  const int64_t H = shape.desc.hidden_size, padded = shape.unit_blocks * kBlock;
  std::fill_n(bias, shape.order.positions * padded, E(0));
  for (int64_t i = 0; i < shape.gates; i++) {
    if (params.bias_ih) gemm.add(H, params.bias_ih + shape.order.input_gate[i] * H, bias + i * padded);
    if (params.bias_hh)
      gemm.add(H, params.bias_hh + shape.order.recurrent_gate[i] * H, bias + (shape.order.first_recurrent + i) * padded);
  }
}

// Moves between a row of a caller's matrix and a row of column blocks.
template <class N>
void row_to_blocks(int64_t columns, const Sum<N>* row, N* blocks, int64_t block) {
  for (int64_t first = 0; first < columns; first += kBlock, blocks += block) {
    const int64_t count = row ? std::min(kBlock, columns - first) : 0;
    for (int64_t i = 0; i < count; i++) blocks[i] = number_from<N>(row[first + i]);
    std::fill(blocks + count, blocks + kBlock, N{});
  }
}

template <class E>
void blocks_to_row(int64_t columns, const E* blocks, int64_t block, E* row) {
  for (int64_t first = 0; first < columns; first += kBlock, blocks += block)
    std::copy_n(blocks, std::min(kBlock, columns - first), row + first);
}

// Inverted dropout on the output of a layer at step t of a group, which may be in place. An element's fate depends on the seed,
// the layer, and its place in the caller's [T,B,D*O], so neither on lengths nor on threads.
template <class N>
void drop_step(const RnnShape& shape, const PackedRows& rows, uint64_t seed, int64_t layer, int64_t direction, int64_t group,
               int64_t t, const Sum<N>* from, N* to) {
  using E = Sum<N>;
  const int64_t width = shape.desc.output_size();
  const float dropout = float(shape.desc.dropout);
  const E scale = shape.desc.dropout < 1 ? E(1 / (1 - shape.desc.dropout)) : E(0);
  for (int64_t row = 0; row < rows.active(group, t); row++) {
    uint64_t element = uint64_t(((t * shape.batch + rows.order(group, row)) * shape.directions + direction) * width);
    Philox4 random = philox(seed, element / 4, uint64_t(layer));
    for (int64_t column = 0; column < shape.output_blocks * kBlock; column++) {
      const int64_t at = column / kBlock * shape.block + row * kBlock + column % kBlock;
      if (column >= width) {
        to[at] = N{};
        continue;
      }
      to[at] = number_from<N>(uniform_float(random.v[element % 4]) < dropout ? E(0) : from[at] * scale);
      if (++element % 4 == 0) random = philox(seed, element / 4, uint64_t(layer));
    }
  }
}

}  // namespace deep_rnn::cpu
