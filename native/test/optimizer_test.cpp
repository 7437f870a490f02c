#include "core/describe.h"
#include "primitives.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

// One parameter under PyTorch's published algorithms, in double.
struct Reference {
  double param = 0, state1 = 0, state2 = 0, state3 = 0;

  void step(const OptimizerDesc& desc, double grad) {
    const double t = double(desc.step);
    const bool decoupled = desc.kind == OptimizerKind::adam && desc.flag;
    if (decoupled)
      param -= desc.learning_rate * desc.weight_decay * param;
    else
      grad += desc.weight_decay * param;
    switch (desc.kind) {
      case OptimizerKind::sgd:
        if (desc.beta1 != 0) {
          state1 = desc.step == 1 ? grad : desc.beta1 * state1 + (1 - desc.beta2) * grad;
          grad = desc.flag ? grad + desc.beta1 * state1 : state1;
        }
        param -= desc.learning_rate * grad;
        return;
      case OptimizerKind::adam: {
        state1 = desc.beta1 * state1 + (1 - desc.beta1) * grad;
        state2 = desc.beta2 * state2 + (1 - desc.beta2) * grad * grad;
        const double first = state1 / (1 - std::pow(desc.beta1, t)), second = state2 / (1 - std::pow(desc.beta2, t));
        param -= desc.learning_rate * first / (std::sqrt(second) + desc.epsilon);
        return;
      }
      case OptimizerKind::rmsprop: {
        state1 = desc.beta1 * state1 + (1 - desc.beta1) * grad * grad;
        state3 = desc.beta1 * state3 + (1 - desc.beta1) * grad;
        const double direction = grad / (std::sqrt(desc.flag ? state1 - state3 * state3 : state1) + desc.epsilon);
        state2 = desc.beta2 * state2 + direction;
        param -= desc.learning_rate * state2;
        return;
      }
      case OptimizerKind::adagrad:
        state1 += grad * grad;
        param -= desc.learning_rate / (1 + (t - 1) * desc.beta1) * grad / (std::sqrt(state1) + desc.epsilon);
        return;
      default:
        return;
    }
  }
};

template <class E>
void test_steps(const cpu::Context& context, Record& record) {
  std::vector<OptimizerDesc> rules;
  for (const double decay : {0.0, 0.05}) {
    const auto add = [&](OptimizerKind kind, double rate, double beta1, double beta2, double epsilon, bool flag) {
      rules.push_back({kind, dtype_of<E>(), 0, rate, decay, beta1, beta2, epsilon, 0, flag});
    };
    add(OptimizerKind::sgd, 0.1, 0, 0, 0, false);
    add(OptimizerKind::sgd, 0.1, 0.9, 0, 0, false);
    add(OptimizerKind::sgd, 0.1, 0.9, 0.3, 0, false);
    add(OptimizerKind::sgd, 0.1, 0.9, 0, 0, true);
    add(OptimizerKind::adam, 0.01, 0.9, 0.999, 1e-8, false);
    add(OptimizerKind::adam, 0.01, 0.8, 0.99, 1e-8, true);
    for (const double momentum : {0.0, 0.9})
      for (const bool centered : {false, true}) add(OptimizerKind::rmsprop, 0.01, 0.99, momentum, 1e-4, centered);
    add(OptimizerKind::adagrad, 0.1, 0, 0, 1e-10, false);
    add(OptimizerKind::adagrad, 0.1, 0.1, 0, 1e-10, false);
  }
  for (OptimizerDesc desc : rules)
    for (const int64_t count : {int64_t(0), int64_t(1), int64_t(45), int64_t(66003)}) {
      desc.count = count;
      std::vector<E> params = random_values<E>(count, -1, 1, 16), state1(params.size(), 0), state2 = state1, state3 = state1;
      std::vector<Reference> expected(params.size());
      for (size_t i = 0; i < params.size(); i++) expected[i].param = double(params[i]);
      const int64_t steps = count > 1000 ? 2 : 5;
      for (desc.step = 1; desc.step <= steps; desc.step++) {
        const std::string what =
            std::string(name_of(desc.kind)) + " " + name_of(desc.dtype) + " step " + std::to_string(desc.step);
        const std::vector<E> grads = random_values<E>(count, -1, 1, 16 + uint64_t(desc.step));
        cpu::optimizer_step(context, desc, grads.data(), params.data(), state1.data(), state2.data(), state3.data());
        for (size_t i = 0; i < params.size(); i++) {
          expected[i].step(desc, double(grads[i]));
          check_close(double(params[i]), expected[i].param, std::is_same_v<E, float> ? 1e-5 : 1e-11, what);
        }
      }
      record.add(params);
      record.add(state1);
      record.add(state2);
      record.add(state3);
    }
}

void test_misuse(const cpu::Context& context, Record&) {
  float value = 1;
  const OptimizerDesc adam = {OptimizerKind::adam, DType::float32, 1, 0.1, 0, 0.9, 0.999, 1e-8, 1, false};
  check_throws([&] { cpu::optimizer_step(context, adam, &value, &value, &value, nullptr, nullptr); }, "state",
               "a missing state");
  const OptimizerDesc sgd = {OptimizerKind::sgd, DType::int32, 1, 0.1, 0, 0, 0, 0, 1, false};
  check_throws([&] { cpu::optimizer_step(context, sgd, &value, &value, nullptr, nullptr, nullptr); }, "int32", "int32");
}

}  // namespace

int main() {
  for_each_context(test_steps<float>);
  for_each_context(test_steps<double>);
  for_each_context(test_misuse);
}
