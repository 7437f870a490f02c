// Gradients of the parameters of one direction of one layer: sums over the rows of all steps.
//
// Where a batch has several groups of sequences, the sums of the first half of them and of the second are made apart and then
// added, so that threads which take groups find their own rows in their caches, and leave those of others there.
#pragma once
#include <algorithm>

#include "cpu/rnn_memory.h"

namespace deep_rnn::cpu {

// What the sums are made of, in column blocks `RnnShape::block` apart.
template <class N>
struct GradientOperands {
  const N* dgates;     // [positions * unit_blocks][rows][32], with initial rows
  const N* h;          // [output_blocks][rows][32], with initial rows
  const N* hidden;     // [unit_blocks][rows][32], with initial rows, or null: h before its projection
  const N* dy;         // [output_blocks][rows][32], where there is a projection: the whole gradient of h
  const N* inputs[2];  // [blocks][rows][32] of each source, null where tokens are the input
};

template <class N>
class ParameterGradients {
  using E = Sum<N>;

 public:
  // context, shape, args, rows outlive this; args.dparams is not null.
  ParameterGradients(const RnnContext& context, const RnnShape& shape, const RnnBackwardArgs& args, const PackedRows& rows,
                     Carver& carver)
      : team_(context.team),
        gemm_(gemm_table<N>(context.kernels)),
        exact_gemm_(gemm_table<E>(context.kernels)),
        shape_(shape),
        desc_(shape.desc),
        args_(args),
        rows_(rows),
        halves_(std::min<int64_t>(shape.groups, 2)),
        most_slots_(std::min(shape.steps * shape.batch, desc_.input_size)) {
    for (int64_t i = 0; i < shape.directions * halves_; i++)
      runs_[i / halves_][i % halves_].runs = carver.array<RowRun>(shape.groups * 2 * shape.steps);
    scratch_ = carver.array<N>(team_.size() * TransposedPieces<N>::kScratch);
    if (halves_ > 1) second_ = carver.array<E>(most_parameters());
    if (!args.tokens) return;
    slots_ = carver.array<int32_t>(shape.steps * shape.batch);
    slot_tokens_ = carver.array<int32_t>(most_slots_);
    slot_of_ = carver.array<int32_t>(desc_.input_size);
    slot_sums_ = carver.array<E>(team_.size() * most_slots_ * kBlock);
  }

  // After the rows have been arranged.
  void prepare() {
    for (int64_t direction = 0; direction < shape_.directions; direction++) {
      for (int64_t half = 0; half < halves_; half++) {
        Runs& runs = runs_[direction][half];
        runs.count = rows_.all_runs(direction, first_group(half), first_group(half + 1), runs.runs);
      }
    }
    if (!slots_) return;
    std::fill_n(slot_of_, desc_.input_size, -1);
    rows_.for_each([&](int64_t t, int64_t sequence, int64_t row) {
      const int32_t token = args_.tokens[t * shape_.batch + sequence];
      int32_t& slot = slot_of_[token];
      if (slot < 0) {
        slot = int32_t(slot_count_++);
        slot_tokens_[slot] = token;
      }
      slots_[row] = slot;
    });
  }

  // By every member of the team, after a barrier; ends with one. alone: whether threads have groups of their own.
  void run(int thread, bool alone, int64_t layer, int64_t direction, const GradientOperands<N>& operands) {
    const LayerParams<E> grads = layer_params(desc_, static_cast<E*>(args_.dparams), layer, direction);
    const bool from_tokens = layer == 0 && args_.tokens;
    Products halves[2] = {};
    for (int64_t half = 0; half < halves_; half++) describe(half, layer, direction, operands, grads, halves[half]);

    // A member begins with its part of every list: with a half where threads have groups of their own, else with its units.
    const int64_t gate_blocks = shape_.gates * shape_.unit_blocks;
    const int count = halves[0].count;
    int64_t lists[Products::most + 1];
    for (int i = 0; i < count; i++) lists[i] = halves_ * TransposedPieces<N>(gemm_, halves[0].products[i]).count();
    lists[count] = halves_ * gate_blocks;
    team_.share(thread, lists, count + 1, [&](int list, int64_t item) {
      const int64_t pieces = lists[list] / halves_;
      const int64_t half = alone ? item / pieces : item % halves_, piece = alone ? item % pieces : item / halves_;
      if (list < count)
        return TransposedPieces<N>(gemm_, halves[half].products[list])
            .run(piece, scratch_ + thread * TransposedPieces<N>::kScratch);
      bias_gradient(half, shape_.panel_by_units(piece), operands.dgates + rows_.first_row(direction) * kBlock,
                    halves[half].grads);
    });
    if (halves_ == 1 && !from_tokens) return;

    const Sums sums = halves_ > 1 ? second_half(grads, halves[1].grads, layer, from_tokens) : Sums{};
    const int64_t last_lists[] = {from_tokens ? gate_blocks : 0, sums.pieces()};
    team_.share(thread, last_lists, 2, [&](int list, int64_t item) {
      if (list == 1) return sums.run(exact_gemm_, item);
      token_gradient(thread, shape_.panel_by_units(item), operands.dgates + rows_.first_row(direction) * kBlock,
                     grads.weight_ih);
    });
  }

 private:
  struct Runs {
    RowRun* runs;
    int64_t count;
  };

  // Every weight's gradient is one product over the rows of a half.
  struct Products {
    static constexpr int most = 3 * 4 + 1;
    LayerParams<E> grads;
    RowRun input_rows, projected_rows;
    TransposedProduct<N> products[most];
    int count;
  };

  // Matrices to which others are added.
  struct Sums {
    static constexpr int64_t kPiece = 8192;
    E* to[5];
    const E* from[5];
    int64_t sizes[5];
    int count = 0;

    void add(E* sum, const E* addend, int64_t size) {
      if (!sum) return;
      to[count] = sum;
      from[count] = addend;
      sizes[count++] = size;
    }
    int64_t pieces() const {
      int64_t total = 0;
      for (int i = 0; i < count; i++) total += pieces_of(i);
      return total;
    }
    void run(const GemmTable<E>& gemm, int64_t piece) const {
      int i = 0;
      for (; piece >= pieces_of(i); i++) piece -= pieces_of(i);
      const int64_t first = piece * kPiece;
      gemm.add(std::min(kPiece, sizes[i] - first), from[i] + first, to[i] + first);
    }
    int64_t pieces_of(int i) const { return (sizes[i] + kPiece - 1) / kPiece; }
  };

  int64_t first_group(int64_t half) const { return shape_.groups * half / halves_; }
  int64_t first_row(int64_t half) const { return rows_.rows_before(first_group(half)); }
  int64_t row_count(int64_t half) const { return first_row(half + 1) - first_row(half); }

  // Elements of the largest direction of a layer, from its first parameter to its last.
  int64_t most_parameters() const {
    int64_t most = 0, first = 0, layer = 0, direction = 0;
    for_each_param(desc_, [&](const RnnParamEntry& entry) {
      if (entry.layer != layer || entry.direction != direction) first = entry.offset;
      layer = entry.layer;
      direction = entry.direction;
      most = std::max(most, entry.offset + entry.rows * entry.columns - first);
    });
    return most;
  }

  // The parameters of one layer in another buffer.
  static LayerParams<E> moved(const LayerParams<E>& params, E* to) {
    const E* const from = params.weight_ih ? params.weight_ih : params.weight_hh;
    const auto move = [&](E* param) { return param ? to + (param - from) : nullptr; };
    return {move(params.weight_ih), move(params.weight_hh), move(params.bias_ih), move(params.bias_hh), move(params.weight_hr)};
  }

  void describe(int64_t half, int64_t layer, int64_t direction, const GradientOperands<N>& operands,
                const LayerParams<E>& grads, Products& result) const {
    const int64_t H = desc_.hidden_size, O = desc_.output_size();
    const int64_t I = desc_.layer_input_size(layer), width = shape_.source_width(layer);
    const int64_t behind_initial = rows_.first_row(direction), first = first_row(half);
    const Runs& steps = runs_[direction][half];
    result.grads = half == 0 ? grads : moved(grads, second_);
    result.input_rows = {behind_initial + first, first, row_count(half)};
    result.projected_rows = {first, behind_initial + first, row_count(half)};
    const auto add = [&](int64_t m, int64_t n, const N* a, const N* b, const RowRun* runs, int64_t run_count, E* c,
                         int64_t c_row) {
      result.products[result.count++] = {m, n, a, shape_.block, b, shape_.block, runs, run_count, half == 0, c, c_row};
    };
    for (int64_t i = 0; i < shape_.gates; i++) {
      const N* const input_gate = operands.dgates + i * shape_.unit_blocks * shape_.block;
      const N* const recurrent_gate = input_gate + shape_.order.first_recurrent * shape_.unit_blocks * shape_.block;
      add(H, O, recurrent_gate, operands.h, steps.runs, steps.count,
          result.grads.weight_hh + shape_.order.recurrent_gate[i] * H * O, O);
      if (!grads.weight_ih || !operands.inputs[0]) continue;
      for (int64_t source = 0; source < shape_.sources(layer); source++)
        add(H, width, input_gate, operands.inputs[source], &result.input_rows, 1,
            result.grads.weight_ih + shape_.order.input_gate[i] * H * I + source * width, I);
    }
    if (grads.weight_hr)
      add(desc_.proj_size, H, operands.dy, operands.hidden, &result.projected_rows, 1, result.grads.weight_hr, H);
  }

  // The second half's sums, to be added to those of the first.
  Sums second_half(const LayerParams<E>& grads, const LayerParams<E>& second, int64_t layer, bool from_tokens) const {
    const int64_t gate_rows = shape_.gates * desc_.hidden_size;
    Sums sums;
    if (!from_tokens) sums.add(grads.weight_ih, second.weight_ih, gate_rows * desc_.layer_input_size(layer));
    sums.add(grads.weight_hh, second.weight_hh, gate_rows * desc_.output_size());
    sums.add(grads.bias_ih, second.bias_ih, gate_rows);
    sums.add(grads.bias_hh, second.bias_hh, gate_rows);
    sums.add(grads.weight_hr, second.weight_hr, desc_.proj_size * desc_.hidden_size);
    return sums;
  }

  // dgates: behind the initial rows.
  void bias_gradient(int64_t half, int64_t gate_block, const N* dgates, const LayerParams<E>& grads) {
    const int64_t i = gate_block / shape_.unit_blocks, unit = gate_block % shape_.unit_blocks * kBlock;
    const int64_t units = std::min(kBlock, desc_.hidden_size - unit);
    const int64_t recurrent = shape_.order.first_recurrent + i;
    alignas(64) E sums[kBlock];
    const auto sum_position = [&](int64_t position) {
      const N* const of_position = dgates + (position * shape_.unit_blocks + unit / kBlock) * shape_.block;
      gemm_.column_sums(row_count(half), of_position + first_row(half) * kBlock, sums);
    };
    const auto give = [&](E* bias, int64_t gate) {
      if (!bias) return;
      E* const to = bias + gate * desc_.hidden_size + unit;
      if (half == 0) return exact_gemm_.add(units, sums, to);
      std::copy_n(sums, units, to);
    };
    if (grads.bias_ih) sum_position(i);
    give(grads.bias_ih, shape_.order.input_gate[i]);
    if (grads.bias_hh && (recurrent != i || !grads.bias_ih)) sum_position(recurrent);
    give(grads.bias_hh, shape_.order.recurrent_gate[i]);
  }

  // One-hot rows of both halves: sums per token that occurs, then into the token's column of the weight.
  void token_gradient(int thread, int64_t gate_block, const N* dgates, E* weight) {
    const int64_t gate = shape_.order.input_gate[gate_block / shape_.unit_blocks];
    const int64_t unit = gate_block % shape_.unit_blocks * kBlock, units = std::min(kBlock, desc_.hidden_size - unit);
    E* const sums = slot_sums_ + thread * most_slots_ * kBlock;
    std::fill_n(sums, slot_count_ * kBlock, E(0));
    gemm_.scatter_rows(rows_.total(), slots_, dgates + gate_block * shape_.block, sums);
    for (int64_t i = 0; i < units; i++) {
      E* const row = weight + (gate * desc_.hidden_size + unit + i) * desc_.input_size;
      for (int64_t slot = 0; slot < slot_count_; slot++) row[slot_tokens_[slot]] += sums[slot * kBlock + i];
    }
  }

  Team& team_;
  const GemmTable<N>& gemm_;
  const GemmTable<E>& exact_gemm_;
  const RnnShape& shape_;
  const RnnDesc& desc_;
  const RnnBackwardArgs& args_;
  const PackedRows& rows_;
  const int64_t halves_, most_slots_;

  Runs runs_[2][2] = {};            // [directions][halves], each [groups * 2 * T]
  E* second_ = nullptr;             // sums of the second half, as a layer's parameters lie
  N* scratch_;                      // [threads][TransposedPieces::kScratch]
  int32_t* slots_ = nullptr;        // [rows]: number of the row's token among those that occur
  int32_t* slot_tokens_ = nullptr;  // [slots]
  int32_t* slot_of_ = nullptr;      // [I]
  E* slot_sums_ = nullptr;          // [threads][slots][32]
  int64_t slot_count_ = 0;
};

}  // namespace deep_rnn::cpu
