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

// Elements of simple arithmetic that are worth giving to a thread that is awake.
constexpr int64_t kGrain = 32768;
// Grains that are worth waking a thread for, which takes as long as some of them.
constexpr int64_t kGrainsToWake = 8;

// The items that make up a grain when one of them costs as much as `cost` elements.
inline int64_t grain_of(int64_t cost) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cost)); }

// Calls body(begin, end) on disjoint ranges that cover 0..items and begin at multiples of grain. The body must not throw, and
// what it writes for an item must not depend on where its range begins.
template <class Body>
void parallel_for(Team& team, int64_t items, int64_t grain, const Body& body) {
  if (items <= 0) return;
  const int64_t pieces = (items + grain - 1) / grain;
  team.spread(team.size(), pieces, pieces >= kGrainsToWake,
              [&](int64_t piece, int) { body(piece * grain, std::min(items, (piece + 1) * grain)); });
}

}  // namespace deep_rnn::cpu
