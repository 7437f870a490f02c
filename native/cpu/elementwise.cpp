#include <type_traits>

#include "core/int32.h"
#include "core/strided.h"
#include "cpu/dispatch.h"
#include "cpu/primitives.h"

namespace deep_rnn::cpu {

namespace {

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_same_v<To, int32_t> && !std::is_same_v<From, int32_t>)
    return to_int32(double(x));
  else
    return To(x);
}

// Operations whose cost an element is tens of times that of an addition.
int64_t cost_of(UnaryOp op) {
  switch (op) {
    case UnaryOp::exp:
    case UnaryOp::log:
    case UnaryOp::sigmoid:
    case UnaryOp::tanh:
    case UnaryOp::power_scalar:
      return 8;
    default:
      return 1;
  }
}

}  // namespace

void fill(const Context& context, DType dtype, int64_t count, double value, void* out) {
  with_type(dtype, [&](auto zero) {
    using E = decltype(zero);
    E* y = static_cast<E*>(out);
    const E scalar = converted<E>(value);
    parallel_for(context.team, count, kGrain, [=](int64_t begin, int64_t end) { std::fill(y + begin, y + end, scalar); });
  });
}

void cast(const Context& context, DType from, DType to, int64_t count, const void* x_data, void* y_data) {
  with_type(from, [&](auto from_zero) {
    with_type(to, [&](auto to_zero) {
      using From = decltype(from_zero);
      using To = decltype(to_zero);
      const From* x = static_cast<const From*>(x_data);
      To* y = static_cast<To*>(y_data);
      parallel_for(context.team, count, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) y[i] = converted<To>(x[i]);
      });
    });
  });
}

void unary(const Context& context, UnaryOp op, DType dtype, int64_t count, double scalar, const void* x, void* y) {
  if (dtype != DType::int32 || !takes_int32(op))
    expect_floating(name_of(op), dtype);
  else
    scalar = int32_scalar(op, scalar);
  const auto kernel = context.kernels.unary[int(dtype)];
  const size_t size = size_of(dtype);
  parallel_for(context.team, count, grain_of(cost_of(op)), [=](int64_t begin, int64_t end) {
    kernel(op, end - begin, scalar, static_cast<const char*>(x) + begin * size, static_cast<char*>(y) + begin * size);
  });
}

void binary(const Context& context, BinaryOp op, DType dtype, const Strided& layout, const void* a, const void* b, void* out) {
  if (dtype != DType::int32 || !takes_int32(op)) expect_floating(name_of(op), dtype);
  const Strided simple = simplified(layout, 2);
  const auto kernel = context.kernels.binary[int(dtype)];
  const int64_t size = int64_t(size_of(dtype)), out_size = is_comparison(op) ? int64_t(sizeof(int32_t)) : size;
  const int64_t stride_a = simple.strides[0][simple.rank - 1], stride_b = simple.strides[1][simple.rank - 1];
  parallel_for(context.team, simple.count(), grain_of(op == BinaryOp::power ? 16 : 1), [&](int64_t begin, int64_t end) {
    for_each_row<2>(simple, begin, end, [&](int64_t position, const int64_t* offsets, int64_t count) {
      kernel(op, count, static_cast<const char*>(a) + offsets[0] * size, stride_a,
             static_cast<const char*>(b) + offsets[1] * size, stride_b, static_cast<char*>(out) + position * out_size);
    });
  });
}

void select(const Context& context, DType dtype, const Strided& layout, const int32_t* condition, const void* a_data,
            const void* b_data, void* out_data) {
  with_bits(dtype, [&](auto zero) {
    using E = decltype(zero);
    const E* a = static_cast<const E*>(a_data);
    const E* b = static_cast<const E*>(b_data);
    E* out = static_cast<E*>(out_data);
    const Strided simple = simplified(layout, 3);
    const int last = simple.rank - 1;
    const int64_t s0 = simple.strides[0][last], s1 = simple.strides[1][last], s2 = simple.strides[2][last];
    parallel_for(context.team, simple.count(), kGrain, [&](int64_t begin, int64_t end) {
      for_each_row<3>(simple, begin, end, [&](int64_t position, const int64_t* offsets, int64_t count) {
        for (int64_t i = 0; i < count; i++)
          out[position + i] = condition[offsets[0] + i * s0] ? a[offsets[1] + i * s1] : b[offsets[2] + i * s2];
      });
    });
  });
}

}  // namespace deep_rnn::cpu
