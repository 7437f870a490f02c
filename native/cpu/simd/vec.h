// One register of floats or doubles of the instruction set in use, and the functions that cells need on it.
//
// Of min and max, the second operand comes back when either is NaN.
#pragma once
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__) || defined(__AVX2__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 warns of the deliberately undefined registers in its own header.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif

#if defined(__GNUC__)
#define DEEP_RNN_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define DEEP_RNN_INLINE __forceinline
#else
#define DEEP_RNN_INLINE inline
#endif

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

template <class E>
struct Vec;

// The operations whose intrinsics differ in nothing but their names' first and last parts.
#define DEEP_RNN_VEC(E, Register, count, prefix, suffix)                                                          \
  template <>                                                                                                     \
  struct Vec<E> {                                                                                                 \
    static constexpr int lanes = count;                                                                           \
    Register v;                                                                                                   \
  };                                                                                                              \
  DEEP_RNN_INLINE Vec<E> load(const E* p) { return {prefix##_loadu_##suffix(p)}; }                                \
  DEEP_RNN_INLINE void store(E* p, Vec<E> a) { prefix##_storeu_##suffix(p, a.v); }                                \
  DEEP_RNN_INLINE Vec<E> broadcast(E x) { return {prefix##_set1_##suffix(x)}; }                                   \
  DEEP_RNN_INLINE Vec<E> operator+(Vec<E> a, Vec<E> b) { return {prefix##_add_##suffix(a.v, b.v)}; }              \
  DEEP_RNN_INLINE Vec<E> operator-(Vec<E> a, Vec<E> b) { return {prefix##_sub_##suffix(a.v, b.v)}; }              \
  DEEP_RNN_INLINE Vec<E> operator*(Vec<E> a, Vec<E> b) { return {prefix##_mul_##suffix(a.v, b.v)}; }              \
  DEEP_RNN_INLINE Vec<E> operator/(Vec<E> a, Vec<E> b) { return {prefix##_div_##suffix(a.v, b.v)}; }              \
  DEEP_RNN_INLINE Vec<E> fma(Vec<E> a, Vec<E> b, Vec<E> c) { return {prefix##_fmadd_##suffix(a.v, b.v, c.v)}; }   \
  DEEP_RNN_INLINE Vec<E> fnma(Vec<E> a, Vec<E> b, Vec<E> c) { return {prefix##_fnmadd_##suffix(a.v, b.v, c.v)}; } \
  DEEP_RNN_INLINE Vec<E> min(Vec<E> a, Vec<E> b) { return {prefix##_min_##suffix(a.v, b.v)}; }                    \
  DEEP_RNN_INLINE Vec<E> max(Vec<E> a, Vec<E> b) { return {prefix##_max_##suffix(a.v, b.v)}; }

#if defined(__AVX512F__)
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
DEEP_RNN_INLINE float sum(Vec<float> a) { return _mm512_reduce_add_ps(a.v); }
DEEP_RNN_INLINE double sum(Vec<double> a) { return _mm512_reduce_add_pd(a.v); }

#elif defined(__AVX2__)
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

#else  // No instruction set is known: compiler vectors of 16 bytes where there are any, else one lane.
#if defined(__GNUC__)
constexpr int kRegisterBytes = 16;
typedef float FloatRegister __attribute__((vector_size(kRegisterBytes)));
typedef double DoubleRegister __attribute__((vector_size(kRegisterBytes)));
#define DEEP_RNN_LANE(vec, i) (vec).v[i]
#else
typedef float FloatRegister;
typedef double DoubleRegister;
#define DEEP_RNN_LANE(vec, i) (vec).v
#endif
template <>
struct Vec<float> {
  static constexpr int lanes = sizeof(FloatRegister) / sizeof(float);
  FloatRegister v;
};
template <>
struct Vec<double> {
  static constexpr int lanes = sizeof(DoubleRegister) / sizeof(double);
  DoubleRegister v;
};

// For each lane i.
#define DEEP_RNN_LANES(E, expression)                                            \
  Vec<E> result;                                                                 \
  for (int i = 0; i < Vec<E>::lanes; i++) DEEP_RNN_LANE(result, i) = expression; \
  return result;
#define DEEP_RNN_VEC_GENERIC(E, magic)                                                                                    \
  DEEP_RNN_INLINE Vec<E> load(const E* p) {                                                                               \
    Vec<E> result;                                                                                                        \
    memcpy(&result.v, p, sizeof result.v);                                                                                \
    return result;                                                                                                        \
  }                                                                                                                       \
  DEEP_RNN_INLINE void store(E* p, Vec<E> a) { memcpy(p, &a.v, sizeof a.v); }                                             \
  DEEP_RNN_INLINE Vec<E> broadcast(E x){DEEP_RNN_LANES(E, x)} DEEP_RNN_INLINE Vec<E> operator+(Vec<E> a, Vec<E> b) {      \
    return {a.v + b.v};                                                                                                   \
  }                                                                                                                       \
  DEEP_RNN_INLINE Vec<E> operator-(Vec<E> a, Vec<E> b) { return {a.v - b.v}; }                                            \
  DEEP_RNN_INLINE Vec<E> operator*(Vec<E> a, Vec<E> b) { return {a.v * b.v}; }                                            \
  DEEP_RNN_INLINE Vec<E> operator/(Vec<E> a, Vec<E> b) { return {a.v / b.v}; }                                            \
  DEEP_RNN_INLINE Vec<E> fma(Vec<E> a, Vec<E> b, Vec<E> c) { return {a.v * b.v + c.v}; }                                  \
  DEEP_RNN_INLINE Vec<E> fnma(Vec<E> a, Vec<E> b, Vec<E> c) { return {c.v - a.v * b.v}; }                                 \
  DEEP_RNN_INLINE Vec<E> min(Vec<E> a, Vec<E> b){DEEP_RNN_LANES(                                                          \
      E, DEEP_RNN_LANE(a, i) < DEEP_RNN_LANE(b, i) ? DEEP_RNN_LANE(a, i) : DEEP_RNN_LANE(b, i))} DEEP_RNN_INLINE Vec<E>   \
  max(Vec<E> a,                                                                                                           \
      Vec<E> b){DEEP_RNN_LANES(E, DEEP_RNN_LANE(a, i) > DEEP_RNN_LANE(b, i) ? DEEP_RNN_LANE(a, i) : DEEP_RNN_LANE(b, i))} \
  /* Adding 1.5 times the weight of the last bit's successor rounds; for the ranges of exp that is enough. */             \
  DEEP_RNN_INLINE Vec<E>                                                                                                  \
  round_to_integer(Vec<E> a) {                                                                                            \
    return (a + broadcast(E(magic))) - broadcast(E(magic));                                                               \
  }                                                                                                                       \
  DEEP_RNN_INLINE Vec<E> where_at_most(Vec<E> a, Vec<E> limit, Vec<E> x) {                                                \
    DEEP_RNN_LANES(E, DEEP_RNN_LANE(a, i) <= DEEP_RNN_LANE(limit, i) ? DEEP_RNN_LANE(x, i) : E(0))                        \
  }
DEEP_RNN_VEC_GENERIC(float, 0x1.8p23f)
DEEP_RNN_VEC_GENERIC(double, 0x1.8p52)

DEEP_RNN_INLINE float power_of_two(float n) {
  const uint32_t bits = uint32_t(n == n ? int32_t(n) + 127 : 0) << 23;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}
DEEP_RNN_INLINE double power_of_two(double n) {
  const uint64_t bits = uint64_t(n == n ? int64_t(n) + 1023 : 0) << 52;
  double result;
  memcpy(&result, &bits, sizeof result);
  return result;
}
DEEP_RNN_INLINE Vec<float> power_of_two(Vec<float> n){
    DEEP_RNN_LANES(float, power_of_two(DEEP_RNN_LANE(n, i)))} DEEP_RNN_INLINE Vec<double> power_of_two(Vec<double> n) {
  DEEP_RNN_LANES(double, power_of_two(DEEP_RNN_LANE(n, i)))
}
#endif

#if !defined(__AVX512F__)
// a 2^n in two steps, since 2^n itself may lie outside the range where the product does not.
template <class E>
DEEP_RNN_INLINE Vec<E> times_power_of_two(Vec<E> a, Vec<E> n) {
  const Vec<E> half = round_to_integer(n * broadcast(E(0.5)));
  return a * power_of_two(half) * power_of_two(n - half);
}
template <class E>
DEEP_RNN_INLINE E sum(Vec<E> a) {
  E lane[Vec<E>::lanes];
  store(lane, a);
  for (int width = Vec<E>::lanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lane[i] += lane[i + width];
  return lane[0];
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
