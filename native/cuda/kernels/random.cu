#include "core/random.h"

#include "cuda/kernels/device.h"

namespace deep_rnn::cuda {

namespace {

// cos(2π x) for 0 <= x < 1. The device's cos() would need local memory, for arguments that do not occur here.
#if defined(__CUDACC__)
__device__ double cosine_of_turns(double x) { return cospi(2 * x); }
#else
double cosine_of_turns(double x) { return cos(6.283185307179586476925286766559 * x); }
#endif

// Element `counter` of a stream, always in double, as cpu/random.cpp has it.
__device__ double element(const RandomDesc& desc, uint64_t counter) {
  const Philox4 bits = philox(desc.seed, counter, uint64_t(desc.kind));
  const double u = uniform_double(bits.v[0], bits.v[1]);
  switch (desc.kind) {
    case RandomKind::uniform:
      return desc.a + (desc.b - desc.a) * u;
    case RandomKind::normal: {
      // Box-Muller, of which only the cosine is used: one counter, one element.
      const double radius = sqrt(-2 * log(1 - u));
      return desc.a + desc.b * (radius * cosine_of_turns(uniform_double(bits.v[2], bits.v[3])));
    }
    default:
      return u < desc.a ? desc.b : 0;
  }
}

__device__ float next_after(float x, float toward) { return nextafterf(x, toward); }
__device__ double next_after(double x, double toward) { return nextafter(x, toward); }

}  // namespace

template <class E>
__device__ void random(const RandomDesc& desc, void* out_data) {
  E* out = static_cast<E*>(out_data);
  // Rounding must not reach the excluded end of a uniform range.
  const bool open = desc.kind == RandomKind::uniform && E(desc.a) < E(desc.b);
  const E last = next_after(E(desc.b), E(desc.a));
  for_elements(desc.count, [&](int64_t i) {
    const E value = E(element(desc, desc.offset + uint64_t(i)));
    out[i] = open && value > last ? last : value;
  });
}

DEEP_RNN_DEFINE_FLOATING(random, (RandomDesc desc, const RandomDesc* live, void* out), (live ? RandomDesc(*live) : desc, out))

}  // namespace deep_rnn::cuda
