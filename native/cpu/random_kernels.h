// Random bits for many counters at once.
#pragma once
#include "core/random.h"
#include "cpu/kernels.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA {

// philox(seed, counter + lane, stream), whose word w goes to words[w][lane].
inline void philox_lanes(uint64_t seed, uint64_t counter, uint64_t stream, uint32_t (*words)[kPhiloxLanes]) {
  uint32_t c0[kPhiloxLanes], c1[kPhiloxLanes], c2[kPhiloxLanes], c3[kPhiloxLanes];
  for (int lane = 0; lane < kPhiloxLanes; lane++) {
    c0[lane] = uint32_t(counter + uint64_t(lane));
    c1[lane] = uint32_t((counter + uint64_t(lane)) >> 32);
    c2[lane] = uint32_t(stream);
    c3[lane] = uint32_t(stream >> 32);
  }
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int round = 0; round < kPhiloxRounds; round++) {
    for (int lane = 0; lane < kPhiloxLanes; lane++) {
      const uint64_t p0 = uint64_t(kPhiloxMultiplier0) * c0[lane], p1 = uint64_t(kPhiloxMultiplier1) * c2[lane];
      c0[lane] = uint32_t(p1 >> 32) ^ c1[lane] ^ k0;
      c2[lane] = uint32_t(p0 >> 32) ^ c3[lane] ^ k1;
      c1[lane] = uint32_t(p1);
      c3[lane] = uint32_t(p0);
    }
    k0 += kPhiloxWeyl0;
    k1 += kPhiloxWeyl1;
  }
  for (int lane = 0; lane < kPhiloxLanes; lane++) {
    words[0][lane] = c0[lane];
    words[1][lane] = c1[lane];
    words[2][lane] = c2[lane];
    words[3][lane] = c3[lane];
  }
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA
