#include "cuda/kernels/arithmetic.h"
#include "cuda/kernels/half.h"

namespace deep_rnn::cuda {

template <class E>
__device__ void copy(const Walk& walk, const void* src_data, void* dst_data) {
  const E* src = static_cast<const E*>(src_data);
  E* dst = static_cast<E*>(dst_data);
  if (walk.rank == 1 && walk.strides[0][0] == 1 && walk.strides[1][0] == 1)
    return map(
        walk.count, dst, [](E v) { return v; }, src);
  for_elements(walk.count, [&](int64_t i) {
    const Offsets<2> offsets = offsets_of<2>(walk, i);
    dst[offsets.at[1]] = src[offsets.at[0]];
  });
}

template <class E>
__device__ void accumulate(const Walk& kept, const Walk& repeated, const void* src_data, void* dst_data) {
  const E* src = static_cast<const E*>(src_data);
  E* dst = static_cast<E*>(dst_data);
  const auto add = [](E a, E b) { return Arithmetic<E>::add(a, b); };
  if (repeated.count == 1 && kept.rank == 1 && kept.strides[0][0] == 1 && kept.strides[1][0] == 1)
    return map(kept.count, dst, add, static_cast<const E*>(dst), src);
  for_elements(kept.count, [&](int64_t i) {
    const Offsets<2> offsets = offsets_of<2>(kept, i);
    E sum = dst[offsets.at[1]];
    for (int64_t j = 0; j < repeated.count; j++) sum = add(sum, src[offsets.at[0] + offsets_of<1>(repeated, j).at[0]]);
    dst[offsets.at[1]] = sum;
  });
}

DEEP_RNN_DEFINE_BITS(copy, (Walk walk, const void* src, void* dst), (walk, src, dst))
DEEP_RNN_DEFINE_NUMERIC(accumulate, (Walk kept, Walk repeated, const void* src, void* dst), (kept, repeated, src, dst))

template <class From, class To>
__device__ void segments(int32_t accumulate, const Segment* table, const void* src_data, void* dst_data) {
  const Segment segment = table[blockIdx.y];
  const From* src = static_cast<const From*>(src_data) + segment.src;
  To* dst = static_cast<To*>(dst_data) + segment.dst;
  if constexpr (sizeof(To) > 2) {
    if (accumulate)
      return map(
          segment.count, dst, [](To sum, From v) { return sum + Conversion<To, From>::of(v); }, static_cast<const To*>(dst),
          src);
  }
  map(
      segment.count, dst, [](From v) { return Conversion<To, From>::of(v); }, src);
}

#define DEEP_RNN_DEFINE_SEGMENTS(from, From, to, To)                                                 \
  extern "C" __global__ void __launch_bounds__(kThreads, 2)                                          \
      segments_##from##_##to(int32_t accumulate, const Segment* table, const void* src, void* dst) { \
    segments<From, To>(accumulate, table, src, dst);                                                 \
  }

DEEP_RNN_DEFINE_SEGMENTS(float32, float, float32, float)
DEEP_RNN_DEFINE_SEGMENTS(float64, double, float64, double)
DEEP_RNN_DEFINE_SEGMENTS(float32, float, float16, Float16)
DEEP_RNN_DEFINE_SEGMENTS(float32, float, bfloat16, BFloat16)
DEEP_RNN_DEFINE_SEGMENTS(float16, Float16, float32, float)
DEEP_RNN_DEFINE_SEGMENTS(bfloat16, BFloat16, float32, float)

}  // namespace deep_rnn::cuda
