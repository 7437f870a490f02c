#include "cuda/rnn.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "core/rnn_limits.h"
#include "cuda/launch.h"
#include "cuda/rnn_plan.h"

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
    size_t workspace = 0, reserve = 0;
    DEEP_RNN_CALL(api, cudnnGetRNNTempSpaceSizes, handle, descriptors.rnn, CUDNN_FWD_MODE_TRAINING, descriptors.x, &workspace,
                  &reserve);
    return reserve;
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

// The bytes of the arrays of one pass.
struct Extents {
  size_t element, x, y, h, c;
  Extents(const RnnDesc& desc, int64_t steps, int64_t batch)
      : element(size_of(desc.dtype)),
        x(size_t(steps * batch * desc.input_size) * element),
        y(size_t(steps * batch * desc.directions() * desc.output_size()) * element),
        h(size_t(desc.layers * desc.directions() * batch * desc.output_size()) * element),
        c(size_t(desc.layers * desc.directions() * batch * desc.hidden_size) * element) {}
};

struct TempSpace {
  size_t workspace = 0, reserve = 0;
};

TempSpace temp_space(Gpu& gpu, RnnPlan& plan, bool keeps) {
  TempSpace space;
  DEEP_RNN_CALL(gpu.api(), cudnnGetRNNTempSpaceSizes, gpu.cudnn(), plan.descriptors().rnn,
                keeps ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE, plan.descriptors().x, &space.workspace,
                &space.reserve);
  if (!keeps) space.reserve = 0;
  return space;
}

void check_reserve(size_t needed, size_t given) {
  if (needed > given)
    throw Error("cuDNN needs a reserve of " + std::to_string(needed) + " bytes for these lengths, more than the " +
                std::to_string(given) + " of full ones");
}

bool has_empty(const int32_t* lengths, int64_t batch) {
  return lengths && std::any_of(lengths, lengths + batch, [](int32_t length) { return length == 0; });
}

void one_hot(Gpu& gpu, const char* operation, const RnnDesc& desc, int64_t steps, int64_t batch, const int32_t* tokens,
             const int32_t* lengths, void* out) {
  const int64_t rows = steps * batch;
  const Fault fault = gpu.fault({operation, "token", desc.input_size, {rows, 1, 1}});
  const Launch shape = gpu.over_elements(rows * desc.input_size);
  DEEP_RNN_LAUNCH_FLOATING(gpu, shape, desc.dtype, one_hot, rows, batch, desc.input_size, tokens, lengths, out, fault);
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
  if (desc.precision != Precision::same && desc.precision != Precision::tf32)
    return "of the reduced precisions the CUDA backend has only tf32";
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
  RnnDescriptors& descriptors = plan.descriptors();
  descriptors.set_data(desc, args.steps, args.batch, args.lengths);
  if (plan.drops()) plan.seed_dropout(args.seed);
  const bool keeps = args.reserve != nullptr;
  const TempSpace space = temp_space(gpu_, plan, keeps);
  check_reserve(space.reserve, keeps ? reserve_bytes(desc, args.steps, args.batch) : 0);

  void *workspace, *one_hot_x;
  int32_t* lengths;
  const auto carve = [&](Carver carver) {
    workspace = carver.bytes(space.workspace);
    one_hot_x = args.tokens ? carver.bytes(extents.x) : nullptr;
    lengths = args.lengths ? carver.bytes<int32_t>(size_t(args.batch) * sizeof(int32_t)) : nullptr;
    return carver.used();
  };
  carve(Carver(gpu_.scratch(carve(Carver(nullptr)))));
  if (lengths) gpu_.upload(lengths, args.lengths, size_t(args.batch) * sizeof(int32_t));
  if (args.tokens) one_hot(gpu_, "rnnForward", desc, args.steps, args.batch, args.tokens, lengths, one_hot_x);

  DEEP_RNN_CALL(gpu_.api(), cudnnRNNForward, gpu_.cudnn(), descriptors.rnn,
                keeps ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE, nullptr, descriptors.x,
                args.tokens ? one_hot_x : args.x, descriptors.y, args.y, descriptors.h, args.h0, args.hn, descriptors.c,
                args.c0, args.cn, plan.weight_bytes(), plan.pack(args.params), space.workspace, workspace, space.reserve,
                args.reserve);
  if (!has_empty(args.lengths, args.batch)) return;
  pass_through(gpu_, desc, args.batch, desc.output_size(), lengths, args.h0, args.hn);
  pass_through(gpu_, desc, args.batch, desc.hidden_size, lengths, args.c0, args.cn);
}

void Rnn::backward(const RnnDesc& desc, const RnnBackwardArgs& args) {
  const Extents extents(desc, args.steps, args.batch);
  RnnPlan& plan = plan_for(desc, args.training);
  RnnDescriptors& descriptors = plan.descriptors();
  descriptors.set_data(desc, args.steps, args.batch, args.lengths);
  const TempSpace space = temp_space(gpu_, plan, true);
  check_reserve(space.reserve, reserve_bytes(desc, args.steps, args.batch));

  void *workspace, *one_hot_x, *zero_dy, *unwanted_dx, *gradients;
  int32_t* lengths;
  const auto carve = [&](Carver carver) {
    workspace = carver.bytes(space.workspace);
    one_hot_x = args.tokens ? carver.bytes(extents.x) : nullptr;
    zero_dy = args.dy ? nullptr : carver.bytes(extents.y);
    unwanted_dx = args.dx ? nullptr : carver.bytes(extents.x);
    gradients = args.dparams ? carver.bytes(plan.weight_bytes()) : nullptr;
    lengths = args.lengths ? carver.bytes<int32_t>(size_t(args.batch) * sizeof(int32_t)) : nullptr;
    return carver.used();
  };
  carve(Carver(gpu_.scratch(carve(Carver(nullptr)))));
  if (lengths) gpu_.upload(lengths, args.lengths, size_t(args.batch) * sizeof(int32_t));
  if (args.tokens) one_hot(gpu_, "rnnBackward", desc, args.steps, args.batch, args.tokens, lengths, one_hot_x);
  if (zero_dy) gpu_.zero(zero_dy, extents.y);
  const void* x = args.tokens ? one_hot_x : args.x;

  // The gradient of the data is computed even where nobody wants it: the one of the weights needs what it leaves in the
  // reserve.
  DEEP_RNN_CALL(gpu_.api(), cudnnRNNBackwardData_v8, gpu_.cudnn(), descriptors.rnn, nullptr, descriptors.y, args.y,
                args.dy ? args.dy : zero_dy, descriptors.x, args.dx ? args.dx : unwanted_dx, descriptors.h, args.h0, args.dhn,
                args.dh0, descriptors.c, args.c0, args.dcn, args.dc0, plan.weight_bytes(), plan.pack(args.params),
                space.workspace, workspace, space.reserve, args.reserve);
  if (args.dparams) {
    gpu_.zero(gradients, plan.weight_bytes());
    DEEP_RNN_CALL(gpu_.api(), cudnnRNNBackwardWeights_v8, gpu_.cudnn(), descriptors.rnn, CUDNN_WGRAD_MODE_ADD, nullptr,
                  descriptors.x, x, descriptors.h, args.h0, descriptors.y, args.y, plan.weight_bytes(), gradients,
                  space.workspace, workspace, space.reserve, args.reserve);
    plan.add_gradients(gradients, args.dparams);
  }
  if (lengths && args.dx) {
    const Launch shape = gpu_.over_elements(args.steps * args.batch * desc.input_size);
    DEEP_RNN_LAUNCH_BITS(gpu_, shape, desc.dtype, mask_steps, args.steps, args.batch, desc.input_size, lengths, args.dx,
                         args.dx);
  }
  if (!has_empty(args.lengths, args.batch)) return;
  pass_through(gpu_, desc, args.batch, desc.output_size(), lengths, args.dhn, args.dh0);
  pass_through(gpu_, desc, args.batch, desc.hidden_size, lengths, args.dcn, args.dc0);
}

}  // namespace deep_rnn::cuda
