// What all kernels share. Only what the host build of the tests can imitate is used: blocks of whole warps, __syncthreads,
// __syncwarp, shuffles and votes of full warps, integer atomics, static shared memory.
#pragma once
#include <math.h>

#include <algorithm>

#include "cuda/kernels/plan.h"

#if defined(__CUDACC__)
#define DEEP_RNN_SHARED(E, name, count) __shared__ E name[count]
#endif

// Defines the kernels that kernel_list.h declares for several types, each calling the template `name` with the same arguments.
#define DEEP_RNN_DEFINE_BITS(name, parameters, arguments)                                                          \
  extern "C" __global__ void __launch_bounds__(kThreads, 2) name##_bits32 parameters { name<uint32_t> arguments; } \
  extern "C" __global__ void __launch_bounds__(kThreads, 2) name##_bits64 parameters { name<uint64_t> arguments; }
#define DEEP_RNN_DEFINE_FLOATING(name, parameters, arguments)                                                    \
  extern "C" __global__ void __launch_bounds__(kThreads, 2) name##_float32 parameters { name<float> arguments; } \
  extern "C" __global__ void __launch_bounds__(kThreads, 2) name##_float64 parameters { name<double> arguments; }
#define DEEP_RNN_DEFINE_NUMERIC(name, parameters, arguments) \
  DEEP_RNN_DEFINE_FLOATING(name, parameters, arguments)      \
  extern "C" __global__ void __launch_bounds__(kThreads, 2) name##_int32 parameters { name<int32_t> arguments; }

namespace deep_rnn::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// Grid-stride loops over elements of a one-dimensional grid.
__device__ inline int64_t thread_number() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t thread_count() { return int64_t(gridDim.x) * blockDim.x; }

template <class Body>
__device__ void for_elements(int64_t count, const Body& body) {
  for (int64_t i = thread_number(); i < count; i += thread_count()) body(i);
}

// `lanes` neighbours, moved in one instruction.
template <class E, int lanes>
struct alignas(sizeof(E) * lanes) Pack {
  E values[lanes];
};

template <int bytes>
__device__ bool is_aligned(const void* data) {
  return reinterpret_cast<uintptr_t>(data) % bytes == 0;
}

template <class... E>
constexpr size_t kLargest = std::max({sizeof(E)...});

// y[i] = f(x[i]...) for arrays x, 16 bytes of the widest type at a time where all addresses allow it; y may be one of them.
template <class Y, class F, class... X>
__device__ void map(int64_t count, Y* y, const F& f, const X*... x) {
  constexpr int lanes = 16 / kLargest<float, Y, X...>;
  const bool packed = is_aligned<lanes * sizeof(Y)>(y) && (is_aligned<lanes * sizeof(X)>(x) && ...);
  int64_t done = 0;
  if (packed) {
    done = count / lanes * lanes;
    for_elements(count / lanes, [&](int64_t i) {
      const auto apply = [&](const auto&... packs) {
        Pack<Y, lanes> result;
        for (int lane = 0; lane < lanes; lane++) result.values[lane] = f(packs.values[lane]...);
        reinterpret_cast<Pack<Y, lanes>*>(y)[i] = result;
      };
      apply(Pack<X, lanes>(reinterpret_cast<const Pack<X, lanes>*>(x)[i])...);
    });
  }
  for_elements(count - done, [&](int64_t i) { y[done + i] = f(x[done + i]...); });
}

__device__ inline uint32_t high_product(uint32_t a, uint32_t b) { return uint32_t((uint64_t(a) * b) >> 32); }

// Quotient and remainder, with 32 bits where they are enough: 64-bit division takes about a hundred instructions.
__device__ inline int64_t divide(int64_t a, int64_t b, bool narrow, int64_t* rest) {
  if (narrow) {
    const uint32_t quotient = uint32_t(a) / uint32_t(b);
    *rest = uint32_t(a) - quotient * uint32_t(b);
    return quotient;
  }
  *rest = a % b;
  return a / b;
}

__device__ inline bool fits_narrow(int64_t count) { return count <= INT32_MAX; }

// Where the operands of a walk stand at a position.
template <int operands>
struct Offsets {
  int64_t at[operands];
};

template <int operands>
__device__ Offsets<operands> offsets_of(const Walk& walk, int64_t position) {
  Offsets<operands> offsets = {};
  if (walk.rank == 1) {
    for (int k = 0; k < operands; k++) offsets.at[k] = position * walk.strides[k][0];
    return offsets;
  }
  if (walk.narrow) {
    uint32_t rest = uint32_t(position);
    for (int axis = walk.rank - 1; axis >= 0; axis--) {
      const uint32_t quotient = (high_product(rest, walk.multipliers[axis]) + rest) >> walk.shifts[axis];
      const int64_t index = rest - quotient * uint32_t(walk.shape[axis]);
      for (int k = 0; k < operands; k++) offsets.at[k] += index * walk.strides[k][axis];
      rest = quotient;
    }
    return offsets;
  }
  for (int axis = walk.rank - 1; axis >= 0; axis--) {
    const int64_t quotient = position / walk.shape[axis], index = position - quotient * walk.shape[axis];
    for (int k = 0; k < operands; k++) offsets.at[k] += index * walk.strides[k][axis];
    position = quotient;
  }
  return offsets;
}

// Reductions over the threads that share a row give every one of them the result.
struct Sum {
  template <class E>
  __device__ E operator()(E a, E b) const {
    return a + b;
  }
};

struct Larger {
  template <class E>
  __device__ E operator()(E a, E b) const {
    return b > a ? b : a;
  }
};

// The value of the lane whose number differs by `distance` in one bit.
template <class E>
__device__ E exchanged(E value, int distance) {
  return __shfl_xor_sync(kAllLanes, value, distance);
}

__device__ inline Partial exchanged(const Partial& partial, int distance) {
  return {exchanged(partial.value, distance), exchanged(partial.position, distance)};
}

template <class E, class Combine>
__device__ E warp_reduce(E value, const Combine& combine) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) value = combine(value, exchanged(value, distance));
  return value;
}

// A row of a warp.
struct WarpGroup {
  __device__ int rank() const { return int(threadIdx.x) % kWarp; }
  __device__ int size() const { return kWarp; }
  template <class E, class Combine>
  __device__ E reduce(E value, const Combine& combine) const {
    return warp_reduce(value, combine);
  }
};

// A row of a block of one dimension.
struct BlockGroup {
  __device__ int rank() const { return int(threadIdx.x); }
  __device__ int size() const { return int(blockDim.x); }
  template <class E, class Combine>
  __device__ E reduce(E value, const Combine& combine) const {
    DEEP_RNN_SHARED(E, parts, kWarp);
    value = warp_reduce(value, combine);
    const int warps = int(blockDim.x) / kWarp;
    if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = value;
    __syncthreads();
    E total = parts[0];
    for (int warp = 1; warp < warps; warp++) total = combine(total, parts[warp]);
    __syncthreads();  // parts is written again by the next call
    return total;
  }
};

// Calls body(row, group) for every row: narrow rows get a warp, wide ones a block (plan.h's over_rows).
template <class Body>
__device__ void for_rows(int64_t rows, int64_t columns, const Body& body) {
  if (columns <= kWarpColumns) {
    const int64_t warps = thread_count() / kWarp;
    for (int64_t row = thread_number() / kWarp; row < rows; row += warps) body(row, WarpGroup());
  } else {
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) body(row, BlockGroup());
  }
}

__device__ inline void report(const Fault& fault, int64_t position, int32_t value) {
  const uint64_t place = position < int64_t(UINT32_MAX) ? uint64_t(position) : UINT32_MAX;
  atomicMin(fault.key, static_cast<unsigned long long>(place << 32 | uint32_t(value)));
  *fault.raised = 1;
}

}  // namespace deep_rnn::cuda
