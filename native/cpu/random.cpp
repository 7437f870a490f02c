#include "core/random.h"

#include <cmath>

#include "cpu/dispatch.h"
#include "cpu/primitives.h"

namespace deep_rnn::cpu {

namespace {

constexpr double kTwoPi = 6.283185307179586476925286766559;

// out[i] = value(bits of element i), which is always made in double: float32 streams are the rounded float64 ones.
template <class E, class Value>
void draw(const Context& context, const RandomDesc& desc, E* out, Value value) {
  parallel_for(context.team, desc.count, grain_of(8), [&](int64_t begin, int64_t end) {
    uint32_t words[4][kPhiloxLanes];
    for (int64_t first = begin; first < end; first += kPhiloxLanes) {
      // The kinds use different counters, so that streams of one seed do not follow each other.
      context.kernels.philox(desc.seed, desc.offset + uint64_t(first), uint64_t(desc.kind), words);
      const int64_t lanes = std::min<int64_t>(kPhiloxLanes, end - first);
      for (int64_t i = 0; i < lanes; i++)
        out[first + i] = E(value(Philox4{{words[0][i], words[1][i], words[2][i], words[3][i]}}));
    }
  });
}

template <class E>
void draw_uniform(const Context& context, const RandomDesc& desc, E* out) {
  // Rounding must not reach the excluded end of the range.
  const bool open = E(desc.a) < E(desc.b);
  const E last = open ? std::nextafter(E(desc.b), E(desc.a)) : E(0);
  draw(context, desc, out, [&](const Philox4& bits) {
    const E value = E(desc.a + (desc.b - desc.a) * uniform_double(bits.v[0], bits.v[1]));
    return open && value > last ? last : value;
  });
}

template <class E>
void draw_normal(const Context& context, const RandomDesc& desc, E* out) {
  draw(context, desc, out, [&](const Philox4& bits) {
    // Box-Muller, of which only the cosine is used: one counter, one element.
    const double radius = std::sqrt(-2 * std::log(1 - uniform_double(bits.v[0], bits.v[1])));
    return desc.a + desc.b * (radius * std::cos(kTwoPi * uniform_double(bits.v[2], bits.v[3])));
  });
}

template <class E>
void draw_bernoulli(const Context& context, const RandomDesc& desc, E* out) {
  draw(context, desc, out, [&](const Philox4& bits) { return uniform_double(bits.v[0], bits.v[1]) < desc.a ? desc.b : 0; });
}

}  // namespace

void random(const Context& context, const RandomDesc& desc, void* out_data) {
  with_floating_type(name_of(desc.kind), desc.dtype, [&](auto zero) {
    auto* const out = static_cast<decltype(zero)*>(out_data);
    switch (desc.kind) {
      case RandomKind::uniform:
        return draw_uniform(context, desc, out);
      case RandomKind::normal:
        return draw_normal(context, desc, out);
      case RandomKind::bernoulli:
        return draw_bernoulli(context, desc, out);
      default:
        throw Error("Unknown kind of random numbers " + std::to_string(int(desc.kind)));
    }
  });
}

}  // namespace deep_rnn::cpu
