#include "core/random.h"

#include <cmath>

#include "cpu/dispatch.h"
#include "cpu/primitives.h"

namespace deep_rnn::cpu {

namespace {

constexpr double kTwoPi = 6.283185307179586476925286766559;

// Element `counter` of a stream. The kinds use different counters, so that streams of one seed do not follow each other. Always
// in double: float32 streams are the rounded float64 ones.
double element(const RandomDesc& desc, uint64_t counter) {
  const Philox4 bits = philox(desc.seed, counter, uint64_t(desc.kind));
  const double u = uniform_double(bits.v[0], bits.v[1]);
  switch (desc.kind) {
    case RandomKind::uniform:
      return desc.a + (desc.b - desc.a) * u;
    case RandomKind::normal: {
      // Box-Muller, of which only the cosine is used: one counter, one element.
      const double radius = std::sqrt(-2 * std::log(1 - u));
      return desc.a + desc.b * (radius * std::cos(kTwoPi * uniform_double(bits.v[2], bits.v[3])));
    }
    default:
      return u < desc.a ? desc.b : 0;
  }
}

}  // namespace

void random(const Context& context, const RandomDesc& desc, void* out_data) {
  if (desc.kind < RandomKind::uniform || desc.kind >= RandomKind::count)
    throw Error("Unknown kind of random numbers " + std::to_string(int(desc.kind)));
  with_floating_type(name_of(desc.kind), desc.dtype, [&](auto zero) {
    using E = decltype(zero);
    E* out = static_cast<E*>(out_data);
    // Rounding must not reach the excluded end of a uniform range.
    const bool open = desc.kind == RandomKind::uniform && E(desc.a) < E(desc.b);
    const E last = std::nextafter(E(desc.b), E(desc.a));
    parallel_for(context.team, desc.count, grain_of(16), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const E value = E(element(desc, desc.offset + uint64_t(i)));
        out[i] = open && value > last ? last : value;
      }
    });
  });
}

}  // namespace deep_rnn::cpu
