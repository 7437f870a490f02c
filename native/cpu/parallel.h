// Splitting independent work over the threads.
#pragma once
#include <algorithm>
#include <cstdint>

#include "cpu/kernels.h"
#include "cpu/team.h"

namespace deep_rnn::cpu {

// What every operation runs with.
struct Context {
  Team& team;
  const KernelSet& kernels;
};

// Elements of simple arithmetic that are worth waking a thread for.
constexpr int64_t kGrain = 32768;

// The items that make up a grain when one of them costs as much as `cost` elements.
inline int64_t grain_of(int64_t cost) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cost)); }

// Calls body(begin, end) on disjoint ranges that cover 0..items and begin at multiples of grain. The body must not throw, and
// what it writes for an item must not depend on where its range begins.
template <class Body>
void parallel_for(Team& team, int64_t items, int64_t grain, const Body& body) {
  if (items <= 0) return;
  const int64_t pieces = (items + grain - 1) / grain;
  const int64_t threads = std::min<int64_t>(team.size(), pieces);
  team.run(int(threads), [&](int thread) {
    const int64_t begin = pieces * thread / threads * grain;
    const int64_t end = std::min(items, pieces * (thread + 1) / threads * grain);
    if (begin < end) body(begin, end);
  });
}

}  // namespace deep_rnn::cpu
