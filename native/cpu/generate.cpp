#include "cpu/generate.h"

#include <vector>

#include "core/error.h"
#include "cpu/rnn.h"
#include "cpu/rnn_memory.h"
#include "cpu/rnn_sharing.h"
#include "cpu/sampler.h"

namespace deep_rnn::cpu {

namespace {

// The stack on one row, each thread with some units of every layer: a product streams through the weights once, and what
// threads need of each other is h after a layer. A vector is a matrix of one row in column blocks: contiguous, padded to a
// multiple of 32.
template <class N>
class Generator {
  using E = Sum<N>;

 public:
  Generator(const RnnContext& context, const RnnShape& shape, const GenerateDesc& desc, const GenerateArgs& args,
            Carver& carver)
      : team_(context.team),
        gemm_(gemm_table<N>(context.kernels)),
        exact_gemm_(gemm_table<E>(context.kernels)),
        vectors_(vector_table<E>(context.kernels)),
        cell_(cell_table<N>(context.kernels).forward[int(shape.desc.cell)]),
        shape_(shape),
        rnn_(shape.desc),
        desc_(desc),
        args_(args) {
    const int64_t padded = shape.unit_blocks * kBlock, panels = shape.gates * shape.unit_blocks;
    for (int64_t layer = 0; layer < rnn_.layers; layer++) {
      Layer of_layer{};
      if (layer == 0 && takes_tokens()) {
        of_layer.token_panels = carver.array<E>(panels * panel_size<E>(rnn_.input_size));
      } else if (layer > 0 || rnn_.input_mode == InputMode::linear) {
        of_layer.input_panels = carver.array<N>(panels * panel_size<N>(rnn_.layer_input_size(layer)));
      }
      of_layer.recurrent_panels = carver.array<N>(panels * panel_size<N>(rnn_.output_size()));
      if (shape.projects()) of_layer.projection_panels = carver.array<N>(shape.output_blocks * panel_size<N>(rnn_.hidden_size));
      of_layer.bias = carver.array<E>(shape.order.positions * padded);
      for (State& state : of_layer.states) {
        state.h = carver.array<E>(shape.output_blocks * kBlock);
        state.h_operand = carve_operand<N>(carver, shape.output_blocks * kBlock, state.h);
      }
      if (shape.has_cell_state()) of_layer.c = carver.array<E>(padded);
      layers_.push_back(of_layer);
    }
    hidden_ = carver.array<N>(padded);
    for (int thread = 0; thread < team_.size(); thread++) {
      Own own{Sampler<E>(desc, carver), nullptr, nullptr, carver.array<E>(desc.vocabulary),
              carver.array<E>(shape.order.positions * padded)};
      if (rnn_.input_mode == InputMode::skip) {
        own.skip_input = carver.array<E>(padded);
      } else {
        own.x = carver.array<N>(blocks_of(rnn_.input_size) * kBlock);
      }
      own_.push_back(own);
    }
  }

  // Each of these by every member of the team.

  void pack(int thread) {
    for (int64_t layer = 0; layer < rnn_.layers; layer++) pack(thread, layer);
  }

  // Feeds the tokens begin..end-1 of the prefix.
  void feed_prefix(int thread, const Sharing& sharing, int64_t begin, int64_t end) {
    const StepPart part(shape_, thread, sharing);
    for (int64_t fed = begin; fed < end; fed++) feed(thread, fed, args_.prefix[fed], part);
  }

  // Draws the tokens begin..end-1 and feeds them.
  void draw(int thread, const Sharing& sharing, int64_t begin, int64_t end) {
    const StepPart part(shape_, thread, sharing);
    for (int64_t drawn = begin; drawn < end; drawn++) {
      // Every thread draws the same one for itself, which is sooner than to be told.
      const int32_t token = own_[size_t(thread)].sampler.draw(logits(thread, sharing.members, desc_.prefix + drawn), drawn);
      if (thread == 0) args_.tokens[drawn] = token;
      // The last token is left to the caller, who begins with it to go on.
      if (drawn + 1 < desc_.length) feed(thread, desc_.prefix + drawn, token, part);
    }
  }

  // By one thread, at the end.
  void give_state() {
    const int64_t fed = desc_.prefix + std::max<int64_t>(desc_.length - 1, 0);
    for (int64_t i = 0; i < rnn_.layers; i++) {
      const Layer& layer = layers_[size_t(i)];
      std::copy_n(layer.states[fed % 2].h, rnn_.output_size(), static_cast<E*>(args_.h) + i * rnn_.output_size());
      if (layer.c) std::copy_n(layer.c, rnn_.hidden_size, static_cast<E*>(args_.c) + i * rnn_.hidden_size);
    }
  }

 private:
  struct State {
    E* h;          // [O]
    N* h_operand;  // [O]: h rounded to N; h itself where N is E
  };

  struct Layer {
    E* token_panels;       // [unit_blocks][gates][panel of V]: rows that tokens pick are not rounded
    N* input_panels;       // [unit_blocks][gates][panel of I], null for skip input
    N* recurrent_panels;   // [unit_blocks][gates][panel of O]
    N* projection_panels;  // [output_blocks][panel of H]
    E* bias;               // [positions][unit_blocks][32]
    State states[2];       // before a step and after it, by turns
    E* c;                  // [H]
  };

  // Of one thread.
  struct Own {
    Sampler<E> sampler;
    N* x;           // [I]
    E* skip_input;  // [I], of input that no product takes
    E* logits;      // [V]
    E* gates;       // [positions][H]
  };

  bool takes_tokens() const { return desc_.embedding_size == 0; }

  void pack(int thread, int64_t layer) {
    const Layer& to = layers_[size_t(layer)];
    const int64_t H = rnn_.hidden_size, O = rnn_.output_size(), I = rnn_.layer_input_size(layer), UB = shape_.unit_blocks;
    const LayerParams<const E> params = layer_params(rnn_, static_cast<const E*>(args_.params), layer, 0);
    team_.share(thread, shape_.gates * UB, [&](int64_t item) {
      const int64_t i = item % shape_.gates, unit = item / shape_.gates * kBlock, units = std::min(kBlock, H - unit);
      const E* const recurrent = params.weight_hh + (shape_.order.recurrent_gate[i] * H + unit) * O;
      gemm_.pack_transposed_panel(units, O, recurrent, O, to.recurrent_panels + item * panel_size<N>(O));
      if (!params.weight_ih) return;
      const E* const input = params.weight_ih + (shape_.order.input_gate[i] * H + unit) * I;
      if (to.token_panels) {
        exact_gemm_.pack_transposed_panel(units, I, input, I, to.token_panels + item * panel_size<E>(I));
      } else {
        gemm_.pack_transposed_panel(units, I, input, I, to.input_panels + item * panel_size<N>(I));
      }
    });
    if (params.weight_hr)
      team_.share(thread, shape_.output_blocks, [&](int64_t block) {
        gemm_.pack_transposed_panel(std::min(kBlock, O - block * kBlock), H, params.weight_hr + block * kBlock * H, H,
                                    to.projection_panels + block * panel_size<N>(H));
      });
    team_.share(thread, 1, [&](int64_t) {
      pack_bias(shape_, exact_gemm_, params, to.bias);
      const E* const h = static_cast<const E*>(args_.h) + layer * O;
      row_to_blocks(O, h, to.states[0].h, kBlock);
      if constexpr (kRounds<N>) row_to_blocks(O, h, to.states[0].h_operand, kBlock);
      if (to.c) row_to_blocks(H, static_cast<const E*>(args_.c) + layer * H, to.c, kBlock);
    });
  }

  // c[panels] = init + a W; bias and c: 32 numbers of each panel, `apart` from the next one's.
  template <class A>
  static void product(const GemmTable<A>& gemm, Init init, int64_t panels, int64_t k, const A* a, const A* w, const E* bias,
                      E* c, int64_t apart = kBlock) {
    PanelProduct<A> product{};
    product.init = init;
    product.rows = 1;
    product.panels = panels;
    product.k = k;
    product.a = a;
    product.a_block = kBlock;
    product.w = w;
    product.w_panel = panel_size<A>(k);
    product.w_row = kPanelRow<A>;
    product.bias = bias;
    product.bias_panel = apart;
    product.c = c;
    product.c_panel = apart;
    product.c_row = kBlock;
    gemm.panel_product(product);
  }

  // Token number `fed` through all layers, one barrier each.
  void feed(int thread, int64_t fed, int32_t token, const StepPart& part) {
    const Own& own = own_[size_t(thread)];
    if (!takes_tokens()) take_embedding(own, static_cast<const E*>(args_.embedding) + token * rnn_.input_size);
    const N* x = own.x;
    for (int64_t i = 0; i < rnn_.layers; i++) {
      const Layer& layer = layers_[size_t(i)];
      const State &before = layer.states[fed % 2], &after = layer.states[(fed + 1) % 2];
      // All gates of a block of units in one product; of a cell with a single gate many blocks, for enough independent sums.
      const int64_t together = shape_.gates == 1 ? part.unit_end - part.unit_begin : 1;
      for (int64_t block = part.unit_begin; block < part.unit_end; block += together)
        add_up(own, layer, i, x, token, before.h_operand, block, together);
      cells(own, layer, before, after, part);
      if (shape_.projects()) {
        team_.barrier();
        project(layer, after, part);
      }
      team_.barrier();
      x = after.h_operand;
      fetch_from_others(gemm_, x, kBlock, shape_.output_blocks, part.output_begin, part.output_end, 1);
      if (kRounds<N> && i + 1 == rnn_.layers)  // the head takes h itself
        fetch_from_others(exact_gemm_, after.h, kBlock, shape_.output_blocks, part.output_begin, part.output_end, 1);
    }
  }

  void take_embedding(const Own& own, const E* row) {
    if (own.skip_input) {
      row_to_blocks(rnn_.input_size, row, own.skip_input, kBlock);
    } else {
      row_to_blocks(rnn_.input_size, row, own.x, kBlock);
    }
  }

  // The sums of the gates of some blocks of units, in the same order as a forward pass adds them up.
  void add_up(const Own& own, const Layer& layer, int64_t index, const N* x, int32_t token, const N* h, int64_t block,
              int64_t blocks) {
    const int64_t G = shape_.gates, apart = shape_.unit_blocks * kBlock, panel_apart = G == 1 ? kBlock : apart;
    const int64_t panel = block * G, panels = blocks * G, O = rnn_.output_size(), I = rnn_.layer_input_size(index);
    const E* const bias = layer.bias + block * kBlock;
    E* const gates = own.gates + block * kBlock;
    if (layer.input_panels) {
      product(gemm_, Init::bias, panels, I, x, layer.input_panels + panel * panel_size<N>(I), bias, gates, panel_apart);
    } else {
      for (int64_t i = 0; i < panels; i++) {
        const int64_t at = i * panel_apart;
        if (layer.token_panels) {
          vectors_.gather_rows(1, &token, layer.token_panels + (panel + i) * panel_size<E>(I), bias + at, gates + at);
        } else {
          std::copy_n(bias + at, kBlock, gates + at);
          exact_gemm_.add(kBlock, own.skip_input + (block + i % blocks) * kBlock, gates + at);
        }
      }
    }
    for (int64_t i = G; i < shape_.order.positions; i++) std::copy_n(bias + i * apart, kBlock, gates + i * apart);
    product(gemm_, Init::accumulate, panels, O, h, layer.recurrent_panels + panel * panel_size<N>(O), nullptr,
            gates + shape_.order.first_recurrent * apart, panel_apart);
  }

  void project(const Layer& layer, const State& after, const StepPart& part) {
    const int64_t H = rnn_.hidden_size, begin = part.output_begin, blocks = part.output_end - begin;
    product(gemm_, Init::zero, blocks, H, hidden_, layer.projection_panels + begin * panel_size<N>(H), nullptr,
            after.h + begin * kBlock);
    if constexpr (kRounds<N>) gemm_.round(blocks * kBlock, after.h + begin * kBlock, after.h_operand + begin * kBlock);
  }

  void cells(const Own& own, const Layer& layer, const State& before, const State& after, const StepPart& part) {
    const int64_t first = part.unit_begin * kBlock;
    CellTile<N> cell{};
    cell.count = part.unit_end * kBlock - first;
    for (int i = 0; i < shape_.order.positions; i++) cell.gates[i] = own.gates + i * shape_.unit_blocks * kBlock + first;
    if (layer.c) cell.c_prev = cell.c = layer.c + first;
    if (shape_.projects()) {
      cell.h_operand = hidden_ + first;
    } else {
      cell.h_prev = before.h + first;
      cell.h = after.h + first;
      cell.h_operand = after.h_operand + first;
    }
    cell.clip = E(rnn_.clip);
    cell_(cell);
  }

  // Of the token after number `fed`, for one member to read.
  const E* logits(int thread, int members, int64_t fed) {
    const int64_t V = desc_.vocabulary;
    const E* const h = layers_.back().states[fed % 2].h;
    if (V * rnn_.output_size() <= kHeadMacsAlone) {
      E* const all = own_[size_t(thread)].logits;
      head(0, V, h, all);
      return all;
    }
    E* const shared = own_[0].logits;
    head(V * thread / members, V * (thread + 1) / members, h, shared);
    team_.barrier();
    return shared;
  }

  void head(int64_t begin, int64_t end, const E* h, E* logits) const {
    const int64_t O = rnn_.output_size();
    const E* const bias = static_cast<const E*>(args_.head_bias);
    if (bias) std::copy(bias + begin, bias + end, logits + begin);
    const E* const weight = static_cast<const E*>(args_.head_weight) + begin * O;
    vectors_.dot_rows(bias != nullptr, end - begin, O, h, weight, O, logits + begin);
  }

  // Multiply-adds of a head that takes every thread less time than to share it.
  static constexpr int64_t kHeadMacsAlone = 32'768;

  Team& team_;
  const GemmTable<N>& gemm_;
  const GemmTable<E>& exact_gemm_;
  const VectorTable<E>& vectors_;
  void (*const cell_)(const CellTile<N>&);
  const RnnShape& shape_;
  const RnnDesc& rnn_;
  const GenerateDesc& desc_;
  const GenerateArgs& args_;
  std::vector<Layer> layers_;
  std::vector<Own> own_;
  N* hidden_;  // [H]: h before its projection
};

template <class N>
void generate_of(const RnnContext& context, const RnnDesc& rnn, const GenerateDesc& desc, const GenerateArgs& args) {
  const RnnShape shape(rnn, 1, 1);
  Carver measure(nullptr);
  Generator<N>(context, shape, desc, args, measure);
  Carver carver(context.workspace.take(measure.bytes()));
  Generator<N> generator(context, shape, desc, args, carver);
  context.team.run([&](int thread) { generator.pack(thread); });
  // In pieces, so that a long run profits from what its beginning taught the tuner. In short ones threads take long to wake up.
  const auto in_pieces = [&](int64_t tokens, auto body) {
    constexpr int64_t piece = 32;
    for (int64_t begin = 0; begin < tokens; begin += piece) {
      const int64_t end = std::min(begin + piece, tokens);
      share_pass(context, RnnPass::generation, shape, end - begin, end - begin >= piece / 2, [&](const Sharing& sharing) {
        context.team.run(sharing.members, [&](int thread) { body(thread, sharing, begin, end); });
      });
    }
  };
  in_pieces(desc.prefix, [&](int thread, const Sharing& sharing, int64_t begin, int64_t end) {
    generator.feed_prefix(thread, sharing, begin, end);
  });
  in_pieces(desc.length, [&](int thread, const Sharing& sharing, int64_t begin, int64_t end) {
    generator.draw(thread, sharing, begin, end);
  });
  generator.give_state();
}

}  // namespace

void generate(const RnnContext& context, const RnnDesc& rnn, const GenerateDesc& desc, const GenerateArgs& args) {
  if (const std::string reason = rnn_supports(rnn); !reason.empty()) throw Error(reason);
  if (rnn.bidirectional) throw Error("a bidirectional stack cannot generate: it reads the future");
  if (desc.prefix < 1) throw Error("generation needs at least one token to begin with");
  if (desc.embedding_size == 0 && rnn.input_mode == InputMode::skip) throw Error("skip input takes vectors, not tokens");
  const int64_t expected = desc.embedding_size > 0 ? desc.embedding_size : desc.vocabulary;
  if (rnn.input_size != expected)
    throw Error("the stack takes " + std::to_string(rnn.input_size) + " inputs, but tokens give " + std::to_string(expected));
  for (int64_t i = 0; i < desc.prefix; i++)
    if (args.prefix[i] < 0 || args.prefix[i] >= desc.vocabulary)
      throw Error("token " + std::to_string(args.prefix[i]) + " outside 0.." + std::to_string(desc.vocabulary - 1) +
                  " at position " + std::to_string(i) + " of the prefix");
  with_operand_type(rnn, [&](auto number) { generate_of<decltype(number)>(context, rnn, desc, args); });
}

}  // namespace deep_rnn::cpu
