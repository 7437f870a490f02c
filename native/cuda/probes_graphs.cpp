// What can be captured in a CUDA graph, and what its launches do.
#include <algorithm>

#include "core/error.h"
#include "cuda/capture.h"
#include "cuda/primitives.h"
#include "cuda/probes.h"

namespace deep_rnn::cuda {

namespace {

// Work that has run twice, and then was captured, as the backend does it.
class Captured {
 public:
  Captured(Gpu& gpu, const std::function<void()>& work) : gpu_(gpu) {
    for (int i = 0; i < 2; i++) work();
    gpu.synchronize();
    graph_ = capture(gpu, work, &refusal_);
  }
  ~Captured() {
    if (!graph_) return;
    gpu_.api().cuStreamSynchronize(gpu_.stream());
    gpu_.api().cuGraphExecDestroy(graph_);
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  bool is_refused() const { return !graph_; }
  const std::string& refusal() const { return refusal_; }
  void launch() { DEEP_RNN_CALL(gpu_.api(), cuGraphLaunch, graph_, gpu_.stream()); }

 private:
  Gpu& gpu_;
  CUgraphExec graph_ = nullptr;
  std::string refusal_;
};

struct Kind {
  cudnnRNNMode_t cell;
  cudnnRNNAlgo_t algorithm;
  const char* name;
};
constexpr Kind kKinds[] = {
    {CUDNN_RNN_TANH, CUDNN_RNN_ALGO_STANDARD, "tanh"},
    {CUDNN_RNN_RELU, CUDNN_RNN_ALGO_STANDARD, "relu"},
    {CUDNN_GRU, CUDNN_RNN_ALGO_STANDARD, "GRU"},
    {CUDNN_LSTM, CUDNN_RNN_ALGO_STANDARD, "LSTM"},
    {CUDNN_LSTM, CUDNN_RNN_ALGO_PERSIST_STATIC, "LSTM by PERSIST_STATIC"},
    {CUDNN_LSTM, CUDNN_RNN_ALGO_PERSIST_DYNAMIC, "LSTM by PERSIST_DYNAMIC"},
    {CUDNN_LSTM, CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H, "LSTM by PERSIST_STATIC_SMALL_H"},
};

BareConfig config_of(const Kind& kind, bool quick) {
  BareConfig config;
  config.cell = kind.cell;
  config.algorithm = kind.algorithm;
  config.layers = 2;
  config.input = config.hidden = quick ? 32 : 128;
  config.steps = quick ? 6 : 35;
  config.batch = quick ? 4 : 32;
  return config;
}

void clear_results(BareStack& stack) {
  for (BareArray* array : {&stack.y, &stack.hy, &stack.cy, &stack.dx, &stack.dhx, &stack.dcx, &stack.dweights})
    stack.zero(*array);
}

void join(std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; }

// Calls visit(kind, stack, captured step) for every kind of stack that runs here.
template <class Visit>
void with_captured(Gpu& gpu, bool quick, Visit visit) {
  for (const Kind& kind : kKinds) {
    try {
      BareStack stack(gpu, config_of(kind, quick));
      stack.step();
      gpu.synchronize();
      Captured captured(gpu, [&] { stack.step(); });
      visit(kind, stack, captured);
    } catch (const CudnnError&) {
      // Persistent algorithms need not run on every GPU.
      if (kind.algorithm == CUDNN_RNN_ALGO_STANDARD) throw;
    }
  }
}

Verdict ask_capture(Gpu& gpu, bool quick) {
  std::string taken, refused;
  with_captured(gpu, quick, [&](const Kind& kind, BareStack&, Captured& captured) {
    if (captured.is_refused()) {
      join(refused, kind.name + (": " + captured.refusal()));
    } else {
      join(taken, kind.name);
    }
  });
  return {refused.empty(), "captured: " + (taken.empty() ? "none" : taken) + (refused.empty() ? "" : "; refused: " + refused)};
}

Verdict ask_replay(Gpu& gpu, bool quick) {
  double most = 0;
  std::string asked;
  with_captured(gpu, quick, [&](const Kind& kind, BareStack& stack, Captured& captured) {
    if (captured.is_refused()) return;
    join(asked, kind.name);
    // With another input each time.
    for (const double scale : {1.0, 0.5}) {
      stack.fill_random(stack.x, scale);
      const PassResults wanted = run_pass(stack);
      for (int launch = 0; launch < 2; launch++) {
        clear_results(stack);
        captured.launch();
        most = std::max(most, distance(results_of(stack), wanted));
      }
    }
  });
  if (asked.empty()) return {false, "nothing could be captured", true};
  return {most == 0, "steps launched as graphs are " + number(most) + " from the same steps without: " + asked};
}

// Products of all shapes of a training step, one after the other in the workspace that the GPU keeps for them.
struct Products {
  static constexpr int64_t kRows = 96, kInner = 64, kColumns = 160;
  Gpu& gpu;
  BareArray a, b, c;

  explicit Products(Gpu& gpu) : gpu(gpu), a(gpu), b(gpu), c(gpu) {
    constexpr size_t kBytes = size_t(kRows * kColumns) * sizeof(float);
    for (BareArray* array : {&a, &b, &c}) array->memory.take(3 * kBytes);
    random(gpu, {RandomKind::uniform, DType::float32, kRows * kColumns, 1, 0, -1, 1}, a.data());
    random(gpu, {RandomKind::uniform, DType::float32, kRows * kColumns, 2, 0, -1, 1}, b.data());
  }
  void run() {
    for (int i = 0; i < 3; i++) {
      const bool a_turned = i == 1, b_turned = i == 2;
      MatmulDesc desc = {DType::float32,
                         1,
                         kRows,
                         kColumns,
                         kInner,
                         a_turned,
                         b_turned,
                         false,
                         a_turned ? kRows : kInner,
                         b_turned ? kInner : kColumns,
                         kColumns,
                         0,
                         0,
                         0};
      matmul(gpu, desc, a.data(), b.data(), static_cast<float*>(c.data()) + i * kRows * kColumns);
    }
  }
  std::vector<double> read() {
    std::vector<float> values(size_t(3 * kRows * kColumns));
    gpu.download(values.data(), c.data(), values.size() * sizeof(float));
    return std::vector<double>(values.begin(), values.end());
  }
};

Verdict ask_products(Gpu& gpu, bool) {
  Products products(gpu);
  Captured captured(gpu, [&] { products.run(); });
  return {!captured.is_refused(), captured.is_refused() ? "refused: " + captured.refusal() : "three products were captured"};
}

Verdict ask_replayed_products(Gpu& gpu, bool) {
  Products products(gpu);
  Captured captured(gpu, [&] { products.run(); });
  if (captured.is_refused()) return {false, "they could not be captured", true};
  const std::vector<double> wanted = products.read();
  gpu.zero(products.c.data(), wanted.size() * sizeof(float));
  captured.launch();
  const double difference = distance(products.read(), wanted);
  return {difference == 0, "three products launched as a graph are " + number(difference) + " from the same ones without"};
}

Verdict ask_masks(Gpu& gpu, bool quick) {
  BareConfig config = config_of({CUDNN_LSTM, CUDNN_RNN_ALGO_STANDARD, ""}, quick);
  config.dropout = 0.5f;
  BareStack stack(gpu, config);
  size_t bytes = 0;
  DEEP_RNN_CALL(gpu.api(), cudnnDropoutGetStatesSize, gpu.cudnn(), &bytes);
  const auto seed = [&](uint64_t value) {
    DEEP_RNN_CALL(gpu.api(), cudnnSetDropoutDescriptor, stack.dropout(), gpu.cudnn(), config.dropout, stack.dropout_states(),
                  bytes, value);
  };
  Captured captured(gpu, [&] { stack.step(); });
  if (captured.is_refused()) return {false, "a pass with dropout could not be captured", true};
  double most = 0;
  std::vector<PassResults> wanted;
  for (const uint64_t value : {uint64_t(11), uint64_t(12), uint64_t(11)}) {
    seed(value);
    wanted.push_back(run_pass(stack));
    clear_results(stack);
    seed(value);
    captured.launch();
    most = std::max(most, distance(results_of(stack), wanted.back()));
  }
  const double apart = distance(wanted[0], wanted[1]);
  captured.launch();
  const double next = distance(results_of(stack), wanted[2]);
  return {most == 0 && apart > 0, "launches after the same seed are " + number(most) +
                                      " from passes without a graph, after another seed " + number(apart) +
                                      ", and without a seed before it " + number(next)};
}

}  // namespace

std::vector<ProbeCode> graph_probes() {
  return {
      {{"captured passes", false, "passes without lengths can be captured in a CUDA graph after two runs"}, ask_capture},
      {{"replayed passes", true, "what was captured of passes gives the same bits when it is launched"}, ask_replay},
      {{"captured products", false, "products in a workspace of ours can be captured after two runs"}, ask_products},
      {{"replayed products", true, "what was captured of products gives the same bits when it is launched"},
       ask_replayed_products},
      {{"captured masks", true, "dropout masks of a captured pass follow the states that are set before each launch"},
       ask_masks},
  };
}

}  // namespace deep_rnn::cuda
