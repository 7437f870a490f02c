// The mathematics of cuDNN's recurrent stacks in double and with plain loops, written apart from the project's own backends.
// All state between forward and backward lies in the caller's reserve space.
#pragma once
#include "gpu_shim/rnn_types.h"

namespace deep_rnn::gpu_shim {

// Which pass the reserve space is waiting for, and what must not have changed in between.
struct ReserveHeader {
  uint64_t state, configuration, x, y, weights, hx, cx;
};
constexpr uint64_t kAfterForward = 0xF0F0F0F0F0F0F0F0u, kAfterData = 0xDADADADADADADADAu, kSpent = 0x5E5E5E5E5E5E5E5Eu;

// Everything one pass works on; pointers as cuDNN's functions take them.
struct RnnPass {
  cudnnRNNStruct rnn;
  cudnnRNNDataStruct x_shape, y_shape;
  Layout layout;
  const void *x = nullptr, *hx = nullptr, *cx = nullptr, *weights = nullptr;
  void *y = nullptr, *hy = nullptr, *cy = nullptr;
  const void *dy = nullptr, *dhy = nullptr, *dcy = nullptr;
  void *dx = nullptr, *dhx = nullptr, *dcx = nullptr, *dweights = nullptr;
  double* reserve = nullptr;  // [reserve_doubles()]
  double dropout = 0;
  uint64_t dropout_seed = 0;

  void forward() const;
  void backward_data() const;
  void backward_weights() const;
};

size_t reserve_doubles(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x);
// Rows of a data array, padding included.
size_t rows_of(const cudnnRNNDataStruct& data);
uint64_t checksum(const void* data, size_t bytes, uint64_t start = 0);
uint64_t configuration_of(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x, double dropout);

}  // namespace deep_rnn::gpu_shim
