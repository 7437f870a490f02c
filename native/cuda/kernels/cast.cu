#include "cuda/kernels/half.h"

namespace deep_rnn::cuda {

// Toward zero; what int32 cannot hold becomes its nearest end, NaN becomes 0.
__device__ inline int32_t to_int32(double x) {
  constexpr double lowest = -2147483648.0, highest = 2147483647.0;
  return x >= highest ? 2147483647 : x <= lowest ? -2147483647 - 1 : x != x ? 0 : int32_t(x);
}

template <>
struct Conversion<int32_t, float> {
  __device__ static int32_t of(float x) { return to_int32(double(x)); }
};
template <>
struct Conversion<int32_t, double> {
  __device__ static int32_t of(double x) { return to_int32(x); }
};

template <class From, class To>
__device__ void cast(int64_t count, const void* x, void* y) {
  map(
      count, static_cast<To*>(y), [](From v) { return Conversion<To, From>::of(v); }, static_cast<const From*>(x));
}

#define DEEP_RNN_DEFINE_CAST(from, From, to, To)                                                                        \
  extern "C" __global__ void __launch_bounds__(kThreads, 2) cast_##from##_##to(int64_t count, const void* x, void* y) { \
    cast<From, To>(count, x, y);                                                                                        \
  }

DEEP_RNN_DEFINE_CAST(float32, float, float64, double)
DEEP_RNN_DEFINE_CAST(float32, float, int32, int32_t)
DEEP_RNN_DEFINE_CAST(float64, double, float32, float)
DEEP_RNN_DEFINE_CAST(float64, double, int32, int32_t)
DEEP_RNN_DEFINE_CAST(int32, int32_t, float32, float)
DEEP_RNN_DEFINE_CAST(int32, int32_t, float64, double)
DEEP_RNN_DEFINE_CAST(float32, float, float16, Float16)
DEEP_RNN_DEFINE_CAST(float32, float, bfloat16, BFloat16)
DEEP_RNN_DEFINE_CAST(float16, Float16, float32, float)
DEEP_RNN_DEFINE_CAST(bfloat16, BFloat16, float32, float)

}  // namespace deep_rnn::cuda
