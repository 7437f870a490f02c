// PyTorch's cross entropy over class indices: with s the label smoothing, w the class weights, t the target and p the softmax,
//   loss = (1 - s) w_t (-log p_t) + s / V Σ_c w_c (-log p_c).
#include <cmath>

#include "cpu/dispatch.h"
#include "cpu/primitives.h"

namespace deep_rnn::cpu {

namespace {

constexpr int64_t kCost = 8;

void check_targets(const CrossEntropyDesc& desc, const int32_t* targets) {
  for (int64_t row = 0; row < desc.rows; row++) {
    const int64_t target = targets[row];
    if (target != desc.ignore_index && (target < 0 || target >= desc.columns))
      throw Error("target " + std::to_string(target) + " outside 0.." + std::to_string(desc.columns - 1) + " at row " +
                  std::to_string(row));
  }
}

}  // namespace

void cross_entropy(const Context& context, const CrossEntropyDesc& desc, const void* logits_data, const int32_t* targets,
                   const void* class_weights_data, void* losses_data, void* weights_data, void* probabilities_data) {
  check_targets(desc, targets);
  with_floating_type("cross entropy", desc.dtype, [&](auto zero) {
    using E = decltype(zero);
    const E* logits = static_cast<const E*>(logits_data);
    const E* class_weights = static_cast<const E*>(class_weights_data);
    E* losses = static_cast<E*>(losses_data);
    E* weights = static_cast<E*>(weights_data);
    E* probabilities = static_cast<E*>(probabilities_data);
    const int64_t columns = desc.columns;
    const double smoothing = desc.label_smoothing;
    const auto softmax_row = context.kernels.softmax_row[int(desc.dtype)];
    parallel_for(context.team, desc.rows, grain_of(columns * kCost), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        losses[row] = weights[row] = 0;
        if (columns == 0) continue;
        const E* x = logits + row * columns;
        const LogSumExp parts = softmax_row(columns, x, probabilities + row * columns);
        if (targets[row] == desc.ignore_index) continue;
        const double log_sum = std::log(parts.sum);
        const auto surprise = [&](int64_t column) { return log_sum - (double(x[column]) - parts.maximum); };
        const auto weight_of = [&](int64_t column) { return class_weights ? double(class_weights[column]) : 1.0; };
        const double weight = weight_of(targets[row]);
        double loss = (1 - smoothing) * weight * surprise(targets[row]);
        if (smoothing > 0) {
          double total = 0;
          for (int64_t column = 0; column < columns; column++) total += weight_of(column) * surprise(column);
          loss += smoothing / double(columns) * total;
        }
        losses[row] = E(loss);
        weights[row] = E(weight);
      }
    });
  });
}

void cross_entropy_backward(const Context& context, const CrossEntropyDesc& desc, const void* probabilities_data,
                            const int32_t* targets, const void* class_weights_data, const void* dlosses_data,
                            void* dlogits_data) {
  check_targets(desc, targets);
  with_floating_type("cross entropy", desc.dtype, [&](auto zero) {
    using E = decltype(zero);
    const E* probabilities = static_cast<const E*>(probabilities_data);
    const E* class_weights = static_cast<const E*>(class_weights_data);
    const E* dlosses = static_cast<const E*>(dlosses_data);
    E* dlogits = static_cast<E*>(dlogits_data);
    const int64_t columns = desc.columns;
    const double spread = columns > 0 ? desc.label_smoothing / double(columns) : 0;
    double total_weight = double(columns);
    if (class_weights && spread > 0) {
      total_weight = 0;
      for (int64_t column = 0; column < columns; column++) total_weight += double(class_weights[column]);
    }
    parallel_for(context.team, desc.rows, grain_of(columns), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        const E* p = probabilities + row * columns;
        E* dx = dlogits + row * columns;
        const int64_t target = targets[row];
        if (target == desc.ignore_index) {
          std::fill(dx, dx + columns, E(0));
          continue;
        }
        const double dloss = double(dlosses[row]);
        const double on_target = dloss * (1 - desc.label_smoothing) * (class_weights ? double(class_weights[target]) : 1.0);
        const E scale = E(on_target + dloss * spread * total_weight), off = E(dloss * spread);
        for (int64_t column = 0; column < columns; column++) dx[column] = scale * p[column];
        if (spread > 0)
          for (int64_t column = 0; column < columns; column++) dx[column] -= class_weights ? off * class_weights[column] : off;
        dx[target] -= E(on_target);
      }
    });
  });
}

}  // namespace deep_rnn::cpu
