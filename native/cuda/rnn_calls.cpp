#include "cuda/rnn_calls.h"

namespace deep_rnn::cuda {

RnnSpaces rnn_spaces(const Api& api, cudnnHandle_t handle, const RnnDescriptors& descriptors, bool keeps) {
  RnnSpaces spaces;
  DEEP_RNN_CALL(api, cudnnGetRNNTempSpaceSizes, handle, descriptors.rnn,
                keeps ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE, descriptors.x, &spaces.work_bytes,
                &spaces.reserve_bytes);
  if (!keeps) spaces.reserve_bytes = 0;
  return spaces;
}

namespace {

void forward(Gpu& gpu, RnnPlan& plan, const void* weights, const RnnArrays& arrays, const RnnSpaces& spaces) {
  const RnnDescriptors& descriptors = plan.descriptors();
  DEEP_RNN_CALL(gpu.api(), cudnnRNNForward, gpu.cudnn(), descriptors.rnn,
                spaces.reserve ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE, nullptr, descriptors.x, arrays.x,
                descriptors.y, arrays.y, descriptors.h, arrays.h0, arrays.hn, descriptors.c, arrays.c0, arrays.cn,
                plan.weight_bytes(), weights, spaces.work_bytes, spaces.work, spaces.reserve_bytes, spaces.reserve);
}

void backward_data(Gpu& gpu, RnnPlan& plan, const void* weights, const RnnArrays& arrays, const RnnSpaces& spaces) {
  const RnnDescriptors& descriptors = plan.descriptors();
  DEEP_RNN_CALL(gpu.api(), cudnnRNNBackwardData_v8, gpu.cudnn(), descriptors.rnn, nullptr, descriptors.y, arrays.y, arrays.dy,
                descriptors.x, arrays.dx, descriptors.h, arrays.h0, arrays.dhn, arrays.dh0, descriptors.c, arrays.c0,
                arrays.dcn, arrays.dc0, plan.weight_bytes(), weights, spaces.work_bytes, spaces.work, spaces.reserve_bytes,
                spaces.reserve);
}

void backward_weights(Gpu& gpu, RnnPlan& plan, const RnnArrays& arrays, const RnnSpaces& spaces, void* gradients) {
  const RnnDescriptors& descriptors = plan.descriptors();
  DEEP_RNN_CALL(gpu.api(), cudnnRNNBackwardWeights_v8, gpu.cudnn(), descriptors.rnn, CUDNN_WGRAD_MODE_ADD, nullptr,
                descriptors.x, arrays.x, descriptors.h, arrays.h0, descriptors.y, arrays.y, plan.weight_bytes(), gradients,
                spaces.work_bytes, spaces.work, spaces.reserve_bytes, spaces.reserve);
}

// A call that waits. The descriptors of the data are set again when it is issued: other passes over the stack may have been
// prepared in between. Passes with lengths never wait.
struct Waiting {
  enum class Call : int64_t { forward, backward_data, backward_weights };
  Call call;
  RnnPlan* plan;
  int64_t steps, batch;
  const void* weights;
  void* gradients;
  RnnArrays arrays;
  RnnSpaces spaces;

  void issue(Gpu& gpu, const uint64_t*) const {
    plan->prepare(batch);
    plan->descriptors().set_data(plan->desc(), steps, batch, nullptr);
    if (call == Call::forward) forward(gpu, *plan, weights, arrays, spaces);
    if (call == Call::backward_data) backward_data(gpu, *plan, weights, arrays, spaces);
    if (call == Call::backward_weights) backward_weights(gpu, *plan, arrays, spaces, gradients);
  }
};

void wait(Gpu& gpu, Waiting::Call call, RnnPlan& plan, const void* weights, const RnnArrays& arrays, const RnnSpaces& spaces,
          void* gradients) {
  gpu.push(Waiting{call, &plan, plan.descriptors().steps(), plan.descriptors().batch(), weights, gradients, arrays, spaces});
}

}  // namespace

void rnn_forward(Gpu& gpu, RnnPlan& plan, const void* weights, const RnnArrays& arrays, const RnnSpaces& spaces) {
  if (gpu.graphs().gathering()) return wait(gpu, Waiting::Call::forward, plan, weights, arrays, spaces, nullptr);
  forward(gpu, plan, weights, arrays, spaces);
}

void rnn_backward_data(Gpu& gpu, RnnPlan& plan, const void* weights, const RnnArrays& arrays, const RnnSpaces& spaces) {
  if (gpu.graphs().gathering()) return wait(gpu, Waiting::Call::backward_data, plan, weights, arrays, spaces, nullptr);
  backward_data(gpu, plan, weights, arrays, spaces);
}

void rnn_backward_weights(Gpu& gpu, RnnPlan& plan, const RnnArrays& arrays, const RnnSpaces& spaces, void* gradients) {
  gpu.zero(gradients, plan.weight_space());
  if (gpu.graphs().gathering()) return wait(gpu, Waiting::Call::backward_weights, plan, nullptr, arrays, spaces, gradients);
  backward_weights(gpu, plan, arrays, spaces, gradients);
}

}  // namespace deep_rnn::cuda
