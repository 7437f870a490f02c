#include "cuda/rnn_numbers.h"

#include "cuda/launch.h"

namespace deep_rnn::cuda {

void RnnNumbers::narrow(Gpu& gpu, int64_t count, const void* x, void* y) const {
  if (!x) return;
  const Launch shape = gpu.over_elements(count);
  if (type == CUDNN_DATA_HALF) {
    DEEP_RNN_LAUNCH(gpu, shape, cast_float32_float16, count, x, y);
  } else {
    DEEP_RNN_LAUNCH(gpu, shape, cast_float32_bfloat16, count, x, y);
  }
}

void RnnNumbers::widen(Gpu& gpu, int64_t count, const void* x, void* y) const {
  if (!x) return;
  const Launch shape = gpu.over_elements(count);
  if (type == CUDNN_DATA_HALF) {
    DEEP_RNN_LAUNCH(gpu, shape, cast_float16_float32, count, x, y);
  } else {
    DEEP_RNN_LAUNCH(gpu, shape, cast_bfloat16_float32, count, x, y);
  }
}

void RnnNumbers::one_hot(Gpu& gpu, const char* operation, int64_t first, int64_t steps, int64_t batch, int64_t columns,
                         const int32_t* tokens, const int32_t* lengths, void* out) const {
  const int64_t rows = steps * batch;
  const Fault fault = gpu.fault({operation, "token", columns, {rows, 1, 1}, first * batch});
  const Launch shape = gpu.over_elements(rows * columns);
  switch (type) {
    case CUDNN_DATA_HALF:
      DEEP_RNN_LAUNCH(gpu, shape, one_hot_float16, rows, batch, columns, tokens, lengths, out, fault);
      break;
    case CUDNN_DATA_BFLOAT16:
      DEEP_RNN_LAUNCH(gpu, shape, one_hot_bfloat16, rows, batch, columns, tokens, lengths, out, fault);
      break;
    case CUDNN_DATA_DOUBLE:
      DEEP_RNN_LAUNCH(gpu, shape, one_hot_float64, rows, batch, columns, tokens, lengths, out, fault);
      break;
    default:
      DEEP_RNN_LAUNCH(gpu, shape, one_hot_float32, rows, batch, columns, tokens, lengths, out, fault);
  }
}

void RnnNumbers::pack(Gpu& gpu, const Launch& shape, const Segment* pieces, const void* params, void* weights) const {
  switch (type) {
    case CUDNN_DATA_HALF:
      DEEP_RNN_LAUNCH(gpu, shape, segments_float32_float16, 0, pieces, params, weights);
      break;
    case CUDNN_DATA_BFLOAT16:
      DEEP_RNN_LAUNCH(gpu, shape, segments_float32_bfloat16, 0, pieces, params, weights);
      break;
    case CUDNN_DATA_DOUBLE:
      DEEP_RNN_LAUNCH(gpu, shape, segments_float64_float64, 0, pieces, params, weights);
      break;
    default:
      DEEP_RNN_LAUNCH(gpu, shape, segments_float32_float32, 0, pieces, params, weights);
  }
}

void RnnNumbers::add_back(Gpu& gpu, const Launch& shape, const Segment* pieces, const void* gradients, void* dparams) const {
  switch (type) {
    case CUDNN_DATA_HALF:
      DEEP_RNN_LAUNCH(gpu, shape, segments_float16_float32, 1, pieces, gradients, dparams);
      break;
    case CUDNN_DATA_BFLOAT16:
      DEEP_RNN_LAUNCH(gpu, shape, segments_bfloat16_float32, 1, pieces, gradients, dparams);
      break;
    case CUDNN_DATA_DOUBLE:
      DEEP_RNN_LAUNCH(gpu, shape, segments_float64_float64, 1, pieces, gradients, dparams);
      break;
    default:
      DEEP_RNN_LAUNCH(gpu, shape, segments_float32_float32, 1, pieces, gradients, dparams);
  }
}

}  // namespace deep_rnn::cuda
