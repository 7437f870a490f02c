// Drawing one class from logits: greedy, with a temperature, among the k best, or among the fewest that hold a share of the
// mass (nucleus sampling, Holtzman et al. 2020, "The curious case of neural text degeneration").
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/desc.h"
#include "core/random.h"
#include "cpu/workspace.h"

namespace deep_rnn::cpu {

// Every draw is a function of the logits, the seed and its number alone.
template <class E>
class Sampler {
 public:
  Sampler(const GenerateDesc& desc, Carver& carver)
      : desc_(desc), order_(carver.array<int64_t>(desc.vocabulary)), mass_(carver.array<double>(desc.vocabulary)) {}

  int32_t draw(const E* logits, int64_t number) {
    const int64_t V = desc_.vocabulary;
    const int64_t best = std::max_element(logits, logits + V) - logits;
    if (!(desc_.temperature > 0)) return int32_t(best);
    // exp of the distance to the best one, so that nothing overflows. NaN has no place in an order, so it gets no mass.
    for (int64_t i = 0; i < V; i++) {
      order_[i] = i;
      const double mass = std::exp((double(logits[i]) - double(logits[best])) / desc_.temperature);
      mass_[i] = mass == mass ? mass : 0;
    }
    int64_t kept = desc_.top_k > 0 ? std::min(desc_.top_k, V) : V;
    if (kept < V || desc_.top_p < 1)
      std::sort(order_, order_ + V, [&](int64_t a, int64_t b) { return mass_[a] != mass_[b] ? mass_[a] > mass_[b] : a < b; });
    double total = 0;
    for (int64_t i = 0; i < kept; i++) total += mass_[order_[i]];
    if (desc_.top_p < 1) {
      // The fewest classes that hold the share top_p of the mass.
      const double enough = desc_.top_p * total;
      double sum = mass_[order_[0]];
      int64_t nucleus = 1;
      while (nucleus < kept && sum < enough) sum += mass_[order_[nucleus++]];
      kept = nucleus;
      total = sum;
    }
    const Philox4 random = philox(desc_.seed, desc_.offset + uint64_t(number));
    const double target = uniform_double(random.v[0], random.v[1]) * total;
    double sum = 0;
    for (int64_t i = 0; i < kept; i++) {
      sum += mass_[order_[i]];
      if (target < sum) return int32_t(order_[i]);
    }
    return int32_t(order_[kept - 1]);
  }

 private:
  const GenerateDesc& desc_;
  int64_t* order_;
  double* mass_;
};

}  // namespace deep_rnn::cpu
