// The team: every member runs, barriers order memory, items are taken once, sleeping members wake.
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "check.h"
#include "cpu/team.h"

using namespace deep_rnn;

int main() {
  for (int threads = 1; threads <= 4; threads++) {
    cpu::Team team(threads);
    CHECK_EQUAL(team.size(), threads);
    for (int members = 1; members <= threads + 1; members++) {
      const int expected = members < threads ? members : threads;
      std::vector<int> calls(size_t(threads), 0);
      for (int repeat = 0; repeat < 50; repeat++) team.run(members, [&](int thread) { calls[size_t(thread)]++; });
      for (int thread = 0; thread < threads; thread++) CHECK_EQUAL(calls[size_t(thread)], thread < expected ? 50 : 0);
    }

    // Each phase reads what the others wrote in the phase before.
    std::vector<int64_t> values(size_t(threads), 1), next(size_t(threads), 0);
    team.run([&](int thread) {
      for (int phase = 0; phase < 20; phase++) {
        next[size_t(thread)] = std::accumulate(values.begin(), values.end(), int64_t(0));
        team.barrier();
        values[size_t(thread)] = next[size_t(thread)] % 1000003;
        team.barrier();
      }
    });
    int64_t expected = 1;
    for (int phase = 0; phase < 20; phase++) expected = expected * threads % 1000003;
    for (int64_t value : values) CHECK_EQUAL(value, expected);

    std::vector<int> taken(1000, 0);
    team.run([&](int) {
      for (int64_t items : {0, 1, 7, 1000}) team.share(items, [&](int64_t item) { taken[size_t(item)]++; });
    });
    for (size_t item = 0; item < taken.size(); item++) CHECK_EQUAL(taken[item], 1 + (item < 7 ? 1 : 0) + (item < 1 ? 1 : 0));

    // Long enough for the workers to fall asleep.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    int64_t sum = 0;
    std::vector<int64_t> parts(size_t(threads), 0);
    team.run([&](int thread) { parts[size_t(thread)] = thread + 1; });
    for (int64_t part : parts) sum += part;
    CHECK_EQUAL(sum, int64_t(threads) * (threads + 1) / 2);
  }
}
