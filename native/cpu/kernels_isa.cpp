// Compiled once per instruction set, with DEEP_RNN_ISA as its name and the compiler flags that allow it.
#ifndef DEEP_RNN_ISA
#error "DEEP_RNN_ISA must name the instruction set"
#endif

#include "cpu/cells/cell_kernels.h"
#include "cpu/elementwise_kernels.h"
#include "cpu/gemm_kernels.h"
#include "cpu/kernels.h"
#include "cpu/optimizer_kernels.h"
#include "cpu/peak_kernels.h"
#include "cpu/random_kernels.h"
#include "cpu/reduce_kernels.h"
#include "cpu/softmax_kernels.h"

#define DEEP_RNN_TEXT_OF(name) #name
#define DEEP_RNN_TEXT(name) DEEP_RNN_TEXT_OF(name)

namespace deep_rnn::cpu::DEEP_RNN_ISA {

const KernelSet& kernel_set();

const KernelSet& kernel_set() {
  static constexpr KernelSet set = {
      DEEP_RNN_TEXT(DEEP_RNN_ISA),
      {unary<float>, unary<double>, unary<int32_t>},
      {binary<float>, binary<double>, binary<int32_t>},
      {sum_of<float>, sum_of<double>},
      {add_to_sums<float>, add_to_sums<double>},
      {sum_of_squares<float>, sum_of_squares<double>},
      {softmax_row<float>, softmax_row<double>},
      {log_softmax_row<float>, log_softmax_row<double>},
      {softmax_backward_row<float>, softmax_backward_row<double>},
      {log_softmax_backward_row<float>, log_softmax_backward_row<double>},
      {optimizer_step<float>, optimizer_step<double>},
      philox_lanes,
      simd::gemm_table<float>(),
      simd::gemm_table<double>(),
      simd::gemm_table<bfloat16>(),
      simd::vector_table<float>(),
      simd::vector_table<double>(),
      simd::cell_table<float>(),
      simd::cell_table<double>(),
      simd::cell_table<bfloat16>(),
      simd::peak_loop<float>(),
      simd::peak_loop<bfloat16>(),
  };
  return set;
}

}  // namespace deep_rnn::cpu::DEEP_RNN_ISA
