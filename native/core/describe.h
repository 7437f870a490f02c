// Operations and their shapes in words, for the messages of failures.
#pragma once
#include <string>

#include "core/desc.h"

namespace deep_rnn {

const char* name_of(DType dtype);
const char* name_of(UnaryOp op);
const char* name_of(BinaryOp op);
const char* name_of(ReduceOp op);
const char* name_of(RandomKind kind);
const char* name_of(OptimizerKind kind);
const char* name_of(Cell cell);

// [2,3]
std::string shape_of(const Strided& layout);

// Such as "binary add float32 [35,32,256]".
std::string describe(const std::string& operation, DType dtype, const Strided& layout);
std::string describe(const std::string& operation, DType dtype, int64_t count);
std::string describe(const ReduceDesc& desc);
std::string describe(const MatmulDesc& desc);
std::string describe(const std::string& operation, const GatherDesc& desc);
std::string describe(const RandomDesc& desc);
std::string describe(const std::string& operation, const SoftmaxDesc& desc);
std::string describe(const std::string& operation, const CrossEntropyDesc& desc);
std::string describe(const OptimizerDesc& desc);
// Such as "rnnForward lstm float32 T=35 B=32 I=28 H=256 L=2 D=1".
std::string describe(const std::string& operation, const RnnDesc& desc, int64_t steps, int64_t batch);

}  // namespace deep_rnn
