// From a DType at run time to a type at compile time.
#pragma once
#include <cstdint>
#include <string>
#include <type_traits>

#include "core/desc.h"
#include "core/describe.h"
#include "core/error.h"

namespace deep_rnn::cpu {

// Calls body with a zero of the C++ type.
template <class Body>
void with_type(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::float32:
      return body(float());
    case DType::float64:
      return body(double());
    case DType::int32:
      return body(int32_t());
  }
  throw Error("Unknown dtype " + std::to_string(int(dtype)));
}

// For what only depends on the elements' size.
template <class Body>
void with_bits(DType dtype, const Body& body) {
  if (size_of(dtype) == 8)
    body(uint64_t());
  else
    body(uint32_t());
}

inline void expect_floating(const char* operation, DType dtype) {
  if (dtype != DType::float32 && dtype != DType::float64)
    throw Error(std::string(operation) + " is not defined for " + name_of(dtype));
}

template <class Body>
void with_floating_type(const char* operation, DType dtype, const Body& body) {
  expect_floating(operation, dtype);
  if (dtype == DType::float32)
    body(float());
  else
    body(double());
}

// target += value, int32 wrapping around.
template <class E>
void add_to(E& target, E value) {
  if constexpr (std::is_integral_v<E>)
    target = E(uint32_t(target) + uint32_t(value));
  else
    target += value;
}

}  // namespace deep_rnn::cpu
