#include <algorithm>

#include "primitives.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

template <class E>
std::vector<E> draw(const cpu::Context& context, RandomKind kind, int64_t count, uint64_t seed, uint64_t offset, double a,
                    double b) {
  std::vector<E> out(size_t(count), E(-77));
  cpu::random(context, {kind, dtype_of<E>(), count, seed, offset, a, b}, out.data());
  return out;
}

struct Moments {
  double mean, deviation;
};

template <class E>
Moments moments(const std::vector<E>& values) {
  double sum = 0, squares = 0;
  for (const E value : values) sum += double(value);
  const double mean = sum / double(values.size());
  for (const E value : values) squares += (double(value) - mean) * (double(value) - mean);
  return {mean, std::sqrt(squares / double(values.size()))};
}

template <class E>
void test_distributions(const cpu::Context& context, Record& record) {
  constexpr int64_t kCount = 40003;
  const std::vector<E> uniform = draw<E>(context, RandomKind::uniform, kCount, 1, 0, -2, 4);
  check(*std::min_element(uniform.begin(), uniform.end()) >= -2 && *std::max_element(uniform.begin(), uniform.end()) < 4,
        "range");
  check_close(moments(uniform).mean, 1, 0.03, "uniform mean");
  check_close(moments(uniform).deviation, std::sqrt(3.0), 0.02, "uniform deviation");

  const std::vector<E> normal = draw<E>(context, RandomKind::normal, kCount, 2, 0, 0.5, 3);
  check_close(moments(normal).mean, 0.5, 0.05, "normal mean");
  check_close(moments(normal).deviation, 3, 0.02, "normal deviation");
  const auto beyond = std::count_if(normal.begin(), normal.end(), [](E x) { return std::fabs(double(x) - 0.5) > 6; });
  check_close(double(beyond) / kCount, 0.0455, 0.004, "normal tails");

  const std::vector<E> bernoulli = draw<E>(context, RandomKind::bernoulli, kCount, 3, 0, 0.3, 2.5);
  const auto hits = std::count(bernoulli.begin(), bernoulli.end(), E(2.5));
  check(hits + std::count(bernoulli.begin(), bernoulli.end(), E(0)) == kCount, "bernoulli takes two values");
  check_close(double(hits) / kCount, 0.3, 0.01, "bernoulli probability");
  for (const double probability : {0.0, 1.0}) {
    const std::vector<E> sure = draw<E>(context, RandomKind::bernoulli, 1000, 3, 0, probability, 1);
    check(std::count(sure.begin(), sure.end(), E(probability)) == 1000, "bernoulli without chance");
  }

  // An element depends on its place in the stream alone.
  for (const RandomKind kind : {RandomKind::uniform, RandomKind::normal, RandomKind::bernoulli}) {
    const std::vector<E> all = draw<E>(context, kind, 1000, 4, 100, 0.5, 1), part = draw<E>(context, kind, 300, 4, 457, 0.5, 1);
    check(std::equal(part.begin(), part.end(), all.begin() + 357), "offset");
    check(draw<E>(context, kind, 1000, 5, 100, 0.5, 1) != all, "seed");
    record.add(all);
  }
  record.add(uniform);
  record.add(normal);
}

// Values are the same on every instruction set, and the counter is philox(seed, offset + i, kind).
void test_bits(const cpu::Context& context, Record&) {
  const std::vector<double> uniform = draw<double>(context, RandomKind::uniform, 3, 42, 7, 0, 1);
  const Philox4 bits = philox(42, 8, 0);
  check(uniform[1] == uniform_double(bits.v[0], bits.v[1]), "uniform bits");
  check(draw<float>(context, RandomKind::uniform, 3, 42, 7, 0, 1)[1] == float(uniform[1]), "float32 is rounded float64");
  for (const uint64_t offset : {uint64_t(0), (uint64_t(1) << 32) - 100, ~uint64_t(0) - 999}) {
    for (const int64_t count : {1, 64, 1000}) {
      const std::vector<double> values = draw<double>(context, RandomKind::uniform, count, ~uint64_t(0), offset, 0, 1);
      for (int64_t i = 0; i < count; i++) {
        const Philox4 of_element = philox(~uint64_t(0), offset + uint64_t(i), 0);
        check(values[size_t(i)] == uniform_double(of_element.v[0], of_element.v[1]), "bits of every element");
      }
    }
  }
  const cpu::Context other{context.team, *cpu::available_kernels().front()};
  check(draw<float>(context, RandomKind::normal, 999, 1, 0, 0, 1) == draw<float>(other, RandomKind::normal, 999, 1, 0, 0, 1),
        "sets");
}

// Rounding to float32 would reach the end of this range for half of all draws.
void test_excluded_end(const cpu::Context& context, Record&) {
  const float next = std::nextafter(1.0f, 2.0f);
  const std::vector<float> values = draw<float>(context, RandomKind::uniform, 1000, 1, 0, 1, double(next));
  check(std::count(values.begin(), values.end(), 1.0f) == 1000, "the end of a range is excluded");
  check(draw<float>(context, RandomKind::uniform, 5, 1, 0, 3, 3) == std::vector<float>(5, 3), "empty range");
  check(draw<float>(context, RandomKind::normal, 0, 1, 0, 0, 1).empty(), "no elements");
  int32_t out = 0;
  check_throws([&] { cpu::random(context, {RandomKind::uniform, DType::int32, 1, 1, 0, 0, 1}, &out); }, "int32", "int32");
}

}  // namespace

int main() {
  for_each_context(test_distributions<float>);
  for_each_context(test_distributions<double>);
  for_each_context(test_bits);
  for_each_context(test_excluded_end);
}
