// float16 and bfloat16 as bits, rounded to nearest even. Written out instead of taken from CUDA's headers so that the host
// build of the kernels needs no toolkit.
#pragma once
#include <string.h>

#include "cuda/kernels/device.h"

namespace deep_rnn::cuda {

struct Float16 {
  uint16_t bits;
};

struct BFloat16 {
  uint16_t bits;
};

__device__ inline uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

__device__ inline float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

__device__ inline float widened(BFloat16 x) { return float_of(uint32_t(x.bits) << 16); }

__device__ inline float widened(Float16 x) {
  const uint32_t sign = uint32_t(x.bits & 0x8000u) << 16, magnitude = x.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return float_of(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  if (magnitude < 0x400u) return float_of(sign | bits_of(float(magnitude) * 0x1p-24f));
  return float_of(sign | ((magnitude << 13) + (112u << 23)));
}

__device__ inline BFloat16 to_bfloat16(float x) {
  const uint32_t bits = bits_of(x);
  if (x != x) return {uint16_t(bits >> 16 | 0x40u)};
  return {uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

__device__ inline Float16 to_float16(float x) {
  const uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {uint16_t(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return {uint16_t(sign | 0x7c00u)};  // 65520 and more round to infinity
  // Below 2^-14 the sum with 1/2 rounds at the last place of a float16, 2^-24.
  if (magnitude < 0x38800000u) return {uint16_t(sign | (bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f)))};
  return {uint16_t(sign | ((magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13))};
}

template <class To, class From>
struct Conversion {
  __device__ static To of(From x) { return To(x); }
};
template <>
struct Conversion<Float16, float> {
  __device__ static Float16 of(float x) { return to_float16(x); }
};
template <>
struct Conversion<BFloat16, float> {
  __device__ static BFloat16 of(float x) { return to_bfloat16(x); }
};
template <>
struct Conversion<float, Float16> {
  __device__ static float of(Float16 x) { return widened(x); }
};
template <>
struct Conversion<float, BFloat16> {
  __device__ static float of(BFloat16 x) { return widened(x); }
};

}  // namespace deep_rnn::cuda
