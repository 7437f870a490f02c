// Registers where no instruction set is known: compiler vectors of 16 bytes where there are any, else one lane. All operations
// are written so that they mean the same for both.
#pragma once
#include <stdint.h>
#include <string.h>

#include "cpu/numbers.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

#if defined(__GNUC__)
template <class E>
struct Register {
  typedef E Type __attribute__((vector_size(16)));
};
#else
template <class E>
struct Register {
  using Type = E;
};
#endif

template <class E>
struct Vec {
  using Lanes = typename Register<E>::Type;
  static constexpr int lanes = sizeof(Lanes) / sizeof(E);
  Lanes v;
};

// How a number of IEEE 754 is laid out; `round` added to a small number leaves it as an integer in the last bits.
template <class E>
struct Format;
template <>
struct Format<float> {
  using Bits = uint32_t;
  static constexpr int fraction_bits = 23, bias = 127;
  static constexpr float round = 0x1.8p23f;
};
template <>
struct Format<double> {
  using Bits = uint64_t;
  static constexpr int fraction_bits = 52, bias = 1023;
  static constexpr double round = 0x1.8p52;
};

template <class E>
DEEP_RNN_INLINE Vec<E> load(const E* p) {
  Vec<E> result;
  memcpy(&result.v, p, sizeof result.v);
  return result;
}
template <class E>
DEEP_RNN_INLINE void store(E* p, Vec<E> a) {
  memcpy(p, &a.v, sizeof a.v);
}
// Subtracting zeros keeps the sign of a zero.
template <class E>
DEEP_RNN_INLINE Vec<E> broadcast(E x) {
  return {x - Vec<E>{}.v};
}

template <class E>
DEEP_RNN_INLINE Vec<E> operator+(Vec<E> a, Vec<E> b) {
  return {a.v + b.v};
}
template <class E>
DEEP_RNN_INLINE Vec<E> operator-(Vec<E> a, Vec<E> b) {
  return {a.v - b.v};
}
template <class E>
DEEP_RNN_INLINE Vec<E> operator*(Vec<E> a, Vec<E> b) {
  return {a.v * b.v};
}
template <class E>
DEEP_RNN_INLINE Vec<E> operator/(Vec<E> a, Vec<E> b) {
  return {a.v / b.v};
}
template <class E>
DEEP_RNN_INLINE Vec<E> fma(Vec<E> a, Vec<E> b, Vec<E> c) {
  return {a.v * b.v + c.v};
}
template <class E>
DEEP_RNN_INLINE Vec<E> fnma(Vec<E> a, Vec<E> b, Vec<E> c) {
  return {c.v - a.v * b.v};
}
template <class E>
DEEP_RNN_INLINE Vec<E> min(Vec<E> a, Vec<E> b) {
  return {a.v < b.v ? a.v : b.v};
}
template <class E>
DEEP_RNN_INLINE Vec<E> max(Vec<E> a, Vec<E> b) {
  return {a.v > b.v ? a.v : b.v};
}
template <class E>
DEEP_RNN_INLINE Vec<E> where_at_most(Vec<E> a, Vec<E> limit, Vec<E> x) {
  return {a.v <= limit.v ? x.v : Vec<E>{}.v};
}

// For the range of exp.
template <class E>
DEEP_RNN_INLINE Vec<E> round_to_integer(Vec<E> a) {
  const Vec<E> round = broadcast(Format<E>::round);
  return (a + round) - round;
}

// 2^n for n in the range of normal exponents.
template <class E>
DEEP_RNN_INLINE Vec<E> power_of_two(Vec<E> n) {
  const Vec<E> shifted = n + broadcast(Format<E>::round);
  typename Register<typename Format<E>::Bits>::Type bits;
  memcpy(&bits, &shifted.v, sizeof bits);
  bits = (bits + Format<E>::bias) << Format<E>::fraction_bits;
  Vec<E> result;
  memcpy(&result.v, &bits, sizeof bits);
  return result;
}

// The first and the second bfloat16 of each pair.
DEEP_RNN_INLINE void load_pairs(const bfloat16* p, Vec<float>& first, Vec<float>& second) {
  typename Register<uint32_t>::Type pairs, part;
  memcpy(&pairs, p, sizeof pairs);
  part = pairs << 16;
  memcpy(&first.v, &part, sizeof part);
  part = pairs & 0xFFFF0000;
  memcpy(&second.v, &part, sizeof part);
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
