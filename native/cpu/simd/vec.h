// One register of floats or doubles of the instruction set in use, and the functions that cells need on it.
//
// A file per instruction set defines Vec<E>, its loads, stores and arithmetic, round_to_integer, power_of_two (or
// times_power_of_two), where_at_most and load_pairs. A NaN that is the second operand of min or max comes back.
#pragma once
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__)
#include "cpu/simd/avx512.h"
#elif defined(__AVX2__)
#include "cpu/simd/avx2.h"
#elif defined(__aarch64__) || defined(_M_ARM64)
#include "cpu/simd/neon.h"
#else
#include "cpu/simd/generic.h"
#endif

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

// What follows is for instruction sets that have no better way; the others overload it.

// a 2^n in two steps, since 2^n itself may lie outside the range where the product does not.
template <class E>
DEEP_RNN_INLINE Vec<E> times_power_of_two(Vec<E> a, Vec<E> n) {
  const Vec<E> half = round_to_integer(n * broadcast(E(0.5)));
  return a * power_of_two(half) * power_of_two(n - half);
}
// The first `count` lanes, fewer than there are; the others are zero.
template <class E>
DEEP_RNN_INLINE Vec<E> load_part(const E* p, int64_t count) {
  E lane[Vec<E>::lanes] = {};
  for (int64_t i = 0; i < count; i++) lane[i] = p[i];
  return load(lane);
}
template <class E>
DEEP_RNN_INLINE void store_part(E* p, int64_t count, Vec<E> a) {
  E lane[Vec<E>::lanes];
  store(lane, a);
  for (int64_t i = 0; i < count; i++) p[i] = lane[i];
}
template <class E>
DEEP_RNN_INLINE E maximum(Vec<E> a) {
  E lane[Vec<E>::lanes];
  store(lane, a);
  for (int width = Vec<E>::lanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lane[i] = lane[i + width] > lane[i] ? lane[i + width] : lane[i];
  return lane[0];
}
template <class E>
DEEP_RNN_INLINE E sum(Vec<E> a) {
  E lane[Vec<E>::lanes];
  store(lane, a);
  for (int width = Vec<E>::lanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lane[i] += lane[i + width];
  return lane[0];
}

// row[i][j] and row[j][i] change places.
template <class E, int lanes>
DEEP_RNN_INLINE void transpose(Vec<E> (&row)[lanes]) {
  E before[lanes][lanes], after[lanes][lanes];
  for (int i = 0; i < lanes; i++) store(before[i], row[i]);
  for (int i = 0; i < lanes; i++)
    for (int j = 0; j < lanes; j++) after[i][j] = before[j][i];
  for (int i = 0; i < lanes; i++) row[i] = load(after[i]);
}

#if !defined(__AVX512F__)
// A register of floats from as many bfloat16, and back.
DEEP_RNN_INLINE Vec<float> load(const bfloat16* p) {
  float lane[Vec<float>::lanes];
  for (int i = 0; i < Vec<float>::lanes; i++) lane[i] = widened(p[i]);
  return load(lane);
}
DEEP_RNN_INLINE void store(bfloat16* p, Vec<float> a) {
  float lane[Vec<float>::lanes];
  store(lane, a);
  for (int i = 0; i < Vec<float>::lanes; i++) p[i] = round_to_bfloat16(lane[i]);
}
// The rows first[32] and second[32] as 32 pairs.
DEEP_RNN_INLINE void interleave(const bfloat16* first, const bfloat16* second, bfloat16* pairs) {
  for (int i = 0; i < 32; i++) {
    pairs[2 * i] = first[i];
    pairs[2 * i + 1] = second[i];
  }
}
#endif

// e^x = 2^n (1 + result) with |x - n ln 2| <= ln 2 / 2; the result has no cancellation near zero. The coefficients are minimax
// for floats, Taylor's for doubles.
DEEP_RNN_INLINE Vec<float> exp_minus_one_parts(Vec<float> x, Vec<float>& n) {
  n = round_to_integer(x * broadcast(1.44269504f));
  Vec<float> r = fnma(n, broadcast(0.693145751953125f), x);
  r = fnma(n, broadcast(1.42860677e-6f), r);
  Vec<float> q = fma(broadcast(1.3941394e-3f), r, broadcast(8.3633353e-3f));
  q = fma(q, r, broadcast(4.16663721e-2f));
  q = fma(q, r, broadcast(1.6666576e-1f));
  q = fma(q, r, broadcast(5.0000000e-1f));
  return fma(r * r, q, r);
}
DEEP_RNN_INLINE Vec<double> exp_minus_one_parts(Vec<double> x, Vec<double>& n) {
  n = round_to_integer(x * broadcast(1.4426950408889634));
  Vec<double> r = fnma(n, broadcast(6.93147180369123816490e-01), x);
  r = fnma(n, broadcast(1.90821492927058770002e-10), r);
  Vec<double> q = broadcast(1.0 / 6227020800.0);
  q = fma(q, r, broadcast(1.0 / 479001600.0));
  q = fma(q, r, broadcast(1.0 / 39916800.0));
  q = fma(q, r, broadcast(1.0 / 3628800.0));
  q = fma(q, r, broadcast(1.0 / 362880.0));
  q = fma(q, r, broadcast(1.0 / 40320.0));
  q = fma(q, r, broadcast(1.0 / 5040.0));
  q = fma(q, r, broadcast(1.0 / 720.0));
  q = fma(q, r, broadcast(1.0 / 120.0));
  q = fma(q, r, broadcast(1.0 / 24.0));
  q = fma(q, r, broadcast(1.0 / 6.0));
  q = fma(q, r, broadcast(0.5));
  return fma(r * r, q, r);
}

template <class E>
DEEP_RNN_INLINE Vec<E> clamp(Vec<E> x, E low, E high) {
  return max(broadcast(low), min(broadcast(high), x));
}

// Of these three, results in the subnormal range may come out as zero.
template <class E>
DEEP_RNN_INLINE Vec<E> exp(Vec<E> x) {
  constexpr bool is_double = sizeof(E) == 8;
  Vec<E> n;
  const Vec<E> parts = exp_minus_one_parts(clamp(x, E(is_double ? -746 : -104), E(is_double ? 710 : 89)), n);
  return times_power_of_two(parts + broadcast(E(1)), n);
}

template <class E>
DEEP_RNN_INLINE Vec<E> sigmoid(Vec<E> x) {
  return broadcast(E(1)) / (broadcast(E(1)) + exp(broadcast(E(0)) - x));
}

// tanh x = expm1(2x) / (expm1(2x) + 2); beyond the limit it is 1 to the last bit.
template <class E>
DEEP_RNN_INLINE Vec<E> tanh(Vec<E> x) {
  constexpr E limit = sizeof(E) == 8 ? E(40) : E(19);
  Vec<E> n;
  const Vec<E> parts = exp_minus_one_parts(clamp(x + x, -limit, limit), n);
  const Vec<E> scale = times_power_of_two(broadcast(E(1)), n);
  const Vec<E> expm1 = fma(scale, parts, scale - broadcast(E(1)));
  return expm1 / (expm1 + broadcast(E(2)));
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
