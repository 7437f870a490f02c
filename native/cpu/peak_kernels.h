// Chains of multiply-adds that never leave the registers, for one instruction set.
#pragma once
#include "cpu/kernels.h"
#include "cpu/simd/slots.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

// Enough to hide the latency of every unit, and few enough for 16 registers.
constexpr int kChains = 12;

// x += a a for each number of a slot, a a power of two so small that x stays far from overflow; the chains start apart, so
// that none can be left out. Returns the sum of all lanes of all chains.
template <class N>
float multiply_add_chains(int64_t rounds, float start) {
  constexpr int numbers = Vec<float>::lanes * kNumbersPerSlot<N>;
  alignas(64) N operand[numbers];
  for (int i = 0; i < numbers; i++) operand[i] = number_from<N>(0x1p-7f);
  const Slots<N> a = load_slots(operand);
  Vec<float> chain[kChains];
  DEEP_RNN_UNROLL
  for (int j = 0; j < kChains; j++) chain[j] = broadcast(start + float(j));
  for (int64_t round = 0; round < rounds; round++) {
    DEEP_RNN_UNROLL
    for (int j = 0; j < kChains; j++) chain[j] = multiply_add(a, a, chain[j]);
  }
  Vec<float> total = chain[0];
  DEEP_RNN_UNROLL
  for (int j = 1; j < kChains; j++) total = total + chain[j];
  return sum(total);
}

template <class N>
constexpr PeakLoop peak_loop() {
  return {2 * kChains * Vec<float>::lanes * kNumbersPerSlot<N>, multiply_add_chains<N>};
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
