// cuDNN's descriptors: what is accepted here is what the real library accepts, see gpu_shim_descriptors_test.cpp.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>

#include "gpu_shim/rnn_types.h"

using namespace deep_rnn::gpu_shim;

namespace deep_rnn::gpu_shim {

namespace {

std::string& last_reason() {
  static thread_local std::string reason;
  return reason;
}

bool is_one_of(int value, int count) { return value >= 0 && value < count; }

bool is_float(cudnnDataType_t type) {
  return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_DOUBLE || type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16;
}

}  // namespace

cudnnStatus_t refused(cudnnStatus_t status, const std::string& reason) {
  last_reason() = reason;
  return status;
}

Layout layout_of(const cudnnRNNStruct& rnn) {
  const int gates = rnn.gates();
  const bool projects = rnn.projection < rnn.hidden;
  Layout layout;
  layout.linear_layers = 2 * gates + (projects ? 1 : 0);
  std::vector<Place*> places;
  const int pseudo_layers = rnn.layers * rnn.directions;
  layout.matrices.resize(size_t(pseudo_layers * layout.linear_layers));
  layout.biases.resize(layout.matrices.size());
  for (int pseudo = 0; pseudo < pseudo_layers; pseudo++) {
    const int layer = pseudo / rnn.directions;
    for (int linear = 0; linear < layout.linear_layers; linear++) {
      const size_t at = size_t(pseudo * layout.linear_layers + linear);
      const bool input = linear < gates, recurrent = !input && linear < 2 * gates;
      Place& matrix = layout.matrices[at];
      if (input) matrix = {0, rnn.hidden, rnn.input_of(layer)};
      if (recurrent) matrix = {0, rnn.hidden, rnn.projection};
      if (!input && !recurrent) matrix = {0, rnn.projection, rnn.hidden};
      if (input && layer == 0 && rnn.skip) matrix = {};
      const bool biased = rnn.bias == CUDNN_RNN_DOUBLE_BIAS       ? input || recurrent
                          : rnn.bias == CUDNN_RNN_SINGLE_INP_BIAS ? input
                                                                  : rnn.bias == CUDNN_RNN_SINGLE_REC_BIAS && recurrent;
      if (biased) layout.biases[at] = {0, rnn.hidden, 1};
      places.push_back(&matrix);
      places.push_back(&layout.biases[at]);
    }
  }
  // Each algorithm has a layout of its own.
  std::mt19937_64 random(setting("DEEP_RNN_SHIM_LAYOUT", 1) + uint64_t(rnn.algo) * 1000);
  for (size_t i = places.size(); i > 1; i--) std::swap(places[i - 1], places[random() % i]);
  layout.count = 3;
  for (Place* place : places) {
    if (place->rows == 0) continue;
    place->offset = layout.count;
    layout.count += size_t(place->rows) * size_t(place->columns) + random() % 5;
  }
  return layout;
}

}  // namespace deep_rnn::gpu_shim

#define DEEP_RNN_REFUSE_IF(condition, status, reason) \
  if (condition) return refused(status, reason)

extern "C" {

size_t cudnnGetVersion() { return CUDNN_VERSION; }
cudnnStatus_t cudnnAdvVersionCheck() { return CUDNN_STATUS_SUCCESS; }
const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    default:
      return "CUDNN_STATUS_OF_THE_SHIM";
  }
}
void cudnnGetLastErrorString(char* text, size_t bytes) { std::snprintf(text, bytes, "%s", last_reason().c_str()); }

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  forbid_capture(__func__);
  DEEP_RNN_REFUSE_IF(!is_context_current(), CUDNN_STATUS_NOT_INITIALIZED, "no context is current on this thread");
  *handle = new cudnnContext;
  note_object("cuDNN handles", 1);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  note_object("cuDNN handles", -1);
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  forbid_capture(__func__);
  DEEP_RNN_REFUSE_IF(!handle, CUDNN_STATUS_BAD_PARAM, "no handle");
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

#define DEEP_RNN_SHIM_OBJECT(name, kind)                     \
  cudnnStatus_t cudnnCreate##name(cudnn##name##_t* object) { \
    note_object("cudnn" #name "_t", 1);                      \
    *object = new cudnn##kind##Struct;                       \
    return CUDNN_STATUS_SUCCESS;                             \
  }                                                          \
  cudnnStatus_t cudnnDestroy##name(cudnn##name##_t object) { \
    note_object("cudnn" #name "_t", -1);                     \
    delete object;                                           \
    return CUDNN_STATUS_SUCCESS;                             \
  }
DEEP_RNN_SHIM_OBJECT(RNNDescriptor, RNN)
DEEP_RNN_SHIM_OBJECT(RNNDataDescriptor, RNNData)
DEEP_RNN_SHIM_OBJECT(TensorDescriptor, Tensor)
DEEP_RNN_SHIM_OBJECT(DropoutDescriptor, Dropout)

cudnnStatus_t cudnnDropoutGetStatesSize(cudnnHandle_t handle, size_t* bytes) {
  DEEP_RNN_REFUSE_IF(!handle, CUDNN_STATUS_BAD_PARAM, "no handle");
  *bytes = 4096;
  return CUDNN_STATUS_SUCCESS;
}

// The states hold the seed and the number of passes since.
cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t dropout, cudnnHandle_t handle, float probability, void* states,
                                        size_t bytes, unsigned long long seed) {
  const Entry entered(__func__);
  DEEP_RNN_REFUSE_IF(!handle || !dropout, CUDNN_STATUS_BAD_PARAM, "no handle or descriptor");
  DEEP_RNN_REFUSE_IF(!(probability >= 0 && probability <= 1), CUDNN_STATUS_BAD_PARAM, "probability");
  if (states) {
    DEEP_RNN_REFUSE_IF(bytes < 4096, CUDNN_STATUS_INVALID_VALUE, "states too small");
    forbid_capture(__func__);
    Memory::all().check(states, bytes, __func__, "the states");
    push(handle->stream, __func__, [=] {
      const uint64_t values[2] = {seed, 0};
      std::memcpy(host(states), values, sizeof values);
    });
  }
  *dropout = {true, probability, states, bytes};
  return CUDNN_STATUS_SUCCESS;
}

// The same without a word to the generators.
cudnnStatus_t cudnnRestoreDropoutDescriptor(cudnnDropoutDescriptor_t dropout, cudnnHandle_t handle, float probability,
                                            void* states, size_t bytes, unsigned long long) {
  DEEP_RNN_REFUSE_IF(!handle || !dropout, CUDNN_STATUS_BAD_PARAM, "no handle or descriptor");
  DEEP_RNN_REFUSE_IF(!(probability >= 0 && probability <= 1), CUDNN_STATUS_BAD_PARAM, "probability");
  DEEP_RNN_REFUSE_IF(states && bytes < 4096, CUDNN_STATUS_INVALID_VALUE, "states too small");
  *dropout = {true, probability, states, bytes};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t rnn, cudnnRNNAlgo_t algo, cudnnRNNMode_t cell,
                                       cudnnRNNBiasMode_t bias, cudnnDirectionMode_t direction, cudnnRNNInputMode_t input_mode,
                                       cudnnDataType_t type, cudnnDataType_t math, cudnnMathType_t, int32_t input,
                                       int32_t hidden, int32_t projection, int32_t layers, cudnnDropoutDescriptor_t dropout,
                                       uint32_t flags) {
  DEEP_RNN_REFUSE_IF(!rnn || input < 1 || hidden < 1 || layers < 1 || projection < 1, CUDNN_STATUS_BAD_PARAM, "a size");
  DEEP_RNN_REFUSE_IF(!is_one_of(algo, 4) || !is_one_of(cell, 4) || !is_one_of(bias, 4) || !is_one_of(direction, 2) ||
                         !is_one_of(input_mode, 2) || (flags & ~1u) != 0,
                     CUDNN_STATUS_BAD_PARAM, "a mode");
  const bool persists = algo != CUDNN_RNN_ALGO_STANDARD;
  const bool same = type == math && (type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_DOUBLE || type == CUDNN_DATA_HALF);
  const bool mixed = math == CUDNN_DATA_FLOAT && (type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16);
  DEEP_RNN_REFUSE_IF(!same && !mixed, CUDNN_STATUS_NOT_SUPPORTED, "these types");
  DEEP_RNN_REFUSE_IF(persists && type == CUDNN_DATA_HALF && math == CUDNN_DATA_HALF, CUDNN_STATUS_NOT_SUPPORTED,
                     "persistent half");
  DEEP_RNN_REFUSE_IF(
      (algo == CUDNN_RNN_ALGO_PERSIST_STATIC || algo == CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H) && type == CUDNN_DATA_DOUBLE,
      CUDNN_STATUS_NOT_SUPPORTED, "persistent double");
  DEEP_RNN_REFUSE_IF(projection > hidden || (projection != hidden && (cell != CUDNN_LSTM || persists)),
                     CUDNN_STATUS_NOT_SUPPORTED, "this projection");
  DEEP_RNN_REFUSE_IF(persists && bias != CUDNN_RNN_DOUBLE_BIAS, CUDNN_STATUS_NOT_SUPPORTED, "persistent bias");
  cudnnRNNStruct set;
  set.is_set = true;
  set.algo = algo;
  set.cell = cell;
  set.bias = bias;
  set.directions = direction == CUDNN_BIDIRECTIONAL ? 2 : 1;
  set.skip = input_mode == CUDNN_SKIP_INPUT;
  set.input = input;
  set.hidden = hidden;
  set.projection = projection;
  set.layers = layers;
  set.type = type;
  set.padded_io = (flags & CUDNN_RNN_PADDED_IO_ENABLED) != 0;
  set.dropout = dropout;
  *rnn = set;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNSetClip_v9(cudnnRNNDescriptor_t rnn, cudnnRNNClipMode_t mode, double low, double high) {
  DEEP_RNN_REFUSE_IF(!rnn || !is_one_of(mode, 2), CUDNN_STATUS_BAD_PARAM, "a mode");
  DEEP_RNN_REFUSE_IF(!(low <= high), CUDNN_STATUS_BAD_PARAM, "the bounds");
  rnn->clips = mode == CUDNN_RNN_CLIP_MINMAX;
  rnn->clip_low = low;
  rnn->clip_high = high;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBuildRNNDynamic(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, int batch) {
  DEEP_RNN_REFUSE_IF(!handle || !rnn || !rnn->is_set || batch < 1, CUDNN_STATUS_BAD_PARAM, "null, not set or no sequences");
  DEEP_RNN_REFUSE_IF(rnn->algo != CUDNN_RNN_ALGO_PERSIST_DYNAMIC, CUDNN_STATUS_BAD_PARAM, "there is nothing to build");
  DEEP_RNN_REFUSE_IF(rnn->directions == 2, CUDNN_STATUS_NOT_SUPPORTED, "dynamic persistence runs in one direction");
  rnn->built_for = batch;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t data, cudnnDataType_t type, cudnnRNNDataLayout_t layout,
                                        int steps, int batch, int width, const int lengths[], void* fill) {
  DEEP_RNN_REFUSE_IF(!data || steps < 1 || batch < 1 || width < 1 || !lengths || !is_one_of(layout, 3), CUDNN_STATUS_BAD_PARAM,
                     "a size or mode");
  DEEP_RNN_REFUSE_IF(!is_float(type), CUDNN_STATUS_NOT_SUPPORTED, "the type");
  const bool packed = layout == CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED;
  for (int i = 0; i < batch; i++) {
    DEEP_RNN_REFUSE_IF(lengths[i] < 0 || lengths[i] > steps, CUDNN_STATUS_BAD_PARAM, "a length");
    DEEP_RNN_REFUSE_IF(packed && (lengths[i] == 0 || (i > 0 && lengths[i] > lengths[i - 1])), CUDNN_STATUS_BAD_PARAM,
                       "packed lengths must be sorted and positive");
  }
  DEEP_RNN_REFUSE_IF(packed && lengths[0] != steps, CUDNN_STATUS_BAD_PARAM, "the longest packed sequence must fill the steps");
  data->is_set = true;
  data->type = type;
  data->layout = layout;
  data->steps = steps;
  data->batch = batch;
  data->width = width;
  data->lengths.assign(lengths, lengths + batch);
  data->fills = fill != nullptr;
  data->fill = !fill                       ? 0
               : type == CUDNN_DATA_DOUBLE ? *static_cast<double*>(fill)
               : type == CUDNN_DATA_FLOAT  ? *static_cast<float*>(fill)
                                           : 0;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t tensor, cudnnDataType_t type, int rank, const int shape[],
                                         const int strides[]) {
  DEEP_RNN_REFUSE_IF(!tensor || !shape || !strides, CUDNN_STATUS_BAD_PARAM, "null");
  DEEP_RNN_REFUSE_IF(rank > CUDNN_DIM_MAX, CUDNN_STATUS_NOT_SUPPORTED, "the rank");
  for (int i = 0; i < rank; i++) DEEP_RNN_REFUSE_IF(shape[i] < 1, CUDNN_STATUS_BAD_PARAM, "a size");
  tensor->is_set = true;
  tensor->type = type;
  tensor->shape.assign(shape, shape + rank);
  tensor->strides.assign(strides, strides + rank);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetTensorNdDescriptor(const cudnnTensorDescriptor_t tensor, int most, cudnnDataType_t* type, int* rank,
                                         int shape[], int strides[]) {
  DEEP_RNN_REFUSE_IF(!tensor || !tensor->is_set, CUDNN_STATUS_BAD_PARAM, "not set");
  *type = tensor->type;
  *rank = int(tensor->shape.size());
  for (int i = 0; i < most && i < *rank; i++) {
    shape[i] = tensor->shape[size_t(i)];
    strides[i] = tensor->strides[size_t(i)];
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, size_t* bytes) {
  DEEP_RNN_REFUSE_IF(!handle || !rnn || !bytes || !rnn->is_set, CUDNN_STATUS_BAD_PARAM, "null or not set");
  *bytes = layout_of(*rnn).count * size_of(rnn->type);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, int32_t pseudo_layer, size_t bytes,
                                      const void* space, int32_t linear_layer, cudnnTensorDescriptor_t matrix, void** matrix_at,
                                      cudnnTensorDescriptor_t bias, void** bias_at) {
  DEEP_RNN_REFUSE_IF(!handle || !rnn || !rnn->is_set, CUDNN_STATUS_BAD_PARAM, "null or not set");
  const Layout layout = layout_of(*rnn);
  DEEP_RNN_REFUSE_IF(!is_one_of(pseudo_layer, rnn->layers * rnn->directions) ||
                         !is_one_of(linear_layer, layout.linear_layers) || bytes != layout.count * size_of(rnn->type),
                     CUDNN_STATUS_BAD_PARAM, "out of range");
  const auto answer = [&](const Place& place, cudnnTensorDescriptor_t tensor, void** at) {
    if (!tensor || !at) return;
    tensor->is_set = true;
    tensor->type = rnn->type;
    if (place.rows == 0) {
      tensor->shape.clear();
      tensor->strides.clear();
      *at = nullptr;
    } else {
      tensor->shape = {1, place.rows, place.columns};
      tensor->strides = {place.rows * place.columns, place.columns, 1};
      *at = const_cast<char*>(static_cast<const char*>(space)) + place.offset * size_of(rnn->type);
    }
  };
  answer(layout.matrix(pseudo_layer, linear_layer), matrix, matrix_at);
  answer(layout.bias(pseudo_layer, linear_layer), bias, bias_at);
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
