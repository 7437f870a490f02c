// Registers of AVX2 with FMA.
#pragma once
#include "cpu/simd/x86.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

DEEP_RNN_VEC(float, __m256, 8, _mm256, ps)
DEEP_RNN_VEC(double, __m256d, 4, _mm256, pd)

DEEP_RNN_INLINE Vec<float> round_to_integer(Vec<float> a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
DEEP_RNN_INLINE Vec<double> round_to_integer(Vec<double> a) {
  return {_mm256_round_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// 2^n for n in the range of normal exponents.
DEEP_RNN_INLINE Vec<float> power_of_two(Vec<float> n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23))};
}
DEEP_RNN_INLINE Vec<double> power_of_two(Vec<double> n) {
  const __m128i exponent = _mm_add_epi32(_mm256_cvtpd_epi32(n.v), _mm_set1_epi32(1023));
  return {_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_cvtepi32_epi64(exponent), 52))};
}
DEEP_RNN_INLINE Vec<float> where_at_most(Vec<float> a, Vec<float> limit, Vec<float> x) {
  return {_mm256_and_ps(_mm256_cmp_ps(a.v, limit.v, _CMP_LE_OQ), x.v)};
}
DEEP_RNN_INLINE Vec<double> where_at_most(Vec<double> a, Vec<double> limit, Vec<double> x) {
  return {_mm256_and_pd(_mm256_cmp_pd(a.v, limit.v, _CMP_LE_OQ), x.v)};
}

DEEP_RNN_INLINE Vec<float> load_strided(const float* p, int32_t stride) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_i32gather_ps(p, _mm256_mullo_epi32(lane, _mm256_set1_epi32(stride)), 4)};
}
DEEP_RNN_INLINE Vec<double> load_strided(const double* p, int32_t stride) {
  const __m128i lane = _mm_setr_epi32(0, 1, 2, 3);
  return {_mm256_i32gather_pd(p, _mm_mullo_epi32(lane, _mm_set1_epi32(stride)), 8)};
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
