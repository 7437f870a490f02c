// The numbers that cuDNN computes a stack with: those of its dtype, or 16-bit ones, which are cast from and to its float32.
#pragma once
#include "core/desc.h"
#include "cuda/gpu.h"

namespace deep_rnn::cuda {

struct RnnNumbers {
  explicit RnnNumbers(const RnnDesc& desc)
      : type(desc.dtype == DType::float64            ? CUDNN_DATA_DOUBLE
             : desc.precision == Precision::float16  ? CUDNN_DATA_HALF
             : desc.precision == Precision::bfloat16 ? CUDNN_DATA_BFLOAT16
                                                     : CUDNN_DATA_FLOAT) {}

  bool casts() const { return type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16; }
  size_t bytes() const { return type == CUDNN_DATA_DOUBLE ? 8 : casts() ? 2 : 4; }

  // float32 x [count] -> y [count] of this type, to nearest even, and back; only where casts(). A null x is passed over.
  void narrow(Gpu& gpu, int64_t count, const void* x, void* y) const;
  void widen(Gpu& gpu, int64_t count, const void* x, void* y) const;
  // tokens [T,B] -> out [T,B,columns] of this type; lengths [B] on the device, or null. `first` is the number of the first step
  // to whom a wrong token is reported.
  void one_hot(Gpu& gpu, const char* operation, int64_t first, int64_t steps, int64_t batch, int64_t columns,
               const int32_t* tokens, const int32_t* lengths, void* out) const;
  // The pieces of a stack's parameters between its dtype and this type: into the weight space, or added back.
  void pack(Gpu& gpu, const Launch& shape, const Segment* pieces, const void* params, void* weights) const;
  void add_back(Gpu& gpu, const Launch& shape, const Segment* pieces, const void* gradients, void* dparams) const;

  const cudnnDataType_t type;
};

}  // namespace deep_rnn::cuda
