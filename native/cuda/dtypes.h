// Which operations take which types; the CPU backend's rules and words.
#pragma once
#include <string>

#include "core/describe.h"
#include "core/error.h"

namespace deep_rnn::cuda {

inline void expect_floating(const char* operation, DType dtype) {
  if (dtype != DType::float32 && dtype != DType::float64)
    throw Error(std::string(operation) + " is not defined for " + name_of(dtype));
}

}  // namespace deep_rnn::cuda
