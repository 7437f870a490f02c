#include <algorithm>
#include <limits>

#include "primitives.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class E>
double log_sum_exp(const E* x, int64_t columns) {
  const double maximum = double(*std::max_element(x, x + columns));
  double sum = 0;
  for (int64_t i = 0; i < columns; i++) sum += std::exp(double(x[i]) - maximum);
  return maximum + std::log(sum);
}

template <class E>
void test_softmax(const cpu::Context& context, Record& record) {
  struct Case {
    int64_t rows, columns;
  };
  for (const Case one : {Case{0, 5}, Case{3, 0}, Case{4, 1}, Case{33, 28}, Case{5, 67}, Case{300, 129}})
    for (const bool log : {false, true}) {
      const SoftmaxDesc desc = {dtype_of<E>(), one.rows, one.columns, log};
      const int64_t count = one.rows * one.columns;
      const std::vector<E> x = random_values<E>(count, -30, 30, 11), dy = random_values<E>(count, -1, 1, 12);
      std::vector<E> y(x.size(), E(-7)), dx = y;
      cpu::softmax(context, desc, x.data(), y.data());
      cpu::softmax_backward(context, desc, y.data(), dy.data(), dx.data());
      for (int64_t row = 0; row < one.rows && one.columns > 0; row++) {
        const size_t first = size_t(row * one.columns);
        const double normalizer = log_sum_exp(&x[first], one.columns);
        double inner = 0, total = 0;
        for (size_t i = first; i < first + size_t(one.columns); i++) {
          inner += std::exp(double(x[i]) - normalizer) * double(dy[i]);
          total += double(dy[i]);
        }
        for (size_t i = first; i < first + size_t(one.columns); i++) {
          const double log_p = double(x[i]) - normalizer, p = std::exp(log_p);
          check_close(double(y[i]), log ? log_p : p, tolerance<E>(), "softmax");
          check_close(double(dx[i]), log ? double(dy[i]) - p * total : p * (double(dy[i]) - inner), 3 * tolerance<E>(),
                      "backward");
        }
      }
      record.add(y);
      record.add(dx);
    }
}

// Large and infinite inputs, as PyTorch treats them.
void test_extremes(const cpu::Context& context, Record&) {
  const float infinity = float(kInfinity);
  const std::vector<float> x = {1e30f, -1e30f, 1e30f, -infinity, -infinity, -infinity, 0, -infinity, 0, infinity, 0, 0};
  std::vector<float> y(12);
  cpu::softmax(context, {DType::float32, 4, 3, false}, x.data(), y.data());
  check(y[0] == 0.5f && y[1] == 0 && y[6] == 0.5f && y[7] == 0, "large");
  check(std::isnan(y[3]) && std::isnan(y[5]), "a row of -infinity");
  check(std::isnan(y[9]), "a row with infinity");
  cpu::softmax(context, {DType::float32, 4, 3, true}, x.data(), y.data());
  check(y[0] == -std::log(2.0f) && y[7] == -infinity && std::isnan(y[4]), "log");
}

// One loss as PyTorch defines it.
double loss_of(const double* x, int64_t columns, int64_t target, double smoothing, const double* weights) {
  const double normalizer = log_sum_exp(x, columns);
  const auto weight = [&](int64_t i) { return weights ? weights[i] : 1.0; };
  double loss = (1 - smoothing) * weight(target) * (normalizer - x[target]);
  for (int64_t i = 0; i < columns; i++) loss += smoothing / double(columns) * weight(i) * (normalizer - x[i]);
  return loss;
}

template <class E>
void test_cross_entropy(const cpu::Context& context, Record& record) {
  constexpr int64_t kRows = 301, kColumns = 29, kIgnored = 3;
  for (const double smoothing : {0.0, 0.1})
    for (const bool weighted : {false, true}) {
      const CrossEntropyDesc desc = {dtype_of<E>(), kRows, kColumns, kIgnored, smoothing};
      const std::vector<E> logits = random_values<E>(kRows * kColumns, -5, 5, 13), dlosses = random_values<E>(kRows, -1, 1, 14);
      const std::vector<E> weights = random_values<E>(kColumns, 0, 2, 15);
      const std::vector<double> weights64(weights.begin(), weights.end());
      const E* class_weights = weighted ? weights.data() : nullptr;
      const double* class_weights64 = weighted ? weights64.data() : nullptr;
      std::vector<int32_t> targets(kRows);
      for (int64_t row = 0; row < kRows; row++) targets[size_t(row)] = int32_t(row * 7 % kColumns);
      std::vector<E> losses(kRows, E(-7)), row_weights = losses, probabilities(logits.size()), dlogits(logits.size());
      cpu::cross_entropy(context, desc, logits.data(), targets.data(), class_weights, losses.data(), row_weights.data(),
                         probabilities.data());
      cpu::cross_entropy_backward(context, desc, probabilities.data(), targets.data(), class_weights, dlosses.data(),
                                  dlogits.data());
      for (int64_t row = 0; row < kRows; row++) {
        const int64_t target = targets[size_t(row)];
        const bool ignored = target == kIgnored;
        std::vector<double> x(&logits[size_t(row * kColumns)], &logits[size_t(row * kColumns)] + kColumns);
        const auto loss = [&] { return ignored ? 0 : loss_of(x.data(), kColumns, target, smoothing, class_weights64); };
        check_close(double(losses[size_t(row)]), loss(), tolerance<E>(), "loss");
        const double weight = ignored ? 0 : weighted ? weights64[size_t(target)] : 1;
        check_close(double(row_weights[size_t(row)]), weight, 0, "weight");
        const double normalizer = log_sum_exp(x.data(), kColumns);
        for (size_t i = 0; i < size_t(kColumns); i++) {
          const double value = x[i];
          check_close(double(probabilities[size_t(row * kColumns) + i]), std::exp(value - normalizer), tolerance<E>(),
                      "probability");
          constexpr double kStep = 1e-5;
          x[i] = value + kStep;
          const double above = loss();
          x[i] = value - kStep;
          const double slope = (above - loss()) / (2 * kStep);
          x[i] = value;
          check_close(double(dlogits[size_t(row * kColumns) + i]), double(dlosses[size_t(row)]) * slope,
                      std::is_same_v<E, float> ? 2e-6 : 2e-9, "gradient");
        }
      }
      record.add(losses);
      record.add(dlogits);
      cpu::cross_entropy_backward(context, desc, probabilities.data(), targets.data(), class_weights, dlosses.data(),
                                  probabilities.data());
      check(probabilities == dlogits, "gradient in place of the probabilities");
    }
}

void test_targets(const cpu::Context& context, Record&) {
  const CrossEntropyDesc desc = {DType::float32, 2, 3, -100, 0};
  const std::vector<float> logits(6, 0);
  std::vector<float> losses(2), weights(2), probabilities(6);
  for (const int32_t wrong : {3, -1}) {
    const std::vector<int32_t> targets = {-100, wrong};
    check_throws(
        [&] {
          cpu::cross_entropy(context, desc, logits.data(), targets.data(), nullptr, losses.data(), weights.data(),
                             probabilities.data());
        },
        "target " + std::to_string(wrong) + " outside 0..2", "target");
  }
}

}  // namespace

int main() {
  for_each_context(test_softmax<float>);
  for_each_context(test_softmax<double>);
  for_each_context(test_extremes);
  for_each_context(test_cross_entropy<float>);
  for_each_context(test_cross_entropy<double>);
  for_each_context(test_targets);
}
