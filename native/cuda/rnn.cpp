#include "cuda/rnn.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "core/rnn_limits.h"
#include "cuda/launch.h"
#include "cuda/rnn_calls.h"

namespace deep_rnn::cuda {

// What other threads ask for: a handle of their own, since one is used by one thread at a time.
struct Rnn::Queries {
  explicit Queries(const Gpu& gpu) : api(gpu.api()), context(gpu.context()) { DEEP_RNN_CALL(api, cudnnCreate, &handle); }
  ~Queries() { api.cudnnDestroy(handle); }

  size_t reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) {
    RnnDescriptors descriptors(api);
    // No states: nothing is drawn here.
    DEEP_RNN_CALL(api, cudnnSetDropoutDescriptor, descriptors.dropout, handle, float(desc.dropout), nullptr, 0, 0);
    descriptors.set_stack(desc);
    descriptors.set_data(desc, steps, batch, nullptr);
    return rnn_spaces(api, handle, descriptors, true).reserve_bytes;
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

Rnn::Rnn(Gpu& gpu) : gpu_(gpu), queries_(std::make_unique<Queries>(gpu)) {}
Rnn::~Rnn() = default;

std::string Rnn::supports(const RnnDesc& desc) const {
  if (const std::string reason = rnn_refusal(desc); !reason.empty()) return reason;
  try {
    RnnDescriptors(gpu_.api()).set_stack(desc);
  } catch (const std::exception& refusal) {
    return refusal.what();
  }
  return "";
}

size_t Rnn::reserve_bytes(const RnnDesc& desc, int64_t steps, int64_t batch) const {
  Queries& queries = *queries_;
  const std::lock_guard<std::mutex> lock(queries.mutex);
  const auto found = queries.known.find({desc, steps, batch});
  if (found != queries.known.end()) return found->second;
  const CurrentContext current(queries.api, queries.context);
  size_t bytes = queries.reserve_bytes(effective(desc, false), steps, batch);
  if (effective(desc, true).dropout > 0) bytes = std::max(bytes, queries.reserve_bytes(effective(desc, true), steps, batch));
  // Programs with ever new shapes must not fill the memory.
  constexpr size_t kMost = 4096;
  if (queries.known.size() >= kMost) queries.known.clear();
  queries.known[{desc, steps, batch}] = bytes;
  return bytes;
}

RnnPlan& Rnn::plan_for(const RnnDesc& desc, bool training) {
  const RnnDesc runs = effective(desc, training);
  std::unique_ptr<RnnPlan>& plan = plans_[runs];
  if (!plan) plan = std::make_unique<RnnPlan>(gpu_, runs);
  return *plan;
}

void Rnn::forward(const RnnDesc& desc, const RnnForwardArgs& args) {
  const Extents extents(desc, args.steps, args.batch);
  RnnPlan& plan = plan_for(desc, args.training);
  const RnnNumbers& numbers = plan.numbers();
  if (args.lengths) gpu_.flush();  // cuDNN brings lengths to the GPU in ways of its own, which no graph should hold
  plan.descriptors().set_data(desc, args.steps, args.batch, args.lengths);
  if (plan.drops()) plan.seed_dropout(args.seed);
  RnnSpaces spaces = rnn_spaces(gpu_.api(), gpu_.cudnn(), plan.descriptors(), args.reserve != nullptr);
  spaces.reserve = args.reserve;
  check_reserve(spaces.reserve_bytes, args.reserve ? reserve_bytes(desc, args.steps, args.batch) : 0);

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

  rnn_forward(gpu_, plan, plan.pack(args.params), arrays, spaces);
  if (numbers.casts()) {
    numbers.widen(gpu_, extents.y, arrays.y, args.y);
    numbers.widen(gpu_, extents.h, arrays.hn, args.hn);
    numbers.widen(gpu_, extents.c, arrays.cn, args.cn);
  }
  if (!has_empty(args.lengths, args.batch)) return;
  pass_through(gpu_, desc, args.batch, desc.output_size(), lengths, args.h0, args.hn);
  pass_through(gpu_, desc, args.batch, desc.hidden_size, lengths, args.c0, args.cn);
}

void Rnn::backward(const RnnDesc& desc, const RnnBackwardArgs& args) {
  const Extents extents(desc, args.steps, args.batch);
  RnnPlan& plan = plan_for(desc, args.training);
  const RnnNumbers& numbers = plan.numbers();
  if (args.lengths) gpu_.flush();  // cuDNN brings lengths to the GPU in ways of its own, which no graph should hold
  plan.descriptors().set_data(desc, args.steps, args.batch, args.lengths);
  RnnSpaces spaces = rnn_spaces(gpu_.api(), gpu_.cudnn(), plan.descriptors(), true);
  spaces.reserve = args.reserve;
  check_reserve(spaces.reserve_bytes, reserve_bytes(desc, args.steps, args.batch));

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

  rnn_backward_data(gpu_, plan, plan.pack(args.params), arrays, spaces);
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
