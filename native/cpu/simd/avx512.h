// Registers of AVX-512 (F, DQ, BW, VL).
#pragma once
#include "cpu/numbers.h"
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
DEEP_RNN_INLINE Vec<float> load_part(const float* p, int64_t count) {
  return {_mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), p)};
}
DEEP_RNN_INLINE Vec<double> load_part(const double* p, int64_t count) {
  return {_mm512_maskz_loadu_pd(__mmask8((1u << count) - 1), p)};
}
DEEP_RNN_INLINE void store_part(float* p, int64_t count, Vec<float> a) {
  _mm512_mask_storeu_ps(p, __mmask16((1u << count) - 1), a.v);
}
DEEP_RNN_INLINE void store_part(double* p, int64_t count, Vec<double> a) {
  _mm512_mask_storeu_pd(p, __mmask8((1u << count) - 1), a.v);
}
DEEP_RNN_INLINE float maximum(Vec<float> a) { return _mm512_reduce_max_ps(a.v); }
DEEP_RNN_INLINE double maximum(Vec<double> a) { return _mm512_reduce_max_pd(a.v); }
// row[i][j] and row[j][i] change places.
DEEP_RNN_INLINE void transpose(Vec<float> (&row)[16]) {
  __m512 pairs[16], fours[16];
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(row[i].v, row[i + 1].v);
    pairs[i + 1] = _mm512_unpackhi_ps(row[i].v, row[i + 1].v);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; j++) {
      const __m512d low = _mm512_castps_pd(pairs[i + j]), high = _mm512_castps_pd(pairs[i + j + 2]);
      fours[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      fours[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
  // Quarter q of fours[4 i + j] holds column 4 q + j of rows 4 i to 4 i + 3.
  for (int j = 0; j < 4; j++) {
    const __m512 even_low = _mm512_shuffle_f32x4(fours[j], fours[4 + j], 0x88);
    const __m512 even_high = _mm512_shuffle_f32x4(fours[8 + j], fours[12 + j], 0x88);
    const __m512 odd_low = _mm512_shuffle_f32x4(fours[j], fours[4 + j], 0xDD);
    const __m512 odd_high = _mm512_shuffle_f32x4(fours[8 + j], fours[12 + j], 0xDD);
    row[j].v = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
    row[8 + j].v = _mm512_shuffle_f32x4(even_low, even_high, 0xDD);
    row[4 + j].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    row[12 + j].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0xDD);
  }
}
DEEP_RNN_INLINE float sum(Vec<float> a) { return _mm512_reduce_add_ps(a.v); }
DEEP_RNN_INLINE double sum(Vec<double> a) { return _mm512_reduce_add_pd(a.v); }

// The first and the second bfloat16 of 16 pairs.
DEEP_RNN_INLINE void load_pairs(const bfloat16* p, Vec<float>& first, Vec<float>& second) {
  const __m512i pairs = _mm512_loadu_si512(p);
  first.v = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  second.v = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(int(0xFFFF0000))));
}
DEEP_RNN_INLINE Vec<float> load(const bfloat16* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
DEEP_RNN_INLINE void store(bfloat16* p, Vec<float> a) {
#if defined(__AVX512BF16__)
  const __m256i rounded = (__m256i)_mm512_cvtneps_pbh(a.v);
#else
  const __m512i bits = _mm512_castps_si512(a.v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i nearest = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const __mmask16 is_nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  const __m256i rounded = _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(nearest, is_nan, quiet), 16));
#endif
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), rounded);
}
// The rows first[32] and second[32] as 32 pairs.
DEEP_RNN_INLINE void interleave(const bfloat16* first, const bfloat16* second, bfloat16* pairs) {
  const __m512i a = _mm512_loadu_si512(first), b = _mm512_loadu_si512(second);
  const __m512i low =
      _mm512_set_epi32(0x002F000F, 0x002E000E, 0x002D000D, 0x002C000C, 0x002B000B, 0x002A000A, 0x00290009, 0x00280008,
                       0x00270007, 0x00260006, 0x00250005, 0x00240004, 0x00230003, 0x00220002, 0x00210001, 0x00200000);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(0x00100010));
  _mm512_storeu_si512(pairs, _mm512_permutex2var_epi16(a, low, b));
  _mm512_storeu_si512(pairs + 32, _mm512_permutex2var_epi16(a, high, b));
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
