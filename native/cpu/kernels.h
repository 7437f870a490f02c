// The table of inner loops that are compiled once per instruction set, and the choice among those tables.
//
// Everything in kernels_isa.cpp lives in a namespace named after the instruction set and instantiates nothing from std, because
// the linker may keep any copy of a shared inline function, also one that this machine cannot run.
#pragma once
#include <cstdint>
#include <vector>

#include "core/desc.h"
#include "cpu/cells/cell_table.h"
#include "cpu/gemm_table.h"

namespace deep_rnn::cpu {

// The maximum of a row and the sum of exp(x - maximum): log Σ exp(x) = maximum + log(sum).
struct LogSumExp {
  double maximum, sum;
};

// Arithmetic that never leaves the registers, for measuring what the processor can do.
struct PeakLoop {
  int64_t operations;  // of one round
  float (*run)(int64_t rounds, float start);
};

// Counters that random bits are made of at once.
constexpr int kPhiloxLanes = 64;

// Arrays of three are indexed by DType, arrays of two by float32 and float64. Counts and strides are in elements.
struct KernelSet {
  const char* name;

  // y[i] = op(x[i]); y may be x. Operations that do not exist for int32 do nothing there.
  void (*unary[3])(UnaryOp op, int64_t count, double scalar, const void* x, void* y);
  // out[i] = op(a[i * stride_a], b[i * stride_b]); out may be a or b where its stride is 1.
  void (*binary[3])(BinaryOp op, int64_t count, const void* a, int64_t stride_a, const void* b, int64_t stride_b, void* out);

  double (*sum[2])(int64_t count, const void* x, int64_t stride);
  // sums[i] += x[i * stride].
  void (*add_to_sums[2])(int64_t count, const void* x, int64_t stride, double* sums);
  double (*sum_squares[2])(int64_t count, const void* x);

  // One row each, columns >= 1.
  LogSumExp (*softmax_row[2])(int64_t columns, const void* x, void* y);
  void (*log_softmax_row[2])(int64_t columns, const void* x, void* y);
  void (*softmax_backward_row[2])(int64_t columns, const void* y, const void* dy, void* dx);
  void (*log_softmax_backward_row[2])(int64_t columns, const void* y, const void* dy, void* dx);

  // Elements begin..end of the arrays of Backend::optimizer_step.
  void (*optimizer_step[2])(const OptimizerDesc& desc, int64_t begin, int64_t end, const void* grads, void* params,
                            void* state1, void* state2, void* state3);

  // philox(seed, counter + lane, stream), whose word w goes to words[w][lane].
  void (*philox)(uint64_t seed, uint64_t counter, uint64_t stream, uint32_t (*words)[kPhiloxLanes]);

  GemmTable<float> gemm_float32;
  GemmTable<double> gemm_float64;
  GemmTable<bfloat16> gemm_bfloat16;
  VectorTable<float> vectors_float32;
  VectorTable<double> vectors_float64;
  CellTable<float> cells_float32;
  CellTable<double> cells_float64;
  CellTable<bfloat16> cells_bfloat16;
  PeakLoop peak_float32;
  PeakLoop peak_bfloat16;
};

// The tables that this machine can run, slowest first.
const std::vector<const KernelSet*>& available_kernels();

// The fastest of them, or the one that the environment variable DEEP_RNN_ISA names (generic, avx2, avx512, avx512bf16;
// neon on arm64); chosen once. Throws Error when that one does not exist or does not run here.
const KernelSet& kernels();

}  // namespace deep_rnn::cpu
