// Steps of a program that repeat, each sent to the GPU as one CUDA graph.
//
// Between begin() and end() operations are gathered instead of issued. When the same list has been issued twice it is captured,
// and from then on launched: equal lists do the same work on the same memory, so there is nothing else to compare, and a list
// that differs is issued as it is. What changes from step to step stays out of the list: bytes of the host (batches, learning
// rates, seeds of masks) are copied to one block of device memory before the step, where its operations find them.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <utility>
#include <vector>

#include "core/backend.h"
#include "cuda/api.h"
#include "cuda/memory.h"
#include "cuda/operations.h"

namespace deep_rnn::cuda {

// Used on the stream's thread only, but for statistics().
class Graphs {
 public:
  explicit Graphs(Gpu& gpu) : gpu_(gpu), arrival_(gpu) {}
  ~Graphs() { release(); }
  Graphs(const Graphs&) = delete;
  Graphs& operator=(const Graphs&) = delete;

  // A step within a step is part of it.
  void begin();
  // Throws what the step's operations could not.
  void end();
  bool gathering() const { return gathering_; }
  // Issues what was gathered; the rest of the step is issued as it comes. For whatever must not, or cannot, wait for the end.
  // What fails is thrown by the next check().
  void flush();
  void check();

  template <class Operation>
  void gather(const Operation& operation, const uint64_t* tail, size_t tail_words) {
    operations_.add(operation, tail, tail_words);
    if (operations_.words() > kMostWords) flush();
  }
  // Where the step finds a copy of the host's bytes at its turn, 16-byte aligned; null when there is no room and the step was
  // flushed.
  const void* arrive(const void* host, size_t bytes);
  // Work that no graph can hold, done before the step's operations. A second piece of the same owner flushes the step first.
  void prepare(const void* owner, std::function<void()> work);

  GraphStatistics statistics() const;
  // The graphs, when nothing is queued any more.
  void release();

 private:
  static constexpr size_t kMostWords = size_t(1) << 20;
  static constexpr size_t kLeastArrival = size_t(256) << 10, kMostArrival = size_t(64) << 20;
  static constexpr size_t kMostSteps = 32;
  static constexpr int kWarmUps = 2;

  // A list that was seen, and its graph if it has one.
  struct Step {
    Operations operations;
    CUgraphExec graph = nullptr;
    int seen = 0;
    bool refused = false;
    uint64_t last_used = 0;
  };

  Step& find_step();
  void bring();
  void issue();
  void forget(Step& step);

  Gpu& gpu_;
  int depth_ = 0;
  bool gathering_ = false;
  Operations operations_;
  std::vector<unsigned char> arrived_;
  size_t wanted_arrival_ = kLeastArrival;
  DeviceMemory arrival_;
  std::vector<std::pair<const void*, std::function<void()>>> preparations_;
  std::vector<Step> steps_;
  uint64_t clock_ = 0;
  std::exception_ptr failure_;
  std::atomic<uint64_t> held_{0}, captured_{0}, replayed_{0}, eager_{0}, refused_{0};
};

}  // namespace deep_rnn::cuda
