// Registers of arm64, where NEON and its fused multiply-add are part of the base.
#pragma once
#include <arm_neon.h>

#include "cpu/numbers.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class E>
struct Vec;

// The operations whose intrinsics differ in nothing but their names' last part; vfma and vfms take the summand first.
#define DEEP_RNN_VEC(E, Register, count, suffix)                                                        \
  template <>                                                                                           \
  struct Vec<E> {                                                                                       \
    static constexpr int lanes = count;                                                                 \
    Register v;                                                                                         \
  };                                                                                                    \
  DEEP_RNN_INLINE Vec<E> load(const E* p) { return {vld1q_##suffix(p)}; }                               \
  DEEP_RNN_INLINE void store(E* p, Vec<E> a) { vst1q_##suffix(p, a.v); }                                \
  DEEP_RNN_INLINE Vec<E> broadcast(E x) { return {vdupq_n_##suffix(x)}; }                               \
  DEEP_RNN_INLINE Vec<E> operator+(Vec<E> a, Vec<E> b) { return {vaddq_##suffix(a.v, b.v)}; }           \
  DEEP_RNN_INLINE Vec<E> operator-(Vec<E> a, Vec<E> b) { return {vsubq_##suffix(a.v, b.v)}; }           \
  DEEP_RNN_INLINE Vec<E> operator*(Vec<E> a, Vec<E> b) { return {vmulq_##suffix(a.v, b.v)}; }           \
  DEEP_RNN_INLINE Vec<E> operator/(Vec<E> a, Vec<E> b) { return {vdivq_##suffix(a.v, b.v)}; }           \
  DEEP_RNN_INLINE Vec<E> fma(Vec<E> a, Vec<E> b, Vec<E> c) { return {vfmaq_##suffix(c.v, a.v, b.v)}; }  \
  DEEP_RNN_INLINE Vec<E> fnma(Vec<E> a, Vec<E> b, Vec<E> c) { return {vfmsq_##suffix(c.v, a.v, b.v)}; } \
  DEEP_RNN_INLINE Vec<E> min(Vec<E> a, Vec<E> b) { return {vminq_##suffix(a.v, b.v)}; }                 \
  DEEP_RNN_INLINE Vec<E> max(Vec<E> a, Vec<E> b) { return {vmaxq_##suffix(a.v, b.v)}; }                 \
  DEEP_RNN_INLINE Vec<E> round_to_integer(Vec<E> a) { return {vrndnq_##suffix(a.v)}; }                  \
  DEEP_RNN_INLINE E sum(Vec<E> a) { return vaddvq_##suffix(a.v); }

DEEP_RNN_VEC(float, float32x4_t, 4, f32)
DEEP_RNN_VEC(double, float64x2_t, 2, f64)

// 2^n for n in the range of normal exponents.
DEEP_RNN_INLINE Vec<float> power_of_two(Vec<float> n) {
  return {vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n.v), vdupq_n_s32(127)), 23))};
}
DEEP_RNN_INLINE Vec<double> power_of_two(Vec<double> n) {
  return {vreinterpretq_f64_s64(vshlq_n_s64(vaddq_s64(vcvtq_s64_f64(n.v), vdupq_n_s64(1023)), 52))};
}
DEEP_RNN_INLINE Vec<float> where_at_most(Vec<float> a, Vec<float> limit, Vec<float> x) {
  return {vreinterpretq_f32_u32(vandq_u32(vcleq_f32(a.v, limit.v), vreinterpretq_u32_f32(x.v)))};
}
DEEP_RNN_INLINE Vec<double> where_at_most(Vec<double> a, Vec<double> limit, Vec<double> x) {
  return {vreinterpretq_f64_u64(vandq_u64(vcleq_f64(a.v, limit.v), vreinterpretq_u64_f64(x.v)))};
}

// The first and the second bfloat16 of 4 pairs.
DEEP_RNN_INLINE void load_pairs(const bfloat16* p, Vec<float>& first, Vec<float>& second) {
  const uint32x4_t pairs = vreinterpretq_u32_u16(vld1q_u16(&p->bits));
  first.v = vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16));
  second.v = vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xFFFF0000)));
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
