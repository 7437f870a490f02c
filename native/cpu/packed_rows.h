// Sequences of unequal length as rows without gaps, in groups that different threads may go through.
//
// Sorted by falling length, the sequences of a group that are still alive at a step are a prefix: step t of a group holds
// active(group, t) rows from offset(group, t) on. Groups follow each other, so that threads which take different ones write to
// different pages. Matrices that also hold the state before the first step have `batch` more rows: before all others in the
// forward direction and behind them in the reverse one.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>

#include "cpu/gemm.h"
#include "cpu/workspace.h"

namespace deep_rnn::cpu {

class PackedRows {
 public:
  PackedRows(Carver& carver, int64_t steps, int64_t batch, int64_t groups)
      : steps_(steps),
        batch_(batch),
        groups_(groups),
        order_(carver.array<int64_t>(batch)),
        length_(carver.array<int64_t>(batch)),
        active_(carver.array<int64_t>(groups * steps)),
        offset_(carver.array<int64_t>(groups * steps)) {}

  // lengths: [batch], each 0..steps, or null.
  void arrange(const int32_t* lengths) {
    std::iota(order_, order_ + batch_, int64_t(0));
    if (lengths) deal(lengths);
    for (int64_t row = 0; row < batch_; row++) length_[row] = lengths ? lengths[order_[row]] : steps_;
    for (int64_t group = 0; group < groups_; group++) {
      const int64_t* const length = length_ + begin(group);
      int64_t alive = batch(group);
      for (int64_t t = 0; t < steps_; t++) {
        while (alive > 0 && length[alive - 1] <= t) alive--;
        active_[group * steps_ + t] = alive;
        offset_[group * steps_ + t] = total_;
        total_ += alive;
      }
    }
  }

  int64_t steps() const { return steps_; }
  int64_t groups() const { return groups_; }
  int64_t total() const { return total_; }
  // The first sequence of a group among those of all groups, and how many it has.
  int64_t begin(int64_t group) const { return group * (batch_ / groups_) + std::min(group, batch_ % groups_); }
  int64_t batch(int64_t group) const { return begin(group + 1) - begin(group); }
  // The caller's number of a sequence.
  int64_t order(int64_t sequence) const { return order_[sequence]; }
  int64_t order(int64_t group, int64_t row) const { return order_[begin(group) + row]; }
  int64_t active(int64_t group, int64_t t) const { return active_[group * steps_ + t]; }
  int64_t offset(int64_t group, int64_t t) const { return offset_[group * steps_ + t]; }
  // Of all groups before this one.
  int64_t rows_before(int64_t group) const { return group < groups_ ? offset(group, 0) : total_; }

  // Of matrices with initial states.
  int64_t first_row(int64_t direction) const { return direction == 0 ? batch_ : 0; }
  int64_t initial_row(int64_t direction) const { return direction == 0 ? 0 : total_; }
  int64_t step_row(int64_t direction, int64_t group, int64_t t) const { return first_row(direction) + offset(group, t); }
  int64_t final_row(int64_t direction, int64_t group, int64_t row) const {
    const int64_t sequence = begin(group) + row, length = length_[sequence];
    if (length == 0) return initial_row(direction) + sequence;
    return step_row(direction, group, direction == 0 ? length - 1 : 0) + row;
  }

  // Calls f(step, the caller's number of the sequence, row) for every row.
  template <class F>
  void for_each(F f) const {
    for (int64_t group = 0; group < groups_; group++)
      for (int64_t t = 0; t < steps_; t++)
        for (int64_t row = 0; row < active(group, t); row++) f(t, order(group, row), offset(group, t) + row);
  }

  // The rows first..end-1 of step t of a group with the rows of the state before them; returns how many runs, at most two.
  int step_runs(int64_t direction, int64_t group, int64_t t, int64_t first, int64_t end, RowRun runs[2]) const {
    const int64_t before = direction == 0 ? t - 1 : t + 1, alive = active(group, t);
    const int64_t with_step_before = before < 0 || before >= steps_ ? 0 : std::min(active(group, before), alive);
    int count = 0;
    const auto add = [&](int64_t from, int64_t to, int64_t row_before) {
      if (from < to) runs[count++] = {step_row(direction, group, t) + from, row_before + from, to - from};
    };
    end = std::min(end, alive);
    if (with_step_before > 0) add(first, std::min(end, with_step_before), step_row(direction, group, before));
    add(std::max(first, with_step_before), end, initial_row(direction) + begin(group));
    return count;
  }

  // The same for all steps of the groups begin_group..end_group-1, neighbours joined; runs: [groups * 2 * steps].
  int64_t all_runs(int64_t direction, int64_t begin_group, int64_t end_group, RowRun* runs) const {
    int64_t count = 0;
    for (int64_t item = begin_group * steps_; item < end_group * steps_; item++) {
      const int64_t group = item / steps_;
      RowRun of_step[2];
      const int n = step_runs(direction, group, item % steps_, 0, batch(group), of_step);
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
  // Sorts by falling length and deals the sequences out in turn, so that every group has about as much to do.
  void deal(const int32_t* lengths) {
    int64_t* const sorted = length_;
    std::copy_n(order_, batch_, sorted);
    std::sort(sorted, sorted + batch_,
              [&](int64_t a, int64_t b) { return lengths[a] != lengths[b] ? lengths[a] > lengths[b] : a < b; });
    for (int64_t i = 0; i < batch_; i++) order_[begin(i % groups_) + i / groups_] = sorted[i];
  }

  int64_t steps_, batch_, groups_, total_ = 0;
  int64_t* order_;   // [batch], group by group
  int64_t* length_;  // [batch]
  int64_t* active_;  // [groups][steps]
  int64_t* offset_;  // [groups][steps]
};

}  // namespace deep_rnn::cpu
