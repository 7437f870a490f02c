// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a pure function of key and counter,
// so any element of a stream can be made by any thread on any device, and gives the same bits.
#pragma once
#include <cstdint>

#include "core/everywhere.h"

namespace deep_rnn {

constexpr int kPhiloxRounds = 10;
constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53u, kPhiloxMultiplier1 = 0xCD9E8D57u;
// Added to the two halves of the key after each round.
constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9u, kPhiloxWeyl1 = 0xBB67AE85u;

struct Philox4 {
  uint32_t v[4];
};

DEEP_RNN_EVERYWHERE inline Philox4 philox(uint64_t seed, uint64_t counter_low, uint64_t counter_high = 0) {
  uint32_t c0 = uint32_t(counter_low), c1 = uint32_t(counter_low >> 32);
  uint32_t c2 = uint32_t(counter_high), c3 = uint32_t(counter_high >> 32);
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int round = 0; round < kPhiloxRounds; round++) {
    const uint64_t p0 = uint64_t(kPhiloxMultiplier0) * c0, p1 = uint64_t(kPhiloxMultiplier1) * c2;
    const uint32_t n0 = uint32_t(p1 >> 32) ^ c1 ^ k0, n2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
    c1 = uint32_t(p1);
    c3 = uint32_t(p0);
    c0 = n0;
    c2 = n2;
    k0 += kPhiloxWeyl0;
    k1 += kPhiloxWeyl1;
  }
  return {{c0, c1, c2, c3}};
}

// Uniform in [0, 1) with 24 bits.
DEEP_RNN_EVERYWHERE inline float uniform_float(uint32_t bits) { return float(bits >> 8) * 0x1p-24f; }

// Uniform in [0, 1) with 53 bits.
DEEP_RNN_EVERYWHERE inline double uniform_double(uint32_t high, uint32_t low) {
  return double((uint64_t(high) << 21) | (low >> 11)) * 0x1p-53;
}

}  // namespace deep_rnn
