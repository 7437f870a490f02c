#include "cuda/kernels/softmax_row.h"

namespace deep_rnn::cuda {

template <class E>
__device__ void softmax(const SoftmaxDesc& desc, const void* x_data, void* y_data) {
  const int64_t columns = desc.columns;
  for_rows(desc.rows, columns, [&](int64_t row, auto group) {
    const E* x = static_cast<const E*>(x_data) + row * columns;
    E* y = static_cast<E*>(y_data) + row * columns;
    const RowSums<E> sums = row_sums(group, columns, x);
    if (desc.log) {
      const E log_sum = logarithm(sums.sum);
      for (int64_t i = group.rank(); i < columns; i += group.size()) y[i] = (x[i] - sums.maximum) - log_sum;
    } else {
      const E scale = E(1) / sums.sum;
      for (int64_t i = group.rank(); i < columns; i += group.size()) y[i] = exponential(x[i] - sums.maximum) * scale;
    }
  });
}

// dx = y (dy - Σ dy y); of the logarithm dx = dy - exp(y) Σ dy.
template <class E>
__device__ void softmax_backward(const SoftmaxDesc& desc, const void* y_data, const void* dy_data, void* dx_data) {
  const int64_t columns = desc.columns;
  for_rows(desc.rows, columns, [&](int64_t row, auto group) {
    const E* y = static_cast<const E*>(y_data) + row * columns;
    const E* dy = static_cast<const E*>(dy_data) + row * columns;
    E* dx = static_cast<E*>(dx_data) + row * columns;
    E sum = 0;
    for (int64_t i = group.rank(); i < columns; i += group.size()) sum += desc.log ? dy[i] : dy[i] * y[i];
    sum = group.reduce(sum, Sum());
    for (int64_t i = group.rank(); i < columns; i += group.size())
      dx[i] = desc.log ? dy[i] - exponential(y[i]) * sum : y[i] * (dy[i] - sum);
  });
}

DEEP_RNN_DEFINE_FLOATING(softmax, (SoftmaxDesc desc, const void* x, void* y), (desc, x, y))
DEEP_RNN_DEFINE_FLOATING(softmax_backward, (SoftmaxDesc desc, const void* y, const void* dy, void* dx), (desc, y, dy, dx))

}  // namespace deep_rnn::cuda
