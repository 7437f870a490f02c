// How a pass over a recurrent stack is shared out over threads, chosen by measuring. No result depends on it.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "core/rnn_explanation.h"

namespace deep_rnn::cpu {

struct Sharing {
  int members = 1;
  // Each thread takes rows of the batch through all steps, so that none waits for another; else the units of a step are split.
  bool by_rows = false;
};

// What there is to choose from for steps of so many multiply-adds, most threads first: the likeliest choice.
std::vector<Sharing> possible_sharings(int threads, int64_t macs_per_step, int64_t batch);

// Remembers for each kind of pass how fast its sharings were. Tries each a few times, then keeps to the fastest; tries again
// when that one has become much slower (another program took a processor), and now and then one of the others.
class SharingTuner {
 public:
  // What passes of one kind have in common; their lengths may differ.
  using Key = std::array<int64_t, 10>;

  // Calls run(sharing). `work` is what the time of passes of this kind grows with.
  template <class Candidates, class Run>
  void run(const Key& key, Candidates candidates, double work, Run run) {
    using Clock = std::chrono::steady_clock;
    const Sharing sharing = choose(key, candidates);
    const Clock::time_point start = Clock::now();
    run(sharing);
    report(std::chrono::duration<double>(Clock::now() - start).count() / (work > 0 ? work : 1));
  }

  // What to run next, and how many seconds for a unit of work that took. candidates() gives what there is to choose from.
  template <class Candidates>
  Sharing choose(const Key& key, Candidates candidates) {
    current_ = find(key);
    if (current_ == entries_.size()) add(key, candidates());
    Entry& entry = entries_[current_];
    entry.running = next(entry);
    return entry.choices[entry.running].sharing;
  }
  void report(double seconds);

  // What is known of passes of this kind; a trial's milliseconds are for `work`. False: none has run.
  bool explain(const Key& key, double work, RnnChoice& choice) const;

 private:
  struct Choice {
    Sharing sharing;
    double seconds = 0;  // for a unit of work
    int trials = 0;
  };
  struct Entry {
    Key key;
    std::vector<Choice> choices;
    size_t best = 0, running = 0;
    int slow = 0;  // runs in a row
    int64_t runs = 0;
  };

  size_t find(const Key& key) const;
  void add(const Key& key, const std::vector<Sharing>& candidates);
  static size_t next(Entry& entry);

  std::vector<Entry> entries_;
  size_t current_ = 0;
};

}  // namespace deep_rnn::cpu
