// A register of slots (numbers.h) and the multiply-add that takes them.
#pragma once
#include "cpu/numbers.h"
#include "cpu/simd/vec.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

// As many slots as a register of sums has lanes.
template <class N>
struct Slots {
  Vec<N> v;
};
template <class N>
DEEP_RNN_INLINE Slots<N> load_slots(const N* p) {
  return {load(p)};
}
template <class N>
DEEP_RNN_INLINE Slots<N> broadcast_slot(const N* p) {
  return {broadcast(*p)};
}
template <class N>
DEEP_RNN_INLINE Vec<N> multiply_add(Slots<N> a, Slots<N> b, Vec<N> c) {
  return fma(a.v, b.v, c);
}

#if defined(__AVX512BF16__)
template <>
struct Slots<bfloat16> {
  __m512bh v;
};
DEEP_RNN_INLINE Slots<bfloat16> load_slots(const bfloat16* p) { return {(__m512bh)_mm512_loadu_si512(p)}; }
DEEP_RNN_INLINE Slots<bfloat16> broadcast_slot(const bfloat16* p) {
  int pair;
  memcpy(&pair, p, sizeof pair);
  return {(__m512bh)_mm512_set1_epi32(pair)};
}
DEEP_RNN_INLINE Vec<float> multiply_add(Slots<bfloat16> a, Slots<bfloat16> b, Vec<float> c) {
  return {_mm512_dpbf16_ps(c.v, a.v, b.v)};
}
#else
template <>
struct Slots<bfloat16> {
  Vec<float> first, second;
};
DEEP_RNN_INLINE Slots<bfloat16> load_slots(const bfloat16* p) {
  Slots<bfloat16> result;
  load_pairs(p, result.first, result.second);
  return result;
}
DEEP_RNN_INLINE Slots<bfloat16> broadcast_slot(const bfloat16* p) {
  return {broadcast(widened(p[0])), broadcast(widened(p[1]))};
}
DEEP_RNN_INLINE Vec<float> multiply_add(Slots<bfloat16> a, Slots<bfloat16> b, Vec<float> c) {
  return fma(a.second, b.second, fma(a.first, b.first, c));
}
#endif

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
