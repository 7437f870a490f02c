// How a pass over a recurrent stack is shared out over threads, chosen by measuring. No result depends on it.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

namespace deep_rnn::cpu {

struct Sharing {
  int members = 1;
  // Each thread takes rows of the batch through all steps, so that none waits for another; else the units of a step are split.
  bool by_rows = false;
};

// What there is to choose from for steps of so many multiply-adds.
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
    Entry& entry = entry_of(key, candidates);
    const size_t choice = next(entry);
    const Clock::time_point start = Clock::now();
    run(entry.choices[choice].sharing);
    record(entry, choice, std::chrono::duration<double>(Clock::now() - start).count() / (work > 0 ? work : 1));
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Choice {
    Sharing sharing;
    double seconds = 0;  // for a unit of work
    int trials = 0;
  };
  struct Entry {
    Key key;
    std::vector<Choice> choices;
    size_t best = 0;
    int slow = 0;  // runs in a row
    int64_t runs = 0;
  };

  template <class Candidates>
  Entry& entry_of(const Key& key, Candidates candidates) {
    for (Entry& entry : entries_)
      if (entry.key == key) return entry;
    return add(key, candidates());
  }
  Entry& add(const Key& key, const std::vector<Sharing>& candidates);
  static size_t next(Entry& entry);
  static void record(Entry& entry, size_t choice, double seconds);

  std::vector<Entry> entries_;
};

}  // namespace deep_rnn::cpu
