// The team: every member runs, barriers (in one piece or in two) order memory, items are taken once (by all members or by those
// who are awake), sleeping members wake.
#include <algorithm>
#include <atomic>
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
    team.run([&](int thread) {
      for (int64_t items : {0, 1, 7, 1000}) team.share(thread, items, [&](int64_t item) { taken[size_t(item)]++; });
    });
    for (size_t item = 0; item < taken.size(); item++) CHECK_EQUAL(taken[item], 1 + (item < 7 ? 1 : 0) + (item < 1 ? 1 : 0));

    const int64_t lists[] = {5, 0, 12, 1};
    std::vector<int> of_lists(4 * 12, 0);
    team.run([&](int thread) {
      for (int repeat = 0; repeat < 20; repeat++)
        team.share(thread, lists, 4, [&](int list, int64_t item) { of_lists[size_t(list * 12 + item)]++; });
    });
    for (int list = 0; list < 4; list++)
      for (int item = 0; item < 12; item++) CHECK_EQUAL(of_lists[size_t(list * 12 + item)], item < lists[list] ? 20 : 0);

    // Alternating with jobs that every member must take part in.
    for (int repeat = 0; repeat < 300; repeat++) {
      const int64_t items = repeat % 7 * (repeat % 5);
      const int members = repeat % (threads + 2);
      std::vector<int> spread(size_t(items), 0);
      std::atomic<int> wrong{0};
      team.spread(members, items, repeat % 2 == 0, [&](int64_t item, int member) {
        spread[size_t(item)]++;
        if (member < 0 || member >= std::max(1, std::min(members, threads))) wrong++;
      });
      for (int count : spread) CHECK_EQUAL(count, 1);
      CHECK_EQUAL(wrong.load(), 0);
      if (repeat % 3 == 0) team.run([&](int) { team.barrier(); });
      if (repeat % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }

    // Long enough for the workers to fall asleep.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    int64_t sum = 0;
    std::vector<int64_t> parts(size_t(threads), 0);
    team.run([&](int thread) { parts[size_t(thread)] = thread + 1; });
    for (int64_t part : parts) sum += part;
    CHECK_EQUAL(sum, int64_t(threads) * (threads + 1) / 2);
  }
}
