#include <type_traits>

#include "cuda/kernels/arithmetic.h"

namespace deep_rnn::cuda {

namespace {

// Sums run in double, of int32 in 64 bits; each is what the other type's field is for.
template <class E>
struct SumOf {
  __device__ static Partial start() { return {0, 0}; }
  __device__ static Partial of(E x, int64_t) { return std::is_integral_v<E> ? Partial{0, int64_t(x)} : Partial{double(x), 0}; }
  __device__ Partial operator()(const Partial& a, const Partial& b) const {
    return {a.value + b.value, a.position + b.position};
  }
  __device__ static void give(const Partial& sum, int64_t i, void* out) {
    static_cast<E*>(out)[i] = std::is_integral_v<E> ? E(uint32_t(uint64_t(sum.position))) : E(sum.value);
  }
};

// The largest and the first among equals, whatever the order of comparison. NaN outranks everything.
struct Best {
  __device__ static Partial start() { return {-INFINITY, INT64_MAX}; }
  __device__ Partial operator()(const Partial& a, const Partial& b) const {
    const bool a_is_nan = a.value != a.value, b_is_nan = b.value != b.value;
    const bool equal = a.value == b.value || (a_is_nan && b_is_nan);
    const bool takes_b = equal ? b.position < a.position : b_is_nan || (!a_is_nan && b.value > a.value);
    return takes_b ? b : a;
  }
};

template <class E>
struct MaximumOf : Best {
  __device__ static Partial of(E x, int64_t position) { return {double(x), position}; }
  __device__ static void give(const Partial& best, int64_t i, void* out) { static_cast<E*>(out)[i] = E(best.value); }
};

template <class E>
struct ArgmaxOf : MaximumOf<E> {
  __device__ static void give(const Partial& best, int64_t i, void* out) {
    static_cast<int32_t*>(out)[i] = int32_t(best.position);
  }
};

template <class E, class Body>
__device__ void with_reduction(int32_t op, const Body& body) {
  switch (ReduceOp(op)) {
    case ReduceOp::sum:
      return body(SumOf<E>());
    case ReduceOp::maximum:
      return body(MaximumOf<E>());
    default:
      return body(ArgmaxOf<E>());
  }
}

template <class E, class Reduction, class Group>
__device__ Partial reduce_stretch(const Reduction& reduction, const Group& group, const Walk& reduced, int64_t begin,
                                  int64_t end, const E* x) {
  Partial state = Reduction::start();
#pragma unroll 2  // more of them need more registers than two blocks to a multiprocessor leave
  for (int64_t position = begin + group.rank(); position < end; position += group.size())
    state = reduction(state, Reduction::of(x[offsets_of<1>(reduced, position).at[0]], position));
  return group.reduce(state, reduction);
}

// What a split of the reduced positions covers.
struct Split {
  int64_t number, begin, end;
  bool only;
};

__device__ Split this_split(int64_t chunk, int64_t count) {
  const int64_t number = blockIdx.y, begin = number * chunk;
  return {number, begin, begin + chunk < count ? begin + chunk : count, gridDim.y == 1};
}

}  // namespace

template <class E>
__device__ void reduce_rows(int32_t op, const Walk& kept, const Walk& reduced, int64_t chunk, const void* x_data, void* out,
                            Partial* partial) {
  const E* x = static_cast<const E*>(x_data);
  const Split split = this_split(chunk, reduced.count);
  with_reduction<E>(op, [&](auto reduction) {
    for_rows(kept.count, reduced.count, [&](int64_t output, auto group) {
      const Partial state =
          reduce_stretch(reduction, group, reduced, split.begin, split.end, x + offsets_of<1>(kept, output).at[0]);
      if (group.rank() != 0) return;
      if (split.only)
        reduction.give(state, output, out);
      else
        partial[split.number * kept.count + output] = state;
    });
  });
}

template <class E>
__device__ void reduce_columns(int32_t op, const Walk& kept, const Walk& reduced, int64_t chunk, const void* x_data, void* out,
                               Partial* partial) {
  constexpr int kLines = kThreads / kWarp;
  DEEP_RNN_SHARED(Partial, states, kLines * kWarp);
  const E* x = static_cast<const E*>(x_data);
  const Split split = this_split(chunk, reduced.count);
  const int column = int(threadIdx.x), line = int(threadIdx.y);
  with_reduction<E>(op, [&](auto reduction) {
    for (int64_t first = int64_t(blockIdx.x) * kWarp; first < kept.count; first += int64_t(gridDim.x) * kWarp) {
      const int64_t output = first + column;
      Partial state = reduction.start();
      if (output < kept.count) {
        const E* start = x + offsets_of<1>(kept, output).at[0];
        for (int64_t position = split.begin + line; position < split.end; position += kLines)
          state = reduction(state, reduction.of(start[offsets_of<1>(reduced, position).at[0]], position));
      }
      states[line * kWarp + column] = state;
      __syncthreads();
      if (line == 0 && output < kept.count) {
        for (int other = 1; other < kLines; other++) state = reduction(state, states[other * kWarp + column]);
        if (split.only)
          reduction.give(state, output, out);
        else
          partial[split.number * kept.count + output] = state;
      }
      __syncthreads();  // states is written again for the next outputs
    }
  });
}

template <class E>
__device__ void reduce_join(int32_t op, int64_t outputs, int64_t splits, const Partial* partial, void* out) {
  with_reduction<E>(op, [&](auto reduction) {
    for_elements(outputs, [&](int64_t output) {
      Partial state = partial[output];
      for (int64_t split = 1; split < splits; split++) state = reduction(state, partial[split * outputs + output]);
      reduction.give(state, output, out);
    });
  });
}

DEEP_RNN_DEFINE_NUMERIC(reduce_rows,
                        (int32_t op, Walk kept, Walk reduced, int64_t chunk, const void* x, void* out, Partial* partial),
                        (op, kept, reduced, chunk, x, out, partial))
DEEP_RNN_DEFINE_NUMERIC(reduce_columns,
                        (int32_t op, Walk kept, Walk reduced, int64_t chunk, const void* x, void* out, Partial* partial),
                        (op, kept, reduced, chunk, x, out, partial))
DEEP_RNN_DEFINE_NUMERIC(reduce_join, (int32_t op, int64_t outputs, int64_t splits, const Partial* partial, void* out),
                        (op, outputs, splits, partial, out))

}  // namespace deep_rnn::cuda
