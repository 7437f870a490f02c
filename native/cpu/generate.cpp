#include "cpu/generate.h"

#include <vector>

#include "core/error.h"
#include "cpu/rnn.h"
#include "cpu/rnn_memory.h"
#include "cpu/sampler.h"

namespace deep_rnn::cpu {

namespace {

// The stack on one row. A vector is a matrix of one row in column blocks: contiguous, padded to a multiple of 32.
template <class E>
class Generator {
 public:
  Generator(Team& team, const KernelSet& kernels, const RnnShape& shape, const GenerateDesc& desc, const GenerateArgs& args,
            Carver& carver)
      : team_(team),
        gemm_(gemm_table<E>(kernels)),
        cell_(cell_table<E>(kernels).forward[int(shape.desc.cell)]),
        shape_(shape),
        rnn_(shape.desc),
        desc_(desc),
        args_(args),
        sampler_(desc, carver) {
    const int64_t padded = shape.unit_blocks * kBlock, panels = shape.gates * shape.unit_blocks;
    for (int64_t layer = 0; layer < rnn_.layers; layer++) {
      Layer of_layer{};
      if (layer > 0 || rnn_.input_mode == InputMode::linear)
        of_layer.input_panels = carver.array<E>(panels * rnn_.layer_input_size(layer) * kBlock);
      of_layer.recurrent_panels = carver.array<E>(panels * rnn_.output_size() * kBlock);
      if (shape.projects()) of_layer.projection_panels = carver.array<E>(shape.output_blocks * rnn_.hidden_size * kBlock);
      of_layer.bias = carver.array<E>(shape.order.positions * padded);
      for (E*& h : of_layer.h) h = carver.array<E>(shape.output_blocks * kBlock);
      if (shape.has_cell_state()) of_layer.c = carver.array<E>(padded);
      layers_.push_back(of_layer);
    }
    x_ = carver.array<E>(blocks_of(rnn_.input_size) * kBlock);
    gates_ = carver.array<E>(shape.order.positions * padded);
    hidden_ = carver.array<E>(padded);
    head_panels_ = carver.array<E>(blocks_of(desc.vocabulary) * rnn_.output_size() * kBlock);
    head_bias_ = carver.array<E>(blocks_of(desc.vocabulary) * kBlock);
    logits_ = carver.array<E>(blocks_of(desc.vocabulary) * kBlock);
  }

  // By every member of the team.
  void run(int thread, int members) {
    const StepPart part(shape_, thread, members);
    for (int64_t layer = 0; layer < rnn_.layers; layer++) pack(layer);
    pack_head();
    int64_t fed = 0;
    for (; fed < desc_.prefix; fed++) feed(thread, fed, args_.prefix[fed], part);
    for (int64_t drawn = 0; drawn < desc_.length; drawn++) {
      head(thread, members, fed);
      if (thread == 0) args_.tokens[drawn] = sampler_.draw(logits_, drawn);
      team_.barrier();
      // The last token is left to the caller, who begins with it to go on.
      if (drawn + 1 < desc_.length) feed(thread, fed++, args_.tokens[drawn], part);
    }
    if (thread == 0) give_state(fed);
  }

 private:
  struct Layer {
    E* input_panels;       // [gates][unit_blocks][I][32], null for skip input
    E* recurrent_panels;   // [gates][unit_blocks][O][32]
    E* projection_panels;  // [output_blocks][H][32]
    E* bias;               // [positions][unit_blocks][32]
    E* h[2];               // [O]: the state before a step and after it, by turns
    E* c;                  // [H]
  };

  void pack(int64_t layer) {
    const Layer& to = layers_[size_t(layer)];
    const int64_t H = rnn_.hidden_size, O = rnn_.output_size(), I = rnn_.layer_input_size(layer), UB = shape_.unit_blocks;
    const LayerParams<const E> params = layer_params(rnn_, static_cast<const E*>(args_.params), layer, 0);
    team_.share(shape_.gates * UB, [&](int64_t panel) {
      const int64_t i = panel / UB, unit = panel % UB * kBlock, units = std::min(kBlock, H - unit);
      const int64_t recurrent_row = shape_.order.recurrent_gate[i] * H + unit,
                    input_row = shape_.order.input_gate[i] * H + unit;
      gemm_.pack_transposed_panel(units, O, params.weight_hh + recurrent_row * O, O, to.recurrent_panels + panel * O * kBlock);
      if (params.weight_ih)
        gemm_.pack_transposed_panel(units, I, params.weight_ih + input_row * I, I, to.input_panels + panel * I * kBlock);
    });
    if (params.weight_hr)
      team_.share(shape_.output_blocks, [&](int64_t block) {
        gemm_.pack_transposed_panel(std::min(kBlock, O - block * kBlock), H, params.weight_hr + block * kBlock * H, H,
                                    to.projection_panels + block * H * kBlock);
      });
    team_.share(1, [&](int64_t) {
      pack_bias(shape_, gemm_, params, to.bias);
      row_to_blocks(O, static_cast<const E*>(args_.h) + layer * O, to.h[0], kBlock);
      if (to.c) row_to_blocks(H, static_cast<const E*>(args_.c) + layer * H, to.c, kBlock);
    });
  }

  void pack_head() {
    const int64_t O = rnn_.output_size(), V = desc_.vocabulary;
    team_.share(blocks_of(V), [&](int64_t block) {
      const int64_t first = block * kBlock, count = std::min(kBlock, V - first);
      gemm_.pack_transposed_panel(count, O, static_cast<const E*>(args_.head_weight) + first * O, O, head_panels_ + first * O);
      row_to_blocks(count, args_.head_bias ? static_cast<const E*>(args_.head_bias) + first : nullptr, head_bias_ + first,
                    kBlock);
    });
  }

  // c[panels] = init + a W
  void product(Init init, int64_t panels, int64_t k, const E* a, const E* w, const E* bias, E* c) {
    PanelProduct<E> product{};
    product.init = init;
    product.rows = 1;
    product.panels = panels;
    product.k = k;
    product.a = a;
    product.a_block = kBlock;
    product.w = w;
    product.w_panel = k * kBlock;
    product.w_row = kBlock;
    product.bias = bias;
    product.bias_panel = kBlock;
    product.c = c;
    product.c_panel = kBlock;
    product.c_row = kBlock;
    gemm_.panel_product(product);
  }

  // Token number `fed` through all layers.
  void feed(int thread, int64_t fed, int32_t token, const StepPart& part) {
    const int64_t H = rnn_.hidden_size;
    if (desc_.embedding_size > 0) {
      if (thread == 0)
        row_to_blocks(rnn_.input_size, static_cast<const E*>(args_.embedding) + token * rnn_.input_size, x_, kBlock);
      team_.barrier();
    }
    for (int64_t i = 0; i < rnn_.layers; i++) {
      const Layer& layer = layers_[size_t(i)];
      E *before = layer.h[fed % 2], *after = layer.h[(fed + 1) % 2];
      if (i == 0 && desc_.embedding_size == 0) {
        token_gates(layer, token, part);
      } else {
        input_gates(layer, i == 0 ? x_ : layers_[size_t(i - 1)].h[(fed + 1) % 2], rnn_.layer_input_size(i), part);
      }
      recurrent_gates(layer, before, part);
      cells(layer, before, after, part);
      team_.barrier();
      if (!shape_.projects()) continue;
      product(Init::zero, part.output_end - part.output_begin, H, hidden_,
              layer.projection_panels + part.output_begin * H * kBlock, nullptr, after + part.output_begin * kBlock);
      team_.barrier();
    }
  }

  void token_gates(const Layer& layer, int32_t token, const StepPart& part) {
    for (int64_t i = 0; i < shape_.gates; i++) {
      for (int64_t block = part.unit_begin; block < part.unit_end; block++) {
        const int64_t panel = i * shape_.unit_blocks + block;
        gemm_.gather_rows(1, &token, layer.input_panels + panel * rnn_.input_size * kBlock, layer.bias + panel * kBlock,
                          gates_ + panel * kBlock);
      }
    }
  }

  void input_gates(const Layer& layer, const E* x, int64_t width, const StepPart& part) {
    for (int64_t i = 0; i < shape_.gates; i++) {
      const int64_t panel = i * shape_.unit_blocks + part.unit_begin, panels = part.unit_end - part.unit_begin;
      if (layer.input_panels) {
        product(Init::bias, panels, width, x, layer.input_panels + panel * width * kBlock, layer.bias + panel * kBlock,
                gates_ + panel * kBlock);
      } else {
        std::copy_n(layer.bias + panel * kBlock, panels * kBlock, gates_ + panel * kBlock);
        gemm_.add(panels * kBlock, x + part.unit_begin * kBlock, gates_ + panel * kBlock);
      }
    }
  }

  void recurrent_gates(const Layer& layer, const E* before, const StepPart& part) {
    const int64_t O = rnn_.output_size();
    for (int64_t i = 0; i < shape_.gates; i++) {
      const int64_t weight = i * shape_.unit_blocks + part.unit_begin;
      const int64_t position = weight + shape_.order.first_recurrent * shape_.unit_blocks;
      product(i < shape_.order.shared ? Init::accumulate : Init::bias, part.unit_end - part.unit_begin, O, before,
              layer.recurrent_panels + weight * O * kBlock, layer.bias + position * kBlock, gates_ + position * kBlock);
    }
  }

  void cells(const Layer& layer, E* before, E* after, const StepPart& part) {
    const int64_t first = part.unit_begin * kBlock;
    CellTile<E> cell{};
    cell.count = part.unit_end * kBlock - first;
    for (int i = 0; i < shape_.order.positions; i++) cell.gates[i] = gates_ + i * shape_.unit_blocks * kBlock + first;
    if (layer.c) cell.c_prev = cell.c = layer.c + first;
    if (!shape_.projects()) cell.h_prev = before + first;
    cell.h = (shape_.projects() ? hidden_ : after) + first;
    cell.clip = E(rnn_.clip);
    cell_(cell);
  }

  void head(int thread, int members, int64_t fed) {
    const int64_t O = rnn_.output_size(), blocks = blocks_of(desc_.vocabulary);
    const int64_t begin = blocks * thread / members, end = blocks * (thread + 1) / members;
    product(Init::bias, end - begin, O, layers_.back().h[fed % 2], head_panels_ + begin * O * kBlock,
            head_bias_ + begin * kBlock, logits_ + begin * kBlock);
    team_.barrier();
  }

  void give_state(int64_t fed) {
    for (int64_t i = 0; i < rnn_.layers; i++) {
      const Layer& layer = layers_[size_t(i)];
      std::copy_n(layer.h[fed % 2], rnn_.output_size(), static_cast<E*>(args_.h) + i * rnn_.output_size());
      if (layer.c) std::copy_n(layer.c, rnn_.hidden_size, static_cast<E*>(args_.c) + i * rnn_.hidden_size);
    }
  }

  Team& team_;
  const GemmTable<E>& gemm_;
  void (*const cell_)(const CellTile<E>&);
  const RnnShape& shape_;
  const RnnDesc& rnn_;
  const GenerateDesc& desc_;
  const GenerateArgs& args_;
  Sampler<E> sampler_;
  std::vector<Layer> layers_;
  E* x_;            // [I]
  E* gates_;        // [positions][H]
  E* hidden_;       // [H]: h before its projection
  E* head_panels_;  // [blocks_of(V)][O][32]
  E* head_bias_;    // [V]
  E* logits_;       // [V]
};

template <class E>
void generate_of(Team& team, Workspace& workspace, const KernelSet& kernels, const RnnDesc& rnn, const GenerateDesc& desc,
                 const GenerateArgs& args) {
  const RnnShape shape(rnn, 1, 1);
  Carver measure(nullptr);
  Generator<E>(team, kernels, shape, desc, args, measure);
  Carver carver(workspace.take(measure.bytes()));
  Generator<E> generator(team, kernels, shape, desc, args, carver);
  // One row is bound by reading the weights, and two caches hold more of them than one.
  constexpr int64_t rows_worth = 8;
  const int members = members_for(team, rows_worth * macs_per_step(shape));
  team.run(members, [&](int thread) { generator.run(thread, members); });
}

}  // namespace

void generate(Team& team, Workspace& workspace, const KernelSet& kernels, const RnnDesc& rnn, const GenerateDesc& desc,
              const GenerateArgs& args) {
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
  if (rnn.dtype == DType::float64) {
    generate_of<double>(team, workspace, kernels, rnn, desc, args);
  } else {
    generate_of<float>(team, workspace, kernels, rnn, desc, args);
  }
}

}  // namespace deep_rnn::cpu
