// Prototypes of all kernels. Included by the .cu files, which nvcc compiles for the device and the tests for the host, and by
// plain C++ for typed launches, where only the types of the functions are used and nothing is linked.
#pragma once
#include <cstdint>

#include "core/desc.h"

namespace deep_rnn::cuda {

// A Strided, simplified and with what replaces the divisions on the way from a position to offsets; walk_of() in plan.h.
struct Walk {
  int32_t rank;    // at least 1
  int32_t narrow;  // 1 when all positions fit 31 bits, so that multipliers may be used
  int64_t count;
  int64_t shape[kMaxRank];
  int64_t strides[3][kMaxRank];
  uint32_t multipliers[kMaxRank];
  int32_t shifts[kMaxRank];
};

// Where kernels say that an index or target was wrong, because nothing may be thrown there. An operation that may fail gets a
// key of its own, ~0 before; the first wrong position wins: key = position << 32 | value, the position cut at 32 bits. `raised`
// becomes 1, so that a host that finds 0 need not look at any key.
struct Fault {
  unsigned long long* key;
  int32_t* raised;
};

// In elements.
struct Segment {
  int64_t src, dst, count;
};

// The state of one output of a reduction: the sum in double, or the best value and where it stands.
struct Partial {
  double value;
  int64_t position;
};

// What the update rules read of an OptimizerDesc, worked out by optimizer_scalars() in plan.h.
struct OptimizerScalars {
  double rate;          // sgd, rmsprop: learning rate; adam: over 1 - beta1^step; adagrad: decayed
  double decay;         // weight decay added to the gradient; 0: none
  double shrink;        // adam: parameters are multiplied by this first
  double momentum;      // sgd, rmsprop
  double beta1, take1;  // moving averages: old share, new share
  double beta2, take2;
  double correction;  // adam: √(1 - beta2^step)
  double epsilon;
  int32_t first;  // sgd: the first step
  int32_t flag;   // sgd: nesterov; rmsprop: centered
};

struct SampleDesc {
  int64_t vocabulary;
  double temperature;     // 0: greedy
  int64_t top_k;          // 0: all
  double top_p;           // 1: all
  uint64_t seed, offset;  // draw n uses counter offset + n
  int64_t number;         // n
};

}  // namespace deep_rnn::cuda

// nvcc parses "__global__" only in .cu files; elsewhere the prototypes are ordinary functions that nobody defines.
#if defined(__CUDACC__)
#define DEEP_RNN_GLOBAL extern "C" __global__ void
#else
#define DEEP_RNN_GLOBAL extern "C" void
#endif

namespace deep_rnn::cuda {

#define DEEP_RNN_KERNEL(name, parameters) DEEP_RNN_GLOBAL name parameters;
#define DEEP_RNN_BITS(name, parameters)      \
  DEEP_RNN_KERNEL(name##_bits32, parameters) \
  DEEP_RNN_KERNEL(name##_bits64, parameters)
#define DEEP_RNN_FLOATING(name, parameters)   \
  DEEP_RNN_KERNEL(name##_float32, parameters) \
  DEEP_RNN_KERNEL(name##_float64, parameters)
#define DEEP_RNN_NUMERIC(name, parameters) \
  DEEP_RNN_FLOATING(name, parameters)      \
  DEEP_RNN_KERNEL(name##_int32, parameters)
#include "cuda/kernels/kernel_list.h"
#undef DEEP_RNN_KERNEL

}  // namespace deep_rnn::cuda
