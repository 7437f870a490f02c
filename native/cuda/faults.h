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
  int64_t shape[3];   // the first is not used; a row counts alone when all are 1
  int64_t first = 0;  // position of what the kernel takes for the first one
};

// One key for every site; equal sites share one, so that a program that repeats itself has the same keys every time.
class Faults {
 public:
  static constexpr int kMost = 512;
  // In device memory, all bits set where nothing was wrong.
  using Keys = unsigned long long[kMost];

  bool fits(const FaultSite& site) const { return sites_.size() < size_t(kMost) || find(site) < sites_.size(); }
  // raised: a flag in pinned memory, which kernels write and the host reads, so that nothing is copied while it is down.
  Fault add(const FaultSite& site, void* keys, int32_t* raised);
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
