#include "cuda/rnn_descriptors.h"

#include <climits>

#include "core/error.h"
#include "cuda/rnn_numbers.h"

namespace deep_rnn::cuda {

namespace {

cudnnRNNMode_t mode_of(Cell cell) {
  switch (cell) {
    case Cell::rnn_tanh:
      return CUDNN_RNN_TANH;
    case Cell::rnn_relu:
      return CUDNN_RNN_RELU;
    case Cell::lstm:
      return CUDNN_LSTM;
    default:
      return CUDNN_GRU;
  }
}

cudnnRNNBiasMode_t mode_of(BiasMode bias) {
  switch (bias) {
    case BiasMode::none:
      return CUDNN_RNN_NO_BIAS;
    case BiasMode::single:
      return CUDNN_RNN_SINGLE_INP_BIAS;
    default:
      return CUDNN_RNN_DOUBLE_BIAS;
  }
}

cudnnRNNAlgo_t algorithm_of(const RnnDesc& desc) {
  switch (desc.algorithm) {
    case RnnAlgorithm::persist_static:
      return CUDNN_RNN_ALGO_PERSIST_STATIC;
    case RnnAlgorithm::persist_dynamic:
      return CUDNN_RNN_ALGO_PERSIST_DYNAMIC;
    case RnnAlgorithm::persist_static_small_h:
      return CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H;
    default:
      return CUDNN_RNN_ALGO_STANDARD;
  }
}

// Without a wish for TF32, float32 means float32: cuDNN's default would take tensor cores, and with them 10 bits of mantissa.
cudnnMathType_t math_of(const RnnDesc& desc) {
  if (RnnNumbers(desc).casts()) return CUDNN_TENSOR_OP_MATH;
  return desc.dtype == DType::float32 && desc.precision == Precision::same ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH;
}

}  // namespace

void RnnDescriptors::set_stack(const RnnDesc& desc) {
  const cudnnDataType_t type = RnnNumbers(desc).type;
  // 16-bit numbers are multiplied as they are and added up in float32.
  const cudnnDataType_t sums = type == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
  // "No projection" is a projection to the hidden size: 0 is refused, whatever the header says. Padded rows are part of our
  // layout, so cuDNN must know that they may be there.
  DEEP_RNN_CALL(api, cudnnSetRNNDescriptor_v8, rnn, algorithm_of(desc), mode_of(desc.cell), mode_of(desc.bias),
                desc.bidirectional ? CUDNN_BIDIRECTIONAL : CUDNN_UNIDIRECTIONAL,
                desc.input_mode == InputMode::skip ? CUDNN_SKIP_INPUT : CUDNN_LINEAR_INPUT, type, sums, math_of(desc),
                int32_t(desc.input_size), int32_t(desc.hidden_size), int32_t(desc.output_size()), int32_t(desc.layers), dropout,
                CUDNN_RNN_PADDED_IO_ENABLED);
  if (desc.clip > 0) DEEP_RNN_CALL(api, cudnnRNNSetClip_v9, rnn, CUDNN_RNN_CLIP_MINMAX, -desc.clip, desc.clip);
}

void RnnDescriptors::set_data(const RnnDesc& desc, int64_t steps, int64_t batch, const int32_t* lengths) {
  if (steps > INT_MAX || batch > INT_MAX) throw Error("cuDNN takes up to " + std::to_string(INT_MAX) + " steps and sequences");
  steps_ = steps;
  if (lengths) {
    lengths_.assign(lengths, lengths + batch);
  } else {
    lengths_.assign(size_t(batch), int32_t(steps));
  }
  const cudnnDataType_t type = RnnNumbers(desc).type;
  double zero = 0;  // all bytes zero, so a zero of any type
  const auto set = [&](cudnnRNNDataDescriptor_t data, int64_t width) {
    DEEP_RNN_CALL(api, cudnnSetRNNDataDescriptor, data, type, CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED, int(steps), int(batch),
                  int(width), lengths_.data(), &zero);
  };
  set(x, desc.input_size);
  set(y, desc.directions() * desc.output_size());
  const auto set_state = [&](cudnnTensorDescriptor_t state, int64_t width) {
    const int shape[] = {int(desc.layers * desc.directions()), int(batch), int(width)};
    const int strides[] = {int(batch * width), int(width), 1};
    DEEP_RNN_CALL(api, cudnnSetTensorNdDescriptor, state, type, 3, shape, strides);
  };
  set_state(h, desc.output_size());
  set_state(c, desc.hidden_size);
}

}  // namespace deep_rnn::cuda
