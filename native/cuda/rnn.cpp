#include "cuda/rnn.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "core/error.h"
#include "core/rnn_limits.h"
#include "cuda/launch.h"
#include "cuda/rnn_calls.h"
#include "cuda/rnn_timing.h"

namespace deep_rnn::cuda {

// What other threads ask for: a handle of their own, since one is used by one thread at a time.
struct Rnn::Queries {
  explicit Queries(const Gpu& gpu) : api(gpu.api()), context(gpu.context()) { DEEP_RNN_CALL(api, cudnnCreate, &handle); }
  ~Queries() { api.cudnnDestroy(handle); }

  // What cuDNN keeps, and the weights that it ran with, whatever algorithm will be chosen.
  size_t reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) {
    size_t most = 0;
    RnnDesc runs = desc;
    for (const RnnAlgorithm algorithm : rnn_candidates(api, desc)) {
      runs.algorithm = algorithm;
      try {
        most = std::max(most, reserve_bytes_of(runs, steps, batch));
      } catch (const CudnnError&) {
        // It cannot be chosen then, unless nothing else can.
        if (algorithm == RnnAlgorithm::standard || desc.algorithm != RnnAlgorithm::automatic) throw;
      }
    }
    return most;
  }

  const Api& api;
  const CUcontext context;
  cudnnHandle_t handle = nullptr;
  std::mutex mutex;
  struct Extent {
    RnnDesc desc;
    int64_t steps, batch;
  };
  struct ExtentLess {
    bool operator()(const Extent& a, const Extent& b) const {
      return std::tuple_cat(fields(a.desc), std::tie(a.steps, a.batch)) <
             std::tuple_cat(fields(b.desc), std::tie(b.steps, b.batch));
    }
  };
  std::map<Extent, size_t, ExtentLess> known;

 private:
  size_t reserve_bytes_of(const RnnDesc& desc, int64_t steps, int64_t batch) {
    RnnDescriptors descriptors(api);
    // No states: nothing is drawn here.
    DEEP_RNN_CALL(api, cudnnSetDropoutDescriptor, descriptors.dropout, handle, float(desc.dropout), nullptr, 0, 0);
    descriptors.set_stack(desc);
    descriptors.set_data(desc, steps, batch, nullptr);
    size_t weight_bytes = 0;
    DEEP_RNN_CALL(api, cudnnGetRNNWeightSpaceSize, handle, descriptors.rnn, &weight_bytes);
    Carver carver(nullptr);
    carver.bytes(rnn_spaces(api, handle, descriptors, true).reserve_bytes);
    carver.bytes(weight_bytes);
    return carver.used();
  }
};

namespace {

// The calling thread has no context of ours, or another one.
class CurrentContext {
 public:
  CurrentContext(const Api& api, CUcontext context) : api_(api) { DEEP_RNN_CALL(api, cuCtxPushCurrent, context); }
  ~CurrentContext() {
    CUcontext popped = nullptr;
    api_.cuCtxPopCurrent(&popped);
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

 private:
  const Api& api_;
};

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
      tuner_(gpu.api(), gpu.machine()),
      queries_(std::make_unique<Queries>(gpu)) {}
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

size_t Rnn::reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const {
  Queries& queries = *queries_;
  const std::lock_guard<std::mutex> lock(queries.mutex);
  const auto found = queries.known.find({desc, steps, batch});
  if (found != queries.known.end()) return found->second;
  const CurrentContext current(queries.api, queries.context);
  const RnnDesc still = effective(pinned(desc), false), drops = effective(pinned(desc), true);
  size_t bytes = queries.reserve_bytes(still, steps, batch);
  if (drops.dropout > 0) bytes = std::max(bytes, queries.reserve_bytes(drops, steps, batch));
  // Programs with ever new shapes must not fill the memory.
  constexpr size_t kMost = 4096;
  if (queries.known.size() >= kMost) queries.known.clear();
  queries.known[{desc, steps, batch}] = bytes;
  return bytes;
}

void* Rnn::weights_in(void* reserve, const RnnDesc& desc, const RnnPlan& plan, int64_t steps, int64_t batch) const {
  Carver weights(nullptr);
  weights.bytes(plan.weight_space());
  return static_cast<char*>(reserve) + (reserve_bytes(desc, steps, batch) - weights.used());
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
    const size_t most_reserve = kind.keeps ? reserve_bytes(kind.desc, kind.steps, kind.batch) : 0;
    return time_pass(gpu_, plan_for(kind.desc, algorithm), kind, params, most_reserve);
  });
}

std::vector<RnnPassExplanation> Rnn::explain(const RnnDesc& desc, int64_t steps, int64_t batch, bool uneven) const {
  std::vector<RnnPassExplanation> passes;
  const auto add = [&](const char* pass, bool keeps, bool training) {
    const RnnChoice* choice = tuner_.find({effective(pinned(desc), training), steps, batch, keeps, uneven});
    if (choice && (passes.empty() || passes.back().pass != pass)) passes.push_back({pass, *choice});
  };
  add("inference", false, false);
  add("training", true, true);
  add("training", true, false);
  return passes;
}

void Rnn::forward(const RnnDesc& desc, const RnnForwardArgs& args, bool same_params) {
  RnnForwardArgs pass = args;
  const bool uneven = are_uneven(args.lengths, args.steps, args.batch);
  if (!uneven) pass.lengths = nullptr;
  const RnnPassKind kind = {effective(pinned(desc), args.training), args.steps, args.batch, args.reserve != nullptr, uneven};
  RnnChoice& choice = choose(kind, args.params);
  for (;;) {
    // What was chosen in another process may be refused, which must show here and not at the end of a gathered step.
    if (!choice.has_run && choice.source == RnnChoice::Source::cached) gpu_.flush();
    try {
      forward(desc, plan_for(kind.desc, choice.chosen.algorithm), pass, same_params);
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
  const RnnPassKind kind = {effective(pinned(desc), args.training), args.steps, args.batch, true, uneven};
  backward(desc, plan_for(kind.desc, choose(kind, args.params).chosen.algorithm), pass);
}

void Rnn::forward(const RnnDesc& desc, RnnPlan& plan, const RnnForwardArgs& args, bool same_params) {
  const Extents extents(desc, args.steps, args.batch);
  plan.prepare(args.batch);
  const RnnNumbers& numbers = plan.numbers();
  if (args.lengths) gpu_.flush();  // cuDNN brings lengths to the GPU in ways of its own, which no graph should hold
  plan.descriptors().set_data(desc, args.steps, args.batch, args.lengths);
  if (plan.drops()) plan.seed_dropout(args.seed);
  RnnSpaces spaces = rnn_spaces(gpu_.api(), gpu_.cudnn(), plan.descriptors(), args.reserve != nullptr);
  spaces.reserve = args.reserve;
  void* kept_weights = args.reserve ? weights_in(args.reserve, desc, plan, args.steps, args.batch) : nullptr;
  check_reserve(spaces.reserve_bytes, size_t(static_cast<char*>(kept_weights) - static_cast<char*>(args.reserve)));

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
  if (args.tokens) numbers.one_hot(gpu_, "rnnForward", args.steps, args.batch, desc.input_size, args.tokens, lengths, x);
  if (numbers.casts()) {
    if (!args.tokens) numbers.narrow(gpu_, extents.x, args.x, x);
    numbers.narrow(gpu_, extents.h, args.h0, h0);
    numbers.narrow(gpu_, extents.c, args.c0, c0);
  }

  // The backward pass wants the weights that this one had: they are packed once for both.
  if (!same_params) params_version_++;
  const void* weights = kept_weights ? plan.pack(args.params, kept_weights) : plan.pack(args.params, params_version_);
  rnn_forward(gpu_, plan, weights, arrays, spaces);
  if (numbers.casts()) {
    numbers.widen(gpu_, extents.y, arrays.y, args.y);
    numbers.widen(gpu_, extents.h, arrays.hn, args.hn);
    numbers.widen(gpu_, extents.c, arrays.cn, args.cn);
  }
  if (!has_empty(args.lengths, args.batch)) return;
  pass_through(gpu_, desc, args.batch, desc.output_size(), lengths, args.h0, args.hn);
  pass_through(gpu_, desc, args.batch, desc.hidden_size, lengths, args.c0, args.cn);
}

void Rnn::backward(const RnnDesc& desc, RnnPlan& plan, const RnnBackwardArgs& args) {
  const Extents extents(desc, args.steps, args.batch);
  plan.prepare(args.batch);
  const RnnNumbers& numbers = plan.numbers();
  if (args.lengths) gpu_.flush();  // cuDNN brings lengths to the GPU in ways of its own, which no graph should hold
  plan.descriptors().set_data(desc, args.steps, args.batch, args.lengths);
  RnnSpaces spaces = rnn_spaces(gpu_.api(), gpu_.cudnn(), plan.descriptors(), true);
  spaces.reserve = args.reserve;
  void* weights = weights_in(args.reserve, desc, plan, args.steps, args.batch);
  check_reserve(spaces.reserve_bytes, size_t(static_cast<char*>(weights) - static_cast<char*>(args.reserve)));

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
  if (args.tokens) numbers.one_hot(gpu_, "rnnBackward", args.steps, args.batch, desc.input_size, args.tokens, lengths, x);
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

  rnn_backward_data(gpu_, plan, weights, arrays, spaces);
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
