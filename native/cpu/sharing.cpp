#include "cpu/sharing.h"

#include <algorithm>
#include <cmath>

namespace deep_rnn::cpu {

namespace {

constexpr size_t kMostEntries = 64;
constexpr double kMuchSlower = 1.4;
constexpr int kSlowTurns = 2;                         // on end, before all choices are tried again
constexpr int64_t kFirstRuns = 32, kMostRuns = 1024;  // from one round to the next: as many as there have been
constexpr double kHopeless = 1.5;                     // times slower than the best: tried again only
constexpr int kRoundsToAll = 4;                       // in one of so many rounds
// Twice the threads must take less than 1 / 1.15 of the time: JavaScript and other programs need processors as well.
constexpr double kWorthDoubling = 0.2;  // log2(1.15)

// Less than this a thread should not get of a step; more than this one thread alone should not.
constexpr int64_t kLeastMacs = 12'000, kMostMacsAlone = 12'000'000;

}  // namespace

std::vector<Sharing> possible_sharings(int threads, int64_t macs_per_step, int64_t groups) {
  std::vector<Sharing> result;
  const auto add = [&](int members) {
    if (members > 1 && macs_per_step / members < kLeastMacs) return;
    result.push_back({members, false});
    if (members > 1 && members <= groups) result.push_back({members, true});
  };
  add(threads);
  // Halves of what is a power of two, down to one thread.
  int members = 1;
  while (members * 2 < threads) members *= 2;
  for (const int least = macs_per_step > kMostMacsAlone ? 2 : 1; members >= least; members /= 2)
    if (members < threads) add(members);
  if (result.empty()) result.push_back({1, false});
  return result;
}

bool SharingTuner::explain(const Key& key, double work, RnnChoice& choice) const {
  const size_t at = find(key);
  if (at == entries_.size()) return false;
  const Entry& entry = entries_[at];
  for (const Choice& each : entry.choices) {
    RnnTrial trial;
    trial.threads = each.sharing.members;
    trial.by_rows = each.sharing.by_rows;
    trial.milliseconds = each.seconds * work * 1000;
    choice.trials.push_back(trial);
  }
  choice.chosen = choice.trials[entry.best];
  choice.source = choice.trials.size() == 1 ? RnnChoice::Source::only
                  : entry.rounds > 0        ? RnnChoice::Source::measured
                                            : RnnChoice::Source::measuring;
  choice.has_run = true;
  return true;
}

size_t SharingTuner::find(const Key& key) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  return size_t(found - entries_.begin());
}

void SharingTuner::add(const Key& key, const std::vector<Sharing>& candidates) {
  if (entries_.size() == kMostEntries) entries_.erase(entries_.begin());
  Entry entry{};
  entry.key = key;
  for (const Sharing& sharing : candidates) entry.choices.push_back({sharing, 0});
  entries_.push_back(std::move(entry));
  current_ = entries_.size() - 1;
}

void SharingTuner::report(double seconds) {
  Entry& entry = entries_[current_];
  entry.runs++;
  const int counted = ++entry.turn - (entry.in_round ? turn_.cold : 0);
  if (counted < 1) {
    // Better than nothing, for those who ask meanwhile.
    if (entry.rounds == 0) entry.choices[entry.running].seconds = seconds;
    return;
  }
  entry.least = counted == 1 ? seconds : std::min(entry.least, seconds);
  if (counted < turn_.counted) return;
  entry.turn = 0;
  end_turn(entry);
}

void SharingTuner::end_turn(Entry& entry) {
  double& known = entry.choices[entry.running].seconds;
  if (entry.in_round) {
    known = entry.least;
    do entry.running++;
    while (entry.running < entry.choices.size() && !takes_part(entry, entry.running));
    if (entry.running < entry.choices.size()) return;
    entry.in_round = false;
    entry.rounds++;
    entry.next_round = entry.runs + std::clamp(entry.runs, kFirstRuns, kMostRuns);
  } else if (entry.least > kMuchSlower * known) {
    if (++entry.slow < kSlowTurns) return;
    entry.rounds = 0;
    return start_round(entry);
  } else {
    entry.slow = 0;
    known += (entry.least - known) / 8;
    if (entry.runs >= entry.next_round && entry.choices.size() > 1) return start_round(entry);
  }
  const auto price = [](const Choice& choice) { return choice.seconds * std::pow(choice.sharing.members, kWorthDoubling); };
  const auto cheapest = std::min_element(entry.choices.begin(), entry.choices.end(),
                                         [&](const Choice& a, const Choice& b) { return price(a) < price(b); });
  entry.best = entry.running = size_t(cheapest - entry.choices.begin());
}

void SharingTuner::start_round(Entry& entry) {
  entry.in_round = true;
  entry.slow = 0;
  entry.running = 0;
  while (!takes_part(entry, entry.running)) entry.running++;
}

bool SharingTuner::takes_part(const Entry& entry, size_t choice) {
  return entry.rounds % kRoundsToAll == 0 || entry.choices[choice].seconds <= kHopeless * entry.choices[entry.best].seconds;
}

}  // namespace deep_rnn::cpu
