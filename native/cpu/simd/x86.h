// What the instruction sets of x86 have in common: the intrinsics' names.
#pragma once
#include "cpu/simd/inline.h"
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

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
