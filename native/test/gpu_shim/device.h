// A stand-in for a GPU, for tests only: the part of the CUDA driver, cuBLAS and cuDNN that this project uses, on host memory,
// and stricter than the real ones wherever a mistake would go unnoticed there. Whatever it refuses ends the process with a
// message.
//
//   DEEP_RNN_SHIM_ORDER   when queued work runs: `eager` at once, `lazy` (the default) as late as possible, `random` in between
//   DEEP_RNN_SHIM_SEED    of random, and of the order of threads in kernels: an integer, 1 by default
//   DEEP_RNN_SHIM_FASTEST of cuDNN's algorithms the number of the one whose passes do not appear to take a second longer
//   DEEP_RNN_SHIM_STEPS   of a recurrent pass that cuDNN does not refuse: 65535 by default
//   DEEP_RNN_SHIM_LAYOUT  of the order in which cuDNN's weights lie: an integer, 1 by default
//   DEEP_RNN_SHIM_CALLS   a file that receives, when the process ends, how often each function and kernel was called, as JSON
#pragma once
#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace deep_rnn::gpu_shim {

// Compiled once more for wider vectors, which the processor chooses from when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define DEEP_RNN_SHIM_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DEEP_RNN_SHIM_WIDE
#endif

[[noreturn]] void violation(const std::string& what);

inline void demand(bool holds, const char* call, const std::string& rule) {
  if (!holds) violation(std::string(call) + ": " + rule);
}

uint64_t setting(const char* name, uint64_t otherwise);

// Held by every entry point: programs may call from several threads.
std::recursive_mutex& everything();

// One more call of a function or kernel, for DEEP_RNN_SHIM_CALLS.
void note_call(const std::string& call, size_t bytes = 0);
// One object of a kind more (1) or less (-1).
void note_object(const char* kind, int change);
// Ends the process unless every object that was made is gone.
void demand_nothing_left(const char* call);

// What every function does first.
class Entry {
 public:
  explicit Entry(const char* call, size_t bytes = 0) : lock_(everything()) { note_call(call, bytes); }

 private:
  const std::lock_guard<std::recursive_mutex> lock_;
};

// Device memory has addresses that mean nothing to the host: only queued work translates them. Fresh memory is full of NaN.
class Memory {
 public:
  static Memory& all();

  // Null where the device is full.
  void* allocate(size_t bytes);
  void free(void* data);
  // Demands that the range lies inside one live allocation, which may be pinned memory of the host: kernels reach that too.
  void check(const void* data, size_t bytes, const char* call, const std::string& operand) const;
  // Demands that nothing was written around the allocation that `data` lies in.
  void check_margins(const void* data, const char* call, const std::string& operand) const;
  bool pinned(const void* data, size_t bytes) const;
  void* allocate_host(size_t bytes);
  void free_host(void* data);

  // Where the host finds what stands at an address of the device, null for null. For queued work alone.
  template <class T>
  T* host(T* device) const {
    return reinterpret_cast<T*>(at(uintptr_t(device)));
  }

 private:
  char* at(uintptr_t address) const;
};

// The same for short.
template <class T>
T* host(T* device) {
  return Memory::all().host(device);
}

bool is_context_current();
// Ends the process when this thread is capturing: `call` waits, allocates or does what a graph cannot hold.
void forbid_capture(const char* call);
bool is_capturing();
// Runs at each launch of the graph that this thread is capturing.
void check_at_launch(std::function<void()> check);
bool exists(CUstream stream);
// Appends to the stream, and an eager one runs it; or to the graph that is being captured from the stream.
void push(CUstream stream, const char* call, std::function<void()> run);
// Moves the clock that events read.
void skip_time(double milliseconds);

}  // namespace deep_rnn::gpu_shim

struct CUgraph_st {
  std::vector<std::function<void()>> nodes;
  std::vector<std::function<void()>> checks;  // what must still hold at a launch
};

struct CUgraphExec_st {
  CUgraph_st graph;
  CUstream last = nullptr;  // that it was launched into
};

struct CUstream_st {
  std::deque<std::function<void()>> queue;
  CUgraph capturing = nullptr;
};
