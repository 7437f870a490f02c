// Chains of multiply-adds that never leave the registers, for one instruction set.
#pragma once
#include "cpu/gemm_kernels.h"
#include "cpu/simd/vec.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA::simd {

// Enough to hide the latency of every unit, and few enough for 16 registers.
constexpr int kChains = 12;

// x = (1 - 2^-10) x + 2^-10, which tends to 1 and so stays normal; the chains start apart, so that none can be left out.
// Returns the sum of all lanes of all chains.
inline float multiply_add_chains(int64_t rounds, float start) {
  const Vec<float> factor = broadcast(1 - 0x1p-10f), summand = broadcast(0x1p-10f);
  Vec<float> chain[kChains];
  DEEP_RNN_UNROLL
  for (int j = 0; j < kChains; j++) chain[j] = broadcast(start + float(j));
  for (int64_t round = 0; round < rounds; round++) {
    DEEP_RNN_UNROLL
    for (int j = 0; j < kChains; j++) chain[j] = fma(chain[j], factor, summand);
  }
  Vec<float> total = chain[0];
  DEEP_RNN_UNROLL
  for (int j = 1; j < kChains; j++) total = total + chain[j];
  return sum(total);
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA::simd
