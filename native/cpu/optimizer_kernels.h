// PyTorch's update rules, operation for operation: the coefficients in double, the arrays' arithmetic in their own type.
#pragma once
#include <math.h>

#include "core/desc.h"
#include "cpu/loops.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA {

// Elements of the arrays of Backend::optimizer_step, from the first one to work on.
template <class E>
struct OptimizerArrays {
  const E* grads;
  E* params;
  E* state1;
  E* state2;
  E* state3;
};

// A decay of zero is left out rather than multiplied, because 0 · infinity is NaN.
template <bool Decay, class E>
E decayed(E grad, E param, E weight_decay) {
  if constexpr (Decay)
    return grad + weight_decay * param;
  else
    return grad;
}

template <bool Decay, class E>
void sgd(const OptimizerDesc& desc, int64_t count, const OptimizerArrays<E>& arrays) {
  const E* grads = arrays.grads;
  E *params = arrays.params, *buffer = arrays.state1;
  const E rate = E(desc.learning_rate), decay = E(desc.weight_decay), momentum = E(desc.beta1);
  const E intake = E(1 - desc.beta2);
  if (desc.beta1 == 0) {
    DEEP_RNN_INDEPENDENT
    for (int64_t i = 0; i < count; i++) params[i] -= rate * decayed<Decay>(grads[i], params[i], decay);
    return;
  }
  const auto sweep = [=](auto buffered, auto direction) {
    DEEP_RNN_INDEPENDENT
    for (int64_t i = 0; i < count; i++) {
      const E grad = decayed<Decay>(grads[i], params[i], decay);
      const E velocity = buffered(buffer[i], grad);
      buffer[i] = velocity;
      params[i] -= rate * direction(grad, velocity);
    }
  };
  const auto first = [](E, E grad) { return grad; };
  const auto later = [=](E velocity, E grad) { return momentum * velocity + intake * grad; };
  const auto plain = [](E, E velocity) { return velocity; };
  const auto nesterov = [=](E grad, E velocity) { return grad + momentum * velocity; };
  if (desc.step == 1)
    desc.flag ? sweep(first, nesterov) : sweep(first, plain);
  else
    desc.flag ? sweep(later, nesterov) : sweep(later, plain);
}

template <bool Decay, class E>
void adam(const OptimizerDesc& desc, int64_t count, const OptimizerArrays<E>& arrays) {
  const E* grads = arrays.grads;
  E *params = arrays.params, *first = arrays.state1, *second = arrays.state2;
  const E decay = E(desc.weight_decay), epsilon = E(desc.epsilon);
  const E intake1 = E(1 - desc.beta1), beta2 = E(desc.beta2), intake2 = E(1 - desc.beta2);
  const E step_size = E(desc.learning_rate / (1 - ::pow(desc.beta1, double(desc.step))));
  const E correction2 = E(::sqrt(1 - ::pow(desc.beta2, double(desc.step))));
  const E shrink = desc.flag ? E(1 - desc.learning_rate * desc.weight_decay) : E(1);
  const bool decoupled = desc.flag;
  DEEP_RNN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) {
    const E param = params[i] * shrink;
    const E grad = decoupled ? grads[i] : decayed<Decay>(grads[i], param, decay);
    first[i] += intake1 * (grad - first[i]);
    second[i] = beta2 * second[i] + intake2 * grad * grad;
    params[i] = param - step_size * first[i] / (square_root(second[i]) / correction2 + epsilon);
  }
}

template <bool Decay, bool Centered, bool Momentum, class E>
void rmsprop(const OptimizerDesc& desc, int64_t count, const OptimizerArrays<E>& arrays) {
  const E* grads = arrays.grads;
  E *params = arrays.params, *squares = arrays.state1, *buffer = arrays.state2, *means = arrays.state3;
  const E rate = E(desc.learning_rate), decay = E(desc.weight_decay), epsilon = E(desc.epsilon);
  const E alpha = E(desc.beta1), intake = E(1 - desc.beta1), momentum = E(desc.beta2);
  DEEP_RNN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) {
    const E grad = decayed<Decay>(grads[i], params[i], decay);
    squares[i] = alpha * squares[i] + intake * grad * grad;
    E variance = squares[i];
    if constexpr (Centered) {
      means[i] += intake * (grad - means[i]);
      variance -= means[i] * means[i];
    }
    const E deviation = square_root(variance) + epsilon;
    if constexpr (Momentum) {
      buffer[i] = momentum * buffer[i] + grad / deviation;
      params[i] -= rate * buffer[i];
    } else {
      params[i] -= rate * grad / deviation;
    }
  }
}

template <bool Decay, class E>
void adagrad(const OptimizerDesc& desc, int64_t count, const OptimizerArrays<E>& arrays) {
  const E* grads = arrays.grads;
  E *params = arrays.params, *sums = arrays.state1;
  const E rate = E(desc.learning_rate / (1 + double(desc.step - 1) * desc.beta1));
  const E decay = E(desc.weight_decay), epsilon = E(desc.epsilon);
  DEEP_RNN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) {
    const E grad = decayed<Decay>(grads[i], params[i], decay);
    sums[i] += grad * grad;
    params[i] -= rate * grad / (square_root(sums[i]) + epsilon);
  }
}

template <bool Decay, class E>
void optimizer_sweep(const OptimizerDesc& desc, int64_t count, const OptimizerArrays<E>& arrays) {
  const bool momentum = desc.beta2 != 0;
  switch (desc.kind) {
    case OptimizerKind::sgd:
      return sgd<Decay>(desc, count, arrays);
    case OptimizerKind::adam:
      return adam<Decay>(desc, count, arrays);
    case OptimizerKind::adagrad:
      return adagrad<Decay>(desc, count, arrays);
    case OptimizerKind::rmsprop:
      if (desc.flag)
        return momentum ? rmsprop<Decay, true, true>(desc, count, arrays) : rmsprop<Decay, true, false>(desc, count, arrays);
      return momentum ? rmsprop<Decay, false, true>(desc, count, arrays) : rmsprop<Decay, false, false>(desc, count, arrays);
    default:
      return;
  }
}

template <class E>
void optimizer_step(const OptimizerDesc& desc, int64_t begin, int64_t end, const void* grads, void* params, void* state1,
                    void* state2, void* state3) {
  const auto from_begin = [begin](void* data) { return data ? static_cast<E*>(data) + begin : nullptr; };
  const OptimizerArrays<E> arrays = {static_cast<const E*>(grads) + begin, from_begin(params), from_begin(state1),
                                     from_begin(state2), from_begin(state3)};
  if (desc.weight_decay != 0)
    optimizer_sweep<true>(desc, end - begin, arrays);
  else
    optimizer_sweep<false>(desc, end - begin, arrays);
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA
