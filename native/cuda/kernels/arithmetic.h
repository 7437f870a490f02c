// The arithmetic of elements, operation for operation the CPU's: int32 wraps around and its division by zero is zero, NaN
// propagates.
#pragma once
#include "cuda/kernels/device.h"

namespace deep_rnn::cuda {

template <class E>
struct Arithmetic {
  __device__ static E add(E a, E b) { return a + b; }
  __device__ static E subtract(E a, E b) { return a - b; }
  __device__ static E multiply(E a, E b) { return a * b; }
  __device__ static E divide(E a, E b) { return a / b; }
  __device__ static E negative(E x) { return -x; }
  __device__ static E absolute(E x) { return fabs(x); }
};

template <>
struct Arithmetic<int32_t> {
  __device__ static int32_t add(int32_t a, int32_t b) { return int32_t(uint32_t(a) + uint32_t(b)); }
  __device__ static int32_t subtract(int32_t a, int32_t b) { return int32_t(uint32_t(a) - uint32_t(b)); }
  __device__ static int32_t multiply(int32_t a, int32_t b) { return int32_t(uint32_t(a) * uint32_t(b)); }
  __device__ static int32_t divide(int32_t a, int32_t b) { return b == 0 ? 0 : b == -1 ? subtract(0, a) : a / b; }
  __device__ static int32_t negative(int32_t x) { return subtract(0, x); }
  __device__ static int32_t absolute(int32_t x) { return x < 0 ? subtract(0, x) : x; }
};

template <class E>
__device__ E smaller(E a, E b) {
  return a < b || a != a ? a : b;
}

template <class E>
__device__ E larger(E a, E b) {
  return a > b || a != a ? a : b;
}

template <class E>
__device__ E sign_of(E x) {
  return x == x ? E(x > 0) - E(x < 0) : x;
}

__device__ inline float exponential(float x) { return expf(x); }
__device__ inline double exponential(double x) { return exp(x); }
__device__ inline float logarithm(float x) { return logf(x); }
__device__ inline double logarithm(double x) { return log(x); }
__device__ inline float square_root(float x) { return sqrtf(x); }
__device__ inline double square_root(double x) { return sqrt(x); }
__device__ inline float hyperbolic_tangent(float x) { return tanhf(x); }
__device__ inline double hyperbolic_tangent(double x) { return tanh(x); }
__device__ inline float power(float x, float y) { return powf(x, y); }
__device__ inline double power(double x, double y) { return pow(x, y); }

}  // namespace deep_rnn::cuda
