// What the vectorized loops of all kernels share.
#pragma once
#include <math.h>
#include <stdint.h>

#include "cpu/simd/vec.h"

// Says that a loop's iterations touch different elements, so that an output which is also an input does not forbid vectors.
#if defined(__clang__)
#define DEEP_RNN_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define DEEP_RNN_INDEPENDENT _Pragma("GCC ivdep")
#elif defined(_MSC_VER)
#define DEEP_RNN_INDEPENDENT __pragma(loop(ivdep))
#else
#define DEEP_RNN_INDEPENDENT
#endif

namespace deep_rnn::cpu::DEEP_RNN_ISA {

inline float square_root(float x) { return ::sqrtf(x); }
inline double square_root(double x) { return ::sqrt(x); }

// y[i] = f(x[i], ...) with f on whole vectors; y may be one of the inputs.
template <class E, class F, class... Inputs>
void map_vectors(int64_t count, E* y, F f, const Inputs*... x) {
  constexpr int kLanes = simd::Vec<E>::lanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) simd::store(y + i, f(simd::load(x + i)...));
  if (i < count) simd::store_part(y + i, count - i, f(simd::load_part(x + i, count - i)...));
}

// Sums term(i) for i in 0..count in double: sixteen sums side by side, added up in a tree, in an order that only count fixes.
template <class Term>
double lane_sum(int64_t count, Term term) {
  constexpr int kLanes = 16;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int lane = 0; lane < kLanes; lane++) lanes[lane] += double(term(i + lane));
  for (int lane = 0; i < count; i++, lane++) lanes[lane] += double(term(i));
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
  return lanes[0];
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA
