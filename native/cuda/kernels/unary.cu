#include <type_traits>

#include "cuda/kernels/arithmetic.h"

namespace deep_rnn::cuda {

template <class E>
__device__ void power_scalar(int64_t count, E exponent, const E* x, E* y) {
  // The exponents with a shorter way that gives pow's value in every special case.
  if (exponent == E(1))
    return map(
        count, y, [](E v) { return v; }, x);
  if (exponent == E(2))
    return map(
        count, y, [](E v) { return v * v; }, x);
  if (exponent == E(-1))
    return map(
        count, y, [](E v) { return E(1) / v; }, x);
  // Adding zero turns -0 into +0, and pow(-infinity, 1/2) is +infinity.
  if (exponent == E(0.5))
    return map(
        count, y, [](E v) { return v == -E(INFINITY) ? -v : square_root(v + E(0)); }, x);
  map(
      count, y, [exponent](E v) { return power(v, exponent); }, x);
}

template <class E>
__device__ void floating_unary(UnaryOp op, int64_t count, E s, const E* x, E* y) {
  switch (op) {
    case UnaryOp::exp:
      return map(
          count, y, [](E v) { return exponential(v); }, x);
    case UnaryOp::log:
      return map(
          count, y, [](E v) { return logarithm(v); }, x);
    case UnaryOp::sqrt:
      return map(
          count, y, [](E v) { return square_root(v); }, x);
    case UnaryOp::reciprocal:
      return map(
          count, y, [](E v) { return E(1) / v; }, x);
    case UnaryOp::sigmoid:
      return map(
          count, y, [](E v) { return E(1) / (E(1) + exponential(-v)); }, x);
    case UnaryOp::tanh:
      return map(
          count, y, [](E v) { return hyperbolic_tangent(v); }, x);
    case UnaryOp::power_scalar:
      return power_scalar(count, s, x, y);
    default:
      return;
  }
}

template <class E>
__device__ void unary(int32_t op, int64_t count, double scalar, const void* x_data, void* y_data) {
  using A = Arithmetic<E>;
  const E* x = static_cast<const E*>(x_data);
  E* y = static_cast<E*>(y_data);
  const E s = E(scalar);
  switch (UnaryOp(op)) {
    case UnaryOp::negative:
      return map(
          count, y, [](E v) { return A::negative(v); }, x);
    case UnaryOp::absolute:
      return map(
          count, y, [](E v) { return A::absolute(v); }, x);
    case UnaryOp::square:
      return map(
          count, y, [](E v) { return A::multiply(v, v); }, x);
    case UnaryOp::sign:
      return map(
          count, y, [](E v) { return sign_of(v); }, x);
    case UnaryOp::relu:
      return map(
          count, y, [](E v) { return v <= 0 ? E(0) : v; }, x);
    case UnaryOp::add_scalar:
      return map(
          count, y, [s](E v) { return A::add(v, s); }, x);
    case UnaryOp::multiply_scalar:
      return map(
          count, y, [s](E v) { return A::multiply(v, s); }, x);
    case UnaryOp::minimum_scalar:
      return map(
          count, y, [s](E v) { return smaller(v, s); }, x);
    case UnaryOp::maximum_scalar:
      return map(
          count, y, [s](E v) { return larger(v, s); }, x);
    default:
      if constexpr (std::is_floating_point_v<E>) floating_unary(UnaryOp(op), count, s, x, y);
  }
}

DEEP_RNN_DEFINE_NUMERIC(unary, (int32_t op, int64_t count, double scalar, const void* x, void* y), (op, count, scalar, x, y))

}  // namespace deep_rnn::cuda
