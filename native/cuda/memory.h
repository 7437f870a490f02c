// Memory beside the tensors: device memory that grows on demand, and the pinned host memory through which copies go.
#pragma once
#include <cstddef>
#include <deque>
#include <vector>

#include "cuda/api.h"

namespace deep_rnn::cuda {

class Gpu;

// A block of device memory that is replaced by a larger one when more is asked for.
class DeviceMemory {
 public:
  explicit DeviceMemory(Gpu& gpu) : gpu_(gpu) {}
  ~DeviceMemory() { release(); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // At least `bytes`, 256-byte aligned. The contents are undefined where the block has grown.
  void* take(size_t bytes);
  void* data() const { return data_; }
  void release();

 private:
  Gpu& gpu_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// The bytes that an array takes in a block of several.
constexpr size_t aligned(size_t bytes) {
  constexpr size_t kAlignment = 256;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Carves one block into aligned arrays: with null, only adds up what they need.
class Carver {
 public:
  explicit Carver(void* memory) : memory_(static_cast<char*>(memory)) {}

  template <class T = void>
  T* bytes(size_t count) {
    const size_t at = used_;
    used_ += aligned(count);
    return memory_ ? reinterpret_cast<T*>(memory_ + at) : nullptr;
  }
  size_t used() const { return used_; }

 private:
  char* memory_;
  size_t used_ = 0;
};

// Pinned host memory: the only kind that the copy engines reach, and so the way of every copy.
class Staging {
 public:
  Staging(const Api& api, const CUstream& stream) : api_(api), stream_(stream) {}
  ~Staging() { release(); }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  void upload(CUdeviceptr device, const void* host, size_t bytes);
  // Waits.
  void download(void* host, CUdeviceptr device, size_t bytes);
  void release();

 private:
  // A stretch of the ring that a copy still reads from.
  struct Flight {
    size_t begin, end;
    CUevent landed;
  };

  void open();
  void wait_for_oldest();
  void all_landed();
  size_t reserve(size_t bytes);

  const Api& api_;
  const CUstream& stream_;
  char* ring_ = nullptr;  // for uploads
  size_t next_ = 0;
  std::deque<Flight> flights_;
  std::vector<CUevent> events_;  // that no flight uses
  char* landing_ = nullptr;      // for downloads
};

}  // namespace deep_rnn::cuda
