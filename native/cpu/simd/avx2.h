// Registers of AVX2 with FMA.
#pragma once
#include "cpu/numbers.h"
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

// row[i][j] and row[j][i] change places.
DEEP_RNN_INLINE void transpose(Vec<float> (&row)[8]) {
  __m256 pairs[8], fours[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(row[i].v, row[i + 1].v);
    pairs[i + 1] = _mm256_unpackhi_ps(row[i].v, row[i + 1].v);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; j++) {
      fours[i + 2 * j] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
      fours[i + 2 * j + 1] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xEE);
    }
  }
  // Half q of fours[4 i + j] holds column 4 q + j of rows 4 i to 4 i + 3.
  for (int j = 0; j < 4; j++) {
    row[j].v = _mm256_permute2f128_ps(fours[j], fours[4 + j], 0x20);
    row[4 + j].v = _mm256_permute2f128_ps(fours[j], fours[4 + j], 0x31);
  }
}

// The first and the second bfloat16 of 8 pairs.
DEEP_RNN_INLINE void load_pairs(const bfloat16* p, Vec<float>& first, Vec<float>& second) {
  const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  first.v = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
  second.v = _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(int(0xFFFF0000))));
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
