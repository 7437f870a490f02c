// The shim catches mistakes: each is made on purpose in a process of its own, which must end with the words named here.
// Usage: gpu_shim_mistakes_test SHIM_FOLDER.
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "check.h"
#include "cuda/primitives.h"
#include "cuda/rnn_plan.h"

using namespace deep_rnn;
using namespace deep_rnn::cuda;
using namespace deep_rnn::test;

namespace {

CUdeviceptr address(void* data) { return reinterpret_cast<CUdeviceptr>(data); }

// What a case has allocated; given back at its end.
struct Allocations {
  explicit Allocations(Gpu& gpu) : gpu(gpu) {}
  ~Allocations() {
    gpu.api().cuStreamSynchronize(gpu.stream());
    for (CUdeviceptr memory : all) gpu.api().cuMemFree(memory);
    all.clear();
  }
  Gpu& gpu;
  static std::vector<CUdeviceptr> all;
};
std::vector<CUdeviceptr> Allocations::all;

void* allocate(const Gpu& gpu, size_t bytes) {
  CUdeviceptr memory = 0;
  DEEP_RNN_CALL(gpu.api(), cuMemAlloc, &memory, bytes);
  Allocations::all.push_back(memory);
  return reinterpret_cast<void*>(memory);
}

// An LSTM with everything that a training step needs, each pass a call of cuDNN as the backend makes it.
struct Stack {
  explicit Stack(Gpu& gpu) : gpu(gpu), desc(make()), plan(gpu, desc), descriptors(plan.descriptors()) {
    descriptors.set_data(desc, T, B, nullptr);
    DEEP_RNN_CALL(gpu.api(), cudnnGetRNNTempSpaceSizes, gpu.cudnn(), descriptors.rnn, CUDNN_FWD_MODE_TRAINING, descriptors.x,
                  &work_bytes, &reserve_bytes);
    for (void** array : {&x, &y, &dy, &dx}) *array = zeros(size_t(T * B * 4) * sizeof(float));
    work = allocate(gpu, work_bytes);
    reserve = allocate(gpu, reserve_bytes);
    gradients = zeros(plan.weight_space());
    weights_space = allocate(gpu, plan.weight_space());
    params = zeros(size_t(rnn_param_layout(desc).count) * sizeof(float));
  }
  static RnnDesc make() {
    RnnDesc desc;
    desc.input_size = desc.hidden_size = 4;
    return desc;
  }
  void* zeros(size_t bytes) {
    void* memory = allocate(gpu, bytes);
    gpu.zero(memory, bytes);
    return memory;
  }
  void forward(size_t given_work) {
    DEEP_RNN_CALL(gpu.api(), cudnnRNNForward, gpu.cudnn(), descriptors.rnn, CUDNN_FWD_MODE_TRAINING, nullptr, descriptors.x, x,
                  descriptors.y, y, descriptors.h, nullptr, nullptr, descriptors.c, nullptr, nullptr, plan.weight_bytes(),
                  plan.pack(params, weights_space), given_work, work, reserve_bytes, reserve);
  }
  void forward() { forward(work_bytes); }
  void data() {
    DEEP_RNN_CALL(gpu.api(), cudnnRNNBackwardData_v8, gpu.cudnn(), descriptors.rnn, nullptr, descriptors.y, y, dy,
                  descriptors.x, dx, descriptors.h, nullptr, nullptr, nullptr, descriptors.c, nullptr, nullptr, nullptr,
                  plan.weight_bytes(), plan.pack(params, weights_space), work_bytes, work, reserve_bytes, reserve);
  }
  void weights(cudnnWgradMode_t mode = CUDNN_WGRAD_MODE_ADD) {
    DEEP_RNN_CALL(gpu.api(), cudnnRNNBackwardWeights_v8, gpu.cudnn(), descriptors.rnn, mode, nullptr, descriptors.x, x,
                  descriptors.h, nullptr, descriptors.y, y, plan.weight_bytes(), gradients, work_bytes, work, reserve_bytes,
                  reserve);
  }

  static constexpr int T = 3, B = 2;
  Gpu& gpu;
  const RnnDesc desc;
  RnnPlan plan;
  RnnDescriptors& descriptors;
  size_t work_bytes = 0, reserve_bytes = 0;
  void *x, *y, *dy, *dx, *work, *reserve, *gradients, *params, *weights_space;
};

struct Ending {
  int status;
  std::string words;
};

// Runs `body` in a child: an exception or exit(1) ends it with status 1 and the message.
Ending ending_of(const std::function<void()>& body) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    std::signal(SIGABRT, SIG_DFL);
    try {
      body();
    } catch (const std::exception& failure) {
      std::fprintf(stderr, "%s\n", failure.what());
      _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string words;
  char piece[512];
  for (ssize_t got; (got = read(ends[0], piece, sizeof piece)) > 0;) words.append(piece, size_t(got));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), words};
}

int caught = 0;

void expect(const char* mistake, int status, const std::string& words, const std::function<void(Gpu&)>& body) {
  const Ending ending = ending_of([&] {
    Gpu gpu;
    const Allocations allocations(gpu);
    gpu.synchronize();  // so that nothing but the mistake is queued
    body(gpu);
    gpu.synchronize();
  });
  if (ending.status == status && contains(ending.words, words)) {
    caught++;
    return;
  }
  fail(mistake, 0,
       "Expected the end " + std::to_string(status) + " with \"" + words + "\" but received " + std::to_string(ending.status) +
           " with \"" + ending.words + "\"");
}

constexpr int kAborted = 128 + SIGABRT, kCrashed = 128 + SIGSEGV, kThrown = 1, kFine = 0;

void memory_mistakes() {
  expect("the host reads device memory", kCrashed, "", [](Gpu& gpu) {
    volatile float* memory = static_cast<float*>(allocate(gpu, 64));
    std::fprintf(stderr, "%f\n", double(*memory));
  });
  expect("memory is freed twice", kAborted, "freed twice", [](Gpu& gpu) {
    void* memory = allocate(gpu, 64);
    gpu.api().cuMemFree(address(memory));
    gpu.api().cuMemFree(address(memory));
  });
  expect("memory is freed under queued work", kAborted, "work is queued", [](Gpu& gpu) {
    void* memory = allocate(gpu, 64);
    gpu.zero(memory, 64);
    gpu.api().cuMemFree(address(memory));
  });
  expect("a copy leaves its allocation", kAborted, "does not lie inside one device allocation", [](Gpu& gpu) {
    const std::vector<char> host(65);
    gpu.upload(allocate(gpu, 64), host.data(), host.size());
  });
  expect("a kernel writes past its allocation", kAborted, "written behind its allocation",
         [](Gpu& gpu) { fill(gpu, DType::float32, 17, 1, allocate(gpu, 64)); });
  expect("queued work uses memory that was freed", kAborted, "memory that was freed", [](Gpu& gpu) {
    CUstream other = nullptr;
    DEEP_RNN_CALL(gpu.api(), cuStreamCreate, &other, CU_STREAM_NON_BLOCKING);
    void* memory = allocate(gpu, 64);
    gpu.zero(memory, 64);
    gpu.api().cuMemFree(address(memory));
  });
  expect("a copy from pageable memory", kAborted, "not pinned", [](Gpu& gpu) {
    const std::vector<char> host(64);
    gpu.api().cuMemcpyHtoDAsync(address(allocate(gpu, 64)), host.data(), 64, gpu.stream());
  });
  expect("work on the default stream", kAborted, "default stream",
         [](Gpu& gpu) { gpu.api().cuMemsetD32Async(address(allocate(gpu, 64)), 0, 16, nullptr); });
  expect("no context is current", kAborted, "no context is current", [](Gpu& gpu) {
    gpu.api().cuCtxSetCurrent(nullptr);
    allocate(gpu, 64);
  });
  expect("a result is read before the stream was waited for", kFine, "nan", [](Gpu& gpu) {
    void* host = nullptr;
    DEEP_RNN_CALL(gpu.api(), cuMemAllocHost, &host, 4);
    void* memory = allocate(gpu, 4);
    gpu.zero(memory, 4);
    DEEP_RNN_CALL(gpu.api(), cuMemcpyDtoHAsync, host, address(memory), 4, gpu.stream());
    std::fprintf(stderr, "%f\n", std::fabs(double(*static_cast<float*>(host))));
    gpu.synchronize();
    gpu.api().cuMemFreeHost(host);
  });
  expect("memory is used before anything was written there", kFine, "nan", [](Gpu& gpu) {
    float value = 0;
    gpu.download(&value, allocate(gpu, 4), 4);
    std::fprintf(stderr, "%f\n", std::fabs(double(value)));
  });
}

// The last context is given back while something of its lives.
void leaks() {
  expect("device memory is never freed", kAborted, "1 device allocations", [](Gpu& gpu) {
    CUdeviceptr memory = 0;
    DEEP_RNN_CALL(gpu.api(), cuMemAlloc, &memory, 64);
  });
  expect("pinned memory is never freed", kAborted, "1 pinned allocations", [](Gpu& gpu) {
    void* host = nullptr;
    DEEP_RNN_CALL(gpu.api(), cuMemAllocHost, &host, 64);
  });
  expect("a stream is never destroyed", kAborted, "1 streams", [](Gpu& gpu) {
    CUstream stream = nullptr;
    DEEP_RNN_CALL(gpu.api(), cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
  });
  expect("an event is never destroyed", kAborted, "1 events", [](Gpu& gpu) {
    CUevent event = nullptr;
    DEEP_RNN_CALL(gpu.api(), cuEventCreate, &event, CU_EVENT_DEFAULT);
  });
  expect("a handle is never destroyed", kAborted, "1 cuDNN handles", [](Gpu& gpu) {
    cudnnHandle_t handle = nullptr;
    DEEP_RNN_CALL(gpu.api(), cudnnCreate, &handle);
  });
  expect("a descriptor is never destroyed", kAborted, "1 cudnnRNNDescriptor_t", [](Gpu& gpu) {
    cudnnRNNDescriptor_t descriptor = nullptr;
    DEEP_RNN_CALL(gpu.api(), cudnnCreateRNNDescriptor, &descriptor);
  });
}

void product_mistakes() {
  expect("a leading dimension is too small", kThrown, "cuBLAS status 7", [](Gpu& gpu) {
    void* memory = allocate(gpu, 4096);
    matmul(gpu, {DType::float32, 1, 4, 4, 4, false, false, false, 3, 4, 4, 0, 0, 0}, memory, memory, allocate(gpu, 64));
  });
  expect("a product leaves its allocation", kAborted, "does not lie inside one device allocation", [](Gpu& gpu) {
    void* memory = allocate(gpu, 64);
    matmul(gpu, {DType::float32, 1, 4, 4, 5, false, false, false, 5, 4, 4, 0, 0, 0}, memory, memory, allocate(gpu, 64));
  });
}

void rnn_mistakes() {
  expect("nothing is wrong", kFine, "", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.forward();
    stack.data();
    stack.weights();
  });
  expect("the gradient of the weights comes before that of the data", kAborted, "cudnnRNNBackwardData_v8", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.forward();
    stack.weights();
  });
  expect("a reserve is used twice", kAborted, "awaits this", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.forward();
    stack.data();
    stack.data();
  });
  expect("a reserve without a forward pass", kAborted, "awaits this", [](Gpu& gpu) { Stack(gpu).data(); });
  expect("the output changes before the backward pass", kAborted, "y has changed", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.forward();
    DEEP_RNN_CALL(gpu.api(), cuMemsetD32Async, address(stack.y), 1, 1, gpu.stream());
    stack.data();
  });
  expect("the weights change before the backward pass", kAborted, "the weights have changed", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.forward();
    DEEP_RNN_CALL(gpu.api(), cuMemsetD32Async, address(stack.params), 1, 1, gpu.stream());
    stack.data();
  });
  expect("the workspace is too small", kThrown, "workSpaceSize", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.forward(stack.work_bytes - 1);
  });
  expect("gradients of weights are set", kThrown, "never set", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.forward();
    stack.data();
    stack.weights(CUDNN_WGRAD_MODE_SET);
  });
  expect("the shape changes before the backward pass", kAborted, "another configuration", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.forward();
    const int32_t shorter[] = {3, 2};
    stack.descriptors.set_data(stack.desc, Stack::T, Stack::B, shorter);
    stack.data();
  });
}

// What is captured of `body`, ready to be launched; what it needs to have run before ran already.
CUgraphExec capture(Gpu& gpu, const std::function<void()>& body) {
  const Api& api = gpu.api();
  CUgraph graph = nullptr;
  CUgraphExec executable = nullptr;
  DEEP_RNN_CALL(api, cuStreamBeginCapture, gpu.stream(), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  body();
  DEEP_RNN_CALL(api, cuStreamEndCapture, gpu.stream(), &graph);
  DEEP_RNN_CALL(api, cuGraphInstantiate, &executable, graph, 0);
  DEEP_RNN_CALL(api, cuGraphDestroy, graph);
  return executable;
}

// Something else of the driver or a library called while the stream is being captured.
void expect_forbidden(const char* mistake, const std::function<void(Gpu&)>& call) {
  expect(mistake, kAborted, "not allowed while a stream is being captured",
         [&](Gpu& gpu) { capture(gpu, [&] { call(gpu); }); });
}

void graph_mistakes() {
  expect("launches of a captured step are ordered, and nothing runs before one", kFine, "0.0 3.0", [](Gpu& gpu) {
    auto* sum = static_cast<float*>(allocate(gpu, 8));
    float before = -1, after = -1;
    const float one = 1;
    gpu.zero(sum, 8);
    gpu.upload(sum + 1, &one, 4);
    Strided scalar;
    const auto add = [&] { copy(gpu, DType::float32, scalar, true, sum + 1, sum); };
    add();
    gpu.zero(sum, 4);
    const CUgraphExec graph = capture(gpu, add);
    gpu.download(&before, sum, 4);
    for (int i = 0; i < 3; i++) DEEP_RNN_CALL(gpu.api(), cuGraphLaunch, graph, gpu.stream());
    gpu.download(&after, sum, 4);
    std::fprintf(stderr, "%.1f %.1f\n", double(before), double(after));
    gpu.api().cuGraphExecDestroy(graph);
  });
  expect_forbidden("a capture waits for the stream", [](Gpu& gpu) { gpu.api().cuStreamSynchronize(gpu.stream()); });
  expect_forbidden("a capture waits for an event", [](Gpu& gpu) {
    CUevent event = nullptr;
    gpu.api().cuEventCreate(&event, 0);
    gpu.api().cuEventSynchronize(event);
  });
  expect_forbidden("a capture allocates", [](Gpu& gpu) { allocate(gpu, 64); });
  expect_forbidden("a capture allocates pinned memory", [](Gpu& gpu) {
    void* host = nullptr;
    gpu.api().cuMemAllocHost(&host, 64);
  });
  expect("a capture frees", kAborted, "not allowed while a stream is being captured", [](Gpu& gpu) {
    void* memory = allocate(gpu, 64);
    capture(gpu, [&] { gpu.api().cuMemFree(address(memory)); });
  });
  expect_forbidden("a capture opens cuBLAS", [](Gpu& gpu) {
    cublasHandle_t handle = nullptr;
    gpu.api().cublasCreate(&handle);
  });
  expect_forbidden("a capture moves cuBLAS to the stream",
                   [](Gpu& gpu) { gpu.api().cublasSetStream(gpu.cublas(), gpu.stream()); });
  expect("a capture sets up dropout", kAborted, "not allowed while a stream is being captured", [](Gpu& gpu) {
    RnnDesc desc = Stack::make();
    desc.layers = 2;
    desc.dropout = 0.5;
    RnnPlan plan(gpu, desc);
    gpu.synchronize();
    capture(gpu, [&] { plan.seed_dropout(1); });
  });
  expect("a product takes cuBLAS's own workspace", kAborted, "without cublasSetWorkspace", [](Gpu& gpu) {
    void* memory = allocate(gpu, 256);
    DEEP_RNN_CALL(gpu.api(), cublasSetStream, gpu.cublas(), gpu.stream());
    capture(gpu, [&] {
      matmul(gpu, {DType::float32, 1, 4, 4, 4, false, false, false, 4, 4, 4, 0, 0, 0}, memory, memory,
             static_cast<char*>(memory) + 128);
    });
  });
  expect("a captured copy reads the host", kAborted, "read the host's memory", [](Gpu& gpu) {
    void *host = nullptr, *memory = allocate(gpu, 64);
    DEEP_RNN_CALL(gpu.api(), cuMemAllocHost, &host, 64);
    capture(gpu, [&] { gpu.api().cuMemcpyHtoDAsync(address(memory), host, 64, gpu.stream()); });
  });
  expect("a captured copy writes to the host", kAborted, "write to the host's memory", [](Gpu& gpu) {
    void *host = nullptr, *memory = allocate(gpu, 64);
    DEEP_RNN_CALL(gpu.api(), cuMemAllocHost, &host, 64);
    capture(gpu, [&] { gpu.api().cuMemcpyDtoHAsync(host, address(memory), 64, gpu.stream()); });
  });
  expect("a captured copy from pageable memory", kAborted, "not pinned", [](Gpu& gpu) {
    const std::vector<char> host(64);
    void* memory = allocate(gpu, 64);
    capture(gpu, [&] { gpu.api().cuMemcpyHtoDAsync(address(memory), host.data(), 64, gpu.stream()); });
  });
  expect("work on another stream during a capture", kAborted, "work on another stream", [](Gpu& gpu) {
    void* memory = allocate(gpu, 64);
    CUstream other = nullptr;
    DEEP_RNN_CALL(gpu.api(), cuStreamCreate, &other, CU_STREAM_NON_BLOCKING);
    capture(gpu, [&] { gpu.api().cuMemsetD32Async(address(memory), 0, 16, other); });
  });
  expect("an event is recorded in a graph", kAborted, "nobody can wait for an event", [](Gpu& gpu) {
    CUevent event = nullptr;
    DEEP_RNN_CALL(gpu.api(), cuEventCreate, &event, 0);
    capture(gpu, [&] { gpu.api().cuEventRecord(event, gpu.stream()); });
  });
  expect("a kernel is launched for the first time in a capture", kAborted, "first launch loads", [](Gpu& gpu) {
    void* memory = allocate(gpu, 64);
    gpu.zero(memory, 64);
    capture(gpu, [&] { unary(gpu, UnaryOp::exp, DType::float32, 16, 0, memory, memory); });
  });
  expect("a pass runs for the first time in a capture", kAborted, "the first pass of a kind", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.plan.pack(stack.params, stack.weights_space);
    capture(gpu, [&] { stack.forward(); });
  });
  expect("a graph outlives its memory", kAborted, "freed since the capture", [](Gpu& gpu) {
    void* memory = allocate(gpu, 64);
    const CUgraphExec graph = capture(gpu, [&] { gpu.zero(memory, 64); });
    gpu.synchronize();
    gpu.api().cuMemFree(address(memory));
    gpu.api().cuGraphLaunch(graph, gpu.stream());
  });
  expect("a graph is launched after its end", kAborted, "does not exist", [](Gpu& gpu) {
    const CUgraphExec graph = capture(gpu, [] {});
    gpu.api().cuGraphExecDestroy(graph);
    gpu.api().cuGraphLaunch(graph, gpu.stream());
  });
  expect("a graph is destroyed twice", kAborted, "does not exist", [](Gpu& gpu) {
    const CUgraphExec graph = capture(gpu, [] {});
    gpu.api().cuGraphExecDestroy(graph);
    gpu.api().cuGraphExecDestroy(graph);
  });
  expect("a graph is launched while a stream is being captured", kAborted, "not allowed while", [](Gpu& gpu) {
    const CUgraphExec graph = capture(gpu, [] {});
    capture(gpu, [&] { gpu.api().cuGraphLaunch(graph, gpu.stream()); });
  });
  expect("a capture ends that never began", kAborted, "is not being captured", [](Gpu& gpu) {
    CUgraph graph = nullptr;
    gpu.api().cuStreamEndCapture(gpu.stream(), &graph);
  });
  expect("a capture begins within a capture", kAborted, "a capture is under way",
         [](Gpu& gpu) { capture(gpu, [&] { capture(gpu, [] {}); }); });
  expect("a reserve is left from the launch before", kAborted, "awaits this", [](Gpu& gpu) {
    Stack stack(gpu);
    stack.forward();
    stack.data();
    stack.forward();
    const CUgraphExec graph = capture(gpu, [&] { stack.data(); });
    for (int i = 0; i < 2; i++) gpu.api().cuGraphLaunch(graph, gpu.stream());
  });
}

}  // namespace

int main(int count, char** arguments) {
  CHECK_EQUAL(count, 2);
  setenv("DEEP_RNN_CUDA_PATH", arguments[1], 1);
  setenv("DEEP_RNN_SHIM_ORDER", "lazy", 1);
  memory_mistakes();
  leaks();
  product_mistakes();
  rnn_mistakes();
  graph_mistakes();
  constexpr int kRight = 2;  // cases without a mistake
  std::printf("%d mistakes made on purpose, all caught\n", caught - kRight);
}
