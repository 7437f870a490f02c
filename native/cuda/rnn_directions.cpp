#include "cuda/rnn_directions.h"

#include <algorithm>

#include "cuda/primitives.h"
#include "cuda/rnn_descriptors.h"
#include "cuda/rnn_params.h"

namespace deep_rnn::cuda {

namespace {

// One direction of a layer as a stack of its own.
RnnDesc part_of(const RnnDesc& desc, int64_t layer) {
  RnnDesc part = desc;
  part.bidirectional = false;
  part.layers = 1;
  part.dropout = 0;
  part.input_size = desc.layer_input_size(layer);
  if (layer > 0) part.input_mode = InputMode::linear;
  return part;
}

// An array from an element on; null stays null.
template <class T>
T* from_element(T* array, int64_t element, DType dtype) {
  return array ? reinterpret_cast<T*>(uintptr_t(array) + uintptr_t(element) * size_of(dtype)) : nullptr;
}

}  // namespace

struct RnnDirections::Pass {
  const RnnDesc& desc;
  const int64_t steps, batch;
  const int32_t* const lengths;
  const RnnParamLayout layout;

  Pass(const RnnDesc& desc, int64_t steps, int64_t batch, const int32_t* lengths)
      : desc(desc), steps(steps), batch(batch), lengths(lengths), layout(rnn_param_layout(desc)) {}

  int64_t O() const { return desc.output_size(); }
  size_t bytes(int64_t width) const { return size_t(steps * batch * width) * size_of(desc.dtype); }
  int64_t widest_input() const { return std::max(desc.input_size, 2 * O()); }
  int64_t length(int64_t sequence) const { return lengths ? lengths[sequence] : steps; }

  // A direction's parameters are laid out as those of a stack of one.
  template <class T>
  T* params(T* all, int64_t layer, int64_t direction) const {
    for (const RnnParamEntry& entry : layout.entries)
      if (entry.layer == layer && entry.direction == direction) return from_element(all, entry.offset, desc.dtype);
    return nullptr;
  }
  template <class T>
  T* state(T* all, int64_t layer, int64_t direction, int64_t width) const {
    return from_element(all, (2 * layer + direction) * batch * width, desc.dtype);
  }
};

bool RnnDirections::is_parted(const RnnDesc& desc, int64_t steps, int64_t batch) const {
  return desc.bidirectional && !rnn_.takes_at_once(desc, steps, batch);
}

size_t RnnDirections::reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const {
  if (!is_parted(desc, steps, batch)) return rnn_.reserve_bytes(desc, steps, batch);
  Carver carver(nullptr);
  kept_layers(Pass(desc, steps, batch, nullptr), carver);
  return carver.used();
}

std::vector<RnnPassExplanation> RnnDirections::explain(const RnnDesc& desc, int64_t steps, int64_t batch, bool uneven) const {
  return rnn_.explain(is_parted(desc, steps, batch) ? part_of(desc, 0) : desc, steps, batch, uneven);
}

std::vector<RnnDirections::Layer> RnnDirections::kept_layers(const Pass& pass, Carver& carver) const {
  std::vector<Layer> layers;
  for (int64_t l = 0; l < pass.desc.layers; l++) {
    Layer layer{};
    const size_t bytes = rnn_.reserve_bytes(part_of(pass.desc, l), pass.steps, pass.batch);
    for (void*& reserve : layer.reserves) reserve = carver.bytes(bytes);
    for (void*& output : layer.outputs) output = carver.bytes(pass.bytes(pass.O()));
    if (l > 0) layer.input = carver.bytes(pass.bytes(2 * pass.O()));
    layers.push_back(layer);
  }
  return layers;
}

std::vector<RnnDirections::Layer> RnnDirections::passing_layers(const Pass& pass, Carver& carver) const {
  void *outputs[2], *inputs[2];
  for (void*& output : outputs) output = carver.bytes(pass.bytes(pass.O()));
  for (void*& input : inputs) input = carver.bytes(pass.desc.layers > 1 ? pass.bytes(2 * pass.O()) : 0);
  std::vector<Layer> layers;
  for (int64_t l = 0; l < pass.desc.layers; l++)
    layers.push_back({{nullptr, nullptr}, {outputs[0], outputs[1]}, l > 0 ? inputs[l % 2] : nullptr});
  return layers;
}

void RnnDirections::move(const Pass& pass, DType dtype, bool reversed, bool accumulate, int64_t width, const void* from,
                         int64_t from_width, void* to, int64_t to_width) {
  const int64_t B = pass.batch;
  // Sequences of one length are moved at once.
  const int64_t together = reversed && pass.lengths ? 1 : B;
  for (int64_t b = 0; b < B; b += together) {
    const int64_t steps = reversed ? pass.length(b) : pass.steps;
    if (steps == 0) continue;
    Strided layout;
    layout.rank = 3;
    const int64_t shape[] = {steps, together, width}, stride = B * from_width;
    const int64_t strides[2][3] = {{reversed ? -stride : stride, from_width, 1}, {B * to_width, to_width, 1}};
    std::copy_n(shape, 3, layout.shape);
    for (int k = 0; k < 2; k++) std::copy_n(strides[k], 3, layout.strides[k]);
    const int64_t start = (reversed ? (steps - 1) * stride : 0) + b * from_width;
    copy(gpu_, dtype, layout, accumulate, from_element(from, start, dtype), from_element(to, b * to_width, dtype));
  }
}

void RnnDirections::reverse(const Pass& pass, DType dtype, int64_t width, const void* from, int64_t from_width, void* to) {
  if (pass.lengths) gpu_.zero(to, size_t(pass.steps * pass.batch * width) * size_of(dtype));
  move(pass, dtype, true, false, width, from, from_width, to, width);
}

void RnnDirections::drop(const Pass& pass, double probability, uint64_t seed, int64_t layer, void* mask, void* values) {
  const int64_t count = pass.steps * pass.batch * 2 * pass.O();
  const double kept = probability < 1 ? 1 / (1 - probability) : 0;
  random(gpu_, {RandomKind::bernoulli, pass.desc.dtype, count, seed, uint64_t(layer * count), 1 - probability, kept}, mask);
  Strided layout;
  layout.rank = 1;
  layout.shape[0] = count;
  for (auto& strides : layout.strides) strides[0] = 1;
  binary(gpu_, BinaryOp::multiply, pass.desc.dtype, layout, values, mask, values);
}

template <class Args>
Args RnnDirections::part_args(const Pass& pass, const Args& args, const Layer& layer, int64_t l, int64_t d, void* reversed) {
  Args part{};
  part.steps = args.steps;
  part.batch = args.batch;
  part.lengths = args.lengths;
  part.params = pass.params(args.params, l, d);
  part.x = l == 0 ? args.x : layer.input;
  part.tokens = l == 0 ? args.tokens : nullptr;
  if (d == 1 && part.tokens) {
    reverse(pass, DType::int32, 1, part.tokens, 1, reversed);
    part.tokens = static_cast<const int32_t*>(reversed);
  } else if (d == 1) {
    const int64_t width = pass.desc.layer_input_size(l);
    reverse(pass, pass.desc.dtype, width, part.x, width, reversed);
    part.x = reversed;
  }
  part.h0 = pass.state(args.h0, l, d, pass.O());
  part.c0 = pass.state(args.c0, l, d, pass.desc.hidden_size);
  part.y = layer.outputs[d];
  part.reserve = layer.reserves[d];
  return part;
}

void RnnDirections::forward(const RnnDesc& desc, const RnnForwardArgs& args) {
  if (!is_parted(desc, args.steps, args.batch)) return rnn_.forward(desc, args);
  const Pass pass(desc, args.steps, args.batch, args.lengths);
  const double dropout = effective(desc, args.training).dropout;
  const int64_t O = pass.O(), H = desc.hidden_size;
  void *reversed, *mask;
  std::vector<Layer> layers;
  const auto carve = [&](Carver carver) {
    reversed = carver.bytes(std::max(pass.bytes(pass.widest_input()), size_t(pass.steps * pass.batch) * sizeof(int32_t)));
    mask = dropout > 0 ? carver.bytes(pass.bytes(2 * O)) : nullptr;
    Carver reserve(args.reserve);
    layers = args.reserve ? kept_layers(pass, reserve) : passing_layers(pass, carver);
    return carver.used();
  };
  carve(Carver(memory_.take(carve(Carver(nullptr)))));

  for (int64_t l = 0; l < desc.layers; l++) {
    const Layer& layer = layers[size_t(l)];
    const RnnDesc part_desc = part_of(desc, l);
    for (int64_t d = 0; d < 2; d++) {
      RnnForwardArgs part = part_args(pass, args, layer, l, d, reversed);
      part.hn = pass.state(args.hn, l, d, O);
      part.cn = pass.state(args.cn, l, d, H);
      // A wrong token is reported at the place where the first direction finds it.
      rnn_.forward(part_desc, part, false, d == 0 ? "rnnForward" : "rnnForward, reversed");
    }
    const bool last = l + 1 == desc.layers;
    void* y = last ? args.y : layers[size_t(l + 1)].input;
    if (pass.lengths) gpu_.zero(y, pass.bytes(2 * O));
    move(pass, desc.dtype, false, false, O, layer.outputs[0], O, y, 2 * O);
    move(pass, desc.dtype, true, false, O, layer.outputs[1], O, from_element(y, O, desc.dtype), 2 * O);
    if (!last && dropout > 0) drop(pass, dropout, args.seed, l, mask, y);
  }
}

void RnnDirections::backward(const RnnDesc& desc, const RnnBackwardArgs& args) {
  if (!is_parted(desc, args.steps, args.batch)) return rnn_.backward(desc, args);
  const Pass pass(desc, args.steps, args.batch, args.lengths);
  const double dropout = effective(desc, args.training).dropout;
  const int64_t O = pass.O(), H = desc.hidden_size;
  void *reversed, *reversed_dx, *mask, *between, *halves[2];
  const auto carve = [&](Carver carver) {
    reversed = carver.bytes(std::max(pass.bytes(pass.widest_input()), size_t(pass.steps * pass.batch) * sizeof(int32_t)));
    reversed_dx = carver.bytes(pass.bytes(pass.widest_input()));
    mask = dropout > 0 ? carver.bytes(pass.bytes(2 * O)) : nullptr;
    between = carver.bytes(desc.layers > 1 ? pass.bytes(2 * O) : 0);
    for (void*& half : halves) half = carver.bytes(pass.bytes(O));
    return carver.used();
  };
  carve(Carver(memory_.take(carve(Carver(nullptr)))));
  Carver reserve(args.reserve);
  const std::vector<Layer> layers = kept_layers(pass, reserve);

  // Of the outputs of the layer at hand.
  const void* dy = args.dy;
  for (int64_t l = desc.layers - 1; l >= 0; l--) {
    const Layer& layer = layers[size_t(l)];
    const RnnDesc part_desc = part_of(desc, l);
    const int64_t width = part_desc.input_size;
    // The halves are taken before `between` receives the gradient of this layer's input.
    void* dx = l == 0 ? args.dx : between;
    if (dy) {
      move(pass, desc.dtype, false, false, O, dy, 2 * O, halves[0], O);
      reverse(pass, desc.dtype, O, from_element(dy, O, desc.dtype), 2 * O, halves[1]);
    }
    for (int64_t d = 0; d < 2; d++) {
      RnnBackwardArgs part = part_args(pass, args, layer, l, d, reversed);
      part.dy = dy ? halves[d] : nullptr;
      part.dhn = pass.state(args.dhn, l, d, O);
      part.dcn = pass.state(args.dcn, l, d, H);
      part.dx = d == 0 || !dx ? dx : reversed_dx;
      part.dh0 = pass.state(args.dh0, l, d, O);
      part.dc0 = pass.state(args.dc0, l, d, H);
      part.dparams = pass.params(args.dparams, l, d);
      rnn_.backward(part_desc, part);
    }
    if (dx) move(pass, desc.dtype, true, true, width, reversed_dx, width, dx, width);
    if (l > 0 && dropout > 0) drop(pass, dropout, args.seed, l - 1, mask, between);
    dy = between;
  }
}

}  // namespace deep_rnn::cuda
