#include <algorithm>
#include <cstring>

#include "cpu/dispatch.h"
#include "cpu/primitives.h"

namespace deep_rnn::cpu {

namespace {

bool is_empty(const GatherDesc& desc) { return desc.outer <= 0 || desc.count <= 0 || desc.inner <= 0; }

// Looks at each stored index once, before anything is written.
void check_indices(const GatherDesc& desc, const int32_t* index) {
  const int64_t sizes[3] = {desc.outer, desc.count, desc.inner};
  int64_t extents[3];
  for (int k = 0; k < 3; k++) extents[k] = desc.index_strides[k] == 0 ? 1 : sizes[k];
  for (int64_t o = 0; o < extents[0]; o++)
    for (int64_t j = 0; j < extents[1]; j++) {
      const int32_t* row = index + o * desc.index_strides[0] + j * desc.index_strides[1];
      for (int64_t i = 0; i < extents[2]; i++) {
        const int64_t entry = row[i * desc.index_strides[2]];
        if (entry < 0 || entry >= desc.axis)
          throw Error("index " + std::to_string(entry) + " outside 0.." + std::to_string(desc.axis - 1) + " at position [" +
                      std::to_string(o) + "," + std::to_string(j) + "," + std::to_string(i) + "]");
      }
    }
}

// Columns of the inner axis that one thread of scatter_add owns at the least: a cache line.
constexpr int64_t kInnerBlock = 16;

}  // namespace

void gather(const Context& context, const GatherDesc& desc, const void* src_data, const int32_t* index, void* dst_data) {
  if (is_empty(desc)) return;
  check_indices(desc, index);
  with_bits(desc.dtype, [&](auto zero) {
    using E = decltype(zero);
    const E* src = static_cast<const E*>(src_data);
    E* dst = static_cast<E*>(dst_data);
    const int64_t inner = desc.inner, stride = desc.index_strides[2];
    parallel_for(context.team, desc.outer * desc.count, grain_of(inner), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        const int64_t o = row / desc.count, j = row % desc.count;
        const int32_t* entries = index + o * desc.index_strides[0] + j * desc.index_strides[1];
        const E* table = src + o * desc.axis * inner;
        E* out = dst + row * inner;
        if (stride == 0) {
          std::memcpy(out, table + entries[0] * inner, size_t(inner) * sizeof(E));
        } else {
          for (int64_t i = 0; i < inner; i++) out[i] = table[entries[i * stride] * inner + i];
        }
      }
    });
  });
}

void scatter_add(const Context& context, const GatherDesc& desc, const void* src_data, const int32_t* index, void* dst_data) {
  if (is_empty(desc)) return;
  check_indices(desc, index);
  const auto add = context.kernels.binary[int(desc.dtype)];
  const int64_t inner = desc.inner, stride = desc.index_strides[2];
  const int64_t blocks = (inner + kInnerBlock - 1) / kInnerBlock;
  // Threads share out destinations, never the count, so that repeated indices add up in one order.
  with_type(desc.dtype, [&](auto zero) {
    using E = decltype(zero);
    parallel_for(context.team, desc.outer * blocks, grain_of(desc.count * kInnerBlock), [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end;) {
        const int64_t o = item / blocks, first_block = item % blocks;
        const int64_t block_count = std::min(blocks - first_block, end - item);
        const int64_t first = first_block * kInnerBlock, last = std::min(inner, first + block_count * kInnerBlock);
        const E* src = static_cast<const E*>(src_data) + o * desc.count * inner;
        E* dst = static_cast<E*>(dst_data) + o * desc.axis * inner;
        for (int64_t j = 0; j < desc.count; j++) {
          const int32_t* entries = index + o * desc.index_strides[0] + j * desc.index_strides[1];
          if (stride == 0) {
            E* target = dst + entries[0] * inner + first;
            add(BinaryOp::add, last - first, target, 1, src + j * inner + first, 1, target);
          } else {
            for (int64_t i = first; i < last; i++) add_to(dst[entries[i * stride] * inner + i], src[j * inner + i]);
          }
        }
        item += block_count;
      }
    });
  });
}

}  // namespace deep_rnn::cpu
