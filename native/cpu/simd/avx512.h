// Registers of AVX-512 (F, DQ, BW, VL).
#pragma once
#include "cpu/simd/x86.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

DEEP_RNN_VEC(float, __m512, 16, _mm512, ps)
DEEP_RNN_VEC(double, __m512d, 8, _mm512, pd)

DEEP_RNN_INLINE Vec<float> round_to_integer(Vec<float> a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_NO_EXC)}; }
DEEP_RNN_INLINE Vec<double> round_to_integer(Vec<double> a) { return {_mm512_roundscale_pd(a.v, _MM_FROUND_NO_EXC)}; }
DEEP_RNN_INLINE Vec<float> times_power_of_two(Vec<float> a, Vec<float> n) { return {_mm512_scalef_ps(a.v, n.v)}; }
DEEP_RNN_INLINE Vec<double> times_power_of_two(Vec<double> a, Vec<double> n) { return {_mm512_scalef_pd(a.v, n.v)}; }
DEEP_RNN_INLINE Vec<float> where_at_most(Vec<float> a, Vec<float> limit, Vec<float> x) {
  return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, limit.v, _CMP_LE_OQ), x.v)};
}
DEEP_RNN_INLINE Vec<double> where_at_most(Vec<double> a, Vec<double> limit, Vec<double> x) {
  return {_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a.v, limit.v, _CMP_LE_OQ), x.v)};
}
DEEP_RNN_INLINE Vec<float> load_strided(const float* p, int32_t stride) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return {_mm512_i32gather_ps(_mm512_mullo_epi32(lane, _mm512_set1_epi32(stride)), p, 4)};
}
DEEP_RNN_INLINE Vec<double> load_strided(const double* p, int32_t stride) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm512_i32gather_pd(_mm256_mullo_epi32(lane, _mm256_set1_epi32(stride)), p, 8)};
}
DEEP_RNN_INLINE float sum(Vec<float> a) { return _mm512_reduce_add_ps(a.v); }
DEEP_RNN_INLINE double sum(Vec<double> a) { return _mm512_reduce_add_pd(a.v); }

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
