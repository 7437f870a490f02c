// The driver: context, memory, streams, events, modules and launches.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "gpu_shim/device.h"
#include "host_cuda/launch.h"

using namespace deep_rnn::gpu_shim;

struct CUevent_st {
  std::shared_ptr<bool> done;  // of the record that came last; null before the first
  std::shared_ptr<double> milliseconds = std::make_shared<double>(0);
};

namespace deep_rnn::gpu_shim {

namespace {

enum class Order { eager, lazy, random };

Order order() {
  const char* value = std::getenv("DEEP_RNN_SHIM_ORDER");
  const std::string name = value ? value : "lazy";
  if (name == "eager") return Order::eager;
  if (name == "random") return Order::random;
  demand(name == "lazy", "DEEP_RNN_SHIM_ORDER", "expected eager, lazy or random but received " + name);
  return Order::lazy;
}

struct Device {
  bool started = false;
  int retained = 0;
  std::set<CUstream> streams;
  std::set<CUevent> events;
  std::set<CUgraph> graphs;
  std::set<CUgraphExec> executables;
  std::mt19937_64 random{setting("DEEP_RNN_SHIM_SEED", 1)};
  const Order order = gpu_shim::order();
};

Device& device() {
  static Device& one = *new Device;
  return one;
}

thread_local CUcontext current = nullptr;
thread_local std::vector<CUcontext> pushed;
thread_local CUstream capturing = nullptr;

void run_first(CUstream stream) {
  const std::function<void()> run = std::move(stream->queue.front());
  stream->queue.pop_front();
  run();
}

// Runs the stream's work until `reached`, as far as the order wishes in the company of other streams' work.
template <class Reached>
void run_until(CUstream stream, Reached reached) {
  while (!reached()) {
    std::vector<CUstream> ready;
    for (CUstream other : device().streams)
      if (!other->queue.empty()) ready.push_back(other);
    demand(!ready.empty(), "synchronize", "nothing is queued that could ever bring this about");
    const bool own = stream && !stream->queue.empty() && device().order != Order::random;
    run_first(own ? stream : ready[device().random() % ready.size()]);
  }
}

// Kernels that were launched before.
std::set<const deep_rnn::host_cuda::Kernel*>& warm = *new std::set<const deep_rnn::host_cuda::Kernel*>;

double skipped = 0;

double now() {
  return skipped + std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

deep_rnn::host_cuda::Schedule schedule() {
  using deep_rnn::host_cuda::Order;
  deep_rnn::host_cuda::Schedule schedule;
  if (device().order != gpu_shim::Order::random) return schedule;
  schedule.order = Order(device().random() % 4);
  schedule.seed = device().random();
  return schedule;
}

}  // namespace

void violation(const std::string& what) {
  std::fprintf(stderr, "GPU shim: %s\n", what.c_str());
  std::abort();
}

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? std::strtoull(value, nullptr, 10) : otherwise;
}

std::recursive_mutex& everything() {
  static std::recursive_mutex& one = *new std::recursive_mutex;
  return one;
}

void skip_time(double milliseconds) { skipped += milliseconds; }

bool is_context_current() { return current != nullptr; }
bool is_capturing() { return capturing != nullptr; }
void forbid_capture(const char* call) { demand(!capturing, call, "not allowed while a stream is being captured"); }
void check_at_launch(std::function<void()> check) { capturing->capturing->checks.push_back(std::move(check)); }
bool exists(CUstream stream) { return device().streams.count(stream) == 1; }

void push(CUstream stream, const char* call, std::function<void()> run) {
  demand(is_context_current(), call, "no context is current on this thread");
  demand(stream != nullptr, call, "the default stream waits for all others, which this project never wants");
  demand(exists(stream), call, "the stream does not exist");
  if (capturing) {
    demand(stream == capturing, call, "work on another stream while one is being captured would not be in the graph");
    stream->capturing->nodes.push_back(std::move(run));
    return;
  }
  demand(!stream->capturing, call, "another thread is capturing the stream");
  stream->queue.push_back(std::move(run));
  const auto empty = [stream] { return stream->queue.empty(); };
  if (device().order == Order::eager) run_until(stream, empty);
  if (device().order == Order::random && device().random() % 4 == 0) {
    size_t left = device().random() % (stream->queue.size() + 1);
    run_until(stream, [stream, left] { return stream->queue.size() <= left; });
  }
}

}  // namespace deep_rnn::gpu_shim

#define DEEP_RNN_SHIM_ENTRY      \
  const char* call = __func__;   \
  const Entry entered(__func__); \
  (void)call

namespace {

void* pointer(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

}  // namespace

extern "C" {

CUresult cuInit(unsigned flags) {
  DEEP_RNN_SHIM_ENTRY;
  demand(flags == 0, call, "flags must be 0");
  device().started = true;
  return CUDA_SUCCESS;
}
CUresult cuDriverGetVersion(int* version) {
  *version = CUDA_VERSION;
  return CUDA_SUCCESS;
}
CUresult cuGetErrorName(CUresult error, const char** name) {
  *name = error == CUDA_ERROR_NOT_FOUND ? "CUDA_ERROR_NOT_FOUND" : "CUDA_ERROR_OF_THE_SHIM";
  return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult, const char** words) {
  *words = "the GPU shim refused";
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int* count) {
  DEEP_RNN_SHIM_ENTRY;
  demand(device().started, call, "cuInit comes first");
  *count = 1;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice* out, int ordinal) {
  if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
  *out = 0;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char* name, int size, CUdevice) {
  std::snprintf(name, size_t(size), "GPU shim (no GPU)");
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      *value = 9;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
      *value = 0;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      *value = 2;
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
  DEEP_RNN_SHIM_ENTRY;
  demand(device().started, call, "cuInit comes first");
  device().retained++;
  *context = reinterpret_cast<CUcontext>(&device());
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice) {
  DEEP_RNN_SHIM_ENTRY;
  demand(device().retained-- > 0, call, "released more often than retained");
  if (device().retained == 0) demand_nothing_left(call);
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext context) {
  current = context;
  return CUDA_SUCCESS;
}
CUresult cuCtxPushCurrent(CUcontext context) {
  pushed.push_back(current);
  current = context;
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent(CUcontext* context) {
  demand(!pushed.empty(), "cuCtxPopCurrent", "nothing was pushed on this thread");
  *context = current;
  current = pushed.back();
  pushed.pop_back();
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc(CUdeviceptr* address, size_t bytes) {
  DEEP_RNN_SHIM_ENTRY;
  demand(is_context_current(), call, "no context is current on this thread");
  forbid_capture(call);
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  void* data = Memory::all().allocate(bytes);
  if (!data) return CUDA_ERROR_OUT_OF_MEMORY;
  *address = reinterpret_cast<CUdeviceptr>(data);
  return CUDA_SUCCESS;
}
CUresult cuMemFree(CUdeviceptr address) {
  DEEP_RNN_SHIM_ENTRY;
  demand(is_context_current(), call, "no context is current on this thread");
  forbid_capture(call);
  // The real one waits for the whole device. What relies on that is slow at best, so nobody may.
  for (CUstream stream : device().streams)
    if (!stream->queue.empty() && device().streams.size() == 1) violation("cuMemFree: work is queued that may use the memory");
  Memory::all().free(pointer(address));
  return CUDA_SUCCESS;
}
CUresult cuMemAllocHost(void** data, size_t bytes) {
  DEEP_RNN_SHIM_ENTRY;
  demand(is_context_current(), call, "no context is current on this thread");
  forbid_capture(call);
  *data = Memory::all().allocate_host(bytes);
  return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void* data) {
  DEEP_RNN_SHIM_ENTRY;
  forbid_capture(call);
  Memory::all().free_host(data);
  return CUDA_SUCCESS;
}
CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  const char* call = __func__;
  const Entry entered(call, bytes);
  Memory::all().check(pointer(to), bytes, call, "the destination");
  demand(Memory::all().pinned(from, bytes), call, "the source is not pinned");
  demand(!is_capturing(), call, "each launch of the graph would read the host's memory as it is then");
  push(stream, call, [=] { std::memcpy(host(pointer(to)), from, bytes); });
  return CUDA_SUCCESS;
}
CUresult cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  const char* call = __func__;
  const Entry entered(call, bytes);
  Memory::all().check(pointer(from), bytes, call, "the source");
  demand(Memory::all().pinned(to, bytes), call, "the destination is not pinned");
  demand(!is_capturing(), call, "each launch of the graph would write to the host's memory");
  std::memset(to, 0xFF, bytes);  // what is read before the stream was waited for
  push(stream, call, [=] { std::memcpy(to, host(pointer(from)), bytes); });
  return CUDA_SUCCESS;
}
CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  const char* call = __func__;
  const Entry entered(call, bytes);
  Memory::all().check(pointer(to), bytes, call, "the destination");
  Memory::all().check(pointer(from), bytes, call, "the source");
  demand(to + bytes <= from || from + bytes <= to, call, "source and destination overlap");
  push(stream, call, [=] { std::memcpy(host(pointer(to)), host(pointer(from)), bytes); });
  return CUDA_SUCCESS;
}
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  DEEP_RNN_SHIM_ENTRY;
  Memory::all().check(pointer(to), count * 4, call, "the destination");
  demand(to % 4 == 0, call, "the destination is not aligned");
  push(stream, call, [=] { std::fill_n(static_cast<unsigned*>(host(pointer(to))), count, value); });
  return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
  DEEP_RNN_SHIM_ENTRY;
  demand(is_context_current(), call, "no context is current on this thread");
  demand(flags == CU_STREAM_NON_BLOCKING, call, "the stream would wait for the default stream");
  *stream = new CUstream_st;
  device().streams.insert(*stream);
  note_object("streams", 1);
  return CUDA_SUCCESS;
}
CUresult cuStreamDestroy(CUstream stream) {
  DEEP_RNN_SHIM_ENTRY;
  demand(exists(stream), call, "the stream does not exist");
  demand(stream->queue.empty(), call, "work is queued");
  demand(!stream->capturing, call, "the stream is being captured");
  device().streams.erase(stream);
  note_object("streams", -1);
  delete stream;
  return CUDA_SUCCESS;
}
CUresult cuStreamSynchronize(CUstream stream) {
  DEEP_RNN_SHIM_ENTRY;
  forbid_capture(call);
  demand(exists(stream), call, "the stream does not exist");
  run_until(stream, [stream] { return stream->queue.empty(); });
  return CUDA_SUCCESS;
}
CUresult cuEventCreate(CUevent* event, unsigned) {
  DEEP_RNN_SHIM_ENTRY;
  *event = new CUevent_st;
  device().events.insert(*event);
  note_object("events", 1);
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy(CUevent event) {
  DEEP_RNN_SHIM_ENTRY;
  demand(device().events.erase(event) == 1, call, "the event does not exist");
  note_object("events", -1);
  delete event;
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream stream) {
  DEEP_RNN_SHIM_ENTRY;
  demand(device().events.count(event) == 1, call, "the event does not exist");
  demand(!is_capturing(), call, "nobody can wait for an event that a graph records");
  event->done = std::make_shared<bool>(false);
  push(stream, call, [done = event->done, at = event->milliseconds] {
    *at = now();
    *done = true;
  });
  return CUDA_SUCCESS;
}
CUresult cuEventSynchronize(CUevent event) {
  DEEP_RNN_SHIM_ENTRY;
  forbid_capture(call);
  demand(event->done != nullptr, call, "the event was never recorded");
  run_until(nullptr, [done = event->done] { return *done; });
  return CUDA_SUCCESS;
}
CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  DEEP_RNN_SHIM_ENTRY;
  forbid_capture(call);
  demand(start->done && *start->done && end->done && *end->done, call, "an event has not been reached");
  *milliseconds = float(*end->milliseconds - *start->milliseconds);
  return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  DEEP_RNN_SHIM_ENTRY;
  forbid_capture(call);
  uint32_t magic = 0;
  std::memcpy(&magic, image, sizeof magic);
  if (magic != 0xBA55ED50u) return CUDA_ERROR_INVALID_IMAGE;
  *module = reinterpret_cast<CUmodule>(&device());
  note_object("modules", 1);
  return CUDA_SUCCESS;
}
CUresult cuModuleUnload(CUmodule) {
  DEEP_RNN_SHIM_ENTRY;
  note_object("modules", -1);
  return CUDA_SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction* function, CUmodule, const char* name) {
  const deep_rnn::host_cuda::Kernel* kernel = deep_rnn::host_cuda::find(name);
  if (!kernel) return CUDA_ERROR_NOT_FOUND;
  *function = reinterpret_cast<CUfunction>(const_cast<deep_rnn::host_cuda::Kernel*>(kernel));
  return CUDA_SUCCESS;
}
CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                        unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream stream, void** arguments,
                        void** extra) {
  DEEP_RNN_SHIM_ENTRY;
  const auto& kernel = *reinterpret_cast<const deep_rnn::host_cuda::Kernel*>(function);
  note_call(kernel.name);
  demand(!extra && shared_bytes == 0, kernel.name, "this project uses neither extra arguments nor dynamic shared memory");
  demand(grid_x > 0 && grid_y > 0 && grid_z > 0 && grid_y <= 65535 && grid_z <= 65535, kernel.name, "the grid is not allowed");
  demand(block_x > 0 && block_y > 0 && block_z > 0 && block_x * block_y * block_z <= 1024, kernel.name,
         "the block is not allowed");
  if (is_capturing()) {
    demand(warm.count(&kernel) == 1, kernel.name, "the first launch loads the kernel, which a capture does not allow");
  } else {
    warm.insert(&kernel);
  }
  // Arguments are copied now, as the real driver does; 16 bytes keep any of them aligned.
  std::vector<std::vector<uint64_t>> copies;
  for (size_t i = 0; i < kernel.parameters.size(); i++) {
    std::vector<uint64_t> copy((kernel.parameters[i].bytes + 7) / 8, 0);
    std::memcpy(copy.data(), arguments[i], kernel.parameters[i].bytes);
    for (size_t offset : kernel.parameters[i].addresses)
      if (copy[offset / 8] != 0)
        Memory::all().check(pointer(copy[offset / 8]), 1, kernel.name, "argument " + std::to_string(i));
    copies.push_back(std::move(copy));
  }
  push(stream, kernel.name, [=, &kernel, copies = std::move(copies)] {
    std::vector<std::vector<uint64_t>> translated = copies;
    std::vector<void*> addresses;
    const auto each_address = [&](auto visit) {
      for (size_t i = 0; i < copies.size(); i++)
        for (size_t offset : kernel.parameters[i].addresses)
          if (const uint64_t address = copies[i][offset / 8]) visit(i, pointer(address), translated[i][offset / 8]);
    };
    each_address([](size_t, void* device, uint64_t& place) { place = uint64_t(host(device)); });
    for (std::vector<uint64_t>& argument : translated) addresses.push_back(argument.data());
    try {
      deep_rnn::host_cuda::launch(kernel, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, addresses.data(), schedule());
    } catch (const std::exception& failure) {
      violation(std::string(kernel.name) + ": " + failure.what());
    }
    each_address([&](size_t i, void* device, uint64_t&) {
      Memory::all().check_margins(device, kernel.name, "argument " + std::to_string(i));
    });
  });
  return CUDA_SUCCESS;
}

CUresult cuStreamBeginCapture(CUstream stream, CUstreamCaptureMode mode) {
  DEEP_RNN_SHIM_ENTRY;
  demand(is_context_current(), call, "no context is current on this thread");
  demand(exists(stream), call, "the stream does not exist");
  demand(!capturing && !stream->capturing, call, "a capture is under way");
  demand(mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, call,
         "other threads would be forbidden to allocate, or mistakes allowed");
  stream->capturing = new CUgraph_st;
  capturing = stream;
  return CUDA_SUCCESS;
}
CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  DEEP_RNN_SHIM_ENTRY;
  demand(exists(stream) && stream->capturing, call, "the stream is not being captured");
  demand(capturing == stream, call, "another thread began the capture");
  device().graphs.insert(*graph = std::exchange(stream->capturing, nullptr));
  capturing = nullptr;
  return CUDA_SUCCESS;
}
CUresult cuGraphDestroy(CUgraph graph) {
  DEEP_RNN_SHIM_ENTRY;
  demand(device().graphs.erase(graph) == 1, call, "the graph does not exist");
  delete graph;
  return CUDA_SUCCESS;
}
CUresult cuGraphInstantiate(CUgraphExec* executable, CUgraph graph, unsigned long long flags) {
  DEEP_RNN_SHIM_ENTRY;
  forbid_capture(call);
  demand(device().graphs.count(graph) == 1, call, "the graph does not exist");
  demand(flags == 0, call, "no flags are expected");
  *executable = new CUgraphExec_st{*graph, nullptr};
  device().executables.insert(*executable);
  return CUDA_SUCCESS;
}
CUresult cuGraphExecDestroy(CUgraphExec executable) {
  DEEP_RNN_SHIM_ENTRY;
  forbid_capture(call);
  demand(device().executables.erase(executable) == 1, call, "the executable graph does not exist");
  // Launches that are queued have copies of the nodes, as the real driver keeps what is in flight.
  delete executable;
  return CUDA_SUCCESS;
}
CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  DEEP_RNN_SHIM_ENTRY;
  forbid_capture(call);
  demand(device().executables.count(executable) == 1, call, "the executable graph does not exist");
  // The real driver orders launches of one executable graph; on one stream they are so anyway.
  demand(!executable->last || executable->last == stream || !exists(executable->last) || executable->last->queue.empty(), call,
         "the graph is still running in another stream");
  executable->last = stream;
  for (const auto& check : executable->graph.checks) check();
  // As one piece of work: no other stream runs in between, and none has to.
  push(stream, call, [nodes = executable->graph.nodes] {
    for (std::function<void()> node : nodes) node();
  });
  return CUDA_SUCCESS;
}

}  // extern "C"
