// The books of wrong indices: kernels cannot throw, so they report to a place on the device that is looked at when the stream
// has been waited for anyway.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/kernels/kernels.h"

namespace deep_rnn::cuda {

// An operation that may fail, and how to say where: valid values are 0..limit-1, positions lie in `shape`.
struct FaultSite {
  const char* operation;
  const char* value;  // "index", "target", "token"
  int64_t limit;
  int64_t shape[3];  // the first is not used; a row counts alone when all are 1
};

// The device's side: a flag, then one key for every operation since the last look.
class Faults {
 public:
  static constexpr int kMost = 512;
  struct Keys {
    int32_t raised;
    unsigned long long key[kMost];
  };

  bool full() const { return sites_.size() >= size_t(kMost); }
  // `device` is a Keys in device memory.
  Fault add(const FaultSite& site, void* device);
  void forget() { sites_.clear(); }
  // The first wrong operation in words.
  std::string message(const Keys& keys) const;

 private:
  std::vector<FaultSite> sites_;
};

}  // namespace deep_rnn::cuda
