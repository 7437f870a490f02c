// The frame of the kernel tests: a case runs under every schedule, must give the same bits each time, and is then compared with
// the CPU backend, whose own tests compare it with plain loops and PyTorch.
#pragma once
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "core/backend.h"
#include "cuda/kernels/plan.h"
#include "host_cuda/launch.h"
#include "primitives.h"

namespace deep_rnn::test {

constexpr int kMultiprocessors = 2;  // few, so that grids stride

inline Backend& oracle() {
  static const std::unique_ptr<Backend> backend = make_cpu_backend(1);
  return *backend;
}

template <class E>
std::string suffix() {
  return std::is_same_v<E, float> ? "_float32" : std::is_same_v<E, double> ? "_float64" : "_int32";
}

template <class E>
std::string bits_suffix() {
  return sizeof(E) == 8 ? "_bits64" : "_bits32";
}

class Launcher {
 public:
  explicit Launcher(const host_cuda::Schedule& schedule) : schedule_(schedule) {}

  // Arguments must have exactly the types of the prototype.
  template <class... Arguments>
  void operator()(const std::string& name, const cuda::Launch& shape, Arguments... arguments) const {
    const host_cuda::Kernel* kernel = host_cuda::find(name);
    check(kernel != nullptr, "there is no kernel " + name);
    const std::vector<size_t> bytes = {sizeof(Arguments)...};
    const std::vector<bool> is_pointer = {std::is_pointer_v<Arguments>...};
    check(bytes.size() == kernel->parameters.size(), name + " takes another number of arguments");
    for (size_t i = 0; i < bytes.size(); i++)
      check(bytes[i] == kernel->parameters[i].bytes &&
                is_pointer[i] == (kernel->parameters[i].addresses == std::vector<size_t>{0}),
            name + " takes another type of argument " + std::to_string(i));
    void* addresses[] = {const_cast<void*>(static_cast<const void*>(&arguments))...};
    host_cuda::launch(*kernel, {shape.grid_x, shape.grid_y, 1}, {shape.block_x, shape.block_y, 1}, addresses, schedule_);
  }

 private:
  host_cuda::Schedule schedule_;
};

inline std::vector<host_cuda::Schedule> all_schedules() {
  using host_cuda::Order;
  return {{Order::forward}, {Order::reverse}, {Order::round_robin}, {Order::shuffled, 1}, {Order::shuffled, 2}};
}

// body(launch) returns its outputs in a vector; the result is what all schedules agree on.
template <class Body>
auto under_all_schedules(const std::string& what, const Body& body) {
  using Outputs = decltype(body(Launcher({})));
  Outputs agreed{};
  bool first = true;
  for (const host_cuda::Schedule& schedule : all_schedules()) {
    Outputs outputs = body(Launcher(schedule));
    if (first)
      agreed = outputs;
    else
      check(same_bits(outputs, agreed), what + ": the order of threads changes the result");
    first = false;
  }
  return agreed;
}

template <class E>
std::vector<E> fresh(int64_t count) {
  std::vector<E> values(static_cast<size_t>(count));
  if (count > 0) std::memset(static_cast<void*>(values.data()), 0xFF, values.size() * sizeof(E));
  return values;
}

template <class E>
void expect_same(const std::vector<E>& actual, const std::vector<E>& expected, const std::string& what) {
  check(actual.size() == expected.size(), what + ": another number of values");
  for (size_t i = 0; i < actual.size(); i++) {
    const bool both_nan = actual[i] != actual[i] && expected[i] != expected[i];
    if (both_nan || std::memcmp(&actual[i], &expected[i], sizeof(E)) == 0) continue;
    check(false, what + " at " + std::to_string(i) + ": expected " + std::to_string(expected[i]) + " but received " +
                     std::to_string(actual[i]));
  }
}

template <class E>
void expect_close(const std::vector<E>& actual, const std::vector<E>& expected, double tolerance, const std::string& what) {
  check(actual.size() == expected.size(), what + ": another number of values");
  for (size_t i = 0; i < actual.size(); i++)
    check_close(double(actual[i]), double(expected[i]), tolerance, what + " at " + std::to_string(i));
}

// Values with everything that is special about the type among them.
template <class E>
std::vector<E> special_values(int64_t count, uint64_t seed) {
  std::vector<E> values = random_values<E>(count, -4, 4, seed);
  if constexpr (std::is_floating_point_v<E>) {
    const E special[] = {E(NAN), E(INFINITY), -E(INFINITY), E(0), -E(0), E(1), E(-1), E(0.5)};
    for (size_t i = 0; i < 8 && i * 5 < values.size(); i++) values[i * 5] = special[i];
  } else {
    const E special[] = {INT32_MIN, INT32_MAX, 0, -1, 1};
    for (size_t i = 0; i < 5 && i * 5 < values.size(); i++) values[i * 5] = special[i];
  }
  return values;
}

// Where a kernel reports wrong indices.
struct Reports {
  unsigned long long key = ~0ull;
  int32_t raised = 0;
  cuda::Fault fault() { return {&key, &raised}; }
  // position, value; -1 when nothing was reported.
  int64_t position() const { return raised ? int64_t(key >> 32) : -1; }
  int32_t value() const { return int32_t(uint32_t(key)); }
};

}  // namespace deep_rnn::test
