// cuDNN's calls for one recurrent stack and nothing around them: what probes ask about and benches compare with.
#pragma once
#include <vector>

#include "core/desc.h"
#include "cuda/gpu.h"
#include "cuda/rnn_descriptors.h"

namespace deep_rnn::cuda {

// In cuDNN's own terms, so that anything can be asked for.
struct BareConfig {
  cudnnRNNAlgo_t algorithm = CUDNN_RNN_ALGO_STANDARD;
  cudnnRNNMode_t cell = CUDNN_LSTM;
  cudnnRNNBiasMode_t bias = CUDNN_RNN_DOUBLE_BIAS;
  cudnnDirectionMode_t direction = CUDNN_UNIDIRECTIONAL;
  cudnnRNNInputMode_t input_mode = CUDNN_LINEAR_INPUT;
  cudnnDataType_t type = CUDNN_DATA_FLOAT, sums = CUDNN_DATA_FLOAT;
  cudnnMathType_t math = CUDNN_FMA_MATH;
  int input = 8, hidden = 8, layers = 1, steps = 4, batch = 2;
  int projection = 0;            // 0: none
  double clip = 0;               // 0: none
  std::vector<int32_t> lengths;  // [batch]; empty: all of them `steps`
  double fill = 0;               // of y past a length; float and double
  float dropout = 0;
  bool dropout_states = true;
  uint64_t seed = 1;  // of dropout, and of all numbers
  bool lean = false;  // nothing is filled but the weight space, with zeros, and there is no memory for a backward pass

  int directions() const { return direction == CUDNN_BIDIRECTIONAL ? 2 : 1; }
  int output() const { return projection > 0 ? projection : hidden; }
};
BareConfig bare_config(const RnnDesc& desc, int64_t steps, int64_t batch);

// An array on the device in the stack's type.
struct BareArray {
  explicit BareArray(Gpu& gpu) : memory(gpu) {}
  DeviceMemory memory;
  size_t count = 0;
  void* data() const { return memory.data(); }
};

// One stack with memory for one pass: weights within ±1/√hidden, inputs, initial states and gradients of outputs within ±1.
class BareStack {
 public:
  // Throws Error in cuDNN's words where it refuses. `handle` null: the GPU's.
  BareStack(Gpu& gpu, const BareConfig& config, cudnnHandle_t handle = nullptr);

  const BareConfig config;

  // `states` false: hx, cx, dhy and dcy are null.
  cudnnStatus_t forward(bool states = true, bool training = true);
  cudnnStatus_t backward_data(bool states = true);
  // Adds to `dweights`, or sets it.
  cudnnStatus_t backward_weights(bool states = true, cudnnWgradMode_t mode = CUDNN_WGRAD_MODE_ADD);
  // All three after one another, with `dweights` zero before the last. Throws Error.
  void step(bool states = true);

  // Waits. Only for float and double.
  std::vector<double> read(const BareArray& array);
  void write(BareArray& array, const std::vector<double>& values);
  void fill_random(BareArray& array, double scale);
  void zero(BareArray& array);

  // Where cuDNN keeps a matrix or a bias in the weight space; null without a shape: there is none.
  struct Place {
    char* address = nullptr;
    std::vector<int> shape;
  };
  Place place(int pseudo_layer, int linear_layer, bool bias);

  size_t element() const;
  size_t weight_bytes() const { return weight_bytes_; }
  size_t workspace_bytes() const { return workspace_bytes_; }
  size_t reserve_bytes() const { return reserve_bytes_; }
  void* reserve() const { return reserve_.data(); }
  cudnnDropoutDescriptor_t dropout() const { return dropout_; }
  void* dropout_states() const { return dropout_states_.data(); }

 private:
  Gpu& gpu_;
  const Api& api_;
  const cudnnHandle_t handle_;
  Owned<cudnnDropoutDescriptor_t> dropout_ DEEP_RNN_OWNED(api_, DropoutDescriptor);
  Owned<cudnnRNNDescriptor_t> rnn_ DEEP_RNN_OWNED(api_, RNNDescriptor);
  Owned<cudnnRNNDataDescriptor_t> x_shape_ DEEP_RNN_OWNED(api_, RNNDataDescriptor), y_shape_
      DEEP_RNN_OWNED(api_, RNNDataDescriptor);
  Owned<cudnnTensorDescriptor_t> h_shape_ DEEP_RNN_OWNED(api_, TensorDescriptor), c_shape_
      DEEP_RNN_OWNED(api_, TensorDescriptor);
  size_t weight_bytes_ = 0, workspace_bytes_ = 0, reserve_bytes_ = 0;
  DeviceMemory workspace_, reserve_, dropout_states_;

 public:
  BareArray x, hx, cx, weights, y, hy, cy;
  BareArray dy, dhy, dcy, dx, dhx, dcx, dweights;

 private:
  void set_descriptors();
  void take(BareArray& array, size_t count);
};

}  // namespace deep_rnn::cuda
