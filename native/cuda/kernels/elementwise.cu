#include "cuda/kernels/device.h"

namespace deep_rnn::cuda {

template <class E>
__device__ void fill(int64_t count, E bits, void* out) {
  map(count, static_cast<E*>(out), [bits]() { return bits; });
}

extern "C" __global__ void __launch_bounds__(kThreads, 2) fill_bits32(int64_t count, uint32_t bits, void* out) {
  fill(count, bits, out);
}

extern "C" __global__ void __launch_bounds__(kThreads, 2) fill_bits64(int64_t count, uint64_t bits, void* out) {
  fill(count, bits, out);
}

template <class E>
__device__ void select(const Walk& walk, const int32_t* condition, const void* a_data, const void* b_data, void* out_data) {
  const E* a = static_cast<const E*>(a_data);
  const E* b = static_cast<const E*>(b_data);
  E* out = static_cast<E*>(out_data);
  for_elements(walk.count, [&](int64_t i) {
    const Offsets<3> offsets = offsets_of<3>(walk, i);
    out[i] = condition[offsets.at[0]] ? a[offsets.at[1]] : b[offsets.at[2]];
  });
}

DEEP_RNN_DEFINE_BITS(select, (Walk walk, const int32_t* condition, const void* a, const void* b, void* out),
                     (walk, condition, a, b, out))

}  // namespace deep_rnn::cuda
