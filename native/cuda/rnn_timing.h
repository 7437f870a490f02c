// Times one pass of a stack by an algorithm, in memory of its own.
#pragma once
#include "cuda/rnn_calls.h"
#include "cuda/rnn_tuner.h"

namespace deep_rnn::cuda {

// Milliseconds of a pass: forward, with kind.keeps both parts of backward too. plan: of kind.desc and the algorithm; params:
// the stack's; x is drawn. Waits for the stream, after which the memory is given back. Throws CudnnError where cuDNN refuses or
// wants more than `most_reserve` bytes, std::bad_alloc where there is no memory.
double time_pass(Gpu& gpu, RnnPlan& plan, const RnnPassKind& kind, const void* params, size_t most_reserve);

}  // namespace deep_rnn::cuda
