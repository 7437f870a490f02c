#include <cstring>

#include "core/strided.h"
#include "cpu/dispatch.h"
#include "cpu/primitives.h"

namespace deep_rnn::cpu {

namespace {

// Broadcast destinations collect several sums in one place, which only one thread may do.
bool repeats_destination(const Strided& layout) {
  for (int axis = 0; axis < layout.rank; axis++)
    if (layout.strides[1][axis] == 0 && layout.shape[axis] > 1) return true;
  return false;
}

template <class E>
void move_row(int64_t count, const E* src, int64_t src_stride, E* dst, int64_t dst_stride) {
  if (src_stride == 1 && dst_stride == 1) {
    std::memcpy(dst, src, size_t(count) * sizeof(E));
  } else {
    for (int64_t i = 0; i < count; i++) dst[i * dst_stride] = src[i * src_stride];
  }
}

template <class E>
void add_row(const KernelSet& kernels, DType dtype, int64_t count, const E* src, int64_t src_stride, E* dst,
             int64_t dst_stride) {
  const auto add = kernels.binary[int(dtype)];
  if (dst_stride == 1) return add(BinaryOp::add, count, dst, 1, src, src_stride, dst);
  for (int64_t i = 0; i < count; i++) add_to(dst[i * dst_stride], src[i * src_stride]);
}

}  // namespace

void copy(const Context& context, DType dtype, const Strided& layout, bool accumulate, const void* src, void* dst) {
  const Strided simple = simplified(layout, 2);
  const int64_t src_stride = simple.strides[0][simple.rank - 1], dst_stride = simple.strides[1][simple.rank - 1];
  const int64_t count = simple.count();
  const int64_t grain = repeats_destination(simple) ? std::max<int64_t>(1, count) : kGrain;
  const auto walk = [&](auto row) {
    parallel_for(context.team, count, grain, [&](int64_t begin, int64_t end) { for_each_row<2>(simple, begin, end, row); });
  };
  if (accumulate) {
    with_type(dtype, [&](auto zero) {
      using E = decltype(zero);
      walk([&](int64_t, const int64_t* offsets, int64_t length) {
        add_row(context.kernels, dtype, length, static_cast<const E*>(src) + offsets[0], src_stride,
                static_cast<E*>(dst) + offsets[1], dst_stride);
      });
    });
  } else {
    with_bits(dtype, [&](auto zero) {
      using E = decltype(zero);
      walk([&](int64_t, const int64_t* offsets, int64_t length) {
        move_row(length, static_cast<const E*>(src) + offsets[0], src_stride, static_cast<E*>(dst) + offsets[1], dst_stride);
      });
    });
  }
}

}  // namespace deep_rnn::cpu
