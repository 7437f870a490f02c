// Inner loops of the unary and binary operations.
#pragma once
#include <math.h>

#include <type_traits>

#include "core/desc.h"
#include "cpu/loops.h"

namespace deep_rnn::cpu::DEEP_RNN_ISA {

// Arithmetic in which int32 wraps around and its division by zero is zero, while floating point is left to IEEE.
template <class E>
struct Arithmetic {
  static E add(E a, E b) { return a + b; }
  static E subtract(E a, E b) { return a - b; }
  static E multiply(E a, E b) { return a * b; }
  static E divide(E a, E b) { return a / b; }
};

template <>
struct Arithmetic<int32_t> {
  static int32_t add(int32_t a, int32_t b) { return int32_t(uint32_t(a) + uint32_t(b)); }
  static int32_t subtract(int32_t a, int32_t b) { return int32_t(uint32_t(a) - uint32_t(b)); }
  static int32_t multiply(int32_t a, int32_t b) { return int32_t(uint32_t(a) * uint32_t(b)); }
  static int32_t divide(int32_t a, int32_t b) { return b == 0 ? 0 : b == -1 ? subtract(0, a) : a / b; }
};

template <class E>
E smaller(E a, E b) {
  return ((a < b) | (a != a)) ? a : b;
}

template <class E>
E larger(E a, E b) {
  return ((a > b) | (a != a)) ? a : b;
}

template <class E>
E sign_of(E x) {
  const E sign = E(x > 0) - E(x < 0);
  return x == x ? sign : x;
}

inline float absolute_value(float x) { return ::fabsf(x); }
inline double absolute_value(double x) { return ::fabs(x); }
inline float logarithm(float x) { return ::logf(x); }
inline double logarithm(double x) { return ::log(x); }
inline float power(float x, float y) { return ::powf(x, y); }
inline double power(double x, double y) { return ::pow(x, y); }

template <class E, class F>
void map(int64_t count, const E* x, E* y, F f) {
  DEEP_RNN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) y[i] = f(x[i]);
}

// The exponents with a shorter way that gives pow's value in every special case.
template <class E>
void power_scalar(int64_t count, E exponent, const E* x, E* y) {
  if (exponent == E(1)) return map(count, x, y, [](E v) { return v; });
  if (exponent == E(2)) return map(count, x, y, [](E v) { return v * v; });
  if (exponent == E(-1)) return map(count, x, y, [](E v) { return E(1) / v; });
  // Adding zero turns -0 into +0, and pow(-infinity, 1/2) is +infinity.
  if (exponent == E(0.5)) return map(count, x, y, [](E v) { return v == -E(INFINITY) ? -v : square_root(v + E(0)); });
  map(count, x, y, [exponent](E v) { return power(v, exponent); });
}

template <class E>
void unary(UnaryOp op, int64_t count, double scalar, const void* x_data, void* y_data) {
  using A = Arithmetic<E>;
  const E* x = static_cast<const E*>(x_data);
  E* y = static_cast<E*>(y_data);
  const E s = E(scalar);
  switch (op) {
    case UnaryOp::negative:
      return map(count, x, y, [](E v) { return std::is_integral<E>::value ? A::subtract(0, v) : -v; });
    case UnaryOp::absolute:
      if constexpr (std::is_integral<E>::value)
        return map(count, x, y, [](E v) { return v < 0 ? A::subtract(0, v) : v; });
      else
        return map(count, x, y, [](E v) { return absolute_value(v); });
    case UnaryOp::square:
      return map(count, x, y, [](E v) { return A::multiply(v, v); });
    case UnaryOp::sign:
      return map(count, x, y, [](E v) { return sign_of(v); });
    case UnaryOp::relu:
      return map(count, x, y, [](E v) { return v <= 0 ? E(0) : v; });
    case UnaryOp::add_scalar:
      return map(count, x, y, [s](E v) { return A::add(v, s); });
    case UnaryOp::multiply_scalar:
      return map(count, x, y, [s](E v) { return A::multiply(v, s); });
    case UnaryOp::minimum_scalar:
      return map(count, x, y, [s](E v) { return smaller(v, s); });
    case UnaryOp::maximum_scalar:
      return map(count, x, y, [s](E v) { return larger(v, s); });
    default:
      break;
  }
  if constexpr (!std::is_integral<E>::value) {
    switch (op) {
      case UnaryOp::exp:
        return map_vectors(
            count, y, [](simd::Vec<E> v) { return simd::exp(v); }, x);
      case UnaryOp::log:
        return map(count, x, y, [](E v) { return logarithm(v); });
      case UnaryOp::sqrt:
        return map(count, x, y, [](E v) { return square_root(v); });
      case UnaryOp::reciprocal:
        return map(count, x, y, [](E v) { return E(1) / v; });
      case UnaryOp::sigmoid:
        return map_vectors(
            count, y, [](simd::Vec<E> v) { return simd::sigmoid(v); }, x);
      case UnaryOp::tanh:
        return map_vectors(
            count, y, [](simd::Vec<E> v) { return simd::tanh(v); }, x);
      case UnaryOp::power_scalar:
        return power_scalar(count, s, x, y);
      default:
        break;
    }
  }
}

// The strides that occur in nearly every row get loops of their own.
template <class E, class R, class F>
void zip(int64_t count, const E* a, int64_t stride_a, const E* b, int64_t stride_b, R* out, F f) {
  if (stride_a == 1 && stride_b == 1) {
    DEEP_RNN_INDEPENDENT
    for (int64_t i = 0; i < count; i++) out[i] = f(a[i], b[i]);
  } else if (stride_a == 1 && stride_b == 0) {
    const E scalar = *b;
    DEEP_RNN_INDEPENDENT
    for (int64_t i = 0; i < count; i++) out[i] = f(a[i], scalar);
  } else if (stride_a == 0 && stride_b == 1) {
    const E scalar = *a;
    DEEP_RNN_INDEPENDENT
    for (int64_t i = 0; i < count; i++) out[i] = f(scalar, b[i]);
  } else {
    for (int64_t i = 0; i < count; i++) out[i] = f(a[i * stride_a], b[i * stride_b]);
  }
}

template <class E>
void binary(BinaryOp op, int64_t count, const void* a_data, int64_t stride_a, const void* b_data, int64_t stride_b,
            void* out_data) {
  using A = Arithmetic<E>;
  const E* a = static_cast<const E*>(a_data);
  const E* b = static_cast<const E*>(b_data);
  const auto arithmetic = [&](auto f) { zip(count, a, stride_a, b, stride_b, static_cast<E*>(out_data), f); };
  const auto comparison = [&](auto f) { zip(count, a, stride_a, b, stride_b, static_cast<int32_t*>(out_data), f); };
  switch (op) {
    case BinaryOp::add:
      return arithmetic([](E u, E v) { return A::add(u, v); });
    case BinaryOp::subtract:
      return arithmetic([](E u, E v) { return A::subtract(u, v); });
    case BinaryOp::multiply:
      return arithmetic([](E u, E v) { return A::multiply(u, v); });
    case BinaryOp::divide:
      return arithmetic([](E u, E v) { return A::divide(u, v); });
    case BinaryOp::minimum:
      return arithmetic([](E u, E v) { return smaller(u, v); });
    case BinaryOp::maximum:
      return arithmetic([](E u, E v) { return larger(u, v); });
    case BinaryOp::equal:
      return comparison([](E u, E v) { return int32_t(u == v); });
    case BinaryOp::not_equal:
      return comparison([](E u, E v) { return int32_t(u != v); });
    case BinaryOp::less:
      return comparison([](E u, E v) { return int32_t(u < v); });
    case BinaryOp::less_equal:
      return comparison([](E u, E v) { return int32_t(u <= v); });
    case BinaryOp::greater:
      return comparison([](E u, E v) { return int32_t(u > v); });
    case BinaryOp::greater_equal:
      return comparison([](E u, E v) { return int32_t(u >= v); });
    default:
      break;
  }
  if constexpr (!std::is_integral<E>::value) {
    switch (op) {
      case BinaryOp::power:
        return arithmetic([](E u, E v) { return power(u, v); });
      case BinaryOp::sigmoid_grad:
        return arithmetic([](E dy, E y) { return dy * (E(1) - y) * y; });
      case BinaryOp::tanh_grad:
        return arithmetic([](E dy, E y) { return dy * (E(1) - y * y); });
      case BinaryOp::relu_grad:
        return arithmetic([](E dy, E x) { return x <= 0 ? E(0) : dy; });
      case BinaryOp::absolute_grad:
        return arithmetic([](E dy, E x) { return dy * sign_of(x); });
      default:
        break;
    }
  }
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA
