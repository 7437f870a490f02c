// Inner loops of sums.
#pragma once
#include "cpu/loops.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA {

template <class E>
double sum_of(int64_t count, const void* x_data, int64_t stride) {
  const E* x = static_cast<const E*>(x_data);
  if (stride == 1) return lane_sum(count, [x](int64_t i) { return x[i]; });
  return lane_sum(count, [x, stride](int64_t i) { return x[i * stride]; });
}

template <class E>
void add_to_sums(int64_t count, const void* x_data, int64_t stride, double* sums) {
  const E* x = static_cast<const E*>(x_data);
  if (stride == 1) {
    DEEP_RNN_INDEPENDENT
    for (int64_t i = 0; i < count; i++) sums[i] += double(x[i]);
  } else {
    for (int64_t i = 0; i < count; i++) sums[i] += double(x[i * stride]);
  }
}

template <class E>
double sum_of_squares(int64_t count, const void* x_data) {
  const E* x = static_cast<const E*>(x_data);
  return lane_sum(count, [x](int64_t i) { return double(x[i]) * double(x[i]); });
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA
