// One GPU as one stream's thread uses it: its context, its stream, our kernels, and the library handles that work on the
// stream.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/api.h"
#include "cuda/faults.h"
#include "cuda/graphs.h"
#include "cuda/kernels/plan.h"
#include "cuda/memory.h"

namespace deep_rnn::cuda {

// The number under which a kernel is known from here on, the same in every Gpu. Any thread.
int kernel_number(const char* name);
// Whether it has one: it was launched in this process. Any thread.
bool has_kernel_number(const char* name);

// Made, used and destroyed on one thread, whose current context is the GPU's from then on.
class Gpu {
 public:
  // The first GPU that the process may see. Throws Error when there is none or a library is missing.
  Gpu();
  ~Gpu();
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  const Api& api() const { return api_; }
  CUcontext context() const { return context_; }
  CUstream stream() const { return stream_; }
  cublasHandle_t cublas() const { return cublas_; }
  cudnnHandle_t cudnn() const { return cudnn_; }
  const std::string& description() const { return description_; }
  // All that times depend on: the description, all digits of cuDNN's version and the driver's own.
  const std::string& machine() const { return machine_; }
  int multiprocessors() const { return multiprocessors_; }
  Launch over_elements(int64_t count) const { return cuda::over_elements(count, multiprocessors_); }
  Launch over_rows(int64_t rows, int64_t columns) const { return cuda::over_rows(rows, columns, multiprocessors_); }

  // Issues the operation, or lets it wait for the end of the step that is being gathered. See operations.h.
  template <class Operation>
  void push(const Operation& operation, const uint64_t* tail = nullptr, size_t tail_words = 0) {
    if (graphs_.gathering()) return graphs_.gather(operation, tail, tail_words);
    operation.issue(*this, tail);
  }
  // Everything pushed so far is issued. For whatever calls the driver or a library by itself within a step.
  void flush() { graphs_.flush(); }
  Graphs& graphs() { return graphs_; }
  const Graphs& graphs() const { return graphs_; }
  // Work of the host that has to be done once before the operations of a step, or now when no step is gathered. One owner's
  // pieces of work keep their place between its operations.
  void prepare(const void* owner, std::function<void()> work);

  // Issued at once.
  void launch(int kernel, const Launch& shape, void** arguments);
  void bring(void* device, const void* host, size_t bytes);

  void zero(void* device, size_t bytes);  // a multiple of 4
  void copy(void* to, const void* from, size_t bytes);
  // `host` may be reused on return.
  void upload(void* device, const void* host, size_t bytes);
  // Waits for everything before it.
  void download(void* host, const void* device, size_t bytes);
  // Waits, then throws Error when a kernel had met a wrong index since the last time.
  void synchronize();

  // Where kernels of a gathered step find a copy of the host's `value`, which may be another one in the next step; null outside
  // of steps, when it is an argument.
  template <class T>
  const T* live(const T& value) {
    return graphs_.gathering() ? static_cast<const T*>(graphs_.arrive(&value, sizeof value)) : nullptr;
  }

  // Device memory for the operation that is being pushed; what the one before it took is free again.
  void* scratch(size_t bytes) { return scratch_.take(bytes); }
  // What a kernel that may meet a wrong index reports to.
  Fault fault(const FaultSite& site);

 private:
  void open_device();
  void close();
  void clear_faults();
  CUfunction function(int kernel);

  const Api& api_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  CUstream stream_ = nullptr;
  CUmodule module_ = nullptr;
  cublasHandle_t cublas_ = nullptr;
  cudnnHandle_t cudnn_ = nullptr;
  std::string description_, machine_;
  int multiprocessors_ = 1;
  std::vector<CUfunction> functions_;
  Staging staging_;
  DeviceMemory scratch_, fault_keys_, products_;
  int32_t* fault_raised_ = nullptr;  // pinned
  Faults faults_;
  Graphs graphs_;
};

}  // namespace deep_rnn::cuda
