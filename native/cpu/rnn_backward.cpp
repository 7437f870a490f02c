#include "core/error.h"
#include "cpu/rnn.h"
#include "cpu/rnn_memory.h"

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
        rows_(carver, shape.steps, shape.batch),
        gate_rows_(shape.gates * shape.unit_blocks * kBlock) {
    const int64_t rows = shape.steps * shape.batch, input_blocks = blocks_of(desc_.input_size);
    const int64_t output_blocks = shape.directions * shape.output_blocks;
    runs_ = carver.array<RowRun>(2 * shape.steps);
    // They change places at every layer, so either may end up with the gradient of the input.
    const int64_t widest = std::max(output_blocks, args.dx ? input_blocks : 0);
    dy_ = carver.array<E>(widest * shape.block);
    if (desc_.layers > 1 || args.dx) dx_ = carver.array<E>(widest * shape.block);
    dh_ = carver.array<E>(shape.output_blocks * shape.state_block);
    if (shape.has_cell_state()) dc_ = carver.array<E>(shape.unit_blocks * shape.state_block);
    if (kRounds<N>) dgates_ = carver.array<N>(shape.order.positions * shape.unit_blocks * shape.block);
    recurrent_panels_ = carver.array<N>(shape.output_blocks * gate_rows_ * kBlock);
    input_panels_ = carver.array<N>(std::max(output_blocks, input_blocks) * gate_rows_ * kBlock);
    if (shape.projects()) {
      projection_panels_ = carver.array<N>(shape.unit_blocks * panel_size<N>(desc_.proj_size));
      if (kRounds<N>) dy_operand_ = carver.array<N>(shape.output_blocks * shape.block);
      dhidden_ = carver.array<E>(shape.unit_blocks * shape.state_block);
    }
    if (!args.dparams) return;
    scratch_ = carver.array<N>(team_.size() * TransposedPieces<N>::kScratch);
    if (args.tokens) {
      slots_ = carver.array<int32_t>(rows);
      slot_tokens_ = carver.array<int32_t>(std::min(rows, desc_.input_size));
      slot_of_ = carver.array<int32_t>(desc_.input_size);
      slot_sums_ = carver.array<E>(team_.size() * std::min(rows, desc_.input_size) * kBlock);
    } else {
      x_ = carver.array<N>(input_blocks * shape.block);
    }
  }

  void prepare() {
    rows_.arrange(args_.lengths);
    if (!slots_) return;
    std::fill_n(slot_of_, desc_.input_size, -1);
    for (int64_t t = 0; t < rows_.steps(); t++) {
      for (int64_t row = 0; row < rows_.active(t); row++) {
        const int32_t token = args_.tokens[t * rows_.batch() + rows_.order(row)];
        int32_t& slot = slot_of_[token];
        if (slot < 0) {
          slot = int32_t(slot_count_++);
          slot_tokens_[slot] = token;
        }
        slots_[rows_.offset(t) + row] = slot;
      }
    }
  }

  int64_t rows() const { return rows_.total(); }

  // By every member of the team.
  void run(int thread, const Sharing& sharing) {
    const StepPart part(shape_, thread, sharing);
    E* dy = dy_;
    E* dx = dx_;
    team_.share(thread, rows_.steps(), [&](int64_t t) { take_gradient(t); });
    for (int64_t layer = desc_.layers - 1; layer >= 0; layer--) {
      const bool wants_dx = layer > 0 || args_.dx;
      if (dropping() && layer + 1 < desc_.layers)
        team_.share(thread, rows_.steps() * shape_.directions, [&](int64_t item) {
          const int64_t direction = item % shape_.directions, t = item / shape_.directions;
          E* const at = dy + direction * shape_.output_blocks * shape_.block + rows_.offset(t) * kBlock;
          drop_step<E>(shape_, rows_, args_.seed, layer, direction, t, static_cast<const E*>(at), at);
        });
      for (int64_t direction = 0; direction < shape_.directions; direction++) {
        const LayerState<N> state = state_of(layer, direction);
        E* const dy_direction = dy + direction * shape_.output_blocks * shape_.block;
        pack(thread, layer, direction, wants_dx);
        for (int64_t i = 0; i < rows_.steps(); i++)
          step(direction, direction == 0 ? rows_.steps() - 1 - i : i, state, dy_direction, part);
        if (!part.waits) team_.barrier();
        give_initial_gradient(thread, layer, direction, state, part);
        if (wants_dx) input_gradient(thread, layer, direction, state, dx);
        if (args_.dparams) parameter_gradients(thread, layer, direction, state, dy_direction);
      }
      std::swap(dy, dx);
    }
    // After the swap, dy is the gradient of the input.
    if (args_.dx) team_.share(thread, rows_.steps(), [&](int64_t t) { give_input_gradient(t, dy); });
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
  void take_gradient(int64_t t) {
    const int64_t width = desc_.output_size();
    for (int64_t row = 0; row < rows_.active(t); row++) {
      const int64_t from = t * shape_.batch + rows_.order(row), to = (rows_.offset(t) + row) * kBlock;
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
    const int64_t lists[] = {recurrent_items, input_items, projection_items, shape_.batch};
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

  void take_final_gradient(int64_t layer, int64_t direction, int64_t row) {
    const int64_t from = (layer * shape_.directions + direction) * shape_.batch + rows_.order(row);
    const auto take = [&](const void* all, int64_t columns, E* blocks) {
      row_to_blocks(columns, all ? static_cast<const E*>(all) + from * columns : nullptr, blocks + row * kBlock,
                    shape_.state_block);
    };
    take(args_.dhn, desc_.output_size(), dh_);
    if (shape_.has_cell_state()) take(args_.dcn, desc_.hidden_size, dc_);
  }

  // Before a step, dh holds the gradient of the final state for the sequences that end here, and for the others what the cell
  // of the following step left there; this adds the latter's gates through the recurrent weights.
  void recurrent_product(int64_t direction, int64_t following, const LayerState<N>& state, const StepPart& part) {
    const int64_t row = part.row_begin, end = std::min(part.row_end, rows_.active(following));
    if (row >= end) return;
    PanelProduct<N> product{};
    product.init = shape_.order.adds_to_dh ? Init::accumulate : Init::zero;
    product.rows = end - row;
    product.panels = part.output_end - part.output_begin;
    product.k = gate_rows_;
    product.a = dgates_of(state) + shape_.order.first_recurrent * shape_.unit_blocks * shape_.block +
                (rows_.step_row(direction, following) + row) * kBlock;
    product.a_block = shape_.block;
    product.w = recurrent_panels_ + part.output_begin * gate_rows_ * kBlock;
    product.w_panel = gate_rows_ * kBlock;
    product.w_row = kPanelRow<N>;
    product.c = dh_ + part.output_begin * shape_.state_block + row * kBlock;
    product.c_panel = shape_.state_block;
    product.c_row = kBlock;
    if (part.waits)
      for (int64_t i = 0; i < shape_.gates; i++)
        fetch_from_others(gemm_, product.a + i * shape_.unit_blocks * shape_.block, shape_.block, shape_.unit_blocks,
                          part.unit_begin, part.unit_end, product.rows);
    repeated_product(gemm_, product);
  }

  void step(int64_t direction, int64_t t, const LayerState<N>& state, E* dy, const StepPart& part) {
    const int64_t following = direction == 0 ? t + 1 : t - 1;
    if (following >= 0 && following < rows_.steps()) recurrent_product(direction, following, state, part);
    if (shape_.projects()) {
      unproject(t, dy, part);
      if (part.waits) team_.barrier();
      hidden_product(t, dy, part);
    }
    RowRun runs[2];
    const int count = rows_.step_runs(direction, t, part.row_begin, part.row_end, runs);
    for (int64_t block = part.unit_begin; block < part.unit_end; block++)
      for (int i = 0; i < count; i++) units(block, runs[i], direction, t, state, dy);
    if (part.waits) team_.barrier();
  }

  // dy becomes the whole gradient of the projected h, which the projection's weights need for all steps.
  void unproject(int64_t t, E* dy, const StepPart& part) {
    const int64_t row = part.row_begin, end = std::min(part.row_end, rows_.active(t));
    for (int64_t block = part.output_begin; block < part.output_end && row < end; block++) {
      const int64_t count = (end - row) * kBlock, at = block * shape_.block + (rows_.offset(t) + row) * kBlock;
      exact_gemm_.add(count, dh_ + block * shape_.state_block + row * kBlock, dy + at);
      if constexpr (kRounds<N>) gemm_.round(count, dy + at, dy_operand_ + at);
    }
  }

  void hidden_product(int64_t t, E* dy, const StepPart& part) {
    const int64_t row = part.row_begin, end = std::min(part.row_end, rows_.active(t));
    if (row >= end) return;
    PanelProduct<N> product{};
    product.init = Init::zero;
    product.rows = end - row;
    product.panels = part.unit_end - part.unit_begin;
    product.k = desc_.proj_size;
    product.a = dy_operand(dy) + (rows_.offset(t) + row) * kBlock;
    product.a_block = shape_.block;
    product.w = projection_panels_ + part.unit_begin * panel_size<N>(desc_.proj_size);
    product.w_panel = panel_size<N>(desc_.proj_size);
    product.w_row = kPanelRow<N>;
    product.c = dhidden_ + part.unit_begin * shape_.state_block + row * kBlock;
    product.c_panel = shape_.state_block;
    product.c_row = kBlock;
    if (part.waits)
      fetch_from_others(gemm_, product.a, shape_.block, shape_.output_blocks, part.output_begin, part.output_end, product.rows);
    repeated_product(gemm_, product);
  }

  void units(int64_t block, const RowRun& run, int64_t direction, int64_t t, const LayerState<N>& state, E* dy) {
    const auto at = [&](auto* matrix, int64_t row) { return matrix ? matrix + block * shape_.block + row * kBlock : nullptr; };
    const int64_t row = run.a - rows_.step_row(direction, t);
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
    if (dc_) cell.dc = dc_ + of_state;
    if (shape_.projects()) {
      cell.dh = dhidden_ + of_state;
    } else {
      cell.h_prev = at(state.h, run.b);
      cell.dh = dh_ + of_state;
      cell.dy = at(dy, rows_.offset(t) + row);
    }
    cell_(cell);
  }

  void give_initial_gradient(int thread, int64_t layer, int64_t direction, const LayerState<N>& state, const StepPart& part) {
    const auto give = [&](const E* blocks, int64_t columns, void* all) {
      E* const to = static_cast<E*>(all) + (layer * shape_.directions + direction) * shape_.batch * columns;
      for (int64_t row = 0; row < shape_.batch; row++)
        blocks_to_row(columns, blocks + row * kBlock, shape_.state_block, to + rows_.order(row) * columns);
    };
    if (args_.dh0) {
      recurrent_product(direction, direction == 0 ? 0 : rows_.steps() - 1, state, part);
      team_.barrier();
    }
    team_.share(thread, 2, [&](int64_t item) {
      if (item == 0 && args_.dh0) give(dh_, desc_.output_size(), args_.dh0);
      if (item == 1 && args_.dc0 && dc_) give(dc_, desc_.hidden_size, args_.dc0);
    });
  }

  // dx (+)= dgates W over the rows of all steps; the second direction adds to the first.
  void input_gradient(int thread, int64_t layer, int64_t direction, const LayerState<N>& state, E* dx) {
    const N* const dgates = dgates_of(state) + rows_.first_row(direction) * kBlock;
    if (layer == 0 && desc_.input_mode == InputMode::skip) {
      team_.share(thread, shape_.unit_blocks, [&](int64_t block) {
        E* const to = dx + block * shape_.block;
        const int64_t count = rows_.total() * kBlock;
        if (direction == 0) std::fill_n(to, count, E(0));
        for (int64_t i = 0; i < shape_.gates; i++)
          gemm_.add(count, dgates + (i * shape_.unit_blocks + block) * shape_.block, to);
      });
      return;
    }
    PanelProduct<N> product{};
    product.init = direction == 0 ? Init::zero : Init::accumulate;
    product.rows = rows_.total();
    product.panels = shape_.sources(layer) * blocks_of(shape_.source_width(layer));
    product.k = gate_rows_;
    product.a = dgates;
    product.a_block = shape_.block;
    product.w = input_panels_;
    product.w_panel = gate_rows_ * kBlock;
    product.w_row = kPanelRow<N>;
    product.c = dx;
    product.c_panel = shape_.block;
    product.c_row = kBlock;
    const PanelPieces<N> pieces(gemm_, product);
    team_.share(thread, pieces.count(), [&](int64_t piece) { pieces.run(piece); });
  }

  // Every weight's gradient is one product over the rows of all steps; all of them, the biases' and the tokens' are shared out
  // together.
  void parameter_gradients(int thread, int64_t layer, int64_t direction, const LayerState<N>& state, E* dy) {
    const LayerParams<E> grads = layer_params(desc_, static_cast<E*>(args_.dparams), layer, direction);
    const int64_t H = desc_.hidden_size, first_row = rows_.first_row(direction);
    const RowRun same_rows{first_row, 0, rows_.total()};
    const bool from_tokens = layer == 0 && args_.tokens;
    if (thread == 0) run_count_ = rows_.all_runs(direction, runs_);
    team_.barrier();

    constexpr int most = 3 * 4 + 1;
    TransposedProduct<N> products[most];
    int count = 0;
    for (int64_t i = 0; i < shape_.gates; i++) {
      const N* const input_gate = dgates_of(state) + i * shape_.unit_blocks * shape_.block;
      const N* const recurrent_gate = input_gate + shape_.order.first_recurrent * shape_.unit_blocks * shape_.block;
      const int64_t O = desc_.output_size(), I = desc_.layer_input_size(layer), width = shape_.source_width(layer);
      products[count++] = {H,
                           O,
                           recurrent_gate,
                           shape_.block,
                           state.h_operand,
                           shape_.block,
                           runs_,
                           run_count_,
                           grads.weight_hh + shape_.order.recurrent_gate[i] * H * O,
                           O};
      if (!grads.weight_ih || from_tokens) continue;
      for (int64_t source = 0; source < shape_.sources(layer); source++)
        products[count++] = {H,
                             width,
                             input_gate,
                             shape_.block,
                             layer == 0 ? x_ : output_of(layer - 1, source),
                             shape_.block,
                             &same_rows,
                             1,
                             grads.weight_ih + shape_.order.input_gate[i] * H * I + source * width,
                             I};
    }
    const RowRun projected_rows{0, first_row, rows_.total()};
    if (grads.weight_hr)
      products[count++] = {desc_.proj_size, H, dy_operand(dy), shape_.block, state.hidden, shape_.block, &projected_rows, 1,
                           grads.weight_hr, H};

    const int64_t gate_blocks = shape_.gates * shape_.unit_blocks;
    const N* const dgates = dgates_of(state) + first_row * kBlock;
    int64_t lists[most + 2];
    for (int i = 0; i < count; i++) lists[i] = TransposedPieces<N>(gemm_, products[i]).count();
    lists[count] = from_tokens ? gate_blocks : 0;
    lists[count + 1] = gate_blocks;
    team_.share(thread, lists, count + 2, [&](int list, int64_t item) {
      if (list < count)
        return TransposedPieces<N>(gemm_, products[list]).run(item, scratch_ + thread * TransposedPieces<N>::kScratch);
      const int64_t gate_block = shape_.panel_by_units(item);
      if (list == count) return token_gradient(thread, gate_block, dgates, grads.weight_ih);
      bias_gradient(gate_block, dgates, grads);
    });
  }

  const N* output_of(int64_t layer, int64_t direction) const {
    const LayerState<N> state = state_of(layer, direction);
    return dropping() ? state.dropped : state.h_operand + rows_.first_row(direction) * kBlock;
  }

  void bias_gradient(int64_t gate_block, const N* dgates, const LayerParams<E>& grads) {
    const int64_t i = gate_block / shape_.unit_blocks, unit = gate_block % shape_.unit_blocks * kBlock;
    const int64_t units = std::min(kBlock, desc_.hidden_size - unit);
    const int64_t recurrent = shape_.order.first_recurrent + i;
    alignas(64) E sums[kBlock];
    const auto sum_position = [&](int64_t position) {
      gemm_.column_sums(rows_.total(), dgates + (position * shape_.unit_blocks + unit / kBlock) * shape_.block, sums);
    };
    const auto add_to = [&](E* bias, int64_t gate) {
      if (bias) exact_gemm_.add(units, sums, bias + gate * desc_.hidden_size + unit);
    };
    if (grads.bias_ih) sum_position(i);
    add_to(grads.bias_ih, shape_.order.input_gate[i]);
    if (grads.bias_hh && (recurrent != i || !grads.bias_ih)) sum_position(recurrent);
    add_to(grads.bias_hh, shape_.order.recurrent_gate[i]);
  }

  // One-hot rows: sums per token that occurs, then into the token's column of the weight.
  void token_gradient(int thread, int64_t gate_block, const N* dgates, E* weight) {
    const int64_t gate = shape_.order.input_gate[gate_block / shape_.unit_blocks];
    const int64_t unit = gate_block % shape_.unit_blocks * kBlock, units = std::min(kBlock, desc_.hidden_size - unit);
    E* const sums = slot_sums_ + thread * std::min(shape_.steps * shape_.batch, desc_.input_size) * kBlock;
    std::fill_n(sums, slot_count_ * kBlock, E(0));
    gemm_.scatter_rows(rows_.total(), slots_, dgates + gate_block * shape_.block, sums);
    for (int64_t i = 0; i < units; i++) {
      E* const row = weight + (gate * desc_.hidden_size + unit + i) * desc_.input_size;
      for (int64_t slot = 0; slot < slot_count_; slot++) row[slot_tokens_[slot]] += sums[slot * kBlock + i];
    }
  }

  void give_input_gradient(int64_t t, const E* dx) {
    const int64_t I = desc_.input_size;
    for (int64_t row = 0; row < shape_.batch; row++) {
      E* const to = static_cast<E*>(args_.dx) + (t * shape_.batch + rows_.order(row)) * I;
      if (row < rows_.active(t)) {
        blocks_to_row(I, dx + (rows_.offset(t) + row) * kBlock, shape_.block, to);
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

  RowRun* runs_;  // [2 T]
  int64_t run_count_ = 0;
  E* dy_;                           // [D * output_blocks][rows][32]: gradient of the layer's output
  E* dx_ = nullptr;                 // [blocks][rows][32]: gradient of its input, the next layer's dy
  E* dh_;                           // [output_blocks][B][32]: gradient of h that comes from the following step
  E* dc_ = nullptr;                 // [unit_blocks][B][32]: the same of c
  E* dhidden_ = nullptr;            // [unit_blocks][B][32]: gradient of h before its projection
  N* dgates_ = nullptr;             // [positions * unit_blocks][rows][32]
  N* dy_operand_ = nullptr;         // [output_blocks][rows][32]
  N* recurrent_panels_;             // [output_blocks][panel of gate_rows]
  N* input_panels_;                 // [input blocks][panel of gate_rows]
  N* projection_panels_ = nullptr;  // [unit_blocks][panel of P]
  N* x_ = nullptr;                  // [blocks_of(I)][rows][32]
  N* scratch_ = nullptr;            // [threads][TransposedPieces::kScratch]
  int32_t* slots_ = nullptr;        // [rows]: number of the row's token among those that occur
  int32_t* slot_tokens_ = nullptr;  // [slots]
  int32_t* slot_of_ = nullptr;      // [I]
  E* slot_sums_ = nullptr;          // [threads][slots][32]
  int64_t slot_count_ = 0;
};

template <class N>
void backward_of(const RnnContext& context, const RnnDesc& desc, const RnnBackwardArgs& args) {
  const RnnShape shape(desc, args.steps, args.batch);
  Carver measure(nullptr);
  Backward<N>(context, shape, args, measure);
  Carver carver(context.workspace.take(measure.bytes()));
  Backward<N> backward(context, shape, args, carver);
  backward.prepare();
  share_pass(context, RnnPass::backward, shape, backward.rows(), [&](const Sharing& sharing) {
    context.team.run(sharing.members, [&](int thread) { backward.run(thread, sharing); });
  });
}

}  // namespace

void rnn_backward(const RnnContext& context, const RnnDesc& desc, const RnnBackwardArgs& args) {
  if (const std::string reason = rnn_supports(desc); !reason.empty()) throw Error(reason);
  with_operand_type(desc, [&](auto number) { backward_of<decltype(number)>(context, desc, args); });
}

}  // namespace deep_rnn::cpu
