#include "cuda/rnn.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "core/rnn_limits.h"
#include "cuda/launch.h"
#include "cuda/rnn_calls.h"
#include "cuda/rnn_timing.h"

namespace deep_rnn::cuda {

namespace {

// Elements of the arrays of one pass.
struct Extents {
  int64_t x, y, h, c;
  Extents(const RnnDesc& desc, int64_t steps, int64_t batch)
      : x(steps * batch * desc.input_size),
        y(steps * batch * desc.directions() * desc.output_size()),
        h(desc.layers * desc.directions() * batch * desc.output_size()),
        c(desc.layers * desc.directions() * batch * desc.hidden_size) {}
};

// Lays out the scratch memory of a pass: arrays of the caller's stand for themselves unless cuDNN takes other numbers.
class Layout {
 public:
  Layout(const RnnNumbers& numbers, void* memory) : numbers_(numbers), carver_(memory) {}

  void* own(int64_t count) { return carver_.bytes(size_t(count) * numbers_.bytes()); }
  void* of(const void* callers, int64_t count) {
    return !callers ? nullptr : numbers_.casts() ? own(count) : const_cast<void*>(callers);
  }
  void* bytes(size_t count) { return carver_.bytes(count); }
  size_t used() const { return carver_.used(); }

 private:
  const RnnNumbers& numbers_;
  Carver carver_;
};

void check_reserve(size_t needed, size_t given) {
  if (needed > given)
    throw Error("cuDNN needs a reserve of " + std::to_string(needed) + " bytes for these lengths, more than the " +
                std::to_string(given) + " of full ones");
}

// An array from a step on; null stays null.
template <class T>
T* from_step(T* array, int64_t step, int64_t batch, int64_t width, DType dtype) {
  if (!array) return nullptr;
  return reinterpret_cast<T*>(uintptr_t(array) + uintptr_t(step * batch * width) * size_of(dtype));
}

// The part of a pass that is a chunk of it. The states before and after it are the caller's to set.
template <class Args>
Args part_of(const Args& args, const RnnDesc& desc, int64_t first, int64_t steps, const int32_t* lengths) {
  Args part = args;
  part.steps = steps;
  part.lengths = lengths;
  part.x = from_step(args.x, first, args.batch, desc.input_size, desc.dtype);
  part.tokens = from_step(args.tokens, first, args.batch, 1, DType::int32);
  part.y = from_step(args.y, first, args.batch, desc.directions() * desc.output_size(), desc.dtype);
  return part;
}

bool are_uneven(const int32_t* lengths, int64_t steps, int64_t batch) {
  return lengths && std::any_of(lengths, lengths + batch, [steps](int32_t length) { return length != steps; });
}

// What DEEP_RNN_ALGORITHM says for all stacks that say nothing themselves.
RnnAlgorithm algorithm_of_environment() {
  const char* value = std::getenv("DEEP_RNN_ALGORITHM");
  if (!value || !*value) return RnnAlgorithm::automatic;
  std::string names;
  for (int i = 0; i < int(RnnAlgorithm::count); i++) {
    if (value == std::string(name_of(RnnAlgorithm(i)))) return RnnAlgorithm(i);
    names += (i > 0 ? ", " : "") + std::string(name_of(RnnAlgorithm(i)));
  }
  throw Error("Expected one of " + names + " for DEEP_RNN_ALGORITHM but received " + value);
}

bool has_empty(const int32_t* lengths, int64_t batch) {
  return lengths && std::any_of(lengths, lengths + batch, [](int32_t length) { return length == 0; });
}

// A sequence without steps leaves its state as it was, and its state's gradient too.
void pass_through(Gpu& gpu, const RnnDesc& desc, int64_t batch, int64_t width, const int32_t* lengths, const void* from,
                  void* to) {
  if (!to) return;
  const int64_t states = desc.layers * desc.directions();
  const Launch shape = gpu.over_elements(states * batch * width);
  DEEP_RNN_LAUNCH_BITS(gpu, shape, desc.dtype, replace_empty, states, batch, width, lengths, from, to);
}

}  // namespace

Rnn::Rnn(Gpu& gpu)
    : gpu_(gpu),
      pinned_(algorithm_of_environment()),
      limits_(rnn_limits()),
      tuner_(gpu.api(), gpu.machine()),
      reserves_(gpu, limits_),
      carried_(gpu) {}
Rnn::~Rnn() = default;

RnnDesc Rnn::pinned(RnnDesc desc) const {
  if (desc.algorithm == RnnAlgorithm::automatic) desc.algorithm = pinned_;
  return desc;
}

std::string Rnn::supports(const RnnDesc& desc) const {
  if (const std::string reason = rnn_refusal(desc); !reason.empty()) return reason;
  try {
    RnnDescriptors(gpu_.api()).set_stack(pinned(desc));
  } catch (const std::exception& refusal) {
    const RnnAlgorithm algorithm = pinned(desc).algorithm;
    if (algorithm == RnnAlgorithm::automatic || algorithm == RnnAlgorithm::standard) return refusal.what();
    return std::string("the algorithm ") + name_of(algorithm) + " does not take this stack: " + refusal.what();
  }
  return "";
}

bool Rnn::takes_at_once(const RnnDesc& desc, int64_t steps, int64_t batch) const {
  return steps <= most_steps(limits_, desc, batch);
}

size_t Rnn::reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const {
  return reserves_.of(pinned(desc), steps, batch).bytes();
}

RnnPlan& Rnn::plan_for(RnnDesc desc, RnnAlgorithm algorithm) {
  desc.algorithm = algorithm;
  std::unique_ptr<RnnPlan>& plan = plans_[desc];
  if (!plan) plan = std::make_unique<RnnPlan>(gpu_, desc);
  return *plan;
}

RnnChoice& Rnn::choose(const RnnPassKind& kind, const void* params) {
  return tuner_.choose(kind, [&](RnnAlgorithm algorithm) {
    gpu_.flush();  // a step that is being gathered waits for no stopwatch
    const size_t most_reserve = kind.keeps ? reserves_.of(kind.desc, kind.steps, kind.batch).piece : 0;
    return time_pass(gpu_, plan_for(kind.desc, algorithm), kind, params, most_reserve);
  });
}

std::vector<RnnPassExplanation> Rnn::explain(const RnnDesc& desc, int64_t steps, int64_t batch, bool uneven) const {
  std::vector<RnnPassExplanation> passes;
  const int64_t size = rnn_chunks(limits_, desc, steps, batch).size;
  const auto add = [&](const char* pass, bool keeps, bool training) {
    const RnnChoice* choice = tuner_.find({effective(pinned(desc), training), size, batch, keeps, uneven});
    if (choice && (passes.empty() || passes.back().pass != pass)) passes.push_back({pass, *choice});
  };
  add("inference", false, false);
  add("training", true, true);
  add("training", true, false);
  return passes;
}

void Rnn::forward(const RnnDesc& desc, const RnnForwardArgs& args, bool same_params, const char* operation) {
  RnnForwardArgs pass = args;
  const bool uneven = are_uneven(args.lengths, args.steps, args.batch);
  if (!uneven) pass.lengths = nullptr;
  const RnnChunks chunks = rnn_chunks(limits_, desc, args.steps, args.batch);
  const RnnPassKind kind = {effective(pinned(desc), args.training), chunks.size, args.batch, args.reserve != nullptr, uneven};
  RnnChoice& choice = choose(kind, args.params);
  for (;;) {
    // What was chosen in another process may be refused, which must show here and not at the end of a gathered step.
    if (!choice.has_run && choice.source == RnnChoice::Source::cached) gpu_.flush();
    try {
      forward(desc, plan_for(kind.desc, choice.chosen.algorithm), chunks, pass, same_params, operation);
      choice.has_run = true;
      return;
    } catch (const CudnnError& refusal) {
      if (!tuner_.refuse(kind, choice, refusal.what())) throw;
    }
  }
}

void Rnn::backward(const RnnDesc& desc, const RnnBackwardArgs& args) {
  RnnBackwardArgs pass = args;
  const bool uneven = are_uneven(args.lengths, args.steps, args.batch);
  if (!uneven) pass.lengths = nullptr;
  const RnnChunks chunks = rnn_chunks(limits_, desc, args.steps, args.batch);
  const RnnPassKind kind = {effective(pinned(desc), args.training), chunks.size, args.batch, true, uneven};
  backward(desc, plan_for(kind.desc, choose(kind, args.params).chosen.algorithm), chunks, pass);
}

RnnCarriage Rnn::carriage(const RnnDesc& desc, int64_t batch) {
  constexpr int64_t kTurns = 2;  // what comes in and what goes out
  return RnnCarriage(desc, batch, kTurns, carried_.take(RnnCarriage(desc, batch, kTurns).bytes()));
}

// `array` from a step on becomes zero.
void Rnn::zero_from(int64_t step, int64_t steps, int64_t batch, int64_t width, DType dtype, void* array) {
  if (array && step < steps)
    gpu_.zero(from_step(array, step, batch, width, dtype), size_t((steps - step) * batch * width) * size_of(dtype));
}

void Rnn::forward(const RnnDesc& desc, RnnPlan& plan, const RnnChunks& chunks, const RnnForwardArgs& args, bool same_params,
                  const char* operation) {
  plan.prepare(args.batch);
  if (args.lengths) gpu_.flush();  // cuDNN brings lengths to the GPU in ways of its own, which no graph should hold
  // Once: each chunk draws its masks where the one before it stopped.
  if (plan.drops()) plan.seed_dropout(args.seed);
  RnnReserve reserve;
  if (args.reserve) reserve = reserves_.of(pinned(desc), args.steps, args.batch);
  // The backward pass wants the weights and the states that this one had.
  if (!same_params) params_version_++;
  const void* weights =
      args.reserve ? plan.pack(args.params, reserve.weights_in(args.reserve)) : plan.pack(args.params, params_version_);
  const int64_t active = chunks.active(args.lengths, args.batch);
  const RnnCarriage carried = chunks.count == 1 ? RnnCarriage(desc, args.batch, 0)
                              : args.reserve ? RnnCarriage(desc, args.batch, chunks.count - 1, reserve.carried_in(args.reserve))
                                             : carriage(desc, args.batch);
  for (int64_t i = 0; i < active; i++) {
    const int64_t first = chunks.first(i);
    const RnnChunkLengths lengths(chunks, i, args.lengths, args.batch);
    RnnForwardArgs part = part_of(args, desc, first, chunks.size_of(i), lengths.data());
    if (i > 0) part.h0 = carried.after(i - 1).h, part.c0 = carried.after(i - 1).c;
    if (i + 1 < active) part.hn = carried.after(i).h, part.cn = carried.after(i).c;
    if (args.reserve) part.reserve = reserve.piece_in(args.reserve, i);
    forward(desc, plan, {first, weights, reserve.piece, operation}, part);
  }
  zero_from(chunks.first(active), args.steps, args.batch, desc.directions() * desc.output_size(), desc.dtype, args.y);
}

void Rnn::forward(const RnnDesc& desc, RnnPlan& plan, const Part& part, const RnnForwardArgs& args) {
  const Extents extents(desc, args.steps, args.batch);
  const RnnNumbers& numbers = plan.numbers();
  plan.descriptors().set_data(desc, args.steps, args.batch, args.lengths);
  RnnSpaces spaces = rnn_spaces(gpu_.api(), gpu_.cudnn(), plan.descriptors(), args.reserve != nullptr);
  spaces.reserve = args.reserve;
  check_reserve(spaces.reserve_bytes, part.reserve_bytes);

  RnnArrays arrays;
  void *x, *h0, *c0;
  int32_t* lengths;
  const auto carve = [&](Layout layout) {
    spaces.work = layout.bytes(spaces.work_bytes);
    arrays.x = x = args.tokens ? layout.own(extents.x) : layout.of(args.x, extents.x);
    arrays.h0 = h0 = layout.of(args.h0, extents.h);
    arrays.c0 = c0 = layout.of(args.c0, extents.c);
    arrays.y = layout.of(args.y, extents.y);
    arrays.hn = layout.of(args.hn, extents.h);
    arrays.cn = layout.of(args.cn, extents.c);
    lengths = args.lengths ? static_cast<int32_t*>(layout.bytes(size_t(args.batch) * sizeof(int32_t))) : nullptr;
    return layout.used();
  };
  carve(Layout(numbers, gpu_.scratch(carve(Layout(numbers, nullptr)))));
  if (lengths) gpu_.upload(lengths, args.lengths, size_t(args.batch) * sizeof(int32_t));
  if (args.tokens)
    numbers.one_hot(gpu_, part.operation, part.first, args.steps, args.batch, desc.input_size, args.tokens, lengths, x);
  if (numbers.casts()) {
    if (!args.tokens) numbers.narrow(gpu_, extents.x, args.x, x);
    numbers.narrow(gpu_, extents.h, args.h0, h0);
    numbers.narrow(gpu_, extents.c, args.c0, c0);
  }

  rnn_forward(gpu_, plan, part.weights, arrays, spaces);
  if (numbers.casts()) {
    numbers.widen(gpu_, extents.y, arrays.y, args.y);
    numbers.widen(gpu_, extents.h, arrays.hn, args.hn);
    numbers.widen(gpu_, extents.c, arrays.cn, args.cn);
  }
  if (!has_empty(args.lengths, args.batch)) return;
  pass_through(gpu_, desc, args.batch, desc.output_size(), lengths, args.h0, args.hn);
  pass_through(gpu_, desc, args.batch, desc.hidden_size, lengths, args.c0, args.cn);
}

void Rnn::backward(const RnnDesc& desc, RnnPlan& plan, const RnnChunks& chunks, const RnnBackwardArgs& args) {
  plan.prepare(args.batch);
  if (args.lengths) gpu_.flush();  // cuDNN brings lengths to the GPU in ways of its own, which no graph should hold
  const RnnReserve reserve = reserves_.of(pinned(desc), args.steps, args.batch);
  const void* weights = reserve.weights_in(args.reserve);
  const int64_t active = chunks.active(args.lengths, args.batch);
  const RnnCarriage states(desc, args.batch, chunks.count - 1, reserve.carried_in(args.reserve));
  const RnnCarriage gradients = chunks.count == 1 ? states : carriage(desc, args.batch);
  zero_from(chunks.first(active), args.steps, args.batch, desc.input_size, desc.dtype, args.dx);
  for (int64_t i = active - 1; i >= 0; i--) {
    const int64_t first = chunks.first(i);
    const RnnChunkLengths lengths(chunks, i, args.lengths, args.batch);
    RnnBackwardArgs part = part_of(args, desc, first, chunks.size_of(i), lengths.data());
    part.dy = from_step(args.dy, first, args.batch, desc.directions() * desc.output_size(), desc.dtype);
    part.dx = from_step(args.dx, first, args.batch, desc.input_size, desc.dtype);
    if (i > 0) part.h0 = states.after(i - 1).h, part.c0 = states.after(i - 1).c;
    if (i > 0) part.dh0 = gradients.after(i - 1).h, part.dc0 = gradients.after(i - 1).c;
    if (i + 1 < active) part.dhn = gradients.after(i).h, part.dcn = gradients.after(i).c;
    part.reserve = reserve.piece_in(args.reserve, i);
    backward(desc, plan, {first, weights, reserve.piece, "rnnBackward"}, part);
  }
}

void Rnn::backward(const RnnDesc& desc, RnnPlan& plan, const Part& part, const RnnBackwardArgs& args) {
  const Extents extents(desc, args.steps, args.batch);
  const RnnNumbers& numbers = plan.numbers();
  plan.descriptors().set_data(desc, args.steps, args.batch, args.lengths);
  RnnSpaces spaces = rnn_spaces(gpu_.api(), gpu_.cudnn(), plan.descriptors(), true);
  spaces.reserve = args.reserve;
  check_reserve(spaces.reserve_bytes, part.reserve_bytes);

  // What forward cast is cast again rather than kept: rounding gives the same numbers.
  RnnArrays arrays;
  void *x, *h0, *c0, *dy, *dhn, *dcn, *gradients;
  int32_t* lengths;
  const auto carve = [&](Layout layout) {
    spaces.work = layout.bytes(spaces.work_bytes);
    arrays.x = x = args.tokens ? layout.own(extents.x) : layout.of(args.x, extents.x);
    arrays.h0 = h0 = layout.of(args.h0, extents.h);
    arrays.c0 = c0 = layout.of(args.c0, extents.c);
    arrays.y = layout.of(args.y, extents.y);
    arrays.dy = dy = args.dy ? layout.of(args.dy, extents.y) : layout.own(extents.y);
    arrays.dhn = dhn = layout.of(args.dhn, extents.h);
    arrays.dcn = dcn = layout.of(args.dcn, extents.c);
    arrays.dx = args.dx ? layout.of(args.dx, extents.x) : layout.own(extents.x);
    arrays.dh0 = layout.of(args.dh0, extents.h);
    arrays.dc0 = layout.of(args.dc0, extents.c);
    gradients = args.dparams ? layout.bytes(plan.weight_space()) : nullptr;
    lengths = args.lengths ? static_cast<int32_t*>(layout.bytes(size_t(args.batch) * sizeof(int32_t))) : nullptr;
    return layout.used();
  };
  carve(Layout(numbers, gpu_.scratch(carve(Layout(numbers, nullptr)))));
  if (lengths) gpu_.upload(lengths, args.lengths, size_t(args.batch) * sizeof(int32_t));
  if (args.tokens)
    numbers.one_hot(gpu_, part.operation, part.first, args.steps, args.batch, desc.input_size, args.tokens, lengths, x);
  if (!args.dy) gpu_.zero(dy, (size_t(extents.y) * numbers.bytes() + 3) / 4 * 4);
  if (numbers.casts()) {
    if (!args.tokens) numbers.narrow(gpu_, extents.x, args.x, x);
    numbers.narrow(gpu_, extents.h, args.h0, h0);
    numbers.narrow(gpu_, extents.c, args.c0, c0);
    numbers.narrow(gpu_, extents.y, args.y, arrays.y);
    numbers.narrow(gpu_, extents.y, args.dy, dy);
    numbers.narrow(gpu_, extents.h, args.dhn, dhn);
    numbers.narrow(gpu_, extents.c, args.dcn, dcn);
  }

  rnn_backward_data(gpu_, plan, part.weights, arrays, spaces);
  if (args.dparams) {
    rnn_backward_weights(gpu_, plan, arrays, spaces, gradients);
    plan.add_gradients(gradients, args.dparams);
  }
  if (numbers.casts()) {
    if (args.dx) numbers.widen(gpu_, extents.x, arrays.dx, args.dx);
    numbers.widen(gpu_, extents.h, arrays.dh0, args.dh0);
    numbers.widen(gpu_, extents.c, arrays.dc0, args.dc0);
  }
  if (lengths && args.dx) {
    const Launch shape = gpu_.over_elements(extents.x);
    DEEP_RNN_LAUNCH_BITS(gpu_, shape, desc.dtype, mask_steps, args.steps, args.batch, desc.input_size, lengths, args.dx,
                         args.dx);
  }
  if (!has_empty(args.lengths, args.batch)) return;
  pass_through(gpu_, desc, args.batch, desc.output_size(), lengths, args.dhn, args.dh0);
  pass_through(gpu_, desc, args.batch, desc.hidden_size, lengths, args.dcn, args.dc0);
}

}  // namespace deep_rnn::cuda
