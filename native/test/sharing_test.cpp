// The choice of how to share out a pass: what there is to choose from, and that the fastest wins, also when speeds change,
// unless fewer threads are nearly as fast.
#include "cpu/sharing.h"
#include "check.h"

using namespace deep_rnn;
using cpu::Sharing;
using cpu::SharingTuner;

namespace {

void test_candidates() {
  CHECK_EQUAL(cpu::possible_sharings(1, 1'000'000, 4).size(), 1u);
  // Too little for two threads.
  CHECK_EQUAL(cpu::possible_sharings(2, 4'000, 4).size(), 1u);
  CHECK_EQUAL(cpu::possible_sharings(2, 4'000, 4)[0].members, 1);
  // One thread; two by units; two by groups.
  CHECK_EQUAL(cpu::possible_sharings(2, 1'000'000, 4).size(), 3u);
  CHECK_EQUAL(cpu::possible_sharings(2, 1'000'000, 4)[0].members, 2);
  CHECK_EQUAL(cpu::possible_sharings(2, 1'000'000, 4).back().members, 1);
  // One group only.
  CHECK_EQUAL(cpu::possible_sharings(2, 1'000'000, 1).size(), 2u);
  // Too much for one thread alone.
  for (const Sharing& sharing : cpu::possible_sharings(2, 100'000'000, 4)) CHECK_EQUAL(sharing.members, 2);
  CHECK_EQUAL(cpu::possible_sharings(3, 1'000'000, 1).size(), 3u);
}

// Which sharing the tuner settles on, when each takes so many seconds.
Sharing chosen(SharingTuner& tuner, int64_t key, double one, double units, double rows) {
  Sharing sharing;
  for (int i = 0; i < 40; i++) {
    sharing = tuner.choose(SharingTuner::Key{key}, [] { return cpu::possible_sharings(2, 1'000'000, 4); });
    // Cold caches make the first runs slow.
    tuner.report((sharing.members == 1 ? one : sharing.by_rows ? rows : units) * (i < 3 ? 20 : 1));
  }
  return sharing;
}

void test_choice() {
  SharingTuner tuner;
  CHECK_EQUAL(chosen(tuner, 1, 1, 10, 10).members, 1);
  Sharing sharing = chosen(tuner, 2, 10, 1, 10);
  CHECK(sharing.members == 2 && !sharing.by_rows);
  sharing = chosen(tuner, 3, 10, 10, 1);
  CHECK(sharing.members == 2 && sharing.by_rows);
  // A second thread that gains little is left to others.
  CHECK_EQUAL(chosen(tuner, 4, 1, 0.95, 1).members, 1);
  CHECK_EQUAL(chosen(tuner, 5, 1, 0.8, 1).members, 2);
  // Each key has a choice of its own, and a choice that has become slow is made again.
  CHECK_EQUAL(chosen(tuner, 1, 1, 10, 10).members, 1);
  CHECK_EQUAL(chosen(tuner, 2, 2, 12, 12).members, 1);
  CHECK_EQUAL(chosen(tuner, 2, 2, 1, 12).members, 1);
  // One round in some looks at the others too.
  for (int i = 0; i < 30; i++) sharing = chosen(tuner, 2, 2, 1, 12);
  CHECK(sharing.members == 2 && !sharing.by_rows);
  // More kinds of passes than are remembered.
  for (int64_t key = 0; key < 200; key++) CHECK_EQUAL(chosen(tuner, key, 1, 2, 2).members, 1);
  int calls = 0;
  tuner.run(
      SharingTuner::Key{1}, [] { return cpu::possible_sharings(2, 1'000'000, 4); }, 0,
      [&](const Sharing& given) { calls += given.members > 0; });
  CHECK_EQUAL(calls, 1);
}

}  // namespace

int main() {
  test_candidates();
  test_choice();
}
