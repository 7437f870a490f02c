#include "cpu/peak.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace deep_rnn::cpu {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRepeats = 9;
constexpr double kRepeatSeconds = 2e-3;
constexpr int kBarriers = 500;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Rounds that take one thread about kRepeatSeconds.
int64_t rounds_of_a_repeat(const PeakLoop& loop) {
  for (int64_t rounds = 1024;; rounds *= 4) {
    const Clock::time_point start = Clock::now();
    loop.run(rounds, 1);
    const double seconds = seconds_since(start);
    if (seconds > kRepeatSeconds / 8) return std::max<int64_t>(1, int64_t(double(rounds) * kRepeatSeconds / seconds));
  }
}

// Seconds until every thread has done `work`; the shortest of some repeats, since whatever disturbs makes it longer.
template <class Work>
double shortest(Team& team, const Work& work) {
  double least = std::numeric_limits<double>::infinity();
  team.run([&](int thread) {
    for (int repeat = 0; repeat < kRepeats; repeat++) {
      // Before the threads meet: one that is held up after it must not hide that the others have begun.
      const Clock::time_point start = Clock::now();
      team.barrier();
      work();
      team.barrier();
      if (thread == 0) least = std::min(least, seconds_since(start));
    }
  });
  return least;
}

}  // namespace

Peak measure_peak(const Context& context) {
  Team& team = context.team;
  const auto rate = [&](const PeakLoop& loop) {
    const int64_t rounds = rounds_of_a_repeat(loop);
    const double operations = double(team.size()) * double(rounds) * double(loop.operations);
    return operations / shortest(team, [&] { loop.run(rounds, 1); });
  };
  Peak peak;
  peak.float32 = rate(context.kernels.peak_float32);
  peak.bfloat16 = rate(context.kernels.peak_bfloat16);
  if (team.size() > 1) {
    peak.barrier = shortest(team,
                            [&] {
                              for (int i = 0; i < kBarriers; i++) team.barrier();
                            }) /
                   kBarriers;
  }
  return peak;
}

}  // namespace deep_rnn::cpu
