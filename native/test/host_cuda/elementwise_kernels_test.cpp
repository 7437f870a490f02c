#include "host_cuda/kernels.h"

using namespace deep_rnn;
using namespace deep_rnn::test;

namespace {

cuda::Launch over(int64_t count) { return cuda::over_elements(count, kMultiprocessors); }

template <class E>
void test_unary() {
  for (int op = 0; op < int(UnaryOp::count); op++) {
    const UnaryOp code = UnaryOp(op);
    const bool integers = code != UnaryOp::exp && code != UnaryOp::log && code != UnaryOp::sqrt &&
                          code != UnaryOp::reciprocal && code != UnaryOp::sigmoid && code != UnaryOp::tanh &&
                          code != UnaryOp::power_scalar;
    if (std::is_integral_v<E> && !integers) continue;
    // Also one place behind an aligned address, and fewer elements than a pack.
    for (const int64_t offset : {0, 1}) {
      for (const int64_t count : {1, 3, 700}) {
        for (const double scalar : {2.0, -1.0, 0.5, 1.0, 3.0}) {
          if (std::is_integral_v<E> && scalar == 0.5) continue;
          const std::string what = "unary " + std::to_string(op) + suffix<E>();
          const std::vector<E> x = special_values<E>(offset + count, 1);
          std::vector<E> expected = x;
          oracle().unary(code, dtype_of<E>(), count, scalar, x.data() + offset, expected.data() + offset);
          const auto y = under_all_schedules(what, [&](const Launcher& launch) {
            std::vector<E> values = x;  // in place
            launch("unary" + suffix<E>(), over(count), int32_t(op), count, scalar,
                   static_cast<const void*>(values.data() + offset), static_cast<void*>(values.data() + offset));
            return values;
          });
          if (integers)
            expect_same(y, expected, what);
          else
            expect_close(y, expected, std::is_same_v<E, float> ? 1e-6 : 1e-14, what);
          if (code != UnaryOp::power_scalar && integers == (code < UnaryOp::add_scalar)) break;
        }
      }
    }
  }
}

template <class E>
void test_binary() {
  struct Shapes {
    Axes shape, a, b;
  };
  const Shapes cases[] = {
      {{700}, {1}, {1}}, {{701}, {1}, {0}}, {{3}, {0}, {1}}, {{25, 28}, {28, 1}, {0, 1}}, {{7, 5, 9}, {1, 7, 35}, {45, 9, 1}},
      {{1}, {1}, {1}},   {{0}, {1}, {1}}};
  for (int op = 0; op < int(BinaryOp::count); op++) {
    const BinaryOp code = BinaryOp(op);
    if (std::is_integral_v<E> && (code >= BinaryOp::sigmoid_grad || code == BinaryOp::power)) continue;
    for (const Shapes& shapes : cases) {
      const std::string what = "binary " + std::to_string(op) + suffix<E>();
      const Strided layout = strided(shapes.shape, {shapes.a, shapes.b});
      const std::vector<E> a = special_values<E>(720, 2), b = special_values<E>(719, 3);
      const int64_t count = layout.count();
      const auto run = [&](auto zero) {
        using Out = decltype(zero);
        std::vector<Out> expected = fresh<Out>(count);
        oracle().binary(code, dtype_of<E>(), layout, a.data(), b.data(), expected.data());
        const auto out = under_all_schedules(what, [&](const Launcher& launch) {
          std::vector<Out> values = fresh<Out>(count);
          launch("binary" + suffix<E>(), over(count), int32_t(op), cuda::walk_of(layout, 2), static_cast<const void*>(a.data()),
                 static_cast<const void*>(b.data()), static_cast<void*>(values.data()));
          return values;
        });
        if (code == BinaryOp::power)
          expect_close(out, expected, std::is_same_v<E, float> ? 1e-6 : 1e-14, what);
        else
          expect_same(out, expected, what);
      };
      if (is_comparison(code))
        run(int32_t());
      else
        run(E());
    }
  }
}

template <class E>
void test_moves() {
  const Strided layout = strided({4, 6, 5}, {{0, 1, 0}, {30, 5, 1}, {1, 20, 4}});
  std::vector<int32_t> condition = {0, 1, 2, 0, -1, 0};
  const std::vector<E> a = special_values<E>(120, 4), b = special_values<E>(120, 5);
  std::vector<E> expected = fresh<E>(120);
  oracle().select(dtype_of<E>(), layout, condition.data(), a.data(), b.data(), expected.data());
  const auto selected = under_all_schedules("select", [&](const Launcher& launch) {
    std::vector<E> out = fresh<E>(120);
    launch("select" + bits_suffix<E>(), over(120), cuda::walk_of(layout, 3), static_cast<const int32_t*>(condition.data()),
           static_cast<const void*>(a.data()), static_cast<const void*>(b.data()), static_cast<void*>(out.data()));
    return out;
  });
  expect_same(selected, expected, "select");

  struct Copy {
    Axes shape, src, dst;
  };
  const Copy copies[] = {{{120}, {1}, {1}},
                         {{8, 15}, {1, 8}, {15, 1}},
                         {{5, 4}, {0, 1}, {4, 1}},
                         {{6, 20}, {20, 1}, {0, 1}},
                         {{3, 4, 10}, {40, 10, 1}, {0, 1, 0}}};
  for (const Copy& copy : copies) {
    for (const bool accumulates : {false, true}) {
      const Strided moved = strided(copy.shape, {copy.src, copy.dst});
      std::vector<E> kept = b;
      oracle().copy(dtype_of<E>(), moved, accumulates, a.data(), kept.data());
      const cuda::SplitCopy split = cuda::split_destination(moved);
      const auto out = under_all_schedules("copy", [&](const Launcher& launch) {
        std::vector<E> values = b;
        if (accumulates)
          launch("accumulate" + suffix<E>(), over(split.kept.count), split.kept, split.repeated,
                 static_cast<const void*>(a.data()), static_cast<void*>(values.data()));
        else
          launch("copy" + bits_suffix<E>(), over(split.kept.count), split.kept,
                 static_cast<const void*>(a.data() + split.last_source), static_cast<void*>(values.data()));
        return values;
      });
      expect_same(out, kept, accumulates ? "accumulate" : "copy");
    }
  }

  const auto filled = under_all_schedules("fill", [&](const Launcher& launch) {
    std::vector<E> out = fresh<E>(701);
    const E value = a[3];
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    if constexpr (sizeof(E) == 8)
      launch("fill_bits64", over(700), int64_t(700), bits, static_cast<void*>(out.data()));
    else
      launch("fill_bits32", over(700), int64_t(700), uint32_t(bits), static_cast<void*>(out.data()));
    return out;
  });
  std::vector<E> constant(701, a[3]);
  constant[700] = fresh<E>(1)[0];
  expect_same(filled, constant, "fill");
}

template <class From, class To>
void test_cast() {
  const std::vector<From> x = special_values<From>(333, 6);
  std::vector<To> expected = fresh<To>(333);
  oracle().cast(dtype_of<From>(), dtype_of<To>(), 333, x.data(), expected.data());
  const std::string name = "cast" + suffix<From>() + suffix<To>();
  const auto y = under_all_schedules(name, [&](const Launcher& launch) {
    std::vector<To> values = fresh<To>(333);
    launch(name, over(333), int64_t(333), static_cast<const void*>(x.data()), static_cast<void*>(values.data()));
    return values;
  });
  expect_same(y, expected, name);
}

// Value of a small format by its definition.
double value_of(uint16_t bits, int fraction_bits, int bias) {
  const int exponent_bits = 15 - fraction_bits, exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return fraction ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

// Every number of the small format, the middles between neighbours (which go to the even one) and what lies just beside them.
void test_small_format(const std::string& name, int fraction_bits, int bias) {
  std::vector<float> x;
  std::vector<uint16_t> expected, all;
  const int infinity = ((1 << (15 - fraction_bits)) - 1) << fraction_bits;
  for (int bits = 0; bits < infinity; bits++) {
    const float here = float(value_of(uint16_t(bits), fraction_bits, bias));
    // One step beyond the largest number counts as infinity.
    const double next = bits + 1 < infinity ? value_of(uint16_t(bits + 1), fraction_bits, bias)
                                            : 2 * double(here) - value_of(uint16_t(bits - 1), fraction_bits, bias);
    const float middle = float((double(here) + next) / 2);
    const uint16_t even = uint16_t(bits % 2 == 0 ? bits : bits + 1);
    for (const float sign : {1.f, -1.f}) {
      const uint16_t sign_bit = sign < 0 ? 0x8000 : 0;
      const auto add = [&](float value, int result) {
        x.push_back(sign * value);
        expected.push_back(uint16_t(result) | sign_bit);
      };
      add(here, bits);
      all.push_back(uint16_t(bits) | sign_bit);
      if (middle == here || middle == float(next)) continue;
      add(middle, even);
      add(std::nextafter(middle, 0.f), bits);
      add(std::nextafter(middle, INFINITY), bits + 1);
    }
  }
  x.insert(x.end(), {INFINITY, -INFINITY});
  expected.insert(expected.end(), {uint16_t(infinity), uint16_t(infinity | 0x8000)});
  const int64_t count = int64_t(x.size());
  std::vector<uint16_t> y(x.size());
  const Launcher launch({});
  launch("cast_float32_" + name, over(count), count, static_cast<const void*>(x.data()), static_cast<void*>(y.data()));
  for (size_t i = 0; i < x.size(); i++)
    check(y[i] == expected[i], name + " of " + std::to_string(x[i]) + ": expected bits " + std::to_string(expected[i]) +
                                   " but received " + std::to_string(y[i]));
  const float not_a_number = NAN;
  launch("cast_float32_" + name, over(1), int64_t(1), static_cast<const void*>(&not_a_number), static_cast<void*>(y.data()));
  check(std::isnan(value_of(y[0], fraction_bits, bias)), name + " of NaN");
  std::vector<float> back(all.size());
  launch("cast_" + name + "_float32", over(int64_t(all.size())), int64_t(all.size()), static_cast<const void*>(all.data()),
         static_cast<void*>(back.data()));
  for (size_t i = 0; i < all.size(); i++) check(double(back[i]) == value_of(all[i], fraction_bits, bias), name + " to float32");
}

void test_segments() {
  const std::vector<float> src = random_values<float>(200, -1, 1, 7);
  const std::vector<cuda::Segment> table = {{0, 100, 64}, {64, 3, 7}, {100, 20, 50}, {0, 0, 0}};
  for (const int32_t accumulate : {0, 1}) {
    std::vector<float> expected = random_values<float>(200, -1, 1, 8);
    const std::vector<float> before = expected;
    for (const cuda::Segment& segment : table)
      for (int64_t i = 0; i < segment.count; i++) {
        float& target = expected[size_t(segment.dst + i)];
        target = src[size_t(segment.src + i)] + (accumulate ? target : 0);
      }
    const auto out = under_all_schedules("segments", [&](const Launcher& launch) {
      std::vector<float> values = before;
      launch("segments_float32_float32", cuda::over_segments(4, 64, kMultiprocessors), accumulate, table.data(),
             static_cast<const void*>(src.data()), static_cast<void*>(values.data()));
      return values;
    });
    expect_same(out, expected, "segments");
  }
  // Through float16 and back, with a place of its own on each side.
  std::vector<uint16_t> half(200);
  std::vector<float> back(200, 0.f);
  const Launcher launch({});
  const std::vector<cuda::Segment> there = {{0, 50, 100}}, home = {{50, 3, 100}};
  for (const std::string name : {"float16", "bfloat16"}) {
    launch("segments_float32_" + name, cuda::over_segments(1, 100, kMultiprocessors), int32_t(0), there.data(),
           static_cast<const void*>(src.data()), static_cast<void*>(half.data()));
    launch("segments_" + name + "_float32", cuda::over_segments(1, 100, kMultiprocessors), int32_t(0), home.data(),
           static_cast<const void*>(half.data()), static_cast<void*>(back.data()));
    for (size_t i = 0; i < 100; i++) check_close(back[3 + i], src[i], name == "float16" ? 0x1p-11 : 0x1p-8, name + " segments");
  }
}

template <class E>
void test_random() {
  const RandomDesc cases[] = {{RandomKind::uniform, dtype_of<E>(), 501, 11, 7, -1, 2},
                              {RandomKind::normal, dtype_of<E>(), 501, 12, 1ull << 40, 1, 3},
                              {RandomKind::bernoulli, dtype_of<E>(), 501, 13, 0, 0.3, 2}};
  for (const RandomDesc& desc : cases) {
    std::vector<E> expected = fresh<E>(desc.count);
    oracle().random(desc, expected.data());
    for (const bool live : {false, true}) {
      const auto out = under_all_schedules("random", [&](const Launcher& launch) {
        std::vector<E> values = fresh<E>(desc.count);
        launch("random" + suffix<E>(), over(desc.count), live ? RandomDesc{} : desc,
               static_cast<const RandomDesc*>(live ? &desc : nullptr), static_cast<void*>(values.data()));
        return values;
      });
      expect_same(out, expected, "random");
    }
  }
}

template <class E>
void test_steps() {
  const std::vector<int32_t> lengths = {3, 0, 2}, tokens = {1, -7, 3, 0, 99, 2, 4, 5, 6};
  const std::vector<E> x = random_values<E>(3 * 3 * 5, -1, 1, 10), states = random_values<E>(2 * 3 * 5, -1, 1, 11);
  const auto masked = under_all_schedules("mask_steps", [&](const Launcher& launch) {
    std::vector<E> y = fresh<E>(45);
    launch("mask_steps" + bits_suffix<E>(), over(45), int64_t(3), int64_t(3), int64_t(5), lengths.data(),
           static_cast<const void*>(x.data()), static_cast<void*>(y.data()));
    return y;
  });
  for (size_t i = 0; i < 45; i++) check(masked[i] == (int32_t(i / 15) < lengths[i / 5 % 3] ? x[i] : E(0)), "mask_steps");
  for (const bool zeros : {false, true}) {
    const auto replaced = under_all_schedules("replace_empty", [&](const Launcher& launch) {
      std::vector<E> y(30, E(7));
      launch("replace_empty" + bits_suffix<E>(), over(30), int64_t(2), int64_t(3), int64_t(5), lengths.data(),
             static_cast<const void*>(zeros ? nullptr : states.data()), static_cast<void*>(y.data()));
      return y;
    });
    for (size_t i = 0; i < 30; i++)
      check(replaced[i] == (lengths[i / 5 % 3] > 0 ? E(7) : zeros ? E(0) : states[i]), "replace_empty");
  }
  for (const bool whole : {false, true}) {
    Reports reports;
    const auto rows = under_all_schedules("one_hot", [&](const Launcher& launch) {
      std::vector<E> out = fresh<E>(9 * 4);
      reports = {};
      launch("one_hot" + suffix<E>(), over(36), int64_t(9), int64_t(3), int64_t(4), tokens.data(),
             static_cast<const int32_t*>(whole ? nullptr : lengths.data()), static_cast<void*>(out.data()), reports.fault());
      return out;
    });
    for (int64_t row = 0; row < 9; row++)
      for (int64_t column = 0; column < 4; column++) {
        const bool counts = whole || row / 3 < lengths[size_t(row % 3)];
        check(rows[size_t(row * 4 + column)] == E(counts && tokens[size_t(row)] == column), "one_hot");
      }
    // Without lengths the first wrong token stands at 1; with them only 4 at row 6 counts.
    check(reports.position() == (whole ? 1 : 6) && reports.value() == (whole ? -7 : 4),
          "one_hot reports the first wrong token");
  }
}

}  // namespace

int main() {
  // First, because the CPU backend makes its threads treat denormal numbers as zero.
  test_small_format("float16", 10, 15), test_small_format("bfloat16", 7, 127);
  test_unary<float>(), test_unary<double>(), test_unary<int32_t>();
  test_binary<float>(), test_binary<double>(), test_binary<int32_t>();
  test_moves<float>(), test_moves<double>(), test_moves<int32_t>();
  test_cast<float, double>(), test_cast<float, int32_t>(), test_cast<double, float>();
  test_cast<double, int32_t>(), test_cast<int32_t, float>(), test_cast<int32_t, double>();
  test_segments();
  test_random<float>(), test_random<double>();
  test_steps<float>(), test_steps<double>();
}
