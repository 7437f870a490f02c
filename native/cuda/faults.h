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

// The device's side: a flag, then one key for every site. Equal sites share one, so that a program that repeats itself has the
// same keys every time.
class Faults {
 public:
  static constexpr int kMost = 512;
  struct Keys {
    int32_t raised;
    unsigned long long key[kMost];
  };

  bool fits(const FaultSite& site) const { return sites_.size() < size_t(kMost) || find(site) < sites_.size(); }
  // `device` is a Keys in device memory.
  Fault add(const FaultSite& site, void* device);
  // The keys were looked at: what comes from now on is later.
  void look() { order_.clear(); }
  // Forgets the sites; nothing may be on its way that knows their keys.
  void clear();
  // The first wrong operation since the last look in words.
  std::string message(const Keys& keys) const;

 private:
  size_t find(const FaultSite& site) const;

  std::vector<FaultSite> sites_;
  std::vector<size_t> order_;  // of those that came since the last look
};

}  // namespace deep_rnn::cuda
