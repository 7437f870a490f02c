#include "cuda/gpu.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "cuda/fatbin.h"
#include "cuda/launch.h"

namespace deep_rnn::cuda {

namespace {

// Names in the order of their numbers. Never destroyed: launches of other threads may outlive the statics.
struct KernelNames {
  std::mutex mutex;
  std::vector<const char*> names;
};

KernelNames& kernel_names() {
  static KernelNames& all = *new KernelNames;
  return all;
}

// The kernel module's line, which tells drivers for one version of CUDA apart; nothing where there is none.
std::string driver_build() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  return std::getline(file, line) ? ", " + line : "";
}

// cuBLAS's own advice: 32 MiB from Hopper on.
size_t product_workspace(int major) { return size_t(major >= 9 ? 32 : 8) << 20; }

struct Zero {
  void* device;
  size_t bytes;
  void issue(Gpu& gpu, const uint64_t*) const {
    DEEP_RNN_CALL(gpu.api(), cuMemsetD32Async, reinterpret_cast<CUdeviceptr>(device), 0, bytes / 4, gpu.stream());
  }
};

struct CopyOnDevice {
  void* to;
  const void* from;
  size_t bytes;
  void issue(Gpu& gpu, const uint64_t*) const {
    DEEP_RNN_CALL(gpu.api(), cuMemcpyDtoDAsync, reinterpret_cast<CUdeviceptr>(to), reinterpret_cast<CUdeviceptr>(from), bytes,
                  gpu.stream());
  }
};

std::string version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

}  // namespace

int kernel_number(const char* name) {
  KernelNames& all = kernel_names();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.names.push_back(name);
  return int(all.names.size()) - 1;
}

bool has_kernel_number(const char* name) {
  KernelNames& all = kernel_names();
  const std::lock_guard<std::mutex> lock(all.mutex);
  return std::any_of(all.names.begin(), all.names.end(), [&](const char* known) { return std::strcmp(known, name) == 0; });
}

Gpu::Gpu() : api_(cuda::api()), staging_(api_, stream_), scratch_(*this), fault_keys_(*this), products_(*this), graphs_(*this) {
  try {
    open_device();
  } catch (...) {
    close();
    throw;
  }
}

Gpu::~Gpu() { close(); }

void Gpu::open_device() {
  const CUresult started = api_.cuInit(0);
  int count = 0;
  if (started == CUDA_ERROR_NO_DEVICE) throw Error("the machine has no NVIDIA GPU that this process may use");
  api_.check(started, "cuInit");
  DEEP_RNN_CALL(api_, cuDeviceGetCount, &count);
  if (count == 0) throw Error("the machine has no NVIDIA GPU that this process may use");
  DEEP_RNN_CALL(api_, cuDeviceGet, &device_, 0);
  CUcontext context = nullptr;
  DEEP_RNN_CALL(api_, cuDevicePrimaryCtxRetain, &context, device_);
  context_ = context;
  DEEP_RNN_CALL(api_, cuCtxSetCurrent, context_);
  DEEP_RNN_CALL(api_, cuStreamCreate, &stream_, CU_STREAM_NON_BLOCKING);
  DEEP_RNN_CALL(api_, cuModuleLoadData, &module_, fatbin());
  DEEP_RNN_CALL(api_, cublasCreate, &cublas_);
  DEEP_RNN_CALL(api_, cublasSetStream, cublas_, stream_);
  DEEP_RNN_CALL(api_, cudnnCreate, &cudnn_);
  DEEP_RNN_CALL(api_, cudnnSetStream, cudnn_, stream_);

  char name[256] = "";
  int major = 0, minor = 0, driver = 0;
  DEEP_RNN_CALL(api_, cuDeviceGetName, name, int(sizeof name) - 1, device_);
  DEEP_RNN_CALL(api_, cuDeviceGetAttribute, &major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device_);
  DEEP_RNN_CALL(api_, cuDeviceGetAttribute, &minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device_);
  DEEP_RNN_CALL(api_, cuDeviceGetAttribute, &multiprocessors_, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device_);
  DEEP_RNN_CALL(api_, cuDriverGetVersion, &driver);
  // Memory of ours: cuBLAS would take some by itself, which no graph can hold.
  const size_t workspace = product_workspace(major);
  DEEP_RNN_CALL(api_, cublasSetWorkspace, cublas_, products_.take(workspace), workspace);
  description_ = std::string(name) + ", sm_" + std::to_string(major) + std::to_string(minor) + ", CUDA " +
                 version_text(driver) + ", cuDNN " + version_text(int(api_.cudnnGetVersion() / 10));
  machine_ = description_ + "." + std::to_string(api_.cudnnGetVersion() % 100) + ", " + std::to_string(multiprocessors_) +
             " multiprocessors" + driver_build();

  void* raised = nullptr;
  DEEP_RNN_CALL(api_, cuMemAllocHost, &raised, sizeof *fault_raised_);
  fault_raised_ = static_cast<int32_t*>(raised);
  fault_keys_.take(sizeof(Faults::Keys));
  clear_faults();
}

void Gpu::clear_faults() {
  *fault_raised_ = 0;
  faults_.look();
  DEEP_RNN_CALL(api_, cuMemsetD32Async, reinterpret_cast<CUdeviceptr>(fault_keys_.data()), ~0u, sizeof(Faults::Keys) / 4,
                stream_);
}

void Gpu::close() {
  if (!context_) return;
  if (stream_) api_.cuStreamSynchronize(stream_);
  graphs_.release();
  scratch_.release();
  fault_keys_.release();
  if (fault_raised_) api_.cuMemFreeHost(fault_raised_);
  fault_raised_ = nullptr;
  products_.release();
  staging_.release();
  if (cudnn_) api_.cudnnDestroy(cudnn_);
  if (cublas_) api_.cublasDestroy(cublas_);
  if (module_) api_.cuModuleUnload(module_);
  if (stream_) api_.cuStreamDestroy(stream_);
  api_.cuCtxSetCurrent(nullptr);
  api_.cuDevicePrimaryCtxRelease(device_);
  context_ = nullptr;
}

CUfunction Gpu::function(int kernel) {
  if (size_t(kernel) >= functions_.size()) functions_.resize(size_t(kernel) + 1, nullptr);
  CUfunction& function = functions_[size_t(kernel)];
  if (!function) {
    const char* name = nullptr;
    {
      const std::lock_guard<std::mutex> lock(kernel_names().mutex);
      name = kernel_names().names[size_t(kernel)];
    }
    api_.check(api_.cuModuleGetFunction(&function, module_, name), name);
  }
  return function;
}

void Gpu::launch(int kernel, const Launch& shape, void** arguments) {
  DEEP_RNN_CALL(api_, cuLaunchKernel, function(kernel), shape.grid_x, shape.grid_y, 1, shape.block_x, shape.block_y, 1, 0,
                stream_, arguments, nullptr);
}

void LaunchOperation::issue(Gpu& gpu, const uint64_t* tail) const {
  constexpr int32_t kMostArguments = 16;
  void* pointers[kMostArguments];
  for (int32_t i = 0; i < arguments; tail += 1 + *tail, i++) pointers[i] = const_cast<uint64_t*>(tail + 1);
  gpu.launch(kernel, shape, pointers);
}

void Gpu::zero(void* device, size_t bytes) {
  if (bytes > 0) push(Zero{device, bytes});
}

void Gpu::copy(void* to, const void* from, size_t bytes) {
  if (bytes > 0) push(CopyOnDevice{to, from, bytes});
}

void Gpu::upload(void* device, const void* host, size_t bytes) {
  const void* arrived = graphs_.gathering() ? graphs_.arrive(host, bytes) : nullptr;
  if (arrived) {
    copy(device, arrived, bytes);
  } else {
    bring(device, host, bytes);
  }
}

void Gpu::prepare(const void* owner, std::function<void()> work) {
  if (graphs_.gathering()) return graphs_.prepare(owner, std::move(work));
  work();
}

void Gpu::bring(void* device, const void* host, size_t bytes) {
  staging_.upload(reinterpret_cast<CUdeviceptr>(device), host, bytes);
}

Fault Gpu::fault(const FaultSite& site) {
  if (!faults_.fits(site)) {
    synchronize();
    faults_.clear();
  }
  return faults_.add(site, fault_keys_.data(), fault_raised_);
}

void Gpu::synchronize() { download(nullptr, nullptr, 0); }

void Gpu::download(void* host, const void* device, size_t bytes) {
  flush();
  graphs_.check();
  staging_.download(host, reinterpret_cast<CUdeviceptr>(device), bytes);
  if (*fault_raised_ == 0) {
    faults_.look();
    return;
  }
  Faults::Keys keys;
  staging_.download(keys, reinterpret_cast<CUdeviceptr>(fault_keys_.data()), sizeof keys);
  const std::string message = faults_.message(keys);
  clear_faults();
  throw Error(message);
}

}  // namespace deep_rnn::cuda
