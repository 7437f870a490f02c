// Rows of softmax, log softmax and their gradients.
#pragma once
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/loops.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA {

// NaN may be lost here: the exponentials bring it back.
template <class E>
E row_maximum(int64_t columns, const E* x) {
  constexpr int kLanes = simd::Vec<E>::lanes;
  if (columns < kLanes) {
    E largest = x[0];
    for (int64_t i = 1; i < columns; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
  }
  // The last vector overlaps the one before.
  simd::Vec<E> largest = simd::load(x + columns - kLanes);
  for (int64_t i = 0; i + kLanes < columns; i += kLanes) largest = simd::max(largest, simd::load(x + i));
  return simd::maximum(largest);
}

// y = exp(x - maximum).
template <class E>
LogSumExp shifted_exponentials(int64_t columns, const E* x, E* y) {
  const E maximum = row_maximum(columns, x);
  map_vectors(
      columns, y, [shift = simd::broadcast(maximum)](simd::Vec<E> v) { return simd::exp(v - shift); }, x);
  return {double(maximum), lane_sum(columns, [y](int64_t i) { return y[i]; })};
}

template <class E>
LogSumExp softmax_row(int64_t columns, const void* x_data, void* y_data) {
  E* y = static_cast<E*>(y_data);
  const LogSumExp parts = shifted_exponentials(columns, static_cast<const E*>(x_data), y);
  const E scale = E(1.0 / parts.sum);
  DEEP_RNN_INDEPENDENT
  for (int64_t i = 0; i < columns; i++) y[i] *= scale;
  return parts;
}

template <class E>
void log_softmax_row(int64_t columns, const void* x_data, void* y_data) {
  const E* x = static_cast<const E*>(x_data);
  E* y = static_cast<E*>(y_data);
  const LogSumExp parts = shifted_exponentials(columns, x, y);
  const E maximum = E(parts.maximum), log_sum = E(::log(parts.sum));
  DEEP_RNN_INDEPENDENT
  for (int64_t i = 0; i < columns; i++) y[i] = (x[i] - maximum) - log_sum;
}

// dx = y (dy - Σ dy y).
template <class E>
void softmax_backward_row(int64_t columns, const void* y_data, const void* dy_data, void* dx_data) {
  const E* y = static_cast<const E*>(y_data);
  const E* dy = static_cast<const E*>(dy_data);
  E* dx = static_cast<E*>(dx_data);
  const E inner = E(lane_sum(columns, [y, dy](int64_t i) { return double(y[i]) * double(dy[i]); }));
  DEEP_RNN_INDEPENDENT
  for (int64_t i = 0; i < columns; i++) dx[i] = y[i] * (dy[i] - inner);
}

// dx = dy - exp(y) Σ dy.
template <class E>
void log_softmax_backward_row(int64_t columns, const void* y_data, const void* dy_data, void* dx_data) {
  const E* y = static_cast<const E*>(y_data);
  const E* dy = static_cast<const E*>(dy_data);
  E* dx = static_cast<E*>(dx_data);
  const E total = E(lane_sum(columns, [dy](int64_t i) { return dy[i]; }));
  map_vectors(
      columns, dx, [scale = simd::broadcast(total)](simd::Vec<E> v, simd::Vec<E> dv) { return dv - simd::exp(v) * scale; }, y,
      dy);
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA
