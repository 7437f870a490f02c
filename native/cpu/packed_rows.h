// Sequences of unequal length as rows without gaps.
//
// Sorted by falling length, the sequences that are still alive at a step are a prefix, and step t holds active[t] rows from
// offset[t] on. Matrices that also hold the state before the first step have `batch` more rows: before the steps in the forward
// direction and behind them in the reverse one, so that the state before a row lies a whole step away from it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>

#include "cpu/gemm.h"
#include "cpu/workspace.h"

namespace deep_rnn::cpu {

class PackedRows {
 public:
  PackedRows(Carver& carver, int64_t steps, int64_t batch)
      : steps_(steps),
        batch_(batch),
        order_(carver.array<int64_t>(batch)),
        length_(carver.array<int64_t>(batch)),
        active_(carver.array<int64_t>(steps)),
        offset_(carver.array<int64_t>(steps)) {}

  // lengths: [batch], each 0..steps, or null.
  void arrange(const int32_t* lengths) {
    std::iota(order_, order_ + batch_, int64_t(0));
    if (lengths)
      std::sort(order_, order_ + batch_,
                [&](int64_t a, int64_t b) { return lengths[a] != lengths[b] ? lengths[a] > lengths[b] : a < b; });
    for (int64_t row = 0; row < batch_; row++) length_[row] = lengths ? lengths[order_[row]] : steps_;
    int64_t alive = batch_;
    for (int64_t t = 0; t < steps_; t++) {
      while (alive > 0 && length_[alive - 1] <= t) alive--;
      active_[t] = alive;
      offset_[t] = total_;
      total_ += alive;
    }
  }

  int64_t steps() const { return steps_; }
  int64_t batch() const { return batch_; }
  int64_t total() const { return total_; }
  int64_t order(int64_t row) const { return order_[row]; }  // the caller's number of a row
  int64_t active(int64_t t) const { return active_[t]; }
  int64_t offset(int64_t t) const { return offset_[t]; }

  // Of matrices with initial states.
  int64_t first_row(int64_t direction) const { return direction == 0 ? batch_ : 0; }
  int64_t initial_row(int64_t direction) const { return direction == 0 ? 0 : total_; }
  int64_t step_row(int64_t direction, int64_t t) const { return first_row(direction) + offset_[t]; }
  int64_t final_row(int64_t direction, int64_t row) const {
    if (length_[row] == 0) return initial_row(direction) + row;
    return step_row(direction, direction == 0 ? length_[row] - 1 : 0) + row;
  }

  // The rows begin..end-1 of step t with the rows of the state before them; returns how many runs, at most two.
  int step_runs(int64_t direction, int64_t t, int64_t begin, int64_t end, RowRun runs[2]) const {
    const int64_t before = direction == 0 ? t - 1 : t + 1;
    const int64_t with_step_before = before < 0 || before >= steps_ ? 0 : std::min(active_[before], active_[t]);
    int count = 0;
    const auto add = [&](int64_t from, int64_t to, int64_t row_before) {
      if (from < to) runs[count++] = {step_row(direction, t) + from, row_before + from, to - from};
    };
    end = std::min(end, active_[t]);
    if (with_step_before > 0) add(begin, std::min(end, with_step_before), step_row(direction, before));
    add(std::max(begin, with_step_before), end, initial_row(direction));
    return count;
  }

  // The same for all steps, neighbours joined; runs: [2 * steps].
  int64_t all_runs(int64_t direction, RowRun* runs) const {
    int64_t count = 0;
    for (int64_t t = 0; t < steps_; t++) {
      RowRun of_step[2];
      const int n = step_runs(direction, t, 0, batch_, of_step);
      for (int i = 0; i < n; i++) {
        RowRun* last = count > 0 ? &runs[count - 1] : nullptr;
        if (last && last->a + last->count == of_step[i].a && last->b + last->count == of_step[i].b) {
          last->count += of_step[i].count;
        } else {
          runs[count++] = of_step[i];
        }
      }
    }
    return count;
  }

 private:
  int64_t steps_, batch_, total_ = 0;
  int64_t* order_;
  int64_t* length_;
  int64_t* active_;
  int64_t* offset_;
};

}  // namespace deep_rnn::cpu
