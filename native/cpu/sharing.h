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
  // Each thread takes groups of sequences through all steps, so that none waits for another; else the units of a step are
  // split.
  bool by_rows = false;
};

// What there is to choose from for steps of so many multiply-adds and a batch of so many groups, most threads first: the
// likeliest choice.
std::vector<Sharing> possible_sharings(int threads, int64_t macs_per_step, int64_t groups);

// Remembers for each kind of pass how fast its sharings were. Goes round them, each for some runs on end, and keeps to the
// fastest; goes round again after some runs, ever more of them, and when the fastest has become much slower (another program
// took a processor).
class SharingTuner {
 public:
  // How often a choice runs before another one does: the least of the counted runs is what it takes. In a round cold runs come
  // before them, as what a pass works on lies with the threads that had it before.
  struct Turn {
    int cold = 1, counted = 4;
  };
  SharingTuner() = default;
  explicit SharingTuner(const Turn& turn) : turn_(turn) {}

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
    const Entry& entry = entries_[current_];
    return entry.choices[entry.running].sharing;
  }
  void report(double seconds);

  // What is known of passes of this kind; a trial's milliseconds are for `work`. False: none has run.
  bool explain(const Key& key, double work, RnnChoice& choice) const;

 private:
  struct Choice {
    Sharing sharing;
    double seconds = 0;  // for a unit of work
  };
  struct Entry {
    Key key;
    std::vector<Choice> choices;
    size_t best = 0, running = 0;
    bool in_round = true;  // going round the choices
    int rounds = 0;        // that have ended
    int turn = 0;          // runs of the running choice on end
    double least = 0;      // seconds of those that count
    int slow = 0;          // turns on end
    int64_t runs = 0, next_round = 0;
  };

  size_t find(const Key& key) const;
  void add(const Key& key, const std::vector<Sharing>& candidates);
  static void end_turn(Entry& entry);
  static void start_round(Entry& entry);
  static bool takes_part(const Entry& entry, size_t choice);

  Turn turn_;
  std::vector<Entry> entries_;
  size_t current_ = 0;
};

}  // namespace deep_rnn::cpu
