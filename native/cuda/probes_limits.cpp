// What cuDNN's algorithms take, how exact products are, and what happens on several streams and beyond 2³¹ elements.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "cuda/primitives.h"
#include "cuda/probes.h"

namespace deep_rnn::cuda {

namespace {

struct Algorithm {
  cudnnRNNAlgo_t algorithm;
  const char* name;
};
constexpr Algorithm kPersistent[] = {{CUDNN_RNN_ALGO_PERSIST_STATIC, "PERSIST_STATIC"},
                                     {CUDNN_RNN_ALGO_PERSIST_DYNAMIC, "PERSIST_DYNAMIC"},
                                     {CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H, "PERSIST_STATIC_SMALL_H"}};

struct Type {
  cudnnDataType_t type, sums;
  cudnnMathType_t math;
  const char* name;
};
constexpr Type kTypes[] = {{CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT, CUDNN_FMA_MATH, "float32"},
                           {CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT, CUDNN_DEFAULT_MATH, "tf32"},
                           {CUDNN_DATA_HALF, CUDNN_DATA_FLOAT, CUDNN_TENSOR_OP_MATH, "float16"},
                           {CUDNN_DATA_BFLOAT16, CUDNN_DATA_FLOAT, CUDNN_TENSOR_OP_MATH, "bfloat16"},
                           {CUDNN_DATA_DOUBLE, CUDNN_DATA_DOUBLE, CUDNN_DEFAULT_MATH, "float64"}};

// The largest hidden size, of 64, 128 ... `most`, with which a whole training pass runs; 0: none does.
int largest_hidden(Gpu& gpu, const Algorithm& algorithm, const Type& type, int most) {
  int largest = 0;
  for (int hidden = 64; hidden <= most; hidden *= 2) {
    BareConfig config;
    config.algorithm = algorithm.algorithm;
    config.type = type.type;
    config.sums = type.sums;
    config.math = type.math;
    config.input = config.hidden = hidden;
    config.batch = 32;
    try {
      BareStack stack(gpu, config);
      stack.step();
      gpu.synchronize();
      largest = hidden;
    } catch (const std::exception&) {
      // A refusal is what is asked for.
    }
  }
  return largest;
}

int most_hidden(bool quick) { return quick ? 128 : 1024; }

Verdict ask_persistent(Gpu& gpu, bool quick) {
  std::string found;
  bool any = false;
  for (const Algorithm& algorithm : kPersistent) {
    found += std::string(found.empty() ? "" : "; ") + algorithm.name + ":";
    for (const Type& type : kTypes) {
      const int hidden = largest_hidden(gpu, algorithm, type, most_hidden(quick));
      any = any || hidden > 0;
      found += std::string(" ") + type.name + (hidden > 0 ? " to " + std::to_string(hidden) : " never");
    }
  }
  return {any,
          "largest of 64, 128 ... " + std::to_string(most_hidden(quick)) + " units that trained, LSTM, 32 sequences: " + found};
}

Verdict ask_half_types(Gpu& gpu, bool quick) {
  std::string failures;
  for (const Type& type : kTypes) {
    const int most = most_hidden(quick);
    if (largest_hidden(gpu, {CUDNN_RNN_ALGO_STANDARD, "STANDARD"}, type, most) == most) continue;
    failures += std::string(failures.empty() ? "" : ", ") + type.name;
  }
  return {failures.empty(), failures.empty() ? "all five trained" : "not all sizes trained in " + failures};
}

// 1 + 2^-12 needs 13 bits of mantissa: TF32 and bfloat16 round it to 1.
constexpr double kFine = 1 + 1.0 / 4096;

double fine_product(Gpu& gpu, cudnnMathType_t math) {
  BareConfig config;
  config.cell = CUDNN_RNN_RELU;
  config.math = math;
  config.bias = CUDNN_RNN_NO_BIAS;
  config.input = config.hidden = 64;
  config.steps = 1;
  config.batch = 64;
  BareStack stack(gpu, config);
  // The input's matrix is the unit matrix times the fine number, the state's is zero.
  std::vector<double> weights(stack.weights.count, 0);
  const char* base = static_cast<const char*>(stack.weights.data());
  const size_t first = size_t(stack.place(0, 0, false).address - base) / stack.element();
  for (int i = 0; i < config.hidden; i++) weights[first + size_t(i * config.hidden + i)] = kFine;
  stack.write(stack.weights, weights);
  stack.write(stack.x, std::vector<double>(stack.x.count, 1));
  gpu.api().check(stack.forward(false), "cudnnRNNForward");
  return stack.read(stack.y)[0];
}

Verdict ask_fma(Gpu& gpu, bool) {
  const double y = fine_product(gpu, CUDNN_FMA_MATH), otherwise = fine_product(gpu, CUDNN_DEFAULT_MATH);
  return {y == kFine, "1 times 1 + 2^-12 gave 1 + " + number(y - 1) + "; with CUDNN_DEFAULT_MATH 1 + " + number(otherwise - 1)};
}

Verdict ask_sgemm(Gpu& gpu, bool) {
  MatmulDesc desc{};
  desc.batch = 1;
  desc.m = desc.n = desc.k = 64;
  desc.lda = desc.ldb = desc.ldc = 64;
  const std::vector<float> ones(64 * 64, 1.0f);
  std::vector<float> unit(64 * 64, 0.0f);
  for (size_t i = 0; i < 64; i++) unit[i * 65] = float(kFine);
  BareArray a(gpu), b(gpu), c(gpu);
  const size_t bytes = ones.size() * sizeof(float);
  gpu.upload(a.memory.take(bytes), ones.data(), bytes);
  gpu.upload(b.memory.take(bytes), unit.data(), bytes);
  matmul(gpu, desc, a.data(), b.data(), c.memory.take(bytes));
  std::vector<float> result(ones.size());
  gpu.download(result.data(), c.data(), bytes);
  return {result[0] == float(kFine), "1 times 1 + 2^-12 gave 1 + " + number(double(result[0]) - 1)};
}

Verdict ask_skip_mismatch(Gpu& gpu, bool) {
  BareConfig config;
  config.input_mode = CUDNN_SKIP_INPUT;
  config.input = 24;
  config.hidden = 32;
  try {
    BareStack stack(gpu, config);
    const cudnnStatus_t status = stack.forward();
    return {status != CUDNN_STATUS_SUCCESS, std::string("the forward pass gave ") + gpu.api().cudnnGetErrorString(status)};
  } catch (const std::exception& refusal) {
    return {true, refusal.what()};
  }
}

// A stream and a handle of cuDNN that works on it.
struct SecondStream {
  const Api& api;
  CUstream stream = nullptr;
  cudnnHandle_t handle = nullptr;
  explicit SecondStream(Gpu& gpu) : api(gpu.api()) {
    DEEP_RNN_CALL(api, cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
    DEEP_RNN_CALL(api, cudnnCreate, &handle);
    DEEP_RNN_CALL(api, cudnnSetStream, handle, stream);
  }
  ~SecondStream() {
    if (handle) api.cudnnDestroy(handle);
    if (stream) api.cuStreamDestroy(stream);
  }
  SecondStream(const SecondStream&) = delete;
  SecondStream& operator=(const SecondStream&) = delete;
};

Verdict ask_streams(Gpu& gpu, bool quick) {
  BareConfig config;
  config.hidden = config.input = quick ? 32 : 256;
  config.steps = quick ? 4 : 35;
  config.batch = 32;
  SecondStream second(gpu);
  BareStack stack(gpu, config);
  BareStack other(gpu, config, second.handle);
  const PassResults alone = run_pass(stack);
  gpu.synchronize();
  double most = 0;
  for (int round = 0; round < 4; round++) {
    // Both on their way at once; only then are they waited for.
    gpu.api().check(stack.forward(), "cudnnRNNForward");
    gpu.api().check(other.forward(), "cudnnRNNForward on the second stream");
    gpu.api().check(stack.backward_data(), "cudnnRNNBackwardData_v8");
    gpu.api().check(other.backward_data(), "cudnnRNNBackwardData_v8 on the second stream");
    DEEP_RNN_CALL(gpu.api(), cuStreamSynchronize, second.stream);
    gpu.synchronize();
    for (BareStack* each : {&stack, &other})
      most = std::max({most, distance(each->read(each->y), alone.y), distance(each->read(each->dx), alone.dx)});
  }
  return {most == 0, "passes at once on two streams are " + number(most) + " from one alone"};
}

// Where the backend cuts: see rnn_chunks.h.
Verdict ask_steps(Gpu& gpu, bool) {
  const auto run = [&](int steps) -> std::string {
    BareConfig config;
    config.steps = steps;
    try {
      BareStack stack(gpu, config);
      stack.step();
      gpu.synchronize();
      return "";
    } catch (const std::exception& refusal) {
      return refusal.what();
    }
  };
  constexpr int kMost = 65535;
  const std::string most = run(kMost), more = run(kMost + 1);
  const auto told = [](int steps, const std::string& refusal) {
    return std::to_string(steps) + (refusal.empty() ? " ran" : " did not: " + refusal);
  };
  return {most.empty(), told(kMost, most) + "; " + told(kMost + 1, more)};
}

// More than 2^31 elements of x, the last step unlike the others: an offset of 32 bits would read another one there.
Verdict ask_large(Gpu& gpu, bool quick) {
  if (quick) return {false, "takes tens of GiB", true};
  BareConfig config;
  config.cell = CUDNN_RNN_TANH;
  config.steps = 128;
  config.input = 256;
  config.hidden = 16;
  config.batch = 66000;
  config.lean = true;
  BareStack large(gpu, config);
  config.batch = 1;
  BareStack small(gpu, config);
  small.fill_random(small.weights, 0.25);
  for (BareStack* stack : {&large, &small}) {
    const size_t step = size_t(stack->config.batch) * size_t(config.input);
    const auto set = [&](size_t first, size_t count, unsigned bits) {
      const CUdeviceptr at = reinterpret_cast<CUdeviceptr>(stack->x.data()) + first * sizeof(float);
      DEEP_RNN_CALL(gpu.api(), cuMemsetD32Async, at, bits, count, gpu.stream());
    };
    set(0, stack->x.count - step, 0x3E000000u);     // 0.125
    set(stack->x.count - step, step, 0xBE800000u);  // -0.25
    if (stack == &large) stack->write(stack->weights, small.read(small.weights));
    gpu.api().check(stack->forward(false), "cudnnRNNForward");
  }
  const std::vector<double> wanted = small.read(small.hy), found = large.read(large.hy);
  double most = 0;
  for (size_t i = 0; i < found.size(); i++) most = std::max(most, std::abs(found[i] - wanted[i % wanted.size()]));
  return {most < 1e-4, "the final states of " + std::to_string(large.config.batch) + " equal sequences, " +
                           std::to_string(large.x.count) + " elements of x, are " + number(most) + " from one alone"};
}

}  // namespace

std::vector<ProbeCode> limit_probes() {
  return {
      {{"float32 stacks", true, "CUDNN_FMA_MATH computes in float32, not in TF32"}, ask_fma},
      {{"float32 products", true, "cuBLAS computes products of float32 in float32, not in TF32"}, ask_sgemm},
      {{"types", false, "STANDARD trains an LSTM in float32, tf32, float16, bfloat16 and float64"}, ask_half_types},
      {{"persistent algorithms", false, "at least one persistent algorithm trains an LSTM here"}, ask_persistent},
      {{"skip input", false, "skip input of another width than the hidden size is refused"}, ask_skip_mismatch},
      {{"two streams", true, "handles on two streams work at once without touching each other"}, ask_streams},
      {{"steps at once", true, "a stack trains on 65,535 steps at once"}, ask_steps},
      {{"large input", false, "a stack takes more than 2^31 elements of input"}, ask_large},
  };
}

}  // namespace deep_rnn::cuda
