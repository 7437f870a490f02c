// What softmax and cross entropy share: the maximum of a row and the sum of exp(x - maximum).
#pragma once
#include "cuda/kernels/arithmetic.h"

namespace deep_rnn::cuda {

template <class E>
struct RowSums {
  E maximum, sum;
};

// NaN may be lost in the maximum: the exponentials bring it back.
template <class E, class Group>
__device__ RowSums<E> row_sums(const Group& group, int64_t columns, const E* x) {
  E maximum = -E(INFINITY);
  for (int64_t i = group.rank(); i < columns; i += group.size()) maximum = x[i] > maximum ? x[i] : maximum;
  maximum = group.reduce(maximum, Larger());
  E sum = 0;
  for (int64_t i = group.rank(); i < columns; i += group.size()) sum += exponential(x[i] - maximum);
  return {maximum, group.reduce(sum, Sum())};
}

}  // namespace deep_rnn::cuda
