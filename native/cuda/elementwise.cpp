#include <cstring>

#include "core/int32.h"
#include "cuda/dtypes.h"
#include "cuda/launch.h"
#include "cuda/primitives.h"

namespace deep_rnn::cuda {

namespace {

template <class Bits, class E>
Bits bits_of(E value) {
  static_assert(sizeof(Bits) == sizeof(E), "");
  Bits bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

}  // namespace

void fill(Gpu& gpu, DType dtype, int64_t count, double value, void* out) {
  if (count == 0) return;
  const Launch shape = gpu.over_elements(count);
  switch (dtype) {
    case DType::float64:
      DEEP_RNN_LAUNCH(gpu, shape, fill_bits64, count, bits_of<uint64_t>(value), out);
      break;
    case DType::float32:
      DEEP_RNN_LAUNCH(gpu, shape, fill_bits32, count, bits_of<uint32_t>(float(value)), out);
      break;
    default:
      DEEP_RNN_LAUNCH(gpu, shape, fill_bits32, count, bits_of<uint32_t>(to_int32(value)), out);
  }
}

void cast(Gpu& gpu, DType from, DType to, int64_t count, const void* x, void* y) {
  if (count == 0) return;
  if (from == to) return gpu.copy(y, x, size_t(count) * size_of(from));
  const Launch shape = gpu.over_elements(count);
  switch (from) {
    case DType::float32:
      if (to == DType::float64) {
        DEEP_RNN_LAUNCH(gpu, shape, cast_float32_float64, count, x, y);
      } else {
        DEEP_RNN_LAUNCH(gpu, shape, cast_float32_int32, count, x, y);
      }
      break;
    case DType::float64:
      if (to == DType::float32) {
        DEEP_RNN_LAUNCH(gpu, shape, cast_float64_float32, count, x, y);
      } else {
        DEEP_RNN_LAUNCH(gpu, shape, cast_float64_int32, count, x, y);
      }
      break;
    default:
      if (to == DType::float32) {
        DEEP_RNN_LAUNCH(gpu, shape, cast_int32_float32, count, x, y);
      } else {
        DEEP_RNN_LAUNCH(gpu, shape, cast_int32_float64, count, x, y);
      }
  }
}

void unary(Gpu& gpu, UnaryOp op, DType dtype, int64_t count, double scalar, const void* x, void* y) {
  if (dtype != DType::int32 || !takes_int32(op))
    expect_floating(name_of(op), dtype);
  else
    scalar = int32_scalar(op, scalar);
  if (count > 0) DEEP_RNN_LAUNCH_NUMERIC(gpu, gpu.over_elements(count), dtype, unary, int32_t(op), count, scalar, x, y);
}

void binary(Gpu& gpu, BinaryOp op, DType dtype, const Strided& layout, const void* a, const void* b, void* out) {
  if (dtype != DType::int32 || !takes_int32(op)) expect_floating(name_of(op), dtype);
  const Walk walk = walk_of(layout, 2);
  if (walk.count > 0) DEEP_RNN_LAUNCH_NUMERIC(gpu, gpu.over_elements(walk.count), dtype, binary, int32_t(op), walk, a, b, out);
}

void select(Gpu& gpu, DType dtype, const Strided& layout, const int32_t* condition, const void* a, const void* b, void* out) {
  const Walk walk = walk_of(layout, 3);
  if (walk.count > 0) DEEP_RNN_LAUNCH_BITS(gpu, gpu.over_elements(walk.count), dtype, select, walk, condition, a, b, out);
}

}  // namespace deep_rnn::cuda
