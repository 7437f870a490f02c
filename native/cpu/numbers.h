// The types of numbers that products take and sum.
#pragma once
#include <cstdint>
#include <cstring>

#include "cpu/simd/inline.h"

namespace deep_rnn::cpu {

// The upper half of a float32.
struct bfloat16 {
  uint16_t bits;
};

// To nearest, ties to even; NaN stays NaN.
DEEP_RNN_INLINE bfloat16 round_to_bfloat16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return {uint16_t(bits >> 16 | 0x40)};
  return {uint16_t((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

DEEP_RNN_INLINE float widened(bfloat16 x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

DEEP_RNN_INLINE float widened(float x) { return x; }
DEEP_RNN_INLINE double widened(double x) { return x; }

// N is the type of a product's operands and Sum<N> that of its sums and results. Operands lie in slots, what one lane takes of
// them at a time: a number, or of bfloat16 two, neighbours in the direction of the sum.
template <class N>
struct NumberTraits {
  using Sum = N;
  using Slot = N;
};
template <>
struct NumberTraits<bfloat16> {
  using Sum = float;
  using Slot = uint32_t;
};

template <class N>
using Sum = typename NumberTraits<N>::Sum;
template <class N>
using Slot = typename NumberTraits<N>::Slot;
template <class N>
constexpr int kNumbersPerSlot = int(sizeof(Slot<N>) / sizeof(N));

// Whether results must be rounded before products take them.
template <class N>
constexpr bool kRounds = sizeof(N) != sizeof(Sum<N>);

// `count` numbers, rounded up to whole slots.
template <class N>
constexpr int64_t in_whole_slots(int64_t count) {
  return (count + kNumbersPerSlot<N> - 1) / kNumbersPerSlot<N> * kNumbersPerSlot<N>;
}

template <class N>
DEEP_RNN_INLINE N number_from(Sum<N> x) {
  if constexpr (kRounds<N>) {
    return round_to_bfloat16(x);
  } else {
    return x;
  }
}

}  // namespace deep_rnn::cpu
