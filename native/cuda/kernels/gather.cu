#include "cuda/kernels/arithmetic.h"

namespace deep_rnn::cuda {

__device__ inline bool is_inside(int32_t entry, int64_t axis) { return entry >= 0 && entry < axis; }

// An element may be a pack: then `inner` counts packs.
template <class E>
__device__ void gather_elements(const GatherDesc& desc, int64_t inner, const int32_t* index, const E* src, E* dst,
                                const Fault& fault) {
  const int64_t count = desc.outer * desc.count * inner;
  const bool narrow = fits_narrow(count);
  for_elements(count, [&](int64_t element) {
    int64_t i, j;
    const int64_t o = divide(divide(element, inner, narrow, &i), desc.count, narrow, &j);
    const int32_t entry = index[o * desc.index_strides[0] + j * desc.index_strides[1] + i * desc.index_strides[2]];
    if (is_inside(entry, desc.axis)) {
      dst[element] = src[(o * desc.axis + entry) * inner + i];
    } else {
      report(fault, (o * desc.count + j) * desc.inner + i, entry);
      dst[element] = E{};
    }
  });
}

template <class E>
__device__ void gather(const GatherDesc& desc, const int32_t* index, const void* src, void* dst, const Fault& fault) {
  constexpr int lanes = 16 / sizeof(E);
  using P = Pack<E, lanes>;
  if (desc.index_strides[2] == 0 && desc.inner % lanes == 0 && is_aligned<16>(src) && is_aligned<16>(dst))
    return gather_elements(desc, desc.inner / lanes, index, static_cast<const P*>(src), static_cast<P*>(dst), fault);
  gather_elements(desc, desc.inner, index, static_cast<const E*>(src), static_cast<E*>(dst), fault);
}

template <class E>
__device__ void scatter_columns(const GatherDesc& desc, const int32_t* index, const void* src_data, void* dst_data,
                                const Fault& fault) {
  const E* src = static_cast<const E*>(src_data);
  E* dst = static_cast<E*>(dst_data);
  const int64_t count = desc.outer * desc.inner;
  const bool narrow = fits_narrow(count);
  for_elements(count, [&](int64_t element) {
    int64_t i;
    const int64_t o = divide(element, desc.inner, narrow, &i);
    for (int64_t j = 0; j < desc.count; j++) {
      const int32_t entry = index[o * desc.index_strides[0] + j * desc.index_strides[1] + i * desc.index_strides[2]];
      const int64_t from = (o * desc.count + j) * desc.inner + i;
      if (is_inside(entry, desc.axis)) {
        E& target = dst[(o * desc.axis + entry) * desc.inner + i];
        target = Arithmetic<E>::add(target, src[from]);
      } else {
        report(fault, from, entry);
      }
    }
  });
}

DEEP_RNN_DEFINE_BITS(gather, (GatherDesc desc, const int32_t* index, const void* src, void* dst, Fault fault),
                     (desc, index, src, dst, fault))
DEEP_RNN_DEFINE_NUMERIC(scatter_columns, (GatherDesc desc, const int32_t* index, const void* src, void* dst, Fault fault),
                        (desc, index, src, dst, fault))

}  // namespace deep_rnn::cuda
