// The choice of how to share out a pass: what there is to choose from, and that the fastest wins, also when speeds change.
#include <chrono>
#include <thread>

#include "check.h"
#include "cpu/sharing.h"

using namespace deep_rnn;
using cpu::Sharing;
using cpu::SharingTuner;

namespace {

void test_candidates() {
  CHECK_EQUAL(cpu::possible_sharings(1, 1'000'000, 32).size(), 1u);
  // Too little for two threads.
  CHECK_EQUAL(cpu::possible_sharings(2, 4'000, 32).size(), 1u);
  CHECK_EQUAL(cpu::possible_sharings(2, 4'000, 32)[0].members, 1);
  // One thread; two by units; two by rows.
  CHECK_EQUAL(cpu::possible_sharings(2, 1'000'000, 32).size(), 3u);
  // Too few rows to split.
  CHECK_EQUAL(cpu::possible_sharings(2, 1'000'000, 4).size(), 2u);
  // Too much for one thread alone.
  for (const Sharing& sharing : cpu::possible_sharings(2, 100'000'000, 32)) CHECK_EQUAL(sharing.members, 2);
  CHECK_EQUAL(cpu::possible_sharings(3, 1'000'000, 1).size(), 3u);
}

// Which sharing most of the last runs got, when each takes so many milliseconds.
Sharing chosen(SharingTuner& tuner, int64_t key, double one, double units, double rows) {
  int counts[3] = {};
  constexpr int runs = 60, settled = 40;
  for (int i = 0; i < runs; i++) {
    tuner.run(
        SharingTuner::Key{key}, [] { return cpu::possible_sharings(2, 1'000'000, 32); }, 1,
        [&](const Sharing& sharing) {
          const int which = sharing.members == 1 ? 0 : sharing.by_rows ? 2 : 1;
          if (i >= settled) counts[which]++;
          const double milliseconds[] = {one, units, rows};
          std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(milliseconds[which]));
        });
  }
  if (counts[0] > (runs - settled) / 2) return {1, false};
  return {2, counts[2] > counts[1]};
}

void test_choice() {
  SharingTuner tuner;
  CHECK_EQUAL(chosen(tuner, 1, 1, 10, 10).members, 1);
  Sharing sharing = chosen(tuner, 2, 10, 1, 10);
  CHECK(sharing.members == 2 && !sharing.by_rows);
  sharing = chosen(tuner, 3, 10, 10, 1);
  CHECK(sharing.members == 2 && sharing.by_rows);
  // Each key has a choice of its own, and a choice that has become slow is made again.
  CHECK_EQUAL(chosen(tuner, 1, 1, 10, 10).members, 1);
  CHECK_EQUAL(chosen(tuner, 2, 2, 12, 12).members, 1);
}

}  // namespace

int main() {
  test_candidates();
  test_choice();
}
