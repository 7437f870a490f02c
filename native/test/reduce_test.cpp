#include <algorithm>
#include <limits>

#include "core/describe.h"
#include "primitives.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct ReduceCase {
  Axes kept, kept_strides, reduced, reduced_strides;
};

// Rows, columns, everything, nothing kept or reduced, a middle axis, interleaved axes, broadcasts, and large ones both ways.
const std::vector<ReduceCase> kCases = {
    {{5}, {7}, {7}, {1}},           {{7}, {1}, {5}, {7}},
    {{}, {}, {10007}, {1}},         {{6}, {1}, {}, {}},
    {{3, 5}, {35, 1}, {7}, {5}},    {{4, 3}, {30, 2}, {5, 2}, {6, 1}},
    {{2, 300}, {0, 1}, {3}, {300}}, {{0}, {1}, {4}, {1}},
    {{700}, {1}, {301}, {700}},     {{301}, {700}, {700}, {1}},
    {{}, {}, {300, 500}, {500, 1}},
};

template <class E>
void test_reduce(const cpu::Context& context, Record& record) {
  for (const ReduceCase& one : kCases) {
    const Strided kept = strided(one.kept, {one.kept_strides}), reduced = strided(one.reduced, {one.reduced_strides});
    const int64_t outputs = kept.count(), terms = reduced.count();
    std::vector<E> x = random_values<E>(220000, -100, 100, 7);
    if (!std::is_integral_v<E>) x[3] = E(kNan);
    x[10] = x[12] = 100;
    const std::string what = std::string(name_of(dtype_of<E>())) + " kept " + shape_of(kept) + " reduced " + shape_of(reduced);

    const std::string sum_what = "sum " + what, maximum_what = "maximum " + what, argmax_what = "argmax " + what;
    std::vector<E> sums(size_t(outputs), E(-7)), maxima = sums;
    std::vector<int32_t> positions(size_t(outputs), -7);
    cpu::reduce(context, {ReduceOp::sum, dtype_of<E>(), kept, reduced}, x.data(), sums.data());
    cpu::reduce(context, {ReduceOp::maximum, dtype_of<E>(), kept, reduced}, x.data(), maxima.data());
    cpu::reduce(context, {ReduceOp::argmax, dtype_of<E>(), kept, reduced}, x.data(), positions.data());
    for (int64_t i = 0; i < outputs; i++) {
      const E* base = x.data() + offset_of(kept, 0, i);
      long double sum = 0;
      int64_t best = 0;
      for (int64_t j = 0; j < terms; j++) {
        const E value = base[offset_of(reduced, 0, j)], top = base[offset_of(reduced, 0, best)];
        sum += value;
        if (value > top || (value != value && top == top)) best = j;
      }
      const double top = double(base[offset_of(reduced, 0, best)]);
      check_close(double(sums[size_t(i)]), double(sum), std::is_same_v<E, float> ? 1e-7 : 1e-12, sum_what);
      check_close(double(maxima[size_t(i)]), top, 0, maximum_what);
      check(positions[size_t(i)] == best, argmax_what);
    }
    record.add(sums);
    record.add(maxima);
    record.add(positions);
  }
}

void test_reduce_edges(const cpu::Context& context, Record&) {
  const Strided nothing = strided({0}, {{1}}), three = strided({3}, {{1}});
  std::vector<float> out(3, -7);
  cpu::reduce(context, {ReduceOp::sum, DType::float32, three, nothing}, nullptr, out.data());
  check(out == std::vector<float>{0, 0, 0}, "sum of nothing");
  for (const ReduceOp op : {ReduceOp::maximum, ReduceOp::argmax})
    check_throws(
        [&] {
          cpu::reduce(context, {op, DType::float32, three, nothing}, nullptr, out.data());
        },
        "no elements", "empty");
  const std::vector<float> lowest(3, float(-kInfinity));
  int32_t position = -7;
  cpu::reduce(context, {ReduceOp::argmax, DType::float32, strided({}, {{}}), three}, lowest.data(), &position);
  check(position == 0, "argmax of -infinity");
  // int32 sums wrap around.
  const std::vector<int32_t> large(3, std::numeric_limits<int32_t>::max());
  int32_t total = 0;
  cpu::reduce(context, {ReduceOp::sum, DType::int32, strided({}, {{}}), three}, large.data(), &total);
  check(total == std::numeric_limits<int32_t>::max() - 2, "int32 sum");
}

template <class E>
void test_sum_squares(const cpu::Context& context, Record& record) {
  for (const int64_t count : {0, 1, 17, 4096, 4097, 300001, 1200007}) {
    const std::vector<E> x = random_values<E>(count, -1, 1, 8);
    long double expected = 0;
    for (const E value : x) expected += (long double)(value)*value;
    std::vector<E> out = {E(2.5)};
    cpu::sum_squares(context, dtype_of<E>(), count, false, x.data(), out.data());
    check_close(double(out[0]), double(expected), std::is_same_v<E, float> ? 6e-8 : 1e-14, "sum of squares");
    record.add(out);
    cpu::sum_squares(context, dtype_of<E>(), count, true, x.data(), out.data());
    check_close(double(out[0]), 2 * double(expected), std::is_same_v<E, float> ? 2e-7 : 1e-14, "accumulated sum of squares");
  }
}

template <class E>
void test_clip_norm(const cpu::Context& context, Record& record) {
  const std::vector<E> x = random_values<E>(100003, -1, 1, 9);
  for (const double sum : {0.0, 4.0, 16.0, 400.0, double(NAN)}) {
    std::vector<E> gradients = x, squares = {E(sum)}, norm = {E(-1)};
    cpu::clip_norm(context, dtype_of<E>(), int64_t(x.size()), 4, squares.data(), gradients.data(), norm.data());
    if (sum != sum) {
      check(norm[0] != norm[0] && gradients[0] != gradients[0], "a norm that is not a number stays seen");
      continue;
    }
    check(norm[0] == E(std::sqrt(sum)), "norm");
    const E factor = std::min(E(4) / norm[0], E(1));
    for (size_t i = 0; i < x.size(); i++) check(gradients[i] == x[i] * factor, "clipped");
    record.add(gradients);
  }
}

template <class E>
void test_gather(const cpu::Context& context, Record& record) {
  struct Case {
    int64_t outer, axis, count, inner, strides[3];
  };
  // Rows of a table, a batch of them, one index per element, nothing, and one index for all.
  const std::vector<Case> cases = {{1, 28, 1120, 37, {0, 1, 0}},   {3, 5, 4, 6, {4, 1, 0}}, {3, 5, 4, 6, {24, 6, 1}},
                                   {2, 5, 0, 6, {0, 1, 0}},        {2, 5, 3, 4, {0, 0, 0}}, {2, 700, 900, 130, {0, 1, 0}},
                                   {1, 50, 900, 300, {0, 300, 1}}, {4, 9, 7, 1, {1, 4, 0}}};
  for (const Case& one : cases) {
    GatherDesc desc = {dtype_of<E>(), one.outer, one.axis, one.count, one.inner, {}};
    std::copy(one.strides, one.strides + 3, desc.index_strides);
    const Strided layout = strided({one.outer, one.count, one.inner}, {{one.strides[0], one.strides[1], one.strides[2]}});
    std::vector<int32_t> index(size_t(std::max<int64_t>(1, one.outer * one.count * one.inner)));
    for (size_t i = 0; i < index.size(); i++) index[i] = int32_t(philox(9, i).v[0] % uint32_t(one.axis));
    const std::vector<E> table = random_values<E>(one.outer * one.axis * one.inner, -50, 50, 10);
    std::vector<E> picked(size_t(layout.count()), E(-7)), expected = picked;
    const auto place = [&](int64_t i) {
      const int64_t o = i / (one.count * one.inner), entry = index[size_t(offset_of(layout, 0, i))];
      return size_t((o * one.axis + entry) * one.inner + i % one.inner);
    };
    for (int64_t i = 0; i < layout.count(); i++) expected[size_t(i)] = table[place(i)];
    cpu::gather(context, desc, table.data(), index.data(), picked.data());
    check(picked == expected, "gather");
    std::vector<E> sums = table, expected_sums = table;
    for (int64_t i = 0; i < layout.count(); i++) expected_sums[place(i)] += picked[size_t(i)];
    cpu::scatter_add(context, desc, picked.data(), index.data(), sums.data());
    check(sums == expected_sums, "scatter_add");
    record.add(picked);
    record.add(sums);
  }
}

void test_indices(const cpu::Context& context, Record&) {
  const GatherDesc desc = {DType::float32, 1, 28, 3, 2, {0, 1, 0}};
  const std::vector<float> table(56, 1);
  for (const int32_t wrong : {28, -1}) {
    const std::vector<int32_t> index = {0, 27, wrong};
    std::vector<float> out(6, -7), sums(56, -7);
    const std::string message = "index " + std::to_string(wrong) + " outside 0..27";
    check_throws([&] { cpu::gather(context, desc, table.data(), index.data(), out.data()); }, message, "gather");
    check_throws([&] { cpu::scatter_add(context, desc, table.data(), index.data(), sums.data()); }, message, "scatter_add");
    check(std::count(sums.begin(), sums.end(), -7.0f) == 56, "scatter_add writes nothing when an index is wrong");
  }
}

}  // namespace

int main() {
  for_each_context(test_reduce<float>);
  for_each_context(test_reduce<double>);
  for_each_context(test_reduce<int32_t>);
  for_each_context(test_reduce_edges);
  for_each_context(test_sum_squares<float>);
  for_each_context(test_sum_squares<double>);
  for_each_context(test_clip_norm<float>);
  for_each_context(test_clip_norm<double>);
  for_each_context(test_gather<float>);
  for_each_context(test_gather<double>);
  for_each_context(test_gather<int32_t>);
  for_each_context(test_indices);
}
