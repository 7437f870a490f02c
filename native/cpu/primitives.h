// The generic and the fused primitives on the CPU; arguments as in core/backend.h. Results do not depend on the number of
// threads, and nothing here allocates memory.
#pragma once
#include <cstdint>

#include "core/desc.h"
#include "cpu/parallel.h"

namespace deep_rnn::cpu {

// elementwise.cpp
void fill(const Context& context, DType dtype, int64_t count, double value, void* out);
void cast(const Context& context, DType from, DType to, int64_t count, const void* x, void* y);
void unary(const Context& context, UnaryOp op, DType dtype, int64_t count, double scalar, const void* x, void* y);
void binary(const Context& context, BinaryOp op, DType dtype, const Strided& layout, const void* a, const void* b, void* out);
void select(const Context& context, DType dtype, const Strided& layout, const int32_t* condition, const void* a, const void* b,
            void* out);

// copy.cpp
void copy(const Context& context, DType dtype, const Strided& layout, bool accumulate, const void* src, void* dst);

// gather.cpp
void gather(const Context& context, const GatherDesc& desc, const void* src, const int32_t* index, void* dst);
void scatter_add(const Context& context, const GatherDesc& desc, const void* src, const int32_t* index, void* dst);

// reduce.cpp
void reduce(const Context& context, const ReduceDesc& desc, const void* x, void* out);
void sum_squares(const Context& context, DType dtype, int64_t count, bool accumulate, const void* x, void* out);
void clip_norm(const Context& context, DType dtype, int64_t count, double max_norm, const void* sum_squares, void* gradients,
               void* norm);

// random.cpp
void random(const Context& context, const RandomDesc& desc, void* out);

// softmax.cpp
void softmax(const Context& context, const SoftmaxDesc& desc, const void* x, void* y);
void softmax_backward(const Context& context, const SoftmaxDesc& desc, const void* y, const void* dy, void* dx);

// cross_entropy.cpp
void cross_entropy(const Context& context, const CrossEntropyDesc& desc, const void* logits, const int32_t* targets,
                   const void* class_weights, void* losses, void* weights, void* probabilities);
void cross_entropy_backward(const Context& context, const CrossEntropyDesc& desc, const void* probabilities,
                            const int32_t* targets, const void* class_weights, const void* dlosses, void* dlogits);

// optimizer.cpp
void optimizer_step(const Context& context, const OptimizerDesc& desc, const void* grads, void* params, void* state1,
                    void* state2, void* state3);

}  // namespace deep_rnn::cpu
