#include <algorithm>
#include <limits>

#include "core/describe.h"
#include "primitives.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

double reference(UnaryOp op, double x, double scalar) {
  switch (op) {
    case UnaryOp::negative:
      return -x;
    case UnaryOp::absolute:
      return std::fabs(x);
    case UnaryOp::exp:
      return std::exp(x);
    case UnaryOp::log:
      return std::log(x);
    case UnaryOp::sqrt:
      return std::sqrt(x);
    case UnaryOp::reciprocal:
      return 1 / x;
    case UnaryOp::square:
      return x * x;
    case UnaryOp::sign:
      return sign(x);
    case UnaryOp::sigmoid:
      return 1 / (1 + std::exp(-x));
    case UnaryOp::tanh:
      return std::tanh(x);
    case UnaryOp::relu:
      return x > 0 || std::isnan(x) ? x : 0;
    case UnaryOp::add_scalar:
      return x + scalar;
    case UnaryOp::multiply_scalar:
      return x * scalar;
    case UnaryOp::power_scalar:
      return std::pow(x, scalar);
    case UnaryOp::minimum_scalar:
      return std::isnan(x) ? x : std::isnan(scalar) ? scalar : std::min(x, scalar);
    case UnaryOp::maximum_scalar:
      return std::isnan(x) ? x : std::isnan(scalar) ? scalar : std::max(x, scalar);
    default:
      return kNan;
  }
}

double reference(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add:
      return a + b;
    case BinaryOp::subtract:
      return a - b;
    case BinaryOp::multiply:
      return a * b;
    case BinaryOp::divide:
      return a / b;
    case BinaryOp::power:
      return std::pow(a, b);
    case BinaryOp::minimum:
      return std::isnan(a) || std::isnan(b) ? kNan : std::min(a, b);
    case BinaryOp::maximum:
      return std::isnan(a) || std::isnan(b) ? kNan : std::max(a, b);
    case BinaryOp::equal:
      return a == b;
    case BinaryOp::not_equal:
      return a != b;
    case BinaryOp::less:
      return a < b;
    case BinaryOp::less_equal:
      return a <= b;
    case BinaryOp::greater:
      return a > b;
    case BinaryOp::greater_equal:
      return a >= b;
    case BinaryOp::sigmoid_grad:
      return a * b * (1 - b);
    case BinaryOp::tanh_grad:
      return a * (1 - b * b);
    case BinaryOp::relu_grad:
      return b <= 0 ? 0 : a;
    case BinaryOp::absolute_grad:
      return a * sign(b);
    default:
      return kNan;
  }
}

// Units in the last place of E between y and the exact value, where that is a normal number.
template <class E>
double ulps(E y, double exact) {
  const E nearest = E(exact);
  if (y == nearest || (std::isnan(y) && std::isnan(nearest))) return 0;
  if (std::fabs(exact) < double(std::numeric_limits<E>::min()))
    return std::fabs(double(y)) <= std::numeric_limits<E>::min() ? 0 : 1e9;
  if (!std::isfinite(nearest) || !std::isfinite(y)) return 1e9;
  const double ulp =
      double(std::nextafter(std::fabs(nearest), std::numeric_limits<E>::infinity())) - std::fabs(double(nearest));
  return std::fabs(double(y) - exact) / ulp;
}

template <class E>
void test_unary(const cpu::Context& context, Record& record) {
  const std::vector<double> specials = {0.0,        -0.0, 1,    -1,  0.5, 2,    kNan,  kInfinity,
                                        -kInfinity, 88.7, 88.8, -87, -88, -100, 1e-30, 1e30};
  for (int op = 0; op < int(UnaryOp::count); op++)
    for (const double scalar : {2.0, 0.5, -1.0, 1.0, 0.0, 3.0, -2.5, kNan}) {
      const bool takes_scalar = UnaryOp(op) >= UnaryOp::add_scalar;
      if (!takes_scalar && scalar != 2.0) continue;
      for (const int64_t count : {int64_t(0), int64_t(1), int64_t(37), int64_t(70001)}) {
        if (count > 37 && takes_scalar && scalar != 2.0) continue;
        std::vector<E> x = random_values<E>(count, -20, 20, uint64_t(op));
        for (size_t i = 0; i < specials.size() && i < x.size(); i++) x[i] = E(specials[i]);
        std::vector<E> y(x.size());
        cpu::unary(context, UnaryOp(op), dtype_of<E>(), count, scalar, x.data(), y.data());
        double worst = 0;
        for (size_t i = 0; i < x.size(); i++)
          worst = std::max(worst, ulps(y[i], reference(UnaryOp(op), double(x[i]), double(E(scalar)))));
        check(worst <= 4, std::string(context.kernels.name) + " " + name_of(UnaryOp(op)) + " " + name_of(dtype_of<E>()) +
                              " scalar " + std::to_string(scalar) + ": " + std::to_string(worst) + " ulp");
        record.add(y);
        std::vector<E> in_place = x;
        cpu::unary(context, UnaryOp(op), dtype_of<E>(), count, scalar, in_place.data(), in_place.data());
        check(same_bits(in_place, y), std::string("in place ") + name_of(UnaryOp(op)));
      }
    }
}

// The functions of the cells, closely, over all magnitudes.
void test_accuracy(const cpu::Context& context, Record&) {
  std::vector<float> x;
  for (float magnitude = 1e-6f; magnitude < 110; magnitude *= 1.0007f) {
    x.push_back(magnitude);
    x.push_back(-magnitude);
  }
  std::vector<float> y(x.size());
  for (const UnaryOp op : {UnaryOp::exp, UnaryOp::sigmoid, UnaryOp::tanh}) {
    cpu::unary(context, op, DType::float32, int64_t(x.size()), 0, x.data(), y.data());
    double worst = 0;
    for (size_t i = 0; i < x.size(); i++) worst = std::max(worst, ulps(y[i], reference(op, double(x[i]), 0)));
    check(worst <= 4, std::string(context.kernels.name) + " " + name_of(op) + ": " + std::to_string(worst) + " ulp");
  }
}

struct BinaryCase {
  Axes shape;
  Axes strides_a, strides_b;
};

// Odd sizes, broadcasts of either side, a transposed and a reversed operand, scalars, nothing at all, and one large enough to
// be shared out.
const std::vector<BinaryCase> kBinaryCases = {
    {{}, {}, {}},
    {{0}, {1}, {1}},
    {{3, 0, 2}, {0, 2, 1}, {0, 2, 1}},
    {{33}, {1}, {1}},
    {{33}, {1}, {0}},
    {{33}, {0}, {1}},
    {{5, 7}, {7, 1}, {0, 1}},
    {{5, 7}, {1, 0}, {1, 5}},
    {{4, 3, 5}, {15, 5, 1}, {0, 1, 0}},
    {{2, 3, 5, 1, 3}, {45, 15, 3, 3, 1}, {3, 0, 6, 0, 1}},
    {{301, 307}, {307, 1}, {0, 1}},
    {{301, 307}, {1, 301}, {307, 1}},
};

int64_t extent(const Strided& layout, int k) {
  int64_t last = 0;
  for (int axis = 0; axis < layout.rank; axis++) last += std::max<int64_t>(0, layout.shape[axis] - 1) * layout.strides[k][axis];
  return last + 1;
}

template <class E>
void test_binary(const cpu::Context& context, Record& record) {
  for (int op = 0; op < int(BinaryOp::count); op++)
    for (const BinaryCase& one : kBinaryCases) {
      const Strided layout = strided(one.shape, {one.strides_a, one.strides_b});
      const int64_t count = layout.count();
      std::vector<E> a = random_values<E>(extent(layout, 0), -3, 3, 1), b = random_values<E>(extent(layout, 1), -3, 3, 2);
      if (b.size() > 4) {
        b[1] = E(kNan);
        b[2] = 0;
        b[3] = a[3 % a.size()];
      }
      if (a.size() > 5) a[4] = E(kNan);
      const std::string what = std::string(name_of(BinaryOp(op))) + " " + name_of(dtype_of<E>());
      const auto expected = [&](int64_t i) {
        return reference(BinaryOp(op), double(a[size_t(offset_of(layout, 0, i))]), double(b[size_t(offset_of(layout, 1, i))]));
      };
      if (is_comparison(BinaryOp(op))) {
        std::vector<int32_t> out(size_t(count), -7);
        cpu::binary(context, BinaryOp(op), dtype_of<E>(), layout, a.data(), b.data(), out.data());
        for (int64_t i = 0; i < count; i++) check(double(out[size_t(i)]) == expected(i), what);
        record.add(out);
      } else {
        std::vector<E> out(size_t(count), E(-7));
        cpu::binary(context, BinaryOp(op), dtype_of<E>(), layout, a.data(), b.data(), out.data());
        for (int64_t i = 0; i < count; i++) check_close(double(out[size_t(i)]), expected(i), tolerance<E>(), what);
        record.add(out);
        if (one.strides_a == contiguous(one.shape)) {
          cpu::binary(context, BinaryOp(op), dtype_of<E>(), layout, a.data(), b.data(), a.data());
          a.resize(out.size());
          check(same_bits(a, out), "in place " + what);
        }
      }
    }
}

void test_int32(const cpu::Context& context, Record& record) {
  constexpr int32_t kLowest = std::numeric_limits<int32_t>::min(), kHighest = std::numeric_limits<int32_t>::max();
  const std::vector<int32_t> a = {kHighest, kLowest, 7, -7, kLowest, 5, 65536, 3}, b = {1, -1, 0, 2, 1, -1, 65536, 3};
  const Strided layout = strided({8}, {{1}, {1}});
  const auto binary = [&](BinaryOp op) {
    std::vector<int32_t> out(8);
    cpu::binary(context, op, DType::int32, layout, a.data(), b.data(), out.data());
    record.add(out);
    return out;
  };
  using Ints = std::vector<int32_t>;
  check(binary(BinaryOp::add) == Ints{kLowest, kHighest, 7, -5, kLowest + 1, 4, 131072, 6}, "int32 add");
  check(binary(BinaryOp::subtract) == Ints{kHighest - 1, kLowest + 1, 7, -9, kHighest, 6, 0, 0}, "int32 subtract");
  check(binary(BinaryOp::multiply) == Ints{kHighest, kLowest, 0, -14, kLowest, -5, 0, 9}, "int32 multiply");
  check(binary(BinaryOp::divide) == Ints{kHighest, kLowest, 0, -3, kLowest, -5, 1, 1}, "int32 divide");
  check(binary(BinaryOp::minimum) == Ints{1, kLowest, 0, -7, kLowest, -1, 65536, 3}, "int32 minimum");
  check(binary(BinaryOp::greater_equal) == Ints{1, 0, 1, 0, 0, 1, 1, 1}, "int32 greater_equal");
  const auto unary = [&](UnaryOp op, double scalar) {
    std::vector<int32_t> out(8);
    cpu::unary(context, op, DType::int32, 8, scalar, a.data(), out.data());
    record.add(out);
    return out;
  };
  check(unary(UnaryOp::negative, 0) == Ints{-kHighest, kLowest, -7, 7, kLowest, -5, -65536, -3}, "int32 negative");
  check(unary(UnaryOp::absolute, 0) == Ints{kHighest, kLowest, 7, 7, kLowest, 5, 65536, 3}, "int32 absolute");
  check(unary(UnaryOp::square, 0) == Ints{1, 0, 49, 49, 0, 25, 0, 9}, "int32 square");
  check(unary(UnaryOp::sign, 0) == Ints{1, -1, 1, -1, -1, 1, 1, 1}, "int32 sign");
  check(unary(UnaryOp::relu, 0) == Ints{kHighest, 0, 7, 0, 0, 5, 65536, 3}, "int32 relu");
  check(unary(UnaryOp::add_scalar, 1) == Ints{kLowest, kLowest + 1, 8, -6, kLowest + 1, 6, 65537, 4}, "int32 add_scalar");
  check(unary(UnaryOp::minimum_scalar, 4.5) == Ints{4, kLowest, 4, -7, kLowest, 4, 4, 3}, "int32 minimum_scalar");
  check(unary(UnaryOp::maximum_scalar, -kInfinity) == a, "int32 maximum_scalar");
  check_throws([&] { unary(UnaryOp::exp, 0); }, "exp is not defined for int32", "int32 exp");
  check_throws([&] { unary(UnaryOp::multiply_scalar, 0.5); }, "Expected an int32", "int32 times a half");
  check_throws([&] { binary(BinaryOp::power); }, "power is not defined for int32", "int32 power");
}

void test_cast_and_fill(const cpu::Context& context, Record& record) {
  const std::vector<double> x = {1.9, -1.9, kNan, kInfinity, -kInfinity, 3e9, -3e9, 0.1};
  std::vector<int32_t> ints(8);
  cpu::cast(context, DType::float64, DType::int32, 8, x.data(), ints.data());
  const int32_t lowest = std::numeric_limits<int32_t>::min(), highest = std::numeric_limits<int32_t>::max();
  check(ints == std::vector<int32_t>{1, -1, 0, highest, lowest, highest, lowest, 0}, "cast to int32");
  std::vector<float> floats(8);
  cpu::cast(context, DType::float64, DType::float32, 8, x.data(), floats.data());
  check(floats[7] == 0.1f && floats[5] == 3e9f && std::isnan(floats[2]), "cast to float32");
  std::vector<double> doubles(8);
  cpu::cast(context, DType::int32, DType::float64, 8, ints.data(), doubles.data());
  check(doubles[3] == 2147483647.0, "cast to float64");
  std::vector<float> filled(100003, 1);
  cpu::fill(context, DType::float32, 100002, -2.5, filled.data());
  check(std::count(filled.begin(), filled.end(), -2.5f) == 100002 && filled.back() == 1, "fill");
  cpu::fill(context, DType::int32, 8, 7.9, ints.data());
  check(std::count(ints.begin(), ints.end(), 7) == 8, "fill int32");
  record.add(filled);
}

void test_select(const cpu::Context& context, Record& record) {
  const Strided layout = strided({211, 5, 97}, {{97, 0, 1}, {485, 97, 1}, {0, 1, 0}});
  std::vector<int32_t> condition(211 * 97);
  for (size_t i = 0; i < condition.size(); i++) condition[i] = i % 3 == 0 ? int32_t(i) : 0;
  const std::vector<double> a = random_values<double>(layout.count(), 0, 1, 3), b = random_values<double>(5, 2, 3, 4);
  std::vector<double> out(a.size());
  cpu::select(context, DType::float64, layout, condition.data(), a.data(), b.data(), out.data());
  for (int64_t i = 0; i < layout.count(); i++) {
    const bool first = condition[size_t(offset_of(layout, 0, i))] != 0;
    check(out[size_t(i)] == (first ? a[size_t(offset_of(layout, 1, i))] : b[size_t(offset_of(layout, 2, i))]), "select");
  }
  record.add(out);
}

template <class E>
void test_copy(const cpu::Context& context, Record& record) {
  // A slice, a transposition both ways, a broadcast source, and a broadcast destination, which sums when accumulating.
  const std::vector<BinaryCase> cases = {{{}, {}, {}},
                                         {{0, 4}, {4, 1}, {4, 1}},
                                         {{7, 5}, {11, 1}, {5, 1}},
                                         {{7, 5}, {5, 1}, {1, 7}},
                                         {{300, 301}, {1, 300}, {301, 1}},
                                         {{3, 4, 5}, {0, 5, 1}, {20, 5, 1}},
                                         {{3, 4, 5}, {20, 5, 1}, {0, 5, 1}},
                                         {{90000}, {1}, {0}}};
  for (const BinaryCase& one : cases)
    for (const bool accumulate : {false, true}) {
      const Strided layout = strided(one.shape, {one.strides_a, one.strides_b});
      const std::vector<E> src = random_values<E>(extent(layout, 0), -99, 99, 5);
      std::vector<E> dst = random_values<E>(extent(layout, 1) + 3, -99, 99, 6), expected = dst;
      for (int64_t i = 0; i < layout.count(); i++) {
        E& target = expected[size_t(offset_of(layout, 1, i))];
        target = src[size_t(offset_of(layout, 0, i))] + (accumulate ? target : E(0));
      }
      cpu::copy(context, dtype_of<E>(), layout, accumulate, src.data(), dst.data());
      check(dst == expected, std::string("copy ") + name_of(dtype_of<E>()) + " " + shape_of(layout));
      record.add(dst);
    }
}

}  // namespace

int main() {
  for_each_context(test_unary<float>);
  for_each_context(test_unary<double>);
  for_each_context(test_accuracy);
  for_each_context(test_binary<float>);
  for_each_context(test_binary<double>);
  for_each_context(test_int32);
  for_each_context(test_cast_and_fill);
  for_each_context(test_select);
  for_each_context(test_copy<float>);
  for_each_context(test_copy<double>);
  for_each_context(test_copy<int32_t>);
}
