#include "cuda/bare_stack.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "core/error.h"
#include "cuda/launch.h"

namespace deep_rnn::cuda {

namespace {

size_t size_of(cudnnDataType_t type) { return type == CUDNN_DATA_DOUBLE ? 8 : type == CUDNN_DATA_FLOAT ? 4 : 2; }

}  // namespace

BareConfig bare_config(const RnnDesc& desc, int64_t steps, int64_t batch) {
  constexpr cudnnRNNMode_t kCells[] = {CUDNN_RNN_TANH, CUDNN_RNN_RELU, CUDNN_LSTM, CUDNN_GRU};
  constexpr cudnnRNNBiasMode_t kBiases[] = {CUDNN_RNN_NO_BIAS, CUDNN_RNN_SINGLE_INP_BIAS, CUDNN_RNN_DOUBLE_BIAS};
  BareConfig config;
  config.cell = kCells[int(desc.cell)];
  config.bias = kBiases[int(desc.bias)];
  config.direction = desc.bidirectional ? CUDNN_BIDIRECTIONAL : CUDNN_UNIDIRECTIONAL;
  config.input_mode = desc.input_mode == InputMode::skip ? CUDNN_SKIP_INPUT : CUDNN_LINEAR_INPUT;
  if (desc.dtype == DType::float64) config.type = config.sums = CUDNN_DATA_DOUBLE;
  if (desc.precision == Precision::float16) config.type = CUDNN_DATA_HALF;
  if (desc.precision == Precision::bfloat16) config.type = CUDNN_DATA_BFLOAT16;
  const bool half = config.type == CUDNN_DATA_HALF || config.type == CUDNN_DATA_BFLOAT16;
  if (half) config.math = CUDNN_TENSOR_OP_MATH;
  if (desc.precision == Precision::tf32 || desc.dtype == DType::float64) config.math = CUDNN_DEFAULT_MATH;
  config.input = int(desc.input_size);
  config.hidden = int(desc.hidden_size);
  config.projection = int(desc.proj_size);
  config.layers = int(desc.layers);
  config.steps = int(steps);
  config.batch = int(batch);
  config.clip = desc.clip;
  config.dropout = float(desc.dropout);
  return config;
}

BareStack::BareStack(Gpu& gpu, const BareConfig& config, cudnnHandle_t handle)
    : config(config),
      gpu_(gpu),
      api_(gpu.api()),
      handle_(handle ? handle : gpu.cudnn()),
      workspace_(gpu),
      reserve_(gpu),
      dropout_states_(gpu),
      x(gpu),
      hx(gpu),
      cx(gpu),
      weights(gpu),
      y(gpu),
      hy(gpu),
      cy(gpu),
      dy(gpu),
      dhy(gpu),
      dcy(gpu),
      dx(gpu),
      dhx(gpu),
      dcx(gpu),
      dweights(gpu) {
  set_descriptors();
  const size_t rows = size_t(config.steps) * size_t(config.batch);
  const size_t states = size_t(config.layers * config.directions()) * size_t(config.batch);
  const size_t h = states * size_t(config.output()), c = states * size_t(config.hidden);
  take(x, rows * size_t(config.input));
  take(y, rows * size_t(config.directions() * config.output()));
  for (BareArray* array : {&hx, &hy}) take(*array, h);
  for (BareArray* array : {&cx, &cy}) take(*array, c);
  take(weights, (weight_bytes_ + element() - 1) / element());
  zero(weights);
  if (!config.lean) {
    take(dx, x.count);
    take(dy, y.count);
    for (BareArray* array : {&dhx, &dhy}) take(*array, h);
    for (BareArray* array : {&dcx, &dcy}) take(*array, c);
    take(dweights, weights.count);
    zero(dweights);
  }
  workspace_.take(std::max<size_t>(workspace_bytes_, 16));
  reserve_.take(std::max<size_t>(reserve_bytes_, 16));
  if (config.lean) return;
  for (BareArray* array : {&x, &hx, &cx, &dy, &dhy, &dcy}) fill_random(*array, 1);
  fill_random(weights, 1 / std::sqrt(double(config.hidden)));
}

void BareStack::set_descriptors() {
  if (config.dropout_states && config.dropout > 0) {
    size_t bytes = 0;
    DEEP_RNN_CALL(api_, cudnnDropoutGetStatesSize, handle_, &bytes);
    DEEP_RNN_CALL(api_, cudnnSetDropoutDescriptor, dropout_, handle_, config.dropout, dropout_states_.take(bytes), bytes,
                  config.seed);
  } else {
    DEEP_RNN_CALL(api_, cudnnSetDropoutDescriptor, dropout_, handle_, config.dropout, nullptr, 0, 0);
  }
  DEEP_RNN_CALL(api_, cudnnSetRNNDescriptor_v8, rnn_, config.algorithm, config.cell, config.bias, config.direction,
                config.input_mode, config.type, config.sums, config.math, config.input, config.hidden, config.output(),
                config.layers, dropout_, CUDNN_RNN_PADDED_IO_ENABLED);
  if (config.clip > 0) DEEP_RNN_CALL(api_, cudnnRNNSetClip_v9, rnn_, CUDNN_RNN_CLIP_MINMAX, -config.clip, config.clip);
  if (config.algorithm == CUDNN_RNN_ALGO_PERSIST_DYNAMIC)
    DEEP_RNN_CALL(api_, cudnnBuildRNNDynamic, handle_, rnn_, config.batch);

  const std::vector<int32_t> lengths =
      config.lengths.empty() ? std::vector<int32_t>(size_t(config.batch), config.steps) : config.lengths;
  float narrow_fill = float(config.fill);
  double fill = config.fill;
  const bool narrow = config.type == CUDNN_DATA_FLOAT;
  const auto set_data = [&](cudnnRNNDataDescriptor_t data, int width) {
    DEEP_RNN_CALL(api_, cudnnSetRNNDataDescriptor, data, config.type, CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED, config.steps,
                  config.batch, width, lengths.data(), narrow ? static_cast<void*>(&narrow_fill) : &fill);
  };
  set_data(x_shape_, config.input);
  set_data(y_shape_, config.directions() * config.output());
  const auto set_state = [&](cudnnTensorDescriptor_t state, int width) {
    const int shape[] = {config.layers * config.directions(), config.batch, width};
    const int strides[] = {config.batch * width, width, 1};
    DEEP_RNN_CALL(api_, cudnnSetTensorNdDescriptor, state, config.type, 3, shape, strides);
  };
  set_state(h_shape_, config.output());
  set_state(c_shape_, config.hidden);
  DEEP_RNN_CALL(api_, cudnnGetRNNWeightSpaceSize, handle_, rnn_, &weight_bytes_);
  DEEP_RNN_CALL(api_, cudnnGetRNNTempSpaceSizes, handle_, rnn_, CUDNN_FWD_MODE_TRAINING, x_shape_, &workspace_bytes_,
                &reserve_bytes_);
}

size_t BareStack::element() const { return size_of(config.type); }

void BareStack::take(BareArray& array, size_t count) {
  array.count = count;
  // Whole words, which can be set to zero.
  array.memory.take((count * element() + 7) / 8 * 8);
}

void BareStack::zero(BareArray& array) { gpu_.zero(array.data(), (array.count * element() + 7) / 8 * 8); }

void BareStack::fill_random(BareArray& array, double scale) {
  std::mt19937_64 random(config.seed + array.count);
  std::vector<float> values(array.count);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (float& value : values) value = uniform(random) * float(scale);
  if (config.type == CUDNN_DATA_FLOAT) {
    gpu_.upload(array.data(), values.data(), values.size() * sizeof(float));
    return;
  }
  void* wide = gpu_.scratch(values.size() * sizeof(float));
  gpu_.upload(wide, values.data(), values.size() * sizeof(float));
  const int64_t count = int64_t(array.count);
  const Launch shape = gpu_.over_elements(count);
  if (config.type == CUDNN_DATA_DOUBLE) DEEP_RNN_LAUNCH(gpu_, shape, cast_float32_float64, count, wide, array.data());
  if (config.type == CUDNN_DATA_HALF) DEEP_RNN_LAUNCH(gpu_, shape, cast_float32_float16, count, wide, array.data());
  if (config.type == CUDNN_DATA_BFLOAT16) DEEP_RNN_LAUNCH(gpu_, shape, cast_float32_bfloat16, count, wide, array.data());
}

std::vector<double> BareStack::read(const BareArray& array) {
  if (config.type == CUDNN_DATA_DOUBLE) {
    std::vector<double> values(array.count);
    gpu_.download(values.data(), array.data(), values.size() * sizeof(double));
    return values;
  }
  if (config.type != CUDNN_DATA_FLOAT) throw Error("Expected float or double for the array to be read");
  std::vector<float> values(array.count);
  gpu_.download(values.data(), array.data(), values.size() * sizeof(float));
  return std::vector<double>(values.begin(), values.end());
}

void BareStack::write(BareArray& array, const std::vector<double>& values) {
  if (values.size() != array.count) throw Error("Expected as many values as the array has");
  if (config.type == CUDNN_DATA_DOUBLE) {
    gpu_.upload(array.data(), values.data(), values.size() * sizeof(double));
    return;
  }
  if (config.type != CUDNN_DATA_FLOAT) throw Error("Expected float or double for the array to be written");
  const std::vector<float> narrow(values.begin(), values.end());
  gpu_.upload(array.data(), narrow.data(), narrow.size() * sizeof(float));
}

cudnnStatus_t BareStack::forward(bool states, bool training) {
  const auto mode = training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE;
  const bool has_cell = config.cell == CUDNN_LSTM;
  return api_.cudnnRNNForward(handle_, rnn_, mode, nullptr, x_shape_, x.data(), y_shape_, y.data(), h_shape_,
                              states ? hx.data() : nullptr, hy.data(), c_shape_, states && has_cell ? cx.data() : nullptr,
                              has_cell ? cy.data() : nullptr, weight_bytes_, weights.data(), workspace_bytes_,
                              workspace_.data(), training ? reserve_bytes_ : 0, training ? reserve_.data() : nullptr);
}

cudnnStatus_t BareStack::backward_data(bool states) {
  const bool has_cell = config.cell == CUDNN_LSTM;
  return api_.cudnnRNNBackwardData_v8(handle_, rnn_, nullptr, y_shape_, y.data(), dy.data(), x_shape_, dx.data(), h_shape_,
                                      states ? hx.data() : nullptr, states ? dhy.data() : nullptr, dhx.data(), c_shape_,
                                      states && has_cell ? cx.data() : nullptr, states && has_cell ? dcy.data() : nullptr,
                                      has_cell ? dcx.data() : nullptr, weight_bytes_, weights.data(), workspace_bytes_,
                                      workspace_.data(), reserve_bytes_, reserve_.data());
}

cudnnStatus_t BareStack::backward_weights(bool states, cudnnWgradMode_t mode) {
  return api_.cudnnRNNBackwardWeights_v8(handle_, rnn_, mode, nullptr, x_shape_, x.data(), h_shape_,
                                         states ? hx.data() : nullptr, y_shape_, y.data(), weight_bytes_, dweights.data(),
                                         workspace_bytes_, workspace_.data(), reserve_bytes_, reserve_.data());
}

void BareStack::step(bool states) {
  api_.check(forward(states), "cudnnRNNForward");
  api_.check(backward_data(states), "cudnnRNNBackwardData_v8");
  zero(dweights);
  api_.check(backward_weights(states), "cudnnRNNBackwardWeights_v8");
}

BareStack::Place BareStack::place(int pseudo_layer, int linear_layer, bool bias) {
  Owned<cudnnTensorDescriptor_t> matrix DEEP_RNN_OWNED(api_, TensorDescriptor), vector DEEP_RNN_OWNED(api_, TensorDescriptor);
  void *matrix_at = nullptr, *vector_at = nullptr;
  DEEP_RNN_CALL(api_, cudnnGetRNNWeightParams, handle_, rnn_, pseudo_layer, weight_bytes_, weights.data(), linear_layer, matrix,
                &matrix_at, vector, &vector_at);
  Place place;
  place.address = static_cast<char*>(bias ? vector_at : matrix_at);
  if (!place.address) return place;
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  int rank = 0, shape[8] = {}, strides[8] = {};
  DEEP_RNN_CALL(api_, cudnnGetTensorNdDescriptor, bias ? vector : matrix, 8, &type, &rank, shape, strides);
  place.shape.assign(shape, shape + rank);
  return place;
}

}  // namespace deep_rnn::cuda
