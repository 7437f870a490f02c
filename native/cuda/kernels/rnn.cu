#include "cuda/kernels/half.h"

namespace deep_rnn::cuda {

template <class E>
__device__ void one_hot(int64_t rows, int64_t batch, int64_t columns, const int32_t* tokens, const int32_t* lengths,
                        void* out_data, const Fault& fault) {
  E* out = static_cast<E*>(out_data);
  const E one = Conversion<E, float>::of(1), zero = Conversion<E, float>::of(0);
  const int64_t count = rows * columns;
  const bool narrow = fits_narrow(count);
  for_elements(count, [&](int64_t element) {
    int64_t column, sequence;
    const int64_t row = divide(element, columns, narrow, &column), step = divide(row, batch, narrow, &sequence);
    const int32_t token = tokens[row];
    const bool counts = !lengths || step < lengths[sequence];
    if (counts && column == 0 && (token < 0 || token >= columns)) report(fault, row, token);
    out[element] = counts && token == column ? one : zero;
  });
}

template <class E>
__device__ void mask_steps(int64_t steps, int64_t batch, int64_t width, const int32_t* lengths, const void* x_data,
                           void* y_data) {
  const E* x = static_cast<const E*>(x_data);
  E* y = static_cast<E*>(y_data);
  const int64_t count = steps * batch * width;
  const bool narrow = fits_narrow(count);
  for_elements(count, [&](int64_t element) {
    int64_t column, sequence;
    const int64_t step = divide(divide(element, width, narrow, &column), batch, narrow, &sequence);
    y[element] = step < lengths[sequence] ? x[element] : E(0);
  });
}

template <class E>
__device__ void replace_empty(int64_t layers, int64_t batch, int64_t width, const int32_t* lengths, const void* x_data,
                              void* y_data) {
  const E* x = static_cast<const E*>(x_data);
  E* y = static_cast<E*>(y_data);
  const int64_t count = layers * batch * width;
  const bool narrow = fits_narrow(count);
  for_elements(count, [&](int64_t element) {
    int64_t column, sequence;
    divide(divide(element, width, narrow, &column), batch, narrow, &sequence);
    if (lengths[sequence] == 0) y[element] = x ? x[element] : E(0);
  });
}

#define DEEP_RNN_DEFINE_ONE_HOT(name, E)                                                                                     \
  extern "C" __global__ void __launch_bounds__(kThreads, 2) one_hot_##name(                                                  \
      int64_t rows, int64_t batch, int64_t columns, const int32_t* tokens, const int32_t* lengths, void* out, Fault fault) { \
    one_hot<E>(rows, batch, columns, tokens, lengths, out, fault);                                                           \
  }

DEEP_RNN_DEFINE_ONE_HOT(float32, float)
DEEP_RNN_DEFINE_ONE_HOT(float64, double)
DEEP_RNN_DEFINE_ONE_HOT(float16, Float16)
DEEP_RNN_DEFINE_ONE_HOT(bfloat16, BFloat16)
DEEP_RNN_DEFINE_BITS(mask_steps, (int64_t steps, int64_t batch, int64_t width, const int32_t* lengths, const void* x, void* y),
                     (steps, batch, width, lengths, x, y))
DEEP_RNN_DEFINE_BITS(replace_empty,
                     (int64_t layers, int64_t batch, int64_t width, const int32_t* lengths, const void* x, void* y),
                     (layers, batch, width, lengths, x, y))

}  // namespace deep_rnn::cuda
