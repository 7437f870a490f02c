// The generic and fused operations on the GPU; the functions of Backend of the same names, see core/backend.h.
#pragma once
#include "core/backend.h"
#include "cuda/gpu.h"

namespace deep_rnn::cuda {

void fill(Gpu& gpu, DType dtype, int64_t count, double value, void* out);
void cast(Gpu& gpu, DType from, DType to, int64_t count, const void* x, void* y);
void unary(Gpu& gpu, UnaryOp op, DType dtype, int64_t count, double scalar, const void* x, void* y);
void binary(Gpu& gpu, BinaryOp op, DType dtype, const Strided& layout, const void* a, const void* b, void* out);
void select(Gpu& gpu, DType dtype, const Strided& layout, const int32_t* condition, const void* a, const void* b, void* out);
void copy(Gpu& gpu, DType dtype, const Strided& layout, bool accumulate, const void* src, void* dst);
void reduce(Gpu& gpu, const ReduceDesc& desc, const void* x, void* out);
void sum_squares(Gpu& gpu, DType dtype, int64_t count, bool accumulate, const void* x, void* out);
void clip_norm(Gpu& gpu, DType dtype, int64_t count, double max_norm, const void* sum_squares, void* gradients, void* norm);
void matmul(Gpu& gpu, const MatmulDesc& desc, const void* a, const void* b, void* c);
void gather(Gpu& gpu, const GatherDesc& desc, const void* src, const int32_t* index, void* dst);
void scatter_add(Gpu& gpu, const GatherDesc& desc, const void* src, const int32_t* index, void* dst);
void random(Gpu& gpu, const RandomDesc& desc, void* out);

void softmax(Gpu& gpu, const SoftmaxDesc& desc, const void* x, void* y);
void softmax_backward(Gpu& gpu, const SoftmaxDesc& desc, const void* y, const void* dy, void* dx);
void cross_entropy(Gpu& gpu, const CrossEntropyDesc& desc, const void* logits, const int32_t* targets,
                   const void* class_weights, void* losses, void* weights, void* probabilities);
void cross_entropy_backward(Gpu& gpu, const CrossEntropyDesc& desc, const void* probabilities, const int32_t* targets,
                            const void* class_weights, const void* dlosses, void* dlogits);
void optimizer_step(Gpu& gpu, const OptimizerDesc& desc, const void* grads, void* params, void* state1, void* state2,
                    void* state3);
Peak measure_peak(Gpu& gpu);

}  // namespace deep_rnn::cuda
