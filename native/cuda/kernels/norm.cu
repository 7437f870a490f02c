#include "cuda/kernels/arithmetic.h"

namespace deep_rnn::cuda {

template <class E>
__device__ void sum_squares(int64_t count, int64_t chunk, const void* x_data, double* partial) {
  const int64_t begin = int64_t(blockIdx.x) * chunk, end = begin + chunk < count ? begin + chunk : count;
  const E* x = static_cast<const E*>(x_data);
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) sum += double(x[i]) * double(x[i]);
  sum = BlockGroup().reduce(sum, Sum());
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

template <class E>
__device__ void sum_squares_join(int64_t chunks, int32_t accumulate, const double* partial, void* out_data) {
  E* out = static_cast<E*>(out_data);
  double sum = 0;
  for (int64_t i = threadIdx.x; i < chunks; i += blockDim.x) sum += partial[i];
  sum = BlockGroup().reduce(sum, Sum());
  if (threadIdx.x == 0) *out = accumulate ? E(double(*out) + sum) : E(sum);
}

template <class E>
__device__ void clip_norm(int64_t count, double max_norm, const void* sum_squares, void* gradients, void* out_norm) {
  const E norm = square_root(*static_cast<const E*>(sum_squares));
  const E factor = smaller(E(max_norm) / norm, E(1));
  if (out_norm && thread_number() == 0) *static_cast<E*>(out_norm) = norm;
  if (factor == E(1)) return;
  E* x = static_cast<E*>(gradients);
  map(
      count, x, [factor](E v) { return v * factor; }, static_cast<const E*>(x));
}

DEEP_RNN_DEFINE_FLOATING(sum_squares, (int64_t count, int64_t chunk, const void* x, double* partial),
                         (count, chunk, x, partial))
DEEP_RNN_DEFINE_FLOATING(sum_squares_join, (int64_t chunks, int32_t accumulate, const double* partial, void* out),
                         (chunks, accumulate, partial, out))
DEEP_RNN_DEFINE_FLOATING(clip_norm, (int64_t count, double max_norm, const void* sum_squares, void* gradients, void* out_norm),
                         (count, max_norm, sum_squares, gradients, out_norm))

}  // namespace deep_rnn::cuda
