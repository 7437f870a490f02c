// What stands behind cuDNN's opaque descriptors here.
#pragma once
#include <cudnn.h>

#include <vector>

#include "gpu_shim/device.h"

struct cudnnContext {
  CUstream stream = nullptr;
};

struct cudnnDropoutStruct {
  bool is_set = false;
  float probability = 0;
  void* states = nullptr;
  size_t bytes = 0;
};

struct cudnnRNNStruct {
  bool is_set = false;
  cudnnRNNAlgo_t algo;
  cudnnRNNMode_t cell;
  cudnnRNNBiasMode_t bias;
  int directions;
  bool skip;
  int input, hidden, projection, layers;
  cudnnDataType_t type;
  bool padded_io;
  int built_for = 0;  // sequences, by cudnnBuildRNNDynamic
  cudnnDropoutDescriptor_t dropout;
  bool clips = false;
  double clip_low = 0, clip_high = 0;

  int gates() const { return cell == CUDNN_LSTM ? 4 : cell == CUDNN_GRU ? 3 : 1; }
  int input_of(int layer) const { return layer == 0 ? input : directions * projection; }
};

struct cudnnRNNDataStruct {
  bool is_set = false;
  cudnnDataType_t type;
  cudnnRNNDataLayout_t layout;
  int steps, batch, width;
  std::vector<int> lengths;
  bool fills;
  double fill;
};

struct cudnnTensorStruct {
  bool is_set = false;
  cudnnDataType_t type;
  std::vector<int> shape, strides;
};

namespace deep_rnn::gpu_shim {

// Remembers the reason for cudnnGetLastErrorString.
cudnnStatus_t refused(cudnnStatus_t status, const std::string& reason);

inline size_t size_of(cudnnDataType_t type) { return type == CUDNN_DATA_DOUBLE ? 8 : type == CUDNN_DATA_FLOAT ? 4 : 2; }

// One matrix or bias in the weight space, in elements; rows 0: absent.
struct Place {
  size_t offset = 0;
  int rows = 0, columns = 0;
};

// Weights lie in an order that the setting DEEP_RNN_SHIM_LAYOUT shuffles, with gaps.
struct Layout {
  std::vector<Place> matrices, biases;  // [pseudo_layer * linear_layers + linear_layer]
  size_t count = 0;                     // elements
  int linear_layers = 0;
  const Place& matrix(int pseudo_layer, int linear_layer) const {
    return matrices[size_t(pseudo_layer * linear_layers + linear_layer)];
  }
  const Place& bias(int pseudo_layer, int linear_layer) const {
    return biases[size_t(pseudo_layer * linear_layers + linear_layer)];
  }
};

Layout layout_of(const cudnnRNNStruct& rnn);

}  // namespace deep_rnn::gpu_shim
