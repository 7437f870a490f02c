// What operations mean for int32: which ones it has, and how numbers become int32.
#pragma once
#include <cmath>
#include <limits>
#include <string>

#include "core/describe.h"
#include "core/error.h"

namespace deep_rnn {

// Toward zero; what int32 cannot hold becomes its nearest end, NaN becomes 0.
inline int32_t to_int32(double x) {
  constexpr double kLowest = std::numeric_limits<int32_t>::min(), kHighest = std::numeric_limits<int32_t>::max();
  return x >= kHighest   ? std::numeric_limits<int32_t>::max()
         : x <= kLowest  ? std::numeric_limits<int32_t>::min()
         : std::isnan(x) ? 0
                         : int32_t(x);
}

inline bool takes_int32(UnaryOp op) {
  switch (op) {
    case UnaryOp::negative:
    case UnaryOp::absolute:
    case UnaryOp::square:
    case UnaryOp::sign:
    case UnaryOp::relu:
    case UnaryOp::add_scalar:
    case UnaryOp::multiply_scalar:
    case UnaryOp::minimum_scalar:
    case UnaryOp::maximum_scalar:
      return true;
    default:
      return false;
  }
}

inline bool takes_int32(BinaryOp op) { return op < BinaryOp::sigmoid_grad && op != BinaryOp::power; }

// The scalar of an int32 operation, as an integer where rounding it would change the result silently.
inline double int32_scalar(UnaryOp op, double scalar) {
  if (op == UnaryOp::minimum_scalar || op == UnaryOp::maximum_scalar) {
    const bool ceiling = op == UnaryOp::minimum_scalar;
    if (!std::isnan(scalar)) return to_int32(ceiling ? std::floor(scalar) : std::ceil(scalar));
  } else if (op != UnaryOp::add_scalar && op != UnaryOp::multiply_scalar) {
    return 0;
  } else if (scalar == double(to_int32(scalar))) {
    return scalar;
  }
  throw Error(std::string("Expected an int32 for the scalar of ") + name_of(op) + " but received " + std::to_string(scalar));
}

}  // namespace deep_rnn
