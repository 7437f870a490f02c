#include "cuda/kernels/arithmetic.h"

namespace deep_rnn::cuda {

namespace {

// A decay of zero is left out rather than multiplied, because 0 · infinity is NaN.
template <class E>
__device__ E decayed(E grad, E param, E decay) {
  return decay != 0 ? grad + decay * param : grad;
}

}  // namespace

template <class E>
__device__ void sgd(const OptimizerScalars& s, int64_t count, const E* grads, E* params, E* buffer, E*, E*) {
  const E rate = E(s.rate), decay = E(s.decay), momentum = E(s.momentum), take = E(s.take2);
  for_elements(count, [&](int64_t i) {
    const E param = params[i], grad = decayed(grads[i], param, decay);
    E direction = grad;
    if (momentum != 0) {
      const E velocity = s.first ? grad : momentum * buffer[i] + take * grad;
      buffer[i] = velocity;
      direction = s.flag ? grad + momentum * velocity : velocity;
    }
    params[i] = param - rate * direction;
  });
}

template <class E>
__device__ void adam(const OptimizerScalars& s, int64_t count, const E* grads, E* params, E* first, E* second, E*) {
  const E rate = E(s.rate), decay = E(s.decay), shrink = E(s.shrink), epsilon = E(s.epsilon), correction = E(s.correction);
  const E take1 = E(s.take1), beta2 = E(s.beta2), take2 = E(s.take2);
  for_elements(count, [&](int64_t i) {
    const E param = params[i] * shrink, grad = decayed(grads[i], param, decay);
    const E mean = first[i] + take1 * (grad - first[i]);
    const E square = beta2 * second[i] + take2 * grad * grad;
    first[i] = mean;
    second[i] = square;
    params[i] = param - rate * mean / (square_root(square) / correction + epsilon);
  });
}

template <class E>
__device__ void rmsprop(const OptimizerScalars& s, int64_t count, const E* grads, E* params, E* squares, E* buffer, E* means) {
  const E rate = E(s.rate), decay = E(s.decay), momentum = E(s.momentum), epsilon = E(s.epsilon);
  const E alpha = E(s.beta1), take = E(s.take1);
  for_elements(count, [&](int64_t i) {
    const E param = params[i], grad = decayed(grads[i], param, decay);
    const E square = alpha * squares[i] + take * grad * grad;
    squares[i] = square;
    E variance = square;
    if (s.flag) {
      const E mean = means[i] + take * (grad - means[i]);
      means[i] = mean;
      variance -= mean * mean;
    }
    const E deviation = square_root(variance) + epsilon;
    if (momentum != 0) {
      const E velocity = momentum * buffer[i] + grad / deviation;
      buffer[i] = velocity;
      params[i] = param - rate * velocity;
    } else {
      params[i] = param - rate * grad / deviation;
    }
  });
}

template <class E>
__device__ void adagrad(const OptimizerScalars& s, int64_t count, const E* grads, E* params, E* sums, E*, E*) {
  const E rate = E(s.rate), decay = E(s.decay), epsilon = E(s.epsilon);
  for_elements(count, [&](int64_t i) {
    const E param = params[i], grad = decayed(grads[i], param, decay);
    const E sum = sums[i] + grad * grad;
    sums[i] = sum;
    params[i] = param - rate * grad / (square_root(sum) + epsilon);
  });
}

#define DEEP_RNN_DEFINE_OPTIMIZER_OF(rule, name, E)                                                                         \
  extern "C" __global__ void __launch_bounds__(kThreads, 2)                                                                 \
      rule##_##name(OptimizerScalars scalars, const OptimizerScalars* live, int64_t count, const void* grads, void* params, \
                    void* state1, void* state2, void* state3) {                                                             \
    const OptimizerScalars current = live ? *live : scalars;                                                                \
    rule(current, count, static_cast<const E*>(grads), static_cast<E*>(params), static_cast<E*>(state1),                    \
         static_cast<E*>(state2), static_cast<E*>(state3));                                                                 \
  }
#define DEEP_RNN_DEFINE_OPTIMIZER(rule)              \
  DEEP_RNN_DEFINE_OPTIMIZER_OF(rule, float32, float) \
  DEEP_RNN_DEFINE_OPTIMIZER_OF(rule, float64, double)

DEEP_RNN_DEFINE_OPTIMIZER(sgd)
DEEP_RNN_DEFINE_OPTIMIZER(adam)
DEEP_RNN_DEFINE_OPTIMIZER(rmsprop)
DEEP_RNN_DEFINE_OPTIMIZER(adagrad)

}  // namespace deep_rnn::cuda
