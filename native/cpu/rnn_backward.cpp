#include <optional>
#include <utility>

#include "core/error.h"
#include "cpu/rnn.h"
#include "cpu/rnn_gradients.h"
#include "cpu/rnn_memory.h"
#include "cpu/rnn_sharing.h"

namespace deep_rnn::cpu {

namespace {

template <class N>
class Backward {
  using E = Sum<N>;

 public:
  Backward(const RnnContext& context, const RnnShape& shape, const RnnBackwardArgs& args, Carver& carver)
      : team_(context.team),
        gemm_(gemm_table<N>(context.kernels)),
        exact_gemm_(gemm_table<E>(context.kernels)),
        cell_(cell_table<N>(context.kernels).backward[int(shape.desc.cell)]),
        shape_(shape),
        desc_(shape.desc),
        args_(args),
        rows_(carver, shape.steps, shape.batch, shape.groups),
        gate_rows_(shape.gates * shape.unit_blocks * kBlock) {
    const int64_t input_blocks = blocks_of(desc_.input_size);
    const int64_t output_blocks = shape.directions * shape.output_blocks;
    // They change places at every layer, so either may end up with the gradient of the input.
    const int64_t widest = std::max(output_blocks, args.dx ? input_blocks : 0);
    dy_ = carver.array<E>(widest * shape.block);
    if (desc_.layers > 1 || args.dx) dx_ = carver.array<E>(widest * shape.block);
    dh_ = carver.array<E>(shape.groups * shape.state_group(shape.output_blocks));
    if (shape.has_cell_state()) dc_ = carver.array<E>(shape.groups * shape.state_group(shape.unit_blocks));
    if (kRounds<N>) dgates_ = carver.array<N>(shape.order.positions * shape.unit_blocks * shape.block);
    recurrent_panels_ = carver.array<N>(shape.output_blocks * gate_rows_ * kBlock);
    input_panels_ = carver.array<N>(std::max(output_blocks, input_blocks) * gate_rows_ * kBlock);
    if (shape.projects()) {
      projection_panels_ = carver.array<N>(shape.unit_blocks * panel_size<N>(desc_.proj_size));
      if (kRounds<N>) dy_operand_ = carver.array<N>(shape.output_blocks * shape.block);
      dhidden_ = carver.array<E>(shape.groups * shape.state_group(shape.unit_blocks));
    }
    if (!args.dparams) return;
    gradients_.emplace(context, shape, args, rows_, carver);
    if (!args.tokens) x_ = carver.array<N>(input_blocks * shape.block);
  }

  void prepare() {
    rows_.arrange(args_.lengths);
    if (gradients_) gradients_->prepare();
  }

  int64_t rows() const { return rows_.total(); }

  // By every member of the team.
  void run(int thread, const Sharing& sharing) {
    const StepPart part(shape_, thread, sharing);
    E* dy = dy_;
    E* dx = dx_;
    share_steps(team_, thread, part, rows_, [&](int64_t group, int64_t t) { take_gradient(group, t); });
    for (int64_t layer = desc_.layers - 1; layer >= 0; layer--) {
      const bool wants_dx = layer > 0 || args_.dx;
      if (dropping() && layer + 1 < desc_.layers)
        share_steps(team_, thread, part, rows_, [&](int64_t group, int64_t t) {
          for (int64_t direction = 0; direction < shape_.directions; direction++) {
            E* const at = dy + direction * shape_.output_blocks * shape_.block + rows_.offset(group, t) * kBlock;
            drop_step<E>(shape_, rows_, args_.seed, layer, direction, group, t, static_cast<const E*>(at), at);
          }
        });
      for (int64_t direction = 0; direction < shape_.directions; direction++) {
        const LayerState<N> state = state_of(layer, direction);
        E* const dy_direction = dy + direction * shape_.output_blocks * shape_.block;
        pack(thread, layer, direction, wants_dx);
        for (int64_t i = 0; i < rows_.steps(); i++)
          step(direction, direction == 0 ? rows_.steps() - 1 - i : i, state, dy_direction, part);
        give_initial_gradient(thread, part, layer, direction, state);
        if (wants_dx) input_gradient(thread, part, layer, direction, state, dx);
        if (part.alone) team_.barrier();
        if (gradients_) gradients_->run(thread, part.alone, layer, direction, operands_of(layer, state, dy_direction));
      }
      std::swap(dy, dx);
    }
    // After the swap, dy is the gradient of the input.
    if (args_.dx) share_steps(team_, thread, part, rows_, [&](int64_t group, int64_t t) { give_input_gradient(group, t, dy); });
  }

 private:
  bool dropping() const { return args_.training && desc_.dropout > 0; }

  LayerState<N> state_of(int64_t layer, int64_t direction) const {
    return layer_state_at<N>(shape_, args_.reserve, layer * shape_.directions + direction);
  }

  // Gradients of the gates' sums, in the rows of the gates; without rounding they take the gates' place.
  N* dgates_of(const LayerState<N>& state) const {
    if constexpr (kRounds<N>) {
      return dgates_;
    } else {
      return state.gates;
    }
  }

  // The whole gradient of the projected h, as products take it.
  N* dy_operand(E* dy) const {
    if constexpr (kRounds<N>) {
      return dy_operand_;
    } else {
      return dy;
    }
  }

  const E* param_buffer() const { return static_cast<const E*>(args_.params); }

  // The caller's rows of one step into blocks: gradients of the output, and the input that the weight gradients need.
  void take_gradient(int64_t group, int64_t t) {
    const int64_t width = desc_.output_size();
    for (int64_t row = 0; row < rows_.active(group, t); row++) {
      const int64_t from = t * shape_.batch + rows_.order(group, row), to = (rows_.offset(group, t) + row) * kBlock;
      for (int64_t direction = 0; direction < shape_.directions; direction++)
        row_to_blocks(width,
                      args_.dy ? static_cast<const E*>(args_.dy) + (from * shape_.directions + direction) * width : nullptr,
                      dy_ + direction * shape_.output_blocks * shape_.block + to, shape_.block);
      if (x_) row_to_blocks(desc_.input_size, static_cast<const E*>(args_.x) + from * desc_.input_size, x_ + to, shape_.block);
    }
  }

  // Weights into panels for products from the gates' side, gradients of the final states into dh and dc.
  void pack(int thread, int64_t layer, int64_t direction, bool wants_dx) {
    const LayerParams<const E> params = layer_params(desc_, param_buffer(), layer, direction);
    const int64_t H = desc_.hidden_size, O = desc_.output_size();
    // One gate's rows of a panel of `columns` columns from `first` on.
    const auto pack_gate = [&](const E* weight, int64_t weight_row, int64_t first, int64_t columns, const int* gate_at,
                               int64_t i, N* panel) {
      const int64_t padded = shape_.unit_blocks * kBlock;
      N* to = panel + i * padded * kBlock;
      gemm_.pack_panel(H, columns, weight + gate_at[i] * H * weight_row + first, weight_row, to);
      std::fill(to + panel_size<N>(H), to + padded * kBlock, N{});
    };
    const int64_t recurrent_items = shape_.output_blocks * shape_.gates;
    const int64_t source_blocks = blocks_of(shape_.source_width(layer));
    const int64_t input_items = wants_dx && params.weight_ih ? shape_.sources(layer) * source_blocks * shape_.gates : 0;
    const int64_t projection_items = params.weight_hr ? shape_.unit_blocks : 0;
    const auto pack_recurrent = [&](int64_t block, int64_t gate) {
      const int64_t first = block * kBlock;
      pack_gate(params.weight_hh, O, first, std::min(kBlock, O - first), shape_.order.recurrent_gate, gate,
                recurrent_panels_ + block * gate_rows_ * kBlock);
    };
    const auto pack_input = [&](int64_t block, int64_t gate) {
      const int64_t width = shape_.source_width(layer), first = block % source_blocks * kBlock;
      pack_gate(params.weight_ih, desc_.layer_input_size(layer), block / source_blocks * width + first,
                std::min(kBlock, width - first), shape_.order.input_gate, gate, input_panels_ + block * gate_rows_ * kBlock);
    };
    const auto pack_projection = [&](int64_t block) {
      gemm_.pack_panel(O, std::min(kBlock, H - block * kBlock), params.weight_hr + block * kBlock, H,
                       projection_panels_ + block * panel_size<N>(O));
    };
    const int64_t lists[] = {recurrent_items, input_items, projection_items, rows_.groups()};
    team_.share(thread, lists, 4, [&](int list, int64_t item) {
      switch (list) {
        case 0:
          return pack_recurrent(item / shape_.gates, item % shape_.gates);
        case 1:
          return pack_input(item / shape_.gates, item % shape_.gates);
        case 2:
          return pack_projection(item);
        default:
          return take_final_gradient(layer, direction, item);
      }
    });
  }

  void take_final_gradient(int64_t layer, int64_t direction, int64_t group) {
    for (int64_t row = 0; row < rows_.batch(group); row++) {
      const int64_t from = (layer * shape_.directions + direction) * shape_.batch + rows_.order(group, row);
      const auto take = [&](const void* all, int64_t columns, E* blocks) {
        row_to_blocks(columns, all ? static_cast<const E*>(all) + from * columns : nullptr, blocks + row * kBlock,
                      shape_.state_block);
      };
      take(args_.dhn, desc_.output_size(), dh_of(group));
      if (shape_.has_cell_state()) take(args_.dcn, desc_.hidden_size, dc_of(group));
    }
  }

  E* dh_of(int64_t group) const { return dh_ + group * shape_.state_group(shape_.output_blocks); }
  E* dc_of(int64_t group) const { return dc_ + group * shape_.state_group(shape_.unit_blocks); }
  E* dhidden_of(int64_t group) const { return dhidden_ + group * shape_.state_group(shape_.unit_blocks); }

  // Before a step, dh holds the gradient of the final state for the sequences that end here, and for the others what the cell
  // of the following step left there; this adds the latter's gates through the recurrent weights.
  void recurrent_product(int64_t group, int64_t direction, int64_t following, const LayerState<N>& state,
                         const StepPart& part) {
    const auto [row, end] = part_rows(group, following, part);
    if (row >= end) return;
    PanelProduct<N> product{};
    product.init = shape_.order.adds_to_dh ? Init::accumulate : Init::zero;
    product.rows = end - row;
    product.panels = part.output_end - part.output_begin;
    product.k = gate_rows_;
    product.a = dgates_of(state) + shape_.order.first_recurrent * shape_.unit_blocks * shape_.block +
                (rows_.step_row(direction, group, following) + row) * kBlock;
    product.a_block = shape_.block;
    product.w = recurrent_panels_ + part.output_begin * gate_rows_ * kBlock;
    product.w_panel = gate_rows_ * kBlock;
    product.w_row = kPanelRow<N>;
    product.c = dh_of(group) + part.output_begin * shape_.state_block + row * kBlock;
    product.c_panel = shape_.state_block;
    product.c_row = kBlock;
    if (part.waits)
      for (int64_t i = 0; i < shape_.gates; i++)
        fetch_from_others(gemm_, product.a + i * shape_.unit_blocks * shape_.block, shape_.block, shape_.unit_blocks,
                          part.unit_begin, part.unit_end, product.rows);
    repeated_product(gemm_, product);
  }

  // The rows of a step of a group that belong to a part.
  std::pair<int64_t, int64_t> part_rows(int64_t group, int64_t t, const StepPart& part) const {
    const int64_t rows = rows_.batch(group);
    return {part.row_begin(rows), std::min(part.row_end(rows), rows_.active(group, t))};
  }

  void step(int64_t direction, int64_t t, const LayerState<N>& state, E* dy, const StepPart& part) {
    const int64_t following = direction == 0 ? t + 1 : t - 1;
    for (int64_t group = part.group_begin; group < part.group_end; group++) {
      if (following >= 0 && following < rows_.steps()) recurrent_product(group, direction, following, state, part);
      if (shape_.projects()) unproject(group, t, dy, part);
    }
    if (shape_.projects() && part.waits) team_.barrier();
    for (int64_t group = part.group_begin; group < part.group_end; group++) {
      if (shape_.projects()) hidden_product(group, t, dy, part);
      RowRun runs[2];
      const auto [row, row_end] = part_rows(group, t, part);
      const int count = rows_.step_runs(direction, group, t, row, row_end, runs);
      for (int64_t block = part.unit_begin; block < part.unit_end; block++)
        for (int i = 0; i < count; i++) units(block, runs[i], group, direction, t, state, dy);
    }
    if (part.waits) team_.barrier();
  }

  // dy becomes the whole gradient of the projected h, which the projection's weights need for all steps.
  void unproject(int64_t group, int64_t t, E* dy, const StepPart& part) {
    const auto [row, end] = part_rows(group, t, part);
    for (int64_t block = part.output_begin; block < part.output_end && row < end; block++) {
      const int64_t count = (end - row) * kBlock, at = block * shape_.block + (rows_.offset(group, t) + row) * kBlock;
      exact_gemm_.add(count, dh_of(group) + block * shape_.state_block + row * kBlock, dy + at);
      if constexpr (kRounds<N>) gemm_.round(count, dy + at, dy_operand_ + at);
    }
  }

  void hidden_product(int64_t group, int64_t t, E* dy, const StepPart& part) {
    const auto [row, end] = part_rows(group, t, part);
    if (row >= end) return;
    PanelProduct<N> product{};
    product.init = Init::zero;
    product.rows = end - row;
    product.panels = part.unit_end - part.unit_begin;
    product.k = desc_.proj_size;
    product.a = dy_operand(dy) + (rows_.offset(group, t) + row) * kBlock;
    product.a_block = shape_.block;
    product.w = projection_panels_ + part.unit_begin * panel_size<N>(desc_.proj_size);
    product.w_panel = panel_size<N>(desc_.proj_size);
    product.w_row = kPanelRow<N>;
    product.c = dhidden_of(group) + part.unit_begin * shape_.state_block + row * kBlock;
    product.c_panel = shape_.state_block;
    product.c_row = kBlock;
    if (part.waits)
      fetch_from_others(gemm_, product.a, shape_.block, shape_.output_blocks, part.output_begin, part.output_end, product.rows);
    repeated_product(gemm_, product);
  }

  void units(int64_t block, const RowRun& run, int64_t group, int64_t direction, int64_t t, const LayerState<N>& state, E* dy) {
    const auto at = [&](auto* matrix, int64_t row) { return matrix ? matrix + block * shape_.block + row * kBlock : nullptr; };
    const int64_t row = run.a - rows_.step_row(direction, group, t);
    const int64_t of_state = block * shape_.state_block + row * kBlock;
    CellTile<N> cell{};
    cell.count = run.count * kBlock;
    for (int i = 0; i < shape_.order.positions; i++) {
      const int64_t gate = i * shape_.unit_blocks * shape_.block;
      cell.gates[i] = at(state.gates, run.a) + gate;
      cell.dgates[i] = at(dgates_of(state), run.a) + gate;
    }
    cell.c_prev = at(state.c, run.b);
    cell.c = at(state.c, run.a);
    cell.clip = E(desc_.clip);
    if (dc_) cell.dc = dc_of(group) + of_state;
    if (shape_.projects()) {
      cell.dh = dhidden_of(group) + of_state;
    } else {
      cell.h_prev = at(state.h, run.b);
      cell.dh = dh_of(group) + of_state;
      cell.dy = at(dy, rows_.offset(group, t) + row);
    }
    cell_(cell);
  }

  void give_initial_gradient(int thread, const StepPart& part, int64_t layer, int64_t direction, const LayerState<N>& state) {
    for (int64_t group = part.group_begin; group < part.group_end && args_.dh0; group++)
      recurrent_product(group, direction, direction == 0 ? 0 : rows_.steps() - 1, state, part);
    if (!part.alone) team_.barrier();
    share_groups(team_, thread, part, rows_, [&](int64_t group) {
      const auto give = [&](const E* blocks, int64_t columns, void* all) {
        E* const to = static_cast<E*>(all) + (layer * shape_.directions + direction) * shape_.batch * columns;
        for (int64_t row = 0; row < rows_.batch(group); row++)
          blocks_to_row(columns, blocks + row * kBlock, shape_.state_block, to + rows_.order(group, row) * columns);
      };
      if (args_.dh0) give(dh_of(group), desc_.output_size(), args_.dh0);
      if (args_.dc0 && dc_) give(dc_of(group), desc_.hidden_size, args_.dc0);
    });
  }

  // dx (+)= dgates W over the rows of all steps; the second direction adds to the first.
  void input_gradient(int thread, const StepPart& part, int64_t layer, int64_t direction, const LayerState<N>& state, E* dx) {
    const auto [first, end] = rows_of(part, rows_);
    const int64_t first_row = first, count = end - first;
    const N* const dgates = dgates_of(state) + (rows_.first_row(direction) + first_row) * kBlock;
    if (layer == 0 && desc_.input_mode == InputMode::skip) {
      share_pieces(team_, thread, part, shape_.unit_blocks, [&](int64_t block) {
        E* const to = dx + block * shape_.block + first_row * kBlock;
        if (direction == 0) std::fill_n(to, count * kBlock, E(0));
        for (int64_t i = 0; i < shape_.gates; i++)
          gemm_.add(count * kBlock, dgates + (i * shape_.unit_blocks + block) * shape_.block, to);
      });
      return;
    }
    PanelProduct<N> product{};
    product.init = direction == 0 ? Init::zero : Init::accumulate;
    product.rows = count;
    product.panels = shape_.sources(layer) * blocks_of(shape_.source_width(layer));
    product.k = gate_rows_;
    product.a = dgates;
    product.a_block = shape_.block;
    product.w = input_panels_;
    product.w_panel = gate_rows_ * kBlock;
    product.w_row = kPanelRow<N>;
    product.c = dx + first_row * kBlock;
    product.c_panel = shape_.block;
    product.c_row = kBlock;
    const PanelPieces<N> pieces(gemm_, product);
    share_pieces(team_, thread, part, pieces.count(), [&](int64_t piece) { pieces.run(piece); });
  }

  GradientOperands<N> operands_of(int64_t layer, const LayerState<N>& state, E* dy) const {
    GradientOperands<N> operands{dgates_of(state), state.h_operand, state.hidden, dy_operand(dy), {}};
    for (int64_t source = 0; source < shape_.sources(layer); source++)
      operands.inputs[source] = layer == 0 ? x_ : output_of(layer - 1, source);
    return operands;
  }

  const N* output_of(int64_t layer, int64_t direction) const {
    const LayerState<N> state = state_of(layer, direction);
    return dropping() ? state.dropped : state.h_operand + rows_.first_row(direction) * kBlock;
  }

  void give_input_gradient(int64_t group, int64_t t, const E* dx) {
    const int64_t I = desc_.input_size;
    for (int64_t row = 0; row < rows_.batch(group); row++) {
      E* const to = static_cast<E*>(args_.dx) + (t * shape_.batch + rows_.order(group, row)) * I;
      if (row < rows_.active(group, t)) {
        blocks_to_row(I, dx + (rows_.offset(group, t) + row) * kBlock, shape_.block, to);
      } else {
        std::fill_n(to, I, E(0));
      }
    }
  }

  Team& team_;
  const GemmTable<N>& gemm_;
  const GemmTable<E>& exact_gemm_;
  void (*const cell_)(const CellTile<N>&);
  const RnnShape& shape_;
  const RnnDesc& desc_;
  const RnnBackwardArgs& args_;
  PackedRows rows_;
  const int64_t gate_rows_;  // rows of a panel that a product over all gates runs through

  std::optional<ParameterGradients<N>> gradients_;
  E* dy_;                           // [D * output_blocks][rows][32]: gradient of the layer's output
  E* dx_ = nullptr;                 // [blocks][rows][32]: gradient of its input, the next layer's dy
  E* dh_;                           // [groups], [output_blocks][B][32] each: gradient of h that comes from the following step
  E* dc_ = nullptr;                 // [unit_blocks][B][32]: the same of c
  E* dhidden_ = nullptr;            // [unit_blocks][B][32]: gradient of h before its projection
  N* dgates_ = nullptr;             // [positions * unit_blocks][rows][32]
  N* dy_operand_ = nullptr;         // [output_blocks][rows][32]
  N* recurrent_panels_;             // [output_blocks][panel of gate_rows]
  N* input_panels_;                 // [input blocks][panel of gate_rows]
  N* projection_panels_ = nullptr;  // [unit_blocks][panel of P]
  N* x_ = nullptr;                  // [blocks_of(I)][rows][32]
};

template <class N>
void backward_of(const RnnContext& context, const RnnDesc& desc, const RnnBackwardArgs& args) {
  const RnnShape shape(desc, args.steps, args.batch);
  Carver measure(nullptr);
  Backward<N>(context, shape, args, measure);
  Carver carver(context.workspace.take(measure.bytes()));
  Backward<N> backward(context, shape, args, carver);
  backward.prepare();
  share_pass(context, RnnPass::backward, shape, backward.rows(), true, [&](const Sharing& sharing) {
    context.team.run(sharing.members, [&](int thread) { backward.run(thread, sharing); });
  });
}

}  // namespace

void rnn_backward(const RnnContext& context, const RnnDesc& desc, const RnnBackwardArgs& args) {
  if (const std::string reason = rnn_supports(desc); !reason.empty()) throw Error(reason);
  with_operand_type(desc, [&](auto number) { backward_of<decltype(number)>(context, desc, args); });
}

}  // namespace deep_rnn::cpu
