#include "cpu/sharing.h"

#include <algorithm>
#include <cmath>

namespace deep_rnn::cpu {

namespace {

constexpr size_t kMostEntries = 64;
constexpr int kTrials = 4;  // of each choice; the first finds cold caches
constexpr double kMuchSlower = 1.4;
constexpr int kSlowRuns = 6;  // in a row, before all choices are tried again
constexpr int64_t kProbeEvery = 256;
// Twice the threads must take less than 1 / 1.15 of the time: JavaScript and other programs need processors as well.
constexpr double kWorthDoubling = 0.2;  // log2(1.15)

// Less than this a thread should not get of a step; more than this one thread alone should not.
constexpr int64_t kLeastMacs = 12'000, kMostMacsAlone = 12'000'000;

}  // namespace

std::vector<Sharing> possible_sharings(int threads, int64_t macs_per_step, int64_t batch) {
  std::vector<Sharing> result;
  const auto add = [&](int members) {
    if (members > 1 && macs_per_step / members < kLeastMacs) return;
    result.push_back({members, false});
    // Rows keep a tile of weights busy only when there are some.
    if (members > 1 && batch / members >= 4) result.push_back({members, true});
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
  bool tried = true;
  for (const Choice& each : entry.choices) {
    RnnTrial trial;
    trial.threads = each.sharing.members;
    trial.by_rows = each.sharing.by_rows;
    trial.milliseconds = each.trials > 0 ? each.seconds * work * 1000 : 0;
    tried = tried && each.trials >= kTrials;
    choice.trials.push_back(trial);
  }
  choice.chosen = choice.trials[entry.best];
  choice.source = choice.trials.size() == 1 ? RnnChoice::Source::only
                  : tried                   ? RnnChoice::Source::measured
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
  for (const Sharing& sharing : candidates) entry.choices.push_back({sharing, 0, 0});
  entries_.push_back(std::move(entry));
  current_ = entries_.size() - 1;
}

size_t SharingTuner::next(Entry& entry) {
  const auto fewest = std::min_element(entry.choices.begin(), entry.choices.end(),
                                       [](const Choice& a, const Choice& b) { return a.trials < b.trials; });
  if (fewest->trials < kTrials && entry.choices.size() > 1) return size_t(fewest - entry.choices.begin());
  if (++entry.runs % kProbeEvery == 0) return size_t(entry.runs / kProbeEvery) % entry.choices.size();
  return entry.best;
}

void SharingTuner::report(double seconds) {
  Entry& entry = entries_[current_];
  Choice& chosen = entry.choices[entry.running];
  if (chosen.trials < kTrials) {
    chosen.seconds = chosen.trials <= 1 ? seconds : std::min(chosen.seconds, seconds);
    chosen.trials++;
  } else if (entry.running != entry.best) {
    chosen.seconds = seconds;
  } else if (seconds > kMuchSlower * chosen.seconds) {
    if (++entry.slow < kSlowRuns) return;
    entry.slow = 0;
    for (Choice& each : entry.choices) each.trials = 0;
  } else {
    entry.slow = 0;
    chosen.seconds += (seconds - chosen.seconds) / 16;
  }
  const auto price = [](const Choice& choice) { return choice.seconds * std::pow(choice.sharing.members, kWorthDoubling); };
  const auto cheapest = std::min_element(entry.choices.begin(), entry.choices.end(),
                                         [&](const Choice& a, const Choice& b) { return price(a) < price(b); });
  entry.best = size_t(cheapest - entry.choices.begin());
}

}  // namespace deep_rnn::cpu
