// The frame of the tests of primitives: every instruction set, one to three threads, and the same bits for all of those.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "check.h"
#include "core/random.h"
#include "cpu/primitives.h"

namespace deep_rnn::test {

// The message names the case, which says more than the line in these table-driven tests.
inline void check(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "failed: %s\n", what.c_str());
  std::exit(1);
}

// |actual - expected| <= tolerance · max(1, |expected|); NaN and infinities must agree exactly.
inline void check_close(double actual, double expected, double tolerance, const std::string& what) {
  const bool same = actual == expected || (std::isnan(actual) && std::isnan(expected));
  if (same || std::fabs(actual - expected) <= tolerance * std::max(1.0, std::fabs(expected))) return;
  check(false, what + ": expected " + std::to_string(expected) + " but received " + std::to_string(actual));
}

// body must throw an exception whose message contains `part`.
template <class Body>
void check_throws(const Body& body, const std::string& part, const std::string& what) {
  const std::string message = message_of(body);
  check(contains(message, part), what + ": expected a message with \"" + part + "\" but received \"" + message + "\"");
}

template <class E>
bool same_bits(const std::vector<E>& a, const std::vector<E>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(E)) == 0);
}

// Collects outputs, to be compared bit for bit.
class Record {
 public:
  template <class E>
  void add(const std::vector<E>& values) {
    const char* bytes = reinterpret_cast<const char*>(values.data());
    bytes_.insert(bytes_.end(), bytes, bytes + values.size() * sizeof(E));
  }
  bool operator==(const Record& other) const { return bytes_ == other.bytes_; }

 private:
  std::vector<char> bytes_;
};

inline void for_each_context(const std::function<void(const cpu::Context&, Record&)>& body) {
  for (const cpu::KernelSet* kernels : cpu::available_kernels()) {
    Record alone;
    for (int threads = 1; threads <= 3; threads++) {
      cpu::Team team(threads);
      Record record;
      body({team, *kernels}, threads == 1 ? alone : record);
      check(threads == 1 || record == alone,
            std::string(kernels->name) + ": " + std::to_string(threads) + " threads change the result");
    }
  }
}

template <class E>
constexpr DType dtype_of() {
  return std::is_same_v<E, float> ? DType::float32 : std::is_same_v<E, double> ? DType::float64 : DType::int32;
}

// The tolerance of a few operations in E.
template <class E>
constexpr double tolerance() {
  return std::is_same_v<E, float> ? 2e-6 : 1e-13;
}

// Uniform in [low, high), repeatable.
template <class E>
std::vector<E> random_values(int64_t count, double low, double high, uint64_t seed) {
  std::vector<E> values(size_t(count), E(0));
  for (int64_t i = 0; i < count; i++) {
    const Philox4 bits = philox(seed, uint64_t(i));
    values[size_t(i)] = E(low + (high - low) * uniform_double(bits.v[0], bits.v[1]));
  }
  return values;
}

using Axes = std::vector<int64_t>;

inline Strided strided(const Axes& shape, const std::vector<Axes>& strides) {
  Strided layout;
  layout.rank = int(shape.size());
  for (size_t axis = 0; axis < shape.size(); axis++) {
    layout.shape[axis] = shape[axis];
    for (size_t k = 0; k < strides.size(); k++) layout.strides[k][axis] = strides[k][axis];
  }
  return layout;
}

inline Axes contiguous(const Axes& shape) {
  Axes strides(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0; stride *= shape[axis]) strides[axis] = stride;
  return strides;
}

// The offset of operand k at row-major position i, the slow way.
inline int64_t offset_of(const Strided& layout, int k, int64_t i) {
  int64_t offset = 0;
  for (int axis = layout.rank - 1; axis >= 0; axis--) {
    offset += i % layout.shape[axis] * layout.strides[k][axis];
    i /= layout.shape[axis];
  }
  return offset;
}

}  // namespace deep_rnn::test
