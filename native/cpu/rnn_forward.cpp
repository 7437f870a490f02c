#include "core/error.h"
#include "cpu/rnn.h"
#include "cpu/rnn_memory.h"
#include "cpu/rnn_sharing.h"

namespace deep_rnn::cpu {

namespace {

template <class N>
class Forward {
  using E = Sum<N>;

 public:
  Forward(const RnnContext& context, const RnnShape& shape, const RnnForwardArgs& args, Carver& carver)
      : team_(context.team),
        gemm_(gemm_table<N>(context.kernels)),
        exact_gemm_(gemm_table<E>(context.kernels)),
        vectors_(vector_table<E>(context.kernels)),
        cell_(cell_table<N>(context.kernels).forward[int(shape.desc.cell)]),
        shape_(shape),
        desc_(shape.desc),
        args_(args),
        rows_(carver, shape.steps, shape.batch, shape.groups),
        recurrent_panel_(panel_size<N>(desc_.output_size())),
        projection_panel_(panel_size<N>(desc_.hidden_size)),
        dropping_(args.training && desc_.dropout > 0) {
    int64_t input_panel = 0;
    for (int64_t layer = 0; layer < std::min<int64_t>(desc_.layers, 2); layer++)
      if (layer > 0 || args.x) input_panel = std::max(input_panel, input_panel_size(layer));
    const int64_t panels = shape.gates * shape.unit_blocks;
    input_panels_ = carver.array<N>(panels * input_panel);
    recurrent_panels_ = carver.array<N>(panels * recurrent_panel_);
    if (shape.projects()) projection_panels_ = carver.array<N>(shape.output_blocks * projection_panel_);
    bias_ = carver.array<E>(shape.order.positions * shape.unit_blocks * kBlock);
    if (args.tokens) {
      tokens_ = carver.array<int32_t>(shape.steps * shape.batch);
      token_panels_ = carver.array<E>(panels * panel_size<E>(desc_.input_size));
    } else if (desc_.input_mode == InputMode::skip) {
      skip_input_ = carver.array<E>(shape.unit_blocks * shape.block);
    } else {
      x_ = carver.array<N>(blocks_of(desc_.input_size) * shape.block);
    }
    state_memory_ = args.reserve;
    if (!args.reserve) {
      // Without backward a layer's state is needed by the layer above it only.
      kept_layers_ = std::min<int64_t>(desc_.layers, 2);
      state_memory_ = carver.array<char>(int64_t(layer_state_bytes<N>(shape)) * kept_layers_ * shape.directions);
    }
  }

  // Checks and everything else that may throw.
  void prepare() {
    rows_.arrange(args_.lengths);
    if (!args_.tokens) return;
    rows_.for_each([&](int64_t t, int64_t sequence, int64_t row) {
      const int32_t token = args_.tokens[t * shape_.batch + sequence];
      if (token < 0 || token >= desc_.input_size)
        throw Error("token " + std::to_string(token) + " outside 0.." + std::to_string(desc_.input_size - 1) + " at step " +
                    std::to_string(t) + ", row " + std::to_string(sequence));
      tokens_[row] = token;
    });
  }

  int64_t rows() const { return rows_.total(); }

  // By every member of the team.
  void run(int thread, const Sharing& sharing) {
    const StepPart part(shape_, thread, sharing);
    if (args_.x) share_steps(team_, thread, part, rows_, [&](int64_t group, int64_t t) { take_input(group, t); });
    for (int64_t layer = 0; layer < desc_.layers; layer++) {
      for (int64_t direction = 0; direction < shape_.directions; direction++) {
        const LayerState<N> state = state_of(layer, direction);
        pack(thread, layer, direction, state);
        // Rows of weights that tokens pick are added by the steps.
        const int32_t* const tokens = layer == 0 ? tokens_ : nullptr;
        if (!tokens) input_product(thread, part, layer, direction, state);
        for (int64_t i = 0; i < rows_.steps(); i++)
          step(direction, direction == 0 ? i : rows_.steps() - 1 - i, state, tokens, part);
        team_.barrier();
        give_final_state(thread, part, layer, direction, state);
      }
      if (dropping_ && layer + 1 < desc_.layers)
        share_steps(team_, thread, part, rows_, [&](int64_t group, int64_t t) {
          for (int64_t direction = 0; direction < shape_.directions; direction++) drop(layer, direction, group, t);
        });
    }
    share_steps(team_, thread, part, rows_, [&](int64_t group, int64_t t) { give_output(group, t); });
  }

 private:
  LayerState<N> state_of(int64_t layer, int64_t direction) const {
    const int64_t kept = kept_layers_ > 0 ? layer % kept_layers_ : layer;
    return layer_state_at<N>(shape_, state_memory_, kept * shape_.directions + direction);
  }

  // Of one gate's panel of input weights, one source after another.
  int64_t input_panel_size(int64_t layer) const { return shape_.sources(layer) * panel_size<N>(shape_.source_width(layer)); }

  // [B][columns] of one layer and direction in the caller's initial or final states.
  template <class T>
  T* caller_state(T* all, int64_t layer, int64_t direction, int64_t columns) const {
    return all ? all + (layer * shape_.directions + direction) * shape_.batch * columns : nullptr;
  }

  void take_input(int64_t group, int64_t t) {
    for (int64_t row = 0; row < rows_.active(group, t); row++) {
      const E* const from = static_cast<const E*>(args_.x) + (t * shape_.batch + rows_.order(group, row)) * desc_.input_size;
      const int64_t to = (rows_.offset(group, t) + row) * kBlock;
      if (skip_input_) {
        row_to_blocks(desc_.input_size, from, skip_input_ + to, shape_.block);
      } else {
        row_to_blocks(desc_.input_size, from, x_ + to, shape_.block);
      }
    }
  }

  // Weights into panels, biases into rows of 32, initial states into their rows.
  void pack(int thread, int64_t layer, int64_t direction, const LayerState<N>& state) {
    const LayerParams<const E> params = layer_params(desc_, static_cast<const E*>(args_.params), layer, direction);
    const int64_t H = desc_.hidden_size, O = desc_.output_size(), panels = shape_.gates * shape_.unit_blocks;
    // `columns` columns of one gate's weights from `first` on, for the 32 units of a panel.
    const auto pack_gate = [&](const auto& gemm, const E* weight, int64_t weight_row, int64_t first, int64_t columns,
                               const int* gate_at, int64_t panel, auto* to) {
      const int64_t unit = panel % shape_.unit_blocks * kBlock, gate = gate_at[panel / shape_.unit_blocks];
      gemm.pack_transposed_panel(std::min(kBlock, H - unit), columns, weight + (gate * H + unit) * weight_row + first,
                                 weight_row, to);
    };
    const auto pack_input = [&](int64_t panel) {
      const int64_t I = desc_.layer_input_size(layer), width = shape_.source_width(layer);
      if (layer == 0 && tokens_)
        return pack_gate(exact_gemm_, params.weight_ih, I, 0, I, shape_.order.input_gate, panel,
                         token_panels_ + panel * panel_size<E>(I));
      for (int64_t source = 0; source < shape_.sources(layer); source++)
        pack_gate(gemm_, params.weight_ih, I, source * width, width, shape_.order.input_gate, panel,
                  input_panels_ + panel * input_panel_size(layer) + source * panel_size<N>(width));
    };
    const auto pack_recurrent = [&](int64_t item) {
      pack_gate(gemm_, params.weight_hh, O, 0, O, shape_.order.recurrent_gate, shape_.panel_by_units(item),
                recurrent_panels_ + item * recurrent_panel_);
    };
    const auto pack_projection = [&](int64_t panel) {
      gemm_.pack_transposed_panel(std::min(kBlock, O - panel * kBlock), H, params.weight_hr + panel * kBlock * H, H,
                                  projection_panels_ + panel * projection_panel_);
    };
    const int64_t lists[] = {panels, params.weight_ih ? panels : 0, params.weight_hr ? shape_.output_blocks : 0, shape_.batch,
                             1};
    team_.share(thread, lists, 5, [&](int list, int64_t item) {
      switch (list) {
        case 0:
          return pack_recurrent(item);
        case 1:
          return pack_input(shape_.panel_by_units(item));
        case 2:
          return pack_projection(item);
        case 3:
          return take_initial_state(layer, direction, item, state);
        default:
          return pack_bias(shape_, exact_gemm_, params, bias_);
      }
    });
  }

  void take_initial_state(int64_t layer, int64_t direction, int64_t sequence, const LayerState<N>& state) {
    const int64_t to = (rows_.initial_row(direction) + sequence) * kBlock;
    const auto take = [&](const void* all, int64_t columns, auto* blocks) {
      const E* from = caller_state(static_cast<const E*>(all), layer, direction, columns);
      row_to_blocks(columns, from ? from + rows_.order(sequence) * columns : nullptr, blocks + to, shape_.block);
    };
    take(args_.h0, desc_.output_size(), state.h);
    if constexpr (kRounds<N>) take(args_.h0, desc_.output_size(), state.h_operand);
    if (shape_.has_cell_state()) take(args_.c0, desc_.hidden_size, state.c);
  }

  // Gates = bias + input W, over the rows of all steps at once.
  void input_product(int thread, const StepPart& share, int64_t layer, int64_t direction, const LayerState<N>& state) {
    const int64_t panels = shape_.gates * shape_.unit_blocks, width = shape_.source_width(layer);
    const auto [first, end] = rows_of(share, rows_);
    const int64_t first_row = first, count = end - first;
    E* const gates = state.gates + (rows_.first_row(direction) + first_row) * kBlock;
    if (layer == 0 && skip_input_) {
      share_pieces(team_, thread, share, panels, [&](int64_t item) {
        const int64_t panel = shape_.panel_by_units(item);
        const E* x = skip_input_ + panel % shape_.unit_blocks * shape_.block + first_row * kBlock;
        for (int64_t row = 0; row < count; row++) {
          E* to = gates + panel * shape_.block + row * kBlock;
          std::copy_n(bias_ + panel * kBlock, kBlock, to);
          exact_gemm_.add(kBlock, x + row * kBlock, to);
        }
      });
      return;
    }
    PanelProduct<N> product{};
    product.init = Init::bias;
    product.rows = count;
    product.panels = shape_.unit_blocks;
    product.k = width;
    product.a_block = shape_.block;
    product.w_panel = input_panel_size(layer);
    product.w_row = kPanelRow<N>;
    product.bias_panel = kBlock;
    product.c_panel = shape_.block;
    product.c_row = kBlock;
    // All gates of some units make a piece, so that most are written by the thread that goes on with them.
    share_pieces(team_, thread, share, PanelPieces<N>(gemm_, product, shape_.gates).count(), [&](int64_t piece) {
      for (int64_t panel = 0; panel < panels; panel += shape_.unit_blocks) {
        for (int64_t source = 0; source < shape_.sources(layer); source++) {
          PanelProduct<N> part = product;
          if (source > 0) part.init = Init::accumulate;
          part.a = (layer == 0 ? x_ : output_of(layer - 1, source)) + first_row * kBlock;
          part.w = input_panels_ + panel * part.w_panel + source * panel_size<N>(width);
          part.bias = bias_ + panel * kBlock;
          part.c = gates + panel * shape_.block;
          PanelPieces<N>(gemm_, part, shape_.gates).run(piece);
        }
      }
    });
  }

  // What the layer above reads, without rows of initial states.
  const N* output_of(int64_t layer, int64_t direction) const {
    const LayerState<N> state = state_of(layer, direction);
    return dropping_ ? state.dropped : state.h_operand + rows_.first_row(direction) * kBlock;
  }

  // tokens: [rows] where they are the input of the layer, else null.
  void step(int64_t direction, int64_t t, const LayerState<N>& state, const int32_t* tokens, const StepPart& part) {
    for (int64_t group = part.group_begin; group < part.group_end; group++)
      recurrent_step(group, direction, t, state, tokens, part);
    if (part.waits) team_.barrier();
    if (!shape_.projects()) return;
    for (int64_t group = part.group_begin; group < part.group_end; group++) project(group, direction, t, state, part);
    if (part.waits) team_.barrier();
  }

  int runs_of(int64_t group, int64_t direction, int64_t t, const StepPart& part, RowRun runs[2]) const {
    const int64_t rows = rows_.batch(group);
    return rows_.step_runs(direction, group, t, part.row_begin(rows), part.row_end(rows), runs);
  }

  void recurrent_step(int64_t group, int64_t direction, int64_t t, const LayerState<N>& state, const int32_t* tokens,
                      const StepPart& part) {
    RowRun runs[2];
    const int count = runs_of(group, direction, t, part, runs);
    const int64_t panels = shape_.gates * (part.unit_end - part.unit_begin);
    const auto tokens_of = [&](const RowRun& run) { return tokens ? tokens + run.a - rows_.first_row(direction) : nullptr; };
    for (int i = 0; i < count; i++) {
      const bool far = weights_are_far<N>(panels, desc_.output_size(), runs[i].count);
      if (part.waits)
        fetch_from_others(gemm_, state.h_operand + runs[i].b * kBlock, shape_.block, shape_.output_blocks, part.output_begin,
                          part.output_end, runs[i].count);
      for (int64_t block = part.unit_begin; block < part.unit_end; block++) {
        const bool first = block == part.unit_begin;
        if (far) {
          units(block, first, runs[i], state, tokens_of(runs[i]),
                weights_of(block + 1 < part.unit_end ? block + 1 : part.unit_begin));
        } else {
          for_tiles(runs[i], [&](const RowRun& tile) { units(block, first, tile, state, tokens_of(tile), nullptr); });
        }
      }
    }
  }

  // Calls f with the fewest tiles of nearly equal height.
  template <class F>
  void for_tiles(const RowRun& run, F f) const {
    const int64_t tiles = (run.count + gemm_.tile_rows - 1) / gemm_.tile_rows;
    for (int64_t i = 0; i < tiles; i++) {
      const int64_t first = run.count * i / tiles, end = run.count * (i + 1) / tiles;
      f(RowRun{run.a + first, run.b + first, end - first});
    }
  }

  // Of all gates of 32 units.
  const N* weights_of(int64_t block) const { return recurrent_panels_ + block * shape_.gates * recurrent_panel_; }

  // The recurrent product of 32 units' gates, then the cell while they are in the first-level cache, or in the second where
  // weights are far. first: whether these rows are taken for the first time; tokens: of these rows, or null; next_weights:
  // where weights are far those which come next, else null.
  void units(int64_t block, bool first, const RowRun& rows, const LayerState<N>& state, const int32_t* tokens,
             const N* next_weights) {
    const GateOrder& order = shape_.order;
    const int64_t O = desc_.output_size(), between_gates = shape_.unit_blocks * shape_.block;
    const auto at = [&](auto* matrix, int64_t row) { return matrix ? matrix + block * shape_.block + row * kBlock : nullptr; };
    const int64_t token_panel = panel_size<E>(desc_.input_size);
    // Of the input's weights of one gate.
    const auto table_of = [&](int64_t gate) { return token_panels_ + (gate * shape_.unit_blocks + block) * token_panel; };
    const auto product = [&](int64_t gate, int64_t gates, Init init) {
      if (gates == 0) return;
      PanelProduct<N> product{};
      product.init = init;
      product.rows = rows.count;
      product.panels = gates;
      product.k = O;
      product.a = state.h_operand + rows.b * kBlock;
      product.a_block = shape_.block;
      product.w = weights_of(block) + gate * recurrent_panel_;
      product.w_panel = recurrent_panel_;
      product.w_row = kPanelRow<N>;
      product.bias = bias_ + ((order.first_recurrent + gate) * shape_.unit_blocks + block) * kBlock;
      product.bias_panel = shape_.unit_blocks * kBlock;
      if (init == Init::bias_and_picked) {
        product.picks = tokens;
        product.table = table_of(order.first_recurrent + gate);
        product.table_panel = shape_.unit_blocks * token_panel;
      }
      product.c = at(state.gates, rows.a) + (order.first_recurrent + gate) * between_gates;
      product.c_panel = between_gates;
      product.c_row = kBlock;
      product.far = next_weights != nullptr;
      product.fetches_rows = first && gate == 0;
      product.next_w = gate + gates < shape_.gates ? product.w + gates * recurrent_panel_ : next_weights;
      gemm_.panel_product(product);
    };
    // Gates that take nothing from h.
    for (int64_t gate = 0; tokens && gate < order.first_recurrent; gate++)
      vectors_.gather_rows(rows.count, tokens, table_of(gate), bias_ + (gate * shape_.unit_blocks + block) * kBlock,
                           at(state.gates, rows.a) + gate * between_gates);
    product(0, order.shared, tokens ? Init::bias_and_picked : Init::accumulate);
    product(order.shared, shape_.gates - order.shared, Init::bias);

    CellTile<N> cell{};
    cell.count = rows.count * kBlock;
    for (int i = 0; i < order.positions; i++) cell.gates[i] = at(state.gates, rows.a) + i * between_gates;
    cell.c_prev = at(state.c, rows.b);
    cell.c = at(state.c, rows.a);
    if (shape_.projects()) {
      cell.h_operand = at(state.hidden, rows.a);
    } else {
      cell.h_prev = at(state.h, rows.b);
      cell.h = at(state.h, rows.a);
      cell.h_operand = at(state.h_operand, rows.a);
    }
    cell.clip = E(desc_.clip);
    cell_(cell);
  }

  void project(int64_t group, int64_t direction, int64_t t, const LayerState<N>& state, const StepPart& part) {
    RowRun runs[2];
    const int count = runs_of(group, direction, t, part, runs);
    for (int i = 0; i < count; i++) project_rows(runs[i], state, part);
  }

  void project_rows(const RowRun& run, const LayerState<N>& state, const StepPart& part) {
    if (part.waits)
      fetch_from_others(gemm_, state.hidden + run.a * kBlock, shape_.block, shape_.unit_blocks, part.unit_begin, part.unit_end,
                        run.count);
    PanelProduct<N> product{};
    product.init = Init::zero;
    product.rows = run.count;
    product.panels = part.output_end - part.output_begin;
    product.k = desc_.hidden_size;
    product.a = state.hidden + run.a * kBlock;
    product.a_block = shape_.block;
    product.w = projection_panels_ + part.output_begin * projection_panel_;
    product.w_panel = projection_panel_;
    product.w_row = kPanelRow<N>;
    product.c = state.h + part.output_begin * shape_.block + run.a * kBlock;
    product.c_panel = shape_.block;
    product.c_row = kBlock;
    repeated_product(gemm_, product);
    if constexpr (kRounds<N>) {
      for (int64_t block = part.output_begin; block < part.output_end; block++) {
        const int64_t at = block * shape_.block + run.a * kBlock;
        gemm_.round(run.count * kBlock, state.h + at, state.h_operand + at);
      }
    }
  }

  void give_final_state(int thread, const StepPart& part, int64_t layer, int64_t direction, const LayerState<N>& state) {
    share_groups(team_, thread, part, rows_, [&](int64_t group) {
      const auto give = [&](const E* blocks, int64_t columns, void* all) {
        E* const to = caller_state(static_cast<E*>(all), layer, direction, columns);
        if (!to) return;
        for (int64_t row = 0; row < rows_.batch(group); row++)
          blocks_to_row(columns, blocks + rows_.final_row(direction, group, row) * kBlock, shape_.block,
                        to + rows_.order(group, row) * columns);
      };
      give(state.h, desc_.output_size(), args_.hn);
      if (shape_.has_cell_state()) give(state.c, desc_.hidden_size, args_.cn);
    });
  }

  void drop(int64_t layer, int64_t direction, int64_t group, int64_t t) {
    const LayerState<N> state = state_of(layer, direction);
    drop_step<N>(shape_, rows_, args_.seed, layer, direction, group, t, state.h + rows_.step_row(direction, group, t) * kBlock,
                 state.dropped + rows_.offset(group, t) * kBlock);
  }

  void give_output(int64_t group, int64_t t) {
    const int64_t width = desc_.output_size(), D = shape_.directions;
    for (int64_t direction = 0; direction < D; direction++) {
      const LayerState<N> state = state_of(desc_.layers - 1, direction);
      for (int64_t row = 0; row < rows_.batch(group); row++) {
        E* to = static_cast<E*>(args_.y) + ((t * shape_.batch + rows_.order(group, row)) * D + direction) * width;
        if (row < rows_.active(group, t)) {
          blocks_to_row(width, state.h + (rows_.step_row(direction, group, t) + row) * kBlock, shape_.block, to);
        } else {
          std::fill_n(to, width, E(0));
        }
      }
    }
  }

  Team& team_;
  const GemmTable<N>& gemm_;
  const GemmTable<E>& exact_gemm_;
  const VectorTable<E>& vectors_;
  void (*const cell_)(const CellTile<N>&);
  const RnnShape& shape_;
  const RnnDesc& desc_;
  const RnnForwardArgs& args_;
  PackedRows rows_;
  const int64_t recurrent_panel_, projection_panel_;
  const bool dropping_;
  int64_t kept_layers_ = 0;  // 0: all
  void* state_memory_;
  N* x_ = nullptr;                  // [blocks_of(I)][rows][32]
  E* skip_input_ = nullptr;         // the same of input that no product takes
  int32_t* tokens_ = nullptr;       // [rows]
  E* token_panels_ = nullptr;       // [gates][unit_blocks][I][32]: rows that tokens pick are not rounded
  N* input_panels_;                 // [gates][unit_blocks][sources][panel of a source's width]
  N* recurrent_panels_;             // [unit_blocks][gates][panel of O]
  N* projection_panels_ = nullptr;  // [output_blocks][panel of H]
  E* bias_;                         // [positions][unit_blocks][32]
};

template <class N>
void forward_of(const RnnContext& context, const RnnDesc& desc, const RnnForwardArgs& args) {
  const RnnShape shape(desc, args.steps, args.batch);
  Carver measure(nullptr);
  Forward<N>(context, shape, args, measure);
  Carver carver(context.workspace.take(measure.bytes()));
  Forward<N> forward(context, shape, args, carver);
  forward.prepare();
  const RnnPass pass = args.reserve ? RnnPass::forward : RnnPass::inference;
  share_pass(context, pass, shape, forward.rows(), true, [&](const Sharing& sharing) {
    context.team.run(sharing.members, [&](int thread) { forward.run(thread, sharing); });
  });
}

}  // namespace

void rnn_forward(const RnnContext& context, const RnnDesc& desc, const RnnForwardArgs& args) {
  if (const std::string reason = rnn_supports(desc); !reason.empty()) throw Error(reason);
  if (args.tokens && desc.input_mode == InputMode::skip) throw Error("skip input takes vectors, not tokens");
  if (args.training && desc.dropout > 0 && !args.reserve) throw Error("training with dropout needs the reserve");
  with_operand_type(desc, [&](auto number) { forward_of<decltype(number)>(context, desc, args); });
}

}  // namespace deep_rnn::cpu
