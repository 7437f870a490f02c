#include "cuda/kernels/softmax_row.h"

namespace deep_rnn::cuda {

namespace {

enum class Target { counts, ignored, wrong };

__device__ Target kind_of(const CrossEntropyDesc& desc, int32_t target) {
  if (target == desc.ignore_index) return Target::ignored;
  return target >= 0 && target < desc.columns ? Target::counts : Target::wrong;
}

}  // namespace

template <class E>
__device__ void cross_entropy(const CrossEntropyDesc& desc, const void* logits, const int32_t* targets,
                              const void* class_weights_data, void* losses_data, void* weights_data, void* probabilities,
                              const Fault& fault) {
  const E* class_weights = static_cast<const E*>(class_weights_data);
  E* losses = static_cast<E*>(losses_data);
  E* weights = static_cast<E*>(weights_data);
  const int64_t columns = desc.columns;
  const double smoothing = desc.label_smoothing;
  const auto weight_of = [&](int64_t column) { return class_weights ? double(class_weights[column]) : 1.0; };
  for_rows(desc.rows, columns, [&](int64_t row, auto group) {
    const E* x = static_cast<const E*>(logits) + row * columns;
    E* p = static_cast<E*>(probabilities) + row * columns;
    const RowSums<E> sums = row_sums(group, columns, x);
    const int32_t target = targets[row];
    const Target kind = kind_of(desc, target);
    const double log_sum = log(double(sums.sum));
    const auto surprise = [&](int64_t column) { return log_sum - (double(x[column]) - double(sums.maximum)); };
    double loss = 0, weight = 0;
    if (kind == Target::counts) {
      weight = weight_of(target);
      loss = (1 - smoothing) * weight * surprise(target);
      if (smoothing > 0) {
        double total = 0;
        for (int64_t column = group.rank(); column < columns; column += group.size())
          total += weight_of(column) * surprise(column);
        loss += smoothing / double(columns) * group.reduce(total, Sum());
      }
    }
    const E scale = E(1) / sums.sum;
    for (int64_t column = group.rank(); column < columns; column += group.size())
      p[column] = exponential(x[column] - sums.maximum) * scale;
    if (group.rank() != 0) return;
    if (kind == Target::wrong) report(fault, row, target);
    losses[row] = kind == Target::wrong ? E(NAN) : E(loss);
    weights[row] = E(weight);
  });
}

template <class E>
__device__ void cross_entropy_backward(const CrossEntropyDesc& desc, const void* probabilities, const int32_t* targets,
                                       const void* class_weights_data, const void* dlosses, void* dlogits, const Fault& fault) {
  const E* class_weights = static_cast<const E*>(class_weights_data);
  const int64_t columns = desc.columns;
  const double spread = desc.label_smoothing / double(columns);
  for_rows(desc.rows, columns, [&](int64_t row, auto group) {
    const E* p = static_cast<const E*>(probabilities) + row * columns;
    E* dx = static_cast<E*>(dlogits) + row * columns;
    const int32_t target = targets[row];
    const Target kind = kind_of(desc, target);
    if (kind != Target::counts) {
      if (kind == Target::wrong && group.rank() == 0) report(fault, row, target);
      for (int64_t column = group.rank(); column < columns; column += group.size()) dx[column] = 0;
      return;
    }
    double total_weight = double(columns);
    if (class_weights && spread > 0) {
      total_weight = 0;
      for (int64_t column = group.rank(); column < columns; column += group.size())
        total_weight += double(class_weights[column]);
      total_weight = group.reduce(total_weight, Sum());
    }
    const double dloss = double(static_cast<const E*>(dlosses)[row]);
    const double on_target = dloss * (1 - desc.label_smoothing) * (class_weights ? double(class_weights[target]) : 1.0);
    const E scale = E(on_target + dloss * spread * total_weight), off = E(dloss * spread);
    for (int64_t column = group.rank(); column < columns; column += group.size()) {
      E value = scale * p[column];
      if (spread > 0) value -= class_weights ? off * class_weights[column] : off;
      if (column == target) value -= E(on_target);
      dx[column] = value;
    }
  });
}

DEEP_RNN_DEFINE_FLOATING(cross_entropy,
                         (CrossEntropyDesc desc, const void* logits, const int32_t* targets, const void* class_weights,
                          void* losses, void* weights, void* probabilities, Fault fault),
                         (desc, logits, targets, class_weights, losses, weights, probabilities, fault))
DEEP_RNN_DEFINE_FLOATING(cross_entropy_backward,
                         (CrossEntropyDesc desc, const void* probabilities, const int32_t* targets, const void* class_weights,
                          const void* dlosses, void* dlogits, Fault fault),
                         (desc, probabilities, targets, class_weights, dlosses, dlogits, fault))

}  // namespace deep_rnn::cuda
