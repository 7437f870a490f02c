// The part of CUDA C++ that the kernels use, for a host compiler; included before a .cu file.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __launch_bounds__(...)

namespace deep_rnn::host_cuda {

struct Index {
  unsigned x, y, z;
};

enum class Meeting { barrier, warp, exchange_xor, exchange_up, ballot, incomplete };

// The calling thread waits until its block, or its warp, has come to the same place. Returns what the meeting gives it.
uint64_t meet(Meeting kind, unsigned lanes, uint64_t value, int operand, const char* place);

// A static array is shared by all threads because blocks run one after another; each block finds it filled with NaN.
struct SharedArray {
  void* data;
  size_t bytes;
  uint64_t block;
  void enter();
};

template <class E>
E exchange(Meeting kind, unsigned lanes, E value, int operand, const char* place) {
  static_assert(sizeof(E) == 4 || sizeof(E) == 8, "CUDA shuffles 4 or 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = meet(kind, lanes, bits, operand, place);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace deep_rnn::host_cuda

extern deep_rnn::host_cuda::Index threadIdx, blockIdx, blockDim, gridDim;

#define DEEP_RNN_TEXT_OF(x) #x
#define DEEP_RNN_TEXT(x) DEEP_RNN_TEXT_OF(x)
#define DEEP_RNN_PLACE __FILE__ ":" DEEP_RNN_TEXT(__LINE__)
#define DEEP_RNN_SHARED(E, name, count)                                          \
  alignas(16) static E name[count];                                              \
  static deep_rnn::host_cuda::SharedArray name##_of_block{name, sizeof name, 0}; \
  name##_of_block.enter()

#define __syncthreads() (void)deep_rnn::host_cuda::meet(deep_rnn::host_cuda::Meeting::barrier, ~0u, 0, 0, DEEP_RNN_PLACE)
#define __syncwarp() (void)deep_rnn::host_cuda::meet(deep_rnn::host_cuda::Meeting::warp, ~0u, 0, 0, DEEP_RNN_PLACE)
#define __shfl_xor_sync(lanes, value, distance) \
  deep_rnn::host_cuda::exchange(deep_rnn::host_cuda::Meeting::exchange_xor, lanes, value, distance, DEEP_RNN_PLACE)
#define __shfl_up_sync(lanes, value, distance) \
  deep_rnn::host_cuda::exchange(deep_rnn::host_cuda::Meeting::exchange_up, lanes, value, distance, DEEP_RNN_PLACE)
#define __ballot_sync(lanes, value) \
  unsigned(deep_rnn::host_cuda::meet(deep_rnn::host_cuda::Meeting::ballot, lanes, (value) ? 1 : 0, 0, DEEP_RNN_PLACE))

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(unsigned x) { return __builtin_ffs(int(x)); }

// Blocks never run at the same time.
inline unsigned long long atomicMin(unsigned long long* target, unsigned long long value) {
  const unsigned long long old = *target;
  if (value < old) *target = value;
  return old;
}
