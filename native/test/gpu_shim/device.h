// A stand-in for a GPU, for tests only: the part of the CUDA driver, cuBLAS and cuDNN that this project uses, on host memory,
// and stricter than the real ones wherever a mistake would go unnoticed there. Whatever it refuses ends the process with a
// message.
//
//   DEEP_RNN_SHIM_ORDER   when queued work runs: `eager` at once, `lazy` (the default) as late as possible, `random` in between
//   DEEP_RNN_SHIM_SEED    of random, and of the order of threads in kernels: an integer, 1 by default
//   DEEP_RNN_SHIM_LAYOUT  of the order in which cuDNN's weights lie: an integer, 1 by default
#pragma once
#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

namespace deep_rnn::gpu_shim {

[[noreturn]] void violation(const std::string& what);

inline void demand(bool holds, const char* call, const std::string& rule) {
  if (!holds) violation(std::string(call) + ": " + rule);
}

uint64_t setting(const char* name, uint64_t otherwise);

// Held by every entry point: programs may call from several threads.
std::recursive_mutex& everything();

// Device memory: nobody but queued work can touch it, and fresh memory is full of NaN.
class Memory {
 public:
  static Memory& all();

  // Null where the device is full.
  void* allocate(size_t bytes);
  void free(void* data);
  // Demands that the range lies inside one live allocation.
  void check(const void* data, size_t bytes, const char* call, const std::string& operand) const;
  bool pinned(const void* data, size_t bytes) const;
  void* allocate_host(size_t bytes);
  void free_host(void* data);

  // The memory is open while one of these lives.
  class Access {
   public:
    Access();
    ~Access();
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;
  };
};

bool is_context_current();
bool exists(CUstream stream);
// Appends to the stream; an eager one runs it.
void push(CUstream stream, const char* call, std::function<void()> run);

}  // namespace deep_rnn::gpu_shim

struct CUstream_st {
  std::deque<std::function<void()>> queue;
};
